"""Labelled images, one by one and in the sets that are trained on and judged."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from npr_keras.config import Preprocessing

REAL, FAKE = 0, 1


@dataclass(frozen=True)
class Record:
    """One labelled image.

    Attributes:
        path: Where the file is.
        label: 0 real, 1 generated.
        class_name: The folder above the label's, relative to the set; "" where there is none.
    """

    path: str
    label: int
    class_name: str = ""


@dataclass(frozen=True)
class ImageSet:
    """What is judged together: a sub-testset, its classes pooled.

    Attributes:
        name: Its folder, relative to what was asked for.
        records: Its images, sorted by path.
        suite: The title of the suite that it belongs to, if any.
        protocol: How its files become pixels; None leaves that to whoever judges.
    """

    name: str
    records: tuple[Record, ...]
    suite: str = ""
    protocol: Preprocessing | None = None


@dataclass(frozen=True)
class Source:
    """Images to train on.

    Attributes:
        root: The folder.
        classes: Names of the classes in use, sorted; `("",)` where the source has none.
        train, val: Records, sorted by path; `val` may be empty.
    """

    root: str
    classes: tuple[str, ...]
    train: tuple[Record, ...]
    val: tuple[Record, ...]

    def fingerprint(self) -> str:
        """SHA-256 over the relative paths and labels: the same list, the same order of training."""
        digest = hashlib.sha256()
        for record in self.train:
            relative = Path(os.path.relpath(record.path, self.root)).as_posix()
            digest.update(f"{record.label} {relative}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def count_labels(records: Iterable[Record]) -> tuple[int, int]:
    """Numbers of real and of generated images."""
    labels = [record.label for record in records]
    return labels.count(REAL), labels.count(FAKE)
