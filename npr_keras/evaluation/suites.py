"""What a suite consists of, and where it lies on disk. The table itself is suites.toml."""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from npr_keras.config import get_protocol
from npr_keras.data.manifest import SPLITS
from npr_keras.errors import ConfigError, LayoutError

ALL = "all28"
# Names that stand for several suites: what a mean is over must not change with the next suite.
GROUPS = {  # 28 generators, 38 sub-testsets: the paper's Table 6
    ALL: ("forensynths", "gangen", "diffusionforensics", "universalfakedetect", "diffusion1kstep"),
}


@dataclass(frozen=True)
class SubTestset:
    """What gets one row in a table.

    Attributes:
        suite: The suite's title.
        folder: Its folder below the suite's; also its name.
        generator: Who made the fakes, as the paper calls it.
        protocol: The name of how its files become pixels.
        classes: Folders below it whose images are pooled; empty where it has none.
        also: Other spellings of the folder.
        reals: Where the real images come from; empty where that is not documented.
        images: How many there should be, real and fake together; None where that is not known.
    """

    suite: str
    folder: str
    generator: str
    protocol: str
    classes: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    reals: str = ""
    images: int | None = None


@dataclass(frozen=True)
class Suite:
    """Sub-testsets that are reported together.

    Attributes:
        name: What `--suite` calls it.
        title: What tables call it.
        sets: Its sub-testsets, in the order of the paper's table.
        folders: Names that its folder goes by under a data root.
        table: The paper's table; None for a suite of the user's.
        origin: Where it can be had.
    """

    name: str
    title: str
    sets: tuple[SubTestset, ...]
    folders: tuple[str, ...] = ()
    table: int | None = None
    origin: str = ""


@dataclass(frozen=True)
class Located:
    """A suite as it lies on disk.

    Attributes:
        suite: The suite.
        root: Its folder; None where there is none.
        found: The folder of each sub-testset that is there, by its name, in the suite's order.
        missing: Names of the sub-testsets that are not there.
        extra: Folders beside them that are not part of the suite, sorted.
    """

    suite: Suite
    root: Path | None
    found: dict[str, Path]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


@functools.cache
def published_suites() -> dict[str, Suite]:
    """The known suites by name; the paper's five come first, in its order."""
    text = resources.files("npr_keras.evaluation").joinpath("suites.toml").read_text("utf-8")
    return {
        name: _suite(name, values, "suites.toml") for name, values in tomllib.loads(text).items()
    }


