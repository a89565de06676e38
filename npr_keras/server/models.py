"""Which versions of which models are served: found on disk, loaded, switched, and named."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from npr_keras.errors import ConfigError, ServingError
from npr_keras.serving.states import AVAILABLE, END, LOADING, START


@dataclass(frozen=True)
class ModelSettings:
    """A model to be served.

    Args:
        name: What clients call it.
        path: The folder with its versions in it.
        latest: How many of the newest versions are served.
        versions: The versions that are served, whatever others there are; all for `(-1,)`.
        labels: Dict from a label to the version that it stands for.
    """

    name: str
    path: str
    latest: int = 1
    versions: tuple[int, ...] = ()
    labels: dict[str, int] = field(default_factory=dict)


def models_in(folder: str | os.PathLike, name: str | None = None) -> list[ModelSettings]:
    """The model whose versions lie in a folder, or, of a version's own folder, that one.

    Args:
        folder: The folder.
        name: What clients call it; by default the folder's name.

    Raises:
        ConfigError: If it is no such folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ConfigError(
            f"{folder} is not a folder. Give the folder with the model's versions; npr-keras export "
            "MODEL writes one."
        )
    path = path.resolve()
    versions: tuple[int, ...] = ()
    if (path / "saved_model.pb").exists():
        if not path.name.isdecimal():
            raise ConfigError(
                f"{folder} is a SavedModel without a version. Serve the folder above one that is "
                "called by a number: npr/1, say, and serve npr."
            )
        versions, path = (int(path.name),), path.parent
    return [ModelSettings(name or path.name, str(path), versions=versions)]


@dataclass
class VersionStatus:
    """How far a version is.

    Attributes:
        state: See `npr_keras.serving.states`.
        code, message: What went wrong; "OK" where nothing did.
        servable: What answers; None unless it is available.
        stamp: When its files were last written.
    """

    state: int = START
    code: str = "OK"
    message: str = ""
    servable: object = None
    stamp: float = 0.0


