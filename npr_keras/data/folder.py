"""A folder tree to labelled records. Standard library only.

Known layouts, all found by the same walk: a folder that holds `0_real` and `1_fake` (or GenImage's
`nature` and `ai`) is a class; folders named train, val or test on the way to it are splits.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from npr_keras.errors import LayoutError, UnknownClassError

REAL, FAKE = 0, 1
LABEL_FOLDERS = {"0_real": REAL, "1_fake": FAKE, "nature": REAL, "ai": FAKE}
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
EXPECTED = "folders named 0_real and 1_fake (or nature and ai), at any depth, with images in them"


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
    """

    name: str
    records: tuple[Record, ...]


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
            relative = Path(record.path).relative_to(self.root).as_posix()
            digest.update(f"{record.label} {relative}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def count_labels(records: Iterable[Record]) -> tuple[int, int]:
    """Numbers of real and of generated images."""
    labels = [record.label for record in records]
    return labels.count(REAL), labels.count(FAKE)


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
    has_split = any("train" in _splits(parts) for parts, _ in found)
    halves: dict[str, list[Record]] = {"train": [], "val": []}
    for parts, folders in found:
        splits = _splits(parts)
        half = "val" if "val" in splits else "test" if "test" in splits else "train"
        if half == "test" or (has_split and not splits):
            continue
        name = "/".join(part for part in parts if part.lower() not in SPLITS)
        halves[half] += _records(folders, name)

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
        train=tuple(r for r in halves["train"] if r.class_name in used),
        val=tuple(r for r in halves["val"] if r.class_name in used),
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

    Returns:
        The sets, sorted by name, and the training splits that were left out, as relative paths.

    Raises:
        LayoutError: If there is no such folder, or no labelled images in it.
    """
    found = _walk(root)
    # Where a tree has splits, its training half is not for judging.
    judged = [item for item in found if "train" not in _splits(item[0])]
    ignored: list[str] = []
    if judged:
        ignored = sorted({_up_to_train(parts) for parts, _ in found if "train" in _splits(parts)})
        found = judged

    sets: dict[tuple[str, ...], list[Record]] = {}
    for parts, folders in found:
        depth = 0 if pool else _set_depth(parts, [p for p, _ in found])
        sets.setdefault(parts[:depth], []).extend(_records(folders, "/".join(parts[depth:])))
    result = [
        ImageSet("/".join(parts) or Path(root).resolve().name, tuple(records))
        for parts, records in sorted(sets.items())
    ]
    return [s for s in result if s.records], ignored


def _set_depth(parts, all_parts) -> int:
    """How many of a class folder's path parts name its set."""
    if len(parts) < 2:
        return len(parts)
    for depth in range(1, len(parts)):
        inside = [p for p in all_parts if p[:depth] == parts[:depth]]
        if all(len(p) <= depth + 1 for p in inside):
            return depth
    return len(parts)


def _up_to_train(parts) -> str:
    names = [part.lower() for part in parts]
    return "/".join(parts[: names.index("train") + 1])


def _splits(parts) -> set[str]:
    return {SPLITS[part.lower()] for part in parts if part.lower() in SPLITS}


def _walk(root) -> list[tuple[tuple[str, ...], dict[int, list[str]]]]:
    """Every folder that holds label folders: its path's parts below `root`, and those folders."""
    root = os.fspath(root)
    if not os.path.isdir(root):
        kind = "a file, not a folder" if os.path.exists(root) else "no such folder"
        raise LayoutError(f"{root}: {kind}. Expected a folder that holds {EXPECTED}.")
    found = []
    images = 0
    seen = set()
    for folder, children, files in os.walk(root, followlinks=True):
        real_path = os.path.realpath(folder)
        if real_path in seen:  # a link back up
            children.clear()
            continue
        seen.add(real_path)
        images += sum(map(is_image_name, files))
        labelled: dict[int, list[str]] = {}
        for child in sorted(children):
            label = LABEL_FOLDERS.get(child.lower())
            if label is not None:
                labelled.setdefault(label, []).append(os.path.join(folder, child))
        if labelled:
            parts = Path(folder).relative_to(root).parts
            found.append((parts, labelled))
        children[:] = sorted(
            c for c in children if c.lower() not in LABEL_FOLDERS and not c.startswith(".")
        )
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


def _describe(root: str) -> str:
    folders = sorted(e.name for e in os.scandir(root) if e.is_dir())
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
    paths = []
    for parent, children, files in os.walk(folder, followlinks=True):
        children[:] = sorted(c for c in children if not c.startswith("."))
        paths += [os.path.join(parent, name) for name in sorted(files) if is_image_name(name)]
    return paths


def is_image_name(name: str) -> bool:
    """Whether a file's name says that it is an image (hidden files are not)."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS
