"""A folder tree, or a table, to labelled records. Standard library only.

Known layouts, all found by the same walk: a folder that holds two label folders, such as `0_real` and
`1_fake`, is a class; folders named train, val or test on the way to it are splits. A table is read by
`npr_keras.data.manifest`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from npr_keras.data.layout import EXPECTED, find_classes
from npr_keras.data.manifest import SPLITS, is_manifest
from npr_keras.data.records import ImageSet, Record, Source, count_labels
from npr_keras.data.walk import Skipped, identity
from npr_keras.errors import DataError, LayoutError, UnknownClassError
from npr_keras.visible import visible


def find_source(
    root: str | os.PathLike,
    classes: Sequence[str] = (),
    names: tuple[str, str] | None = None,
    skipped: Skipped | None = None,
) -> Source:
    """Finds a training source.

    `<root>/{train,val}/<class>/{0_real,1_fake}`, GenImage's `<generator>/{train,val}/{nature,ai}`,
    or a tree without splits, which is all used for training. A test split is left alone. Or a table.

    Args:
        root: The folder, or a CSV or Parquet file, see `npr_keras.data.manifest`.
        classes: Names of the classes to keep; empty for all.
        names: Of the folders with real and with generated images, where they are others than `npr_keras.data.layout.PAIRS`.
        skipped: Filled in with what was passed over.

    Raises:
        LayoutError: If there is no such folder, or nothing to train on in it.
        DataError: If one file is both real and generated, or a folder cannot be listed.
        UnknownClassError: If a class is not in the training split.

    Example:
        >>> source = find_source("my_source")
        >>> source.classes, len(source.train), len(source.val)
        (('cat',), 4, 2)
    """
    skipped = Skipped() if skipped is None else skipped
    found = find_classes(root, names, skipped)
    splits = [_split(one, found) for one in found]
    halves: dict[str, list[Record]] = {"train": [], "val": [], "test": []}
    for one, (split, at) in zip(found, splits, strict=True):
        if split is None and any(split == "train" for split, _ in splits):
            continue  # beside the splits, such as a folder of spare images
        name = "/".join(part for i, part in enumerate(one.parts) if i != at)
        if split != "test":
            halves[split or "train"] += one.records(name)

    known = sorted({record.class_name for record in halves["train"]})
    missing = sorted(set(classes) - set(known))
    if missing:
        raise UnknownClassError(
            f"No class {', '.join(missing)} in {os.fspath(root)}. "
            f"Its classes: {', '.join(filter(None, known)) or 'none, the source has only one set'}"
        )
    used = tuple(sorted(set(classes))) or tuple(known)
    source = Source(
        root=os.fspath(Path(root).parent if is_manifest(root) else root),
        classes=used,
        train=_by_path(r for r in halves["train"] if r.class_name in used),
        val=_by_path(r for r in halves["val"] if r.class_name in used),
    )
    real, fake = count_labels(source.train)
    if not real or not fake:
        raise LayoutError(
            f"Training needs real and generated images. Found {real} real and {fake} generated "
            f"under {os.fspath(root)}. Expected {EXPECTED}."
        )
    _require_one_label((*source.train, *source.val), skipped)
    return source


def find_sets(
    root: str | os.PathLike,
    pool: bool = False,
    names: tuple[str, str] | None = None,
    skipped: Skipped | None = None,
) -> tuple[list[ImageSet], list[str]]:
    """Finds the sets to evaluate in a folder.

    A folder with label folders is one set. Otherwise each child is a set, and the classes inside
    a child are pooled, as the official evaluation does; a child that holds several such sets
    gives each of them.

    Args:
        root: The folder, or a table.
        pool: Take everything below `root` as one set.
        names, skipped: As for `find_source`.

    Training images are left out where other splits are beside them, and validation images where
    there is a test split.

    Returns:
        The sets, sorted by name, and the splits that were left out, as relative paths.

    Raises:
        LayoutError: If there is no such folder, or no labelled images in it.
        DataError: If one file is both real and generated, or a folder cannot be listed.

    Example:
        >>> sets, ignored = find_sets("my_images")
        >>> len(sets[0].records), ignored
        (4, [])
    """
    skipped = Skipped() if skipped is None else skipped
    found = find_classes(root, names, skipped)
    splits = [_split(one, found) for one in found]
    used = {split for split, _ in splits}
    ignored = {"train"} if used - {"train"} else set()
    if "test" in used:
        ignored.add("val")
    left_out = {
        "/".join(one.parts[: at + 1])
        for one, (split, at) in zip(found, splits, strict=True)
        if split in ignored
    }
    found = [one for one, (split, _) in zip(found, splits, strict=True) if split not in ignored]
    sets = _sets(found, root, pool)
    if not sets:
        raise LayoutError(
            f"Nothing to evaluate under {os.fspath(root)}: {', '.join(sorted(left_out))} is for training "
            "or validation, and beside it there are no images."
        )
    _require_one_label([record for one in sets for record in one.records], skipped)
    return sets, sorted(left_out)


def find_every_set(
    root: str | os.PathLike,
    names: tuple[str, str] | None = None,
    skipped: Skipped | None = None,
) -> list[ImageSet]:
    """All labelled images below a folder, those for training and validation too.

    Args:
        root, names, skipped: As for `find_source`.

    Returns:
        Sets as of `find_sets`, sorted by name.

    Raises:
        LayoutError: If there is no such folder, or no labelled images in it.
    """
    return _sets(
        find_classes(root, names, Skipped() if skipped is None else skipped), root, pool=False
    )


def _sets(found, root, pool: bool) -> list[ImageSet]:
    """Class folders to sets: what is pooled, and what that is called."""
    deepest: dict[tuple[str, ...], int] = {}
    for one in found:
        for depth in range(len(one.parts) + 1):
            prefix = one.parts[:depth]
            deepest[prefix] = max(deepest.get(prefix, 0), len(one.parts))
    sets: dict[tuple[str, ...], list[Record]] = {}
    for one in found:
        depth = 0 if pool else _set_depth(one.parts, deepest)
        sets.setdefault(one.parts[:depth], []).extend(one.records("/".join(one.parts[depth:])))
    result = [
        ImageSet(visible("/".join(parts) or Path(root).resolve().stem), _by_path(records))
        for parts, records in sorted(sets.items())
    ]
    return [s for s in result if s.records]


def _set_depth(parts, deepest) -> int:
    """How many of a class folder's path parts name its set: as few as leave one level of classes."""
    for depth in range(1, len(parts)):
        if deepest[parts[:depth]] <= depth + 1:
            return depth
    return len(parts)