class Models:
    """The models that a server has, and their versions.

    Args:
        settings: The models.
        load: From a version's folder to what answers; raises ServingError.
        log: Called with a line for whoever runs the server.
    """

    def __init__(
        self,
        settings: list[ModelSettings],
        load: Callable,
        log: Callable[[str], None] = lambda line: None,
    ):
        self._load, self._log = load, log
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._versions: dict[str, dict[int, VersionStatus]] = {}
        self._lock = asyncio.Lock()
        self._left = False
        self.settings: dict[str, ModelSettings] = {}
        self.configure(settings)

    def configure(self, settings: list[ModelSettings]) -> None:
        """Other models from now on; the next `poll` loads and unloads.

        Raises:
            ConfigError: If two have one name.
        """
        names = [one.name for one in settings]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"Models need names of their own. Given twice: {', '.join(twice)}")
        self.settings = {one.name: one for one in settings}

    async def reconfigure(self, settings: list[ModelSettings]) -> None:
        """Other models at once, or, where one of them has no version that loads, none of it.

        Raises:
            ConfigError: See `configure`.
            ServingError: NOT_FOUND, with what was wrong.
        """
        before = list(self.settings.values())
        # What is served now stays until all of the new ones are there.
        new = {one.name for one in settings}
        self.configure([*settings, *(one for one in before if one.name not in new)])
        await self.poll()
        missing = [one for one in settings if not self.available()[one.name]]
        if missing:
            self.configure(before)
            await self.poll()
            paths = ", ".join(f"{one.name} in {one.path}" for one in missing)
            raise ServingError("NOT_FOUND", f"No version that can be served: {paths}.")
        self.configure(settings)
        await self.poll()

    async def poll(self) -> None:
        """Looks at the disk once: loads what is new, and then lets go of what is not wanted."""
        async with self._lock:
            if self._left:
                # A loaded graph refers to itself; until it is collected its memory is gone. By
                # now what still ran on it has ended.
                self._left = False
                await asyncio.to_thread(gc.collect)
            for name in [*self.settings, *(set(self._versions) - set(self.settings))]:
                wanted = await asyncio.to_thread(self._wanted, name)
                known = self._versions.setdefault(name, {})
                for version in sorted(wanted):
                    if _is_due(known.get(version), wanted[version]):
                        await self._bring(name, version, wanted[version], known)
                ready = any(known[v].state == AVAILABLE for v in wanted)
                for version, status in known.items():
                    unwanted = version not in wanted and status.state == AVAILABLE
                    # The last one stays until another one answers.
                    if unwanted and (ready or name not in self.settings):
                        known[version] = VersionStatus(END)
                        self._left = True
                        self._log(f"{name}, version {version}: unloaded")
                if name not in self.settings:
                    del self._versions[name]

    async def close(self) -> None:
        """Lets go of everything."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _bring(self, name: str, version: int, folder: Path, known: dict) -> None:
        status = known[version] = VersionStatus(LOADING, stamp=_stamp(folder))
        try:
            status.servable = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._load, folder
            )
        except ServingError as error:
            # Where the server keeps its files is for its log alone.
            message = str(error).replace(str(folder), f"version {version}")
            status.state, status.code, status.message = END, error.code, message
            self._log(f"{name}, version {version}: {error}")
        except Exception as error:
            status.state, status.code, status.message = END, "INTERNAL", type(error).__name__
            self._log(f"{name}, version {version}: {error!r}")
        else:
            status.state = AVAILABLE
            notice = getattr(status.servable, "notice", "")
            self._log(f"{name}, version {version}: available{f'. {notice}' if notice else ''}")

    def _wanted(self, name: str) -> dict[int, Path]:
        if name not in self.settings:
            return {}
        one = self.settings[name]
        there = {}
        try:
            with os.scandir(one.path) as entries:
                for entry in entries:
                    if entry.name.isdecimal() and entry.is_dir():
                        there[int(entry.name)] = Path(entry.path)
        except OSError:
            return {}
        if one.versions == (-1,):
            return there
        if one.versions:
            return {v: there[v] for v in one.versions if v in there}
        return {v: there[v] for v in sorted(there)[-one.latest :]}

    def find(self, name: str, version: int | None = None, label: str = ""):
        """The version that a request means, and what answers for it.

        Args:
            name: The model's.
            version: A certain one; by default the newest that is available.
            label: A name for a version instead.

        Raises:
            ServingError: NOT_FOUND, or UNAVAILABLE while the first version is being loaded.
        """
        known = self._versions.get(name, {})
        available = [v for v, status in known.items() if status.state == AVAILABLE]
        if label:
            version = self._labelled(name, label)
        if version is None:
            if not available:
                if any(status.state in (START, LOADING) for status in known.values()):
                    raise ServingError("UNAVAILABLE", f"Model {name} is being loaded.")
                raise ServingError("NOT_FOUND", f"Servable not found for request: Latest({name})")
            version = max(available)
        if version not in available:
            raise ServingError(
                "NOT_FOUND", f"Servable not found for request: Specific({name}, {version})"
            )
        return version, known[version].servable

    def status(self, name: str, version: int | None = None, label: str = "") -> dict:
        """How far the versions of a model are: dict from version to `VersionStatus`.

        Raises:
            ServingError: NOT_FOUND.
        """
        if label:
            version = self._labelled(name, label)
        known = self._versions.get(name, {})
        if not known:
            raise ServingError("NOT_FOUND", f"Could not find any versions of model {name}")
        if version is None:
            return dict(sorted(known.items(), reverse=True))
        if version not in known:
            raise ServingError("NOT_FOUND", f"Could not find version {version} of model {name}")
        return {version: known[version]}

    def available(self) -> dict[str, list[int]]:
        """The versions that answer, by model."""
        return {
            name: sorted(v for v, s in self._versions.get(name, {}).items() if s.state == AVAILABLE)
            for name in self.settings
        }

    def errors(self) -> list[str]:
        """What went wrong with versions that could not be loaded."""
        return [
            f"{name}, version {version}: {status.message}"
            for name, known in self._versions.items()
            for version, status in known.items()
            if status.message
        ]

    def _labelled(self, name: str, label: str) -> int:
        labels = self.settings[name].labels if name in self.settings else {}
        if label not in labels:
            raise ServingError("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
        return labels[label]


def _is_due(status: VersionStatus | None, folder: Path) -> bool:
    """Whether a version that is wanted has to be loaded: now first, again, or after a failure that
    its files were changed since."""
    if status is None:
        return True
    return status.state == END and (status.code == "OK" or status.stamp != _stamp(folder))


def _stamp(folder: Path) -> float:
    """When a version was last written; 0 where that cannot be told."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return 0.0