def get_suites(name: str | os.PathLike) -> tuple[Suite, ...]:
    """The suites that `--suite` stands for.

    Args:
        name: One of the paper's suites, `"all28"` for all five, or the path of a TOML file with a
            suite of the user's: `title`, `protocol`, and `[[sets]]` with a `folder` each, beside
            what else `SubTestset` and `Suite` hold.

    Raises:
        ConfigError: If there is no such suite, or the file does not describe one.
    """
    known = published_suites()
    if name in GROUPS:
        return tuple(known[one] for one in GROUPS[name])
    if name in known:
        return (known[name],)
    path = Path(name)
    if path.suffix != ".toml":
        raise ConfigError(
            f"Unknown suite. Known: {', '.join([*GROUPS, *known])}, or a TOML file with a suite of your "
            f"own. Received: {os.fspath(name)!r}"
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read the suite {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    return (_suite(path.stem, values, os.fspath(path)),)


_SUITE_KEYS = {"title", "protocol", "sets", "folders", "table", "origin"}
_SET_KEYS = {"folder", "generator", "protocol", "classes", "also", "reals", "images"}


def _suite(name: str, values: dict, where: str) -> Suite:
    unknown = sorted(set(values) - _SUITE_KEYS)
    rows = values.get("sets")
    if unknown or not isinstance(rows, list) or not rows:
        fault = f"unknown {', '.join(unknown)}" if unknown else "no [[sets]]"
        raise ConfigError(
            f"{where}: {fault}. A suite has {', '.join(sorted(_SUITE_KEYS))}; sets is a list of "
            "tables with a folder each."
        )
    title = values.get("title", name)
    sets = []
    for row in rows:
        unknown = sorted(set(row) - _SET_KEYS)
        if unknown or not isinstance(row.get("folder"), str):
            fault = f"unknown {', '.join(unknown)}" if unknown else "no folder"
            raise ConfigError(
                f"{where}: a set with {fault}: {row}. Known: {', '.join(sorted(_SET_KEYS))}"
            )
        protocol = get_protocol(row.get("protocol", values.get("protocol", "resize256"))).name
        sets.append(
            SubTestset(
                title,
                row["folder"],
                row.get("generator", row["folder"]),
                protocol,
                tuple(row.get("classes", ())),
                tuple(row.get("also", ())),
                row.get("reals", ""),
                row.get("images"),
            )
        )
    names = [s.folder for s in sets]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ConfigError(f"{where}: more than one set with the folder {', '.join(twice)}.")
    return Suite(
        name,
        title,
        tuple(sets),
        tuple(values.get("folders", (title,))),
        values.get("table"),
        values.get("origin", ""),
    )


def locate(suites: Sequence[Suite], data_root: str | os.PathLike) -> list[Located]:
    """Finds suites under a data root.

    A suite's folder is looked for by its names, in any case, also below a folder `test`; where one
    suite is asked for, the data root may be that folder itself.

    Raises:
        LayoutError: If there is no such data root.
    """
    data_root = Path(data_root)
    if not data_root.is_dir():
        raise LayoutError(f"No such data root: {data_root}. Expected a folder that holds suites.")
    return [_locate(suite, data_root, alone=len(suites) == 1) for suite in suites]


def _locate(suite: Suite, data_root: Path, alone: bool) -> Located:
    # More than one folder may go by a suite's names: the training set's, say. The one that
    # holds the most of its sets is it.
    candidates = [data_root] if alone else []
    for parent in (data_root, *_by_name(data_root, ("test",))):
        for folder in _by_name(parent, suite.folders):
            candidates += [folder, *_by_name(folder, ("test",))]
    best = Located(suite, None, {}, tuple(s.folder for s in suite.sets), ())
    for folder in candidates:
        found, used = {}, set()
        for sub in suite.sets:
            matches = _by_name(folder, (sub.folder, *sub.also))
            used |= {match.name for match in matches}
            if matches:
                found[sub.folder] = matches[0]
        if len(found) > len(best.found):
            missing = tuple(s.folder for s in suite.sets if s.folder not in found)
            others = {p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != "."}
            extra = sorted(name for name in others - used if name.lower() not in SPLITS)
            best = Located(suite, folder, found, missing, tuple(extra))
    return best


def _by_name(folder: Path, names: Sequence[str]) -> list[Path]:
    """Sub-folders of these names, in their order; a name in its own case before another one."""
    if not folder.is_dir():
        return []
    children = sorted(child for child in folder.iterdir() if child.is_dir())
    matches = [c for n in names for c in children if c.name == n]
    matches += [c for n in names for c in children if c.name.lower() == n.lower()]
    return list(dict.fromkeys(matches))


def described(suite: Suite, located: Located | None) -> dict:
    """A suite as plain values; what is on disk of it where `located` is given."""
    sets: list[dict] = [
        {
            "folder": sub.folder,
            "generator": sub.generator,
            "protocol": sub.protocol,
            "classes": list(sub.classes),
            "reals": sub.reals,
            "images": sub.images,
        }
        for sub in suite.sets
    ]
    values: dict = {
        "suite": suite.name,
        "title": suite.title,
        "table": suite.table,
        "origin": suite.origin,
        "sets": sets,
    }
    if located:
        for row in sets:
            path = located.found.get(row["folder"])
            row["path"] = os.fspath(path) if path else None
        values["root"] = os.fspath(located.root) if located.root else None
        values["missing"] = list(located.missing)
        values["extra"] = list(located.extra)
    return values
