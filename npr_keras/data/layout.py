"""Where labelled images lie below a folder: which folders stand for a label, and their files."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from npr_keras.data.manifest import is_manifest, read_manifest
from npr_keras.data.records import FAKE, REAL, Record
from npr_keras.data.walk import (
    EXTENSIONS,
    Skipped,
    archive_hint,
    identity,
    iter_images,
    list_folder,
    walk,
)
from npr_keras.errors import LayoutError

# Names of label folders, real and generated, in any case. The first two pairs count alone, too.
PAIRS = (
    ("0_real", "1_fake"),
    ("nature", "ai"),
    ("real", "fake"),
    ("real", "generated"),
    ("0", "1"),
    ("original", "manipulated"),
    ("training_real", "training_fake"),
)
LABEL_FOLDERS = {
    name: label for pair in PAIRS[:2] for name, label in zip(pair, (REAL, FAKE), strict=True)
}
EXPECTED = (
    "folders named 0_real and 1_fake (or nature and ai, real and fake, 0 and 1), at any depth, with "
    "images in them, or a CSV or Parquet table with the columns path and label. Folders of other names: "
    "--real-name and --fake-name"
)


class ClassFolder:
    """A class's images.

    Attributes:
        parts: Of its path below the root; in a table the split, the set, and the class.
        split: In a table: its split, "" for none. None for a folder, whose path says it.
    """

    split: str | None = None

    def __init__(self, parts: tuple[str, ...], labelled: dict[int, list[str]], skipped, above):
        self.parts = parts
        self.folders, self._skipped, self._above = labelled, skipped, above

    @functools.cached_property
    def images(self) -> list[tuple[str, int]]:
        """Paths and labels, listed when they are asked for: a split that is ignored is not."""
        return [
            (path, label)
            for label in sorted(self.folders)
            for folder in self.folders[label]
            for path in sorted(iter_images(folder, self._skipped, self._above))
        ]

    def records(self, class_name: str) -> list[Record]:
        """The images as records of a class of that name."""
        return [Record(path, label, class_name) for path, label in self.images]


def find_classes(root, names, skipped: Skipped) -> list[ClassFolder]:
    """Every class below a root, or in a table, sorted by path."""
    root = os.fspath(root)
    if is_manifest(root):
        return _classes_of_table(root, skipped)
    if not os.path.isdir(root):
        hint = archive_hint(root)
        kind = "a file, not a folder" if os.path.exists(root) else "no such folder"
        raise LayoutError(hint or f"{root}: {kind}. Expected a folder that holds {EXPECTED}.")
    found = []
    around = Skipped()  # what lies in no label folder is no image that is missing
    for folder, children, files in walk(root, around):
        labels = _labels(folder, children, names)
        labelled: dict[int, list[str]] = {}
        for child, label in labels.items():
            labelled.setdefault(label, []).append(os.path.join(folder, child))
        if labelled:
            parts = Path(folder).relative_to(root).parts
            found.append(ClassFolder(parts, labelled, skipped, _above(root, parts)))
        else:
            skipped.outside += len(files)
        children[:] = [child for child in children if child not in labels]
    skipped.named |= around.named
    skipped.links |= around.links
    if not found:
        raise LayoutError(
            f"No labelled images under {root}. Expected {EXPECTED}. "
            f"Found {_describe(root)}, {skipped.outside} image files in all."
            + "".join(f" Note: {hint}." for hint in around.hints())
        )
    if not any(one.images for one in found):
        passed = f", passed over: {skipped.summary()}" if skipped else ""
        raise LayoutError(
            f"The label folders under {root} hold no images ({' '.join(sorted(EXTENSIONS))}{passed}), "
            f"the first of them {next(iter(found[0].folders.values()))[0]}."
        )
    return sorted(found, key=lambda one: one.parts)


def _classes_of_table(path: str, skipped: Skipped) -> list[ClassFolder]:
    groups: dict[tuple, list[tuple[str, int]]] = {}
    seen: dict[tuple, int] = {}
    for row in read_manifest(path):
        if os.path.exists(row.path) and not os.path.isfile(row.path):
            skipped.named[row.path] = f"{row.path}: not a regular file; passed over"
            continue
        key = (row.path, row.label, row.set_name, row.class_name)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > 1:
            times = f"listed {seen[key]} times; taken once"
            skipped.named[row.path] = f"{row.path}: {times}"
            continue
        parts = tuple(filter(None, (row.set_name, *row.class_name.split("/"))))
        image = row.path, cast(int, row.label)  # read_manifest has asked for it
        groups.setdefault((row.split, parts), []).append(image)
    found = []
    for (split, parts), images in sorted(groups.items()):
        one = ClassFolder((*((split,) if split else ()), *parts), {}, None, frozenset())
        one.images, one.split = images, split
        found.append(one)
    skipped.links = True  # one file may stand under both labels
    return found


def _above(root: str, parts: tuple[str, ...]) -> frozenset:
    """The folders from the root to a class: none of them is entered from inside a label folder."""
    return frozenset(
        identity(os.path.join(root, *parts[:depth])) for depth in range(len(parts) + 1)
    )


def _labels(folder: str, children: Sequence[str], names) -> dict[str, int]:
    """The label folders among a folder's children. One that holds label folders itself is a class.

    Below a label folder only the official names count as such: its folders 0 and 1 may be shards.
    """
    found = {}
    for child, label in _named(children, names).items():
        inner = list_folder(os.path.join(folder, child))[0]
        if not _named(inner, names, PAIRS[:2]):
            found[child] = label
    return found


def _named(children: Sequence[str], names, pairs=PAIRS) -> dict[str, int]:
    lower = {child.lower() for child in children}
    known: dict[str, int] = {}
    for pair in (names,) if names else pairs:
        real, fake = (name.lower() for name in pair)
        alone = names or pair in PAIRS[:2]
        numbers = real == "0" and any(name.isdecimal() for name in lower - {"0", "1"})
        if (alone or {real, fake} <= lower) and not numbers:  # 0 to 9 are classes
            known |= {real: REAL, fake: FAKE}
    return {child: known[child.lower()] for child in children if child.lower() in known}


def _describe(root: str) -> str:
    folders, _ = list_folder(root)
    if not folders:
        return "no folders in it"
    more = f" and {len(folders) - 5} more" if len(folders) > 5 else ""
    return f"the folders {', '.join(folders[:5])}{more}"
