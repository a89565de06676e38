"""What is on disk of an ablation: its plan, its images, a folder for each run. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np

from npr_keras.ablation.grid import PARTS, Grid
from npr_keras.ablation.images import digest_of, groups_of, names_of
from npr_keras.atomic import replacing, write_text
from npr_keras.data.records import ImageSet
from npr_keras.errors import ConfigError, RunError
from npr_keras.locks import locked
from npr_keras.settings import differences
from npr_keras.versions import versions

PLAN_FILE = "plan.json"
_IMAGES_FILE = "images.npz"
_LOGITS, _FAILURE = "logits.npz", "failure.txt"


@dataclass(frozen=True)
class Run:
    """One variant with one seed.

    Attributes:
        variant: The variant's slug.
        seed: Its seed.
        folder: Where it lies.
    """

    variant: str
    seed: int
    folder: Path

    @property
    def is_done(self) -> bool:
        """Whether it was trained and judged."""
        return (self.folder / _LOGITS).exists()

    @property
    def failure(self) -> str:
        """Why it failed, the last time; "" if it did not."""
        file = self.folder / _FAILURE
        return file.read_text(encoding="utf-8") if file.exists() and not self.is_done else ""

    def owner(self) -> str:
        """Which process is, or was, at it."""
        file = self.folder / "owner"
        return file.read_text(encoding="utf-8").strip() if file.exists() else "nobody"

    @property
    def is_begun(self) -> bool:
        """Whether there is anything of it that another variant's run could not go on with."""
        return self.is_done or (self.folder / "config.json").exists()

    def fail(self, message: str) -> None:
        """Notes why it failed; a full disk is no reason to stop the others."""
        with contextlib.suppress(OSError):
            write_text(self.folder / _FAILURE, message)

    def succeed(self) -> None:
        """Forgets why it failed before."""
        (self.folder / _FAILURE).unlink(missing_ok=True)

    def write_logits(
        self, logits: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]
    ) -> None:
        """Keeps the scores of each set: what all figures are made of."""
        arrays = {f"logits/{_key(name)}": array for name, array in logits.items()}
        arrays |= {f"labels/{_key(name)}": array for name, array in labels.items()}
        _write_arrays(self.folder / _LOGITS, arrays)

    def read_logits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By set: labels and logits, (n,) each, NaN for what could not be read.

        Raises:
            RunError: If they are broken.
        """
        file = self.folder / _LOGITS
        try:
            with np.load(file) as arrays:
                keys = [key.removeprefix("logits/") for key in arrays if key.startswith("logits/")]
                return {_name(k): (arrays[f"labels/{k}"], arrays[f"logits/{k}"]) for k in keys}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise RunError(
                f"Cannot read the scores in {file}: {error}. Remove it; the next run makes it anew."
            ) from error

    def versions(self) -> dict:
        """Of the packages that it was begun with; empty if that is not known."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            return json.loads((self.folder / "config.json").read_text(encoding="utf-8"))["versions"]
        return {}


@dataclass(frozen=True)
class Plan:
    """What an ablation consists of.

    Args:
        folder: Where all of it lies.
        runs: Every variant with every seed.
        shared: What all variants share of each of `grid.PARTS`.
        described: What else decides the figures, as JSON: "source" and "judged on", by the names
            that tables give them, the source's fingerprint, the backend.
    """

    folder: Path
    runs: tuple[Run, ...]
    shared: Mapping[str, Mapping]
    described: Mapping

    @classmethod
    def of(
        cls,
        folder: str | os.PathLike,
        grid: Grid,
        seeds: Sequence[int],
        shared: Mapping[str, Mapping],
        described: Mapping,
    ) -> Plan:
        """The plan of a grid. Seeds come first: after a third of the time every variant is there."""
        folder = Path(folder)
        runs = tuple(
            run
            for seed in seeds
            for variant in grid.variants
            for run in runs_of(folder, variant.slug, [seed])
        )
        return cls(folder, runs, {part: dict(shared.get(part, {})) for part in PARTS}, described)

    def begin(self, grid: Grid, sets: Sequence[ImageSet]) -> None:
        """Writes the plan, or makes sure that it is the one that is there.

        More variants and seeds may come to those that are there, also from several processes.

        Raises:
            ConfigError: If what is there was made in another way.
        """
        with locked(self.folder, "planning an ablation", wait=True):
            text = self.joined(grid, sets)
            if not (self.folder / _IMAGES_FILE).exists():
                groups = zip(names_of(sets), groups_of(sets), strict=True)
                arrays = {_key(name): group for name, group in groups}
                _write_arrays(self.folder / _IMAGES_FILE, arrays)
            write_text(self.folder / PLAN_FILE, json.dumps(text, indent=2) + "\n")

    def joined(self, grid: Grid, sets: Sequence[ImageSet]) -> dict:
        """What is to be written: this plan and the one that is there.

        Raises:
            ConfigError: If what is there was made in another way, or is something else.
        """
        there = {p.name for p in self.folder.iterdir()} if self.folder.exists() else set()
        others = {name for name in there if name[0] != "."} - {PLAN_FILE, _IMAGES_FILE}
        if others and PLAN_FILE not in there:
            raise ConfigError(f"{self.folder} holds something else. Use an empty folder for --out.")
        shared = _plain({**self.shared, **self.described, "images": digest_of(sets)})
        variants = _plain({v.slug: {"name": v.name, **v.to_dict()} for v in grid.variants})
        default = next(v.slug for v in grid.variants if v.name == grid.default)
        seeds = sorted({run.seed for run in self.runs})
        used = versions()
        if (self.folder / PLAN_FILE).exists():
            stored = read_plan(self.folder)
            wrong = _differing(stored["shared"], shared)
            if stored["default"] != default:
                wrong.append(f"default: {stored['default']} there, {default} here")
            begun = {
                slug
                for slug in stored["variants"]
                if any(run.is_begun for run in runs_of(self.folder, slug, stored["seeds"]))
            }
            for slug in begun & set(variants):
                wrong += _differing(stored["variants"][slug], variants[slug], f"{slug}: ")
            if wrong:
                raise ConfigError(
                    f"{self.folder} holds an ablation that was made in another way:\n  "
                    + "\n  ".join(wrong)
                    + "\nUse its settings, or another --out."
                )
            # What failed before it began, and is no longer asked for, goes.
            failed = {
                slug
                for slug in set(stored["variants"]) - begun
                if any(run.failure for run in runs_of(self.folder, slug, stored["seeds"]))
            }
            kept = {k: v for k, v in stored["variants"].items() if k not in failed}
            variants = {**kept, **variants}
            seeds = sorted({*stored["seeds"], *seeds})
            used = stored["versions"]
        return {
            "grid": grid.name,
            "default": default,
            "variants": variants,
            "seeds": seeds,
            "shared": shared,
            "versions": used,
        }


def read_plan(folder: str | os.PathLike) -> dict:
    """What `Plan.begin` wrote.

    Raises:
        RunError: If there is none.
    """
    file = Path(folder, PLAN_FILE)
    try:
        plan = json.loads(file.read_text(encoding="utf-8"))
        if {"grid", "default", "variants", "seeds", "shared", "versions"} - set(plan):
            raise ValueError(f"{file} is not what ablate wrote")
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"No ablation in {os.fspath(folder)}: {error}") from error
    return plan


def runs_of(folder: str | os.PathLike, variant: str, seeds: Sequence[int]) -> list[Run]:
    """A variant's runs, done or not."""
    return [Run(variant, seed, Path(folder, "runs", variant, f"seed-{seed}")) for seed in seeds]


def read_groups(folder: str | os.PathLike) -> dict[str, np.ndarray] | None:
    """By set: the number of each judged image's group, see `groups_of`; None if not there."""
    file = Path(folder, _IMAGES_FILE)
    if not file.exists():
        return None
    with np.load(file) as arrays:
        return {_name(key): arrays[key] for key in arrays}


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # any of them could be a switch


def _key(name: str) -> str:
    """A set's name inside a zip file, whose names are text; folders' names may be no text."""
    return quote(name, errors="surrogateescape")


def _name(key: str) -> str:
    return unquote(key, errors="surrogateescape")


def _differing(there: Mapping, here: Mapping, prefix: str = "") -> list[str]:
    return [
        f"{name}: {json.dumps(was)} there, {json.dumps(now)} here"
        for name, was, now in differences(there, here, prefix)
    ]


def _plain(values: dict) -> dict:
    """As it comes back from JSON."""
    return json.loads(json.dumps(values))
