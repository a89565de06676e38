"""A folder tree to labelled records. Standard library only.

Known layouts, all found by the same walk: a folder that holds `0_real` and `1_fake` (or GenImage's
`nature` and `ai`) is a class; folders named train, val or test on the way to it are splits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from npr_keras.data.records import FAKE, REAL, ImageSet, Record, Source, count_labels
from npr_keras.errors import DataError, LayoutError, UnknownClassError

LABEL_FOLDERS = {"0_real": REAL, "1_fake": FAKE, "nature": REAL, "ai": FAKE}
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
EXPECTED = "folders named 0_real and 1_fake (or nature and ai), at any depth, with images in them"


def find_source(root: str | os.PathLike, classes: Sequence[str] = ()) -> Source:
    """Finds a training source.

    `<root>/{train,val}/<class>/{0_real,1_fake}`, GenImage's `<generator>/{train,val}/{nature,ai}`,
    or a tree without splits, which is all used for training. A test split is left alone.

    Args:
        root: The folder.
        classes: Names of the classes to keep; empty for all.

    Raises:
        LayoutError: If there is no such folder, or nothing to train on in it.
        UnknownClassError: If a class is not in the training split.
    """
    found = _walk(root)
    splits = [_split(parts, found) for parts, _ in found]
    halves: dict[str, list[Record]] = {"train": [], "val": [], "test": []}
    for (parts, folders), (split, at) in zip(found, splits, strict=True):
        if split is None and any(split == "train" for split, _ in splits):
            continue  # beside the splits, such as a folder of spare images
        name = "/".join(part for i, part in enumerate(parts) if i != at)
        halves[split or "train"] += _records(folders, name)

    known = sorted({record.class_name for record in halves["train"]})
    missing = sorted(set(classes) - set(known))
    if missing:
        raise UnknownClassError(
            f"No class {', '.join(missing)} in {os.fspath(root)}. "
            f"Its classes: {', '.join(filter(None, known)) or 'none, the source has only one set'}"
        )
    used = tuple(sorted(set(classes))) or tuple(known)
    source = Source(
        root=os.fspath(root),
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
    return source


def find_sets(root: str | os.PathLike, pool: bool = False) -> tuple[list[ImageSet], list[str]]:
    """Finds the sets to judge in a folder.

    A folder with label folders is one set. Otherwise each child is a set, and the classes inside
    a child are pooled, as the official evaluation does; a child that holds several such sets
    gives each of them.

    Args:
        root: The folder.
        pool: Take everything below `root` as one set.

    Training images are left out where other splits are beside them, and validation images where
    there is a test split.

    Returns:
        The sets, sorted by name, and the splits that were left out, as relative paths.

    Raises:
        LayoutError: If there is no such folder, or no labelled images in it.
    """
    found = _walk(root)
    splits = [_split(parts, found) for parts, _ in found]
    judged = {split for split, _ in splits}
    ignored = {"train"} if judged - {"train"} else set()
    if "test" in judged:
        ignored.add("val")
    left_out = {
        "/".join(parts[: at + 1])
        for (parts, _), (split, at) in zip(found, splits, strict=True)
        if split in ignored
    }
    found = [item for item, (split, _) in zip(found, splits, strict=True) if split not in ignored]
    sets = _sets(found, root, pool)
    if not sets:
        raise LayoutError(
            f"Nothing to judge on under {os.fspath(root)}: {', '.join(sorted(left_out))} is for training "
            "or validation, and beside it there are no images."
        )
    return sets, sorted(left_out)


def find_every_set(root: str | os.PathLike) -> list[ImageSet]:
    """All labelled images below a folder, those for training and validation too.

    Args:
        root: The folder.

    Returns:
        Sets as of `find_sets`, sorted by name.

    Raises:
        LayoutError: If there is no such folder, or no labelled images in it.
    """
    return _sets(_walk(root), root, pool=False)


def _sets(found, root, pool: bool) -> list[ImageSet]:
    """Class folders to sets: what is pooled, and what that is called."""
    deepest: dict[tuple[str, ...], int] = {}
    for parts, _ in found:
        for depth in range(len(parts) + 1):
            prefix = parts[:depth]
            deepest[prefix] = max(deepest.get(prefix, 0), len(parts))
    sets: dict[tuple[str, ...], list[Record]] = {}
    for parts, folders in found:
        depth = 0 if pool else _set_depth(parts, deepest)
        sets.setdefault(parts[:depth], []).extend(_records(folders, "/".join(parts[depth:])))
    result = [
        ImageSet("/".join(parts) or Path(root).resolve().name, _by_path(records))
        for parts, records in sorted(sets.items())
    ]
    return [s for s in result if s.records]


def _set_depth(parts, deepest) -> int:
    """How many of a class folder's path parts name its set: as few as leave one level of classes."""
    for depth in range(1, len(parts)):
        if deepest[parts[:depth]] <= depth + 1:
            return depth
    return len(parts)