def _split(one, found) -> tuple[str | None, int]:
    """The split that a class belongs to, and which part of its path says so.

    Of a folder the first part named train, val or test, if it is alone or beside another split: LSUN
    has a class of the name train. A table has a column for it.
    """
    if one.split is not None:
        return (SPLITS[one.split], 0) if one.split else (None, -1)
    parts = one.parts
    for at, part in enumerate(parts):
        if part.lower() in SPLITS:
            beside = {
                p.parts[at].lower()
                for p in found
                if len(p.parts) > at and p.parts[:at] == parts[:at]
            }
            others = {SPLITS[name] for name in beside if name in SPLITS} - {SPLITS[part.lower()]}
            if len(beside) == 1 or others:
                return SPLITS[part.lower()], at
    return None, -1


def _require_one_label(records: Sequence[Record], skipped: Skipped) -> None:
    """Raises DataError where a link leads to a file under both labels."""
    if not skipped.links:
        return
    labels: dict = {}
    for record in records:
        other = labels.setdefault(_identity(record.path), record)
        if other.label != record.label:
            raise DataError(
                f"One file is both real and generated: {other.path} and {record.path}. Remove one of "
                "them, or the link."
            )


def _identity(path: str):
    """What a file is, whatever path leads to it."""
    try:
        return identity(path)
    except DataError:  # it is not there: whoever reads it says so
        return path


def _by_path(records: Iterable[Record]) -> tuple[Record, ...]:
    return tuple(sorted(records, key=lambda record: record.path))
