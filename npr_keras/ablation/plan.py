"""What is on disk of an ablation: its plan, and a folder for each run. Imports nothing heavy."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npr_keras.ablation.grid import PARTS, Grid
from npr_keras.atomic import replacing, write_text
from npr_keras.data.records import ImageSet
from npr_keras.errors import ConfigError, RunError
from npr_keras.versions import versions

PLAN_FILE = "plan.json"
_LOGITS, _FAILURE, _SECONDS = "logits.npz", "failure.txt", "seconds.txt"


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

    @property
    def seconds(self) -> float | None:
        """How long it took, where it was not broken off."""
        file = self.folder / _SECONDS
        return float(file.read_text()) if file.exists() else None

    def owner(self) -> str:
        """Which process is, or was, at it."""
        file = self.folder / "owner"
        return file.read_text(encoding="utf-8").strip() if file.exists() else "nobody"

    def fail(self, message: str) -> None:
        """Notes why it failed."""
        write_text(self.folder / _FAILURE, message)

    def succeed(self, seconds: float) -> None:
        """Notes how long it took."""
        (self.folder / _FAILURE).unlink(missing_ok=True)
        write_text(self.folder / _SECONDS, f"{seconds:.1f}\n")

    def write_logits(
        self, logits: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]
    ) -> None:
        """Keeps the scores of each set: what all figures are made of."""
        arrays = {f"logits/{name}": array for name, array in logits.items()}
        arrays |= {f"labels/{name}": array for name, array in labels.items()}
        with replacing(self.folder / _LOGITS) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)

    def read_logits(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By set: labels and logits, (n,) each, NaN for what could not be read."""
        with np.load(self.folder / _LOGITS) as arrays:
            names = [key.removeprefix("logits/") for key in arrays if key.startswith("logits/")]
            return {n: (arrays[f"labels/{n}"], arrays[f"logits/{n}"]) for n in names}


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
            Run(variant.slug, seed, folder / "runs" / variant.slug / f"seed-{seed}")
            for seed in seeds
            for variant in grid.variants
        )
        return cls(folder, runs, {part: dict(shared.get(part, {})) for part in PARTS}, described)

    def begin(self, grid: Grid, sets: Sequence[ImageSet]) -> None:
        """Writes the plan, or makes sure that it is the one that is there.

        More variants and seeds may come to those that are there.

        Raises:
            ConfigError: If what is there was made in another way.
        """
        shared = {**self.shared, **self.described, "images": _digest_of(sets)}
        variants = {v.slug: {"name": v.name, **v.to_dict()} for v in grid.variants}
        stored = read_plan(self.folder) if (self.folder / PLAN_FILE).exists() else None
        seeds = sorted({run.seed for run in self.runs})
        if stored:
            wrong = [
                k for k in shared if stored["shared"].get(k) != json.loads(json.dumps(shared[k]))
            ]
            wrong += [
                f"variant {v['name']}"
                for slug, v in variants.items()
                if slug in stored["variants"]
                and stored["variants"][slug] != json.loads(json.dumps(v))
            ]
            if wrong:
                raise ConfigError(
                    f"{self.folder} holds an ablation that was made in another way "
                    f"({', '.join(wrong)}). Use its settings, or another --out."
                )
            variants = {**stored["variants"], **variants}
            seeds = sorted({*stored["seeds"], *seeds})
        text = {
            "grid": grid.name,
            "default": _slug_of(grid),
            "variants": variants,
            "seeds": seeds,
            "shared": shared,
            "versions": stored["versions"] if stored else versions(),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / PLAN_FILE, json.dumps(text, indent=2) + "\n")


def read_plan(folder: str | os.PathLike) -> dict:
    """What `Plan.begin` wrote.

    Raises:
        RunError: If there is none.
    """
    file = Path(folder, PLAN_FILE)
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"No ablation in {os.fspath(folder)}: {error}") from error


def _slug_of(grid: Grid) -> str:
    return next(v.slug for v in grid.variants if v.name == grid.default)


def _digest_of(sets: Sequence[ImageSet]) -> str:
    """Of the judged images' names and lengths: other images would be another ablation."""
    digest = hashlib.sha256()
    for image_set in sets:
        for record in image_set.records:
            parts = Path(record.path).parts[-3:]
            entry = (image_set.name, parts, record.label, os.path.getsize(record.path))
            digest.update(repr(entry).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