def _split(parts, found) -> tuple[str | None, int]:
    """The split that a class folder belongs to, and which part of its path says so.

    The first part named train, val or test, if it is alone or beside another split: LSUN has a
    class of the name train.
    """
    for at, part in enumerate(parts):
        if part.lower() in SPLITS:
            beside = {p[at].lower() for p, _ in found if len(p) > at and p[:at] == parts[:at]}
            others = {SPLITS[name] for name in beside if name in SPLITS} - {SPLITS[part.lower()]}
            if len(beside) == 1 or others:
                return SPLITS[part.lower()], at
    return None, -1


def _walk(root) -> list[tuple[tuple[str, ...], dict[int, list[str]]]]:
    """Every folder that holds label folders: its path's parts below `root`, and those folders."""
    root = os.fspath(root)
    if not os.path.isdir(root):
        kind = "a file, not a folder" if os.path.exists(root) else "no such folder"
        raise LayoutError(f"{root}: {kind}. Expected a folder that holds {EXPECTED}.")
    found = []
    images = 0
    for folder, children, files in _tree(root):
        images += sum(map(is_image_name, files))
        labels = {child: _label(folder, child) for child in children}
        labelled: dict[int, list[str]] = {}
        for child, label in labels.items():
            if label is not None:
                labelled.setdefault(label, []).append(os.path.join(folder, child))
        if labelled:
            found.append((Path(folder).relative_to(root).parts, labelled))
        children[:] = [child for child, label in labels.items() if label is None]
    if not found:
        raise LayoutError(
            f"No labelled images under {root}. Expected {EXPECTED}. "
            f"Found {_describe(root)}, {images} image files in all."
        )
    if not any(_records(folders, "") for _, folders in found):
        raise LayoutError(
            f"The label folders under {root} hold no images ({' '.join(sorted(EXTENSIONS))}), "
            f"the first of them {next(iter(found[0][1].values()))[0]}."
        )
    return sorted(found)


def _label(parent: str, name: str) -> int | None:
    """The label a folder stands for. One that holds label folders is a class of that name."""
    label = LABEL_FOLDERS.get(name.lower())
    if label is None or any(inner.lower() in LABEL_FOLDERS for inner in _list(parent, name)[0]):
        return None
    return label


def _tree(folder: str, above: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str], list[str]]]:
    """As os.walk: sorted, without hidden names, through links that do not lead back up.

    Raises:
        DataError: If a folder cannot be listed; its images would be missing without a word.
    """
    real_path = os.path.realpath(folder)
    if real_path in above:
        return
    children, files = _list(folder)
    yield folder, children, files
    for child in children:
        yield from _tree(os.path.join(folder, child), (*above, real_path))


def _list(*path: str) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files in a folder, sorted, hidden ones left out."""
    folder = os.path.join(*path)
    try:
        with os.scandir(folder) as entries:
            named = sorted((e.name, e.is_dir()) for e in entries if not e.name.startswith("."))
    except OSError as error:
        raise DataError(f"Cannot list the folder {folder}: {error.strerror}") from error
    return [n for n, is_dir in named if is_dir], [n for n, is_dir in named if not is_dir]


def _describe(root: str) -> str:
    folders, _ = _list(root)
    if not folders:
        return "no folders in it"
    more = f" and {len(folders) - 5} more" if len(folders) > 5 else ""
    return f"the folders {', '.join(folders[:5])}{more}"


def _records(label_folders: dict[int, list[str]], class_name: str) -> list[Record]:
    return [
        Record(path, label, class_name)
        for label in sorted(label_folders)
        for folder in label_folders[label]
        for path in list_images(folder)
    ]


def list_images(folder: str | os.PathLike) -> list[str]:
    """All image files below a folder, sorted by path; other and hidden files are passed over."""
    return sorted(iter_images(folder))


def iter_images(folder: str | os.PathLike) -> Iterator[str]:
    """The same files one by one, folder by folder; sorted in each of them."""
    for parent, _, files in _tree(os.fspath(folder)):
        for name in files:
            if is_image_name(name):
                yield os.path.join(parent, name)


def _by_path(records: Iterable[Record]) -> tuple[Record, ...]:
    return tuple(sorted(records, key=lambda record: record.path))


def is_image_name(name: str) -> bool:
    """Whether a file's name says that it is an image (hidden files are not)."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS
