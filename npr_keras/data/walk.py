"""Folders to image files: all that the decoder takes, and nothing passed over in silence.

Standard library only. What is not taken is counted by its ending in `Skipped`, or named where it could
mislead: links that lead back, folders met twice, what is no regular file.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from npr_keras.errors import DataError
from npr_keras.visible import visible

# Endings of what `decode.FORMATS` reads. Other files are looked into.
EXTENSIONS = frozenset([
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".gif", ".tif", ".tiff",
    ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".avifs", ".jp2", ".j2k", ".jpf", ".jpx", ".jpc",
])  # fmt: skip
# Camera raws begin as TIFFs do; what would be read of them is a thumbnail.
RAWS = frozenset([".nef", ".dng", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"])
ARCHIVES = {".tar": "tar -xf", ".tgz": "tar -xf", ".zip": "unzip", ".7z": "7z x"}
_COMPRESSED = (".gz", ".xz", ".bz2", ".zst")
_NETPBM = re.compile(rb"P[1-6]\s+[\d#]")
_HEAD = 16  # bytes that show a format


@dataclass
class Skipped:
    """What a walk passed over.

    Attributes:
        endings: How many files of each ending are no images; "(none)" for names without one.
        named: Sentences about what could mislead, by path.
        links: Whether a link was followed.
        outside: Image files that lie in no label folder.
    """

    endings: Counter = field(default_factory=Counter)
    named: dict[str, str] = field(default_factory=dict)
    links: bool = False
    outside: int = 0

    def __bool__(self):
        return bool(self.endings or self.named or self.outside)

    def hints(self) -> list[str]:
        """What to do about files that people take for images, a sentence each."""
        endings = set(self.endings)
        found = []
        if endings & {".heic", ".heif"}:
            found.append(
                "HEIC is not read: convert it to PNG without resizing; note that HEIC is lossy"
            )
        if endings & RAWS:
            found.append("camera raws are not read: develop them to TIFF or PNG without resizing")
        if endings & {*ARCHIVES, *_COMPRESSED}:
            found.append("archives are not read: extract them first")
        return found

    def summary(self) -> str:
        """`3 .txt, 1 .heic`; "" where no file was passed over."""
        return ", ".join(f"{count:,} {ending}" for ending, count in self.endings.most_common())


def is_image_head(head: bytes) -> bool:
    """Whether a file that begins like this is in a format that is read."""
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and head[6:10] == bytes(4))  # reserved, and 0
        or _NETPBM.match(head) is not None
        or head[:8] == b"\0\0\0\x0cjP  "
        or head[:4] == b"\xff\x4f\xff\x51"
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"))
    )


def walk(
    folder: str | os.PathLike, skipped: Skipped, above: frozenset = frozenset()
) -> Iterator[tuple[str, list[str], list[str]]]:
    """As `os.walk`: sorted, without hidden names, links followed, every folder once.

    Args:
        folder: Where to begin.
        skipped: Filled in.
        above: What `identity` gives of folders that must not be entered, such as those above.

    Yields:
        A folder, the names of its folders (which may be changed to leave some out), and those of its
        image files.

    Raises:
        DataError: If a folder cannot be listed; its images would be missing without a word.
    """
    seen = dict.fromkeys(above, "")
    waiting = [os.fspath(folder)]
    while waiting:
        path = waiting.pop()
        key = identity(path)
        if key in seen:
            where = f" as {visible(seen[key])}" if seen[key] else ", above it"
            skipped.named[path] = (
                f"{visible(path)}: the same folder was met before{where}; passed over"
            )
            continue
        seen[key] = path
        children, files = list_folder(path, skipped)
        yield path, children, files
        waiting += [os.path.join(path, child) for child in reversed(children)]


def identity(folder: str) -> tuple[int, int]:
    """What a folder is, whatever path leads to it."""
    try:
        status = os.stat(folder)
    except OSError as error:
        raise DataError(f"Cannot list the folder {visible(folder)}: {error.strerror}") from error
    return status.st_dev, status.st_ino


def list_folder(folder: str, skipped: Skipped | None = None) -> tuple[list[str], list[str]]:
    """Names of the folders, and of the image files, in a folder; sorted, hidden ones left out.

    Args:
        folder: Where.
        skipped: Filled in; None where only the folders matter.
    """
    children, files = [], []
    try:
        with os.scandir(folder) as entries:
            found = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        raise DataError(f"Cannot list the folder {visible(folder)}: {error.strerror}") from error
    for entry in found:
        try:
            status = entry.stat()
            mode = status.st_mode
        except OSError as error:  # a link to nowhere, or to itself
            if skipped is not None:
                skipped.named[entry.path] = f"{visible(entry.path)}: {error.strerror}; passed over"
            continue
        hard = stat.S_ISREG(mode) and status.st_nlink > 1
        if skipped is not None and (hard or entry.is_symlink()):
            skipped.links = True
        if stat.S_ISDIR(mode):
            children.append(entry.name)
        elif not stat.S_ISREG(mode):
            if skipped is not None:
                skipped.named[entry.path] = (
                    f"{visible(entry.path)}: not a regular file; passed over"
                )
        elif is_image(entry.path):
            files.append(entry.name)
        elif skipped is not None:
            skipped.endings[os.path.splitext(entry.name)[1].lower() or "(none)"] += 1
    return children, files


def is_image(path: str) -> bool:
    """Whether a regular file is taken for an image: by its ending, or else by its first bytes."""
    ending = os.path.splitext(path)[1].lower()
    if ending in EXTENSIONS:
        return True
    if ending in RAWS:
        return False
    try:
        with open(path, "rb") as file:
            return is_image_head(file.read(_HEAD))
    except OSError:
        return False


def list_images(folder: str | os.PathLike, skipped: Skipped | None = None) -> list[str]:
    """All image files below a folder, sorted by path."""
    return sorted(iter_images(folder, skipped))


def iter_images(
    folder: str | os.PathLike, skipped: Skipped | None = None, above: frozenset = frozenset()
) -> Iterator[str]:
    """The same files one by one, folder by folder; sorted in each of them."""
    for parent, _, files in walk(folder, Skipped() if skipped is None else skipped, above):
        for name in files:
            yield os.path.join(parent, name)


def archive_hint(path: str | os.PathLike) -> str:
    """What to do with an archive; "" for what is none."""
    path = os.fspath(path)
    stem, ending = os.path.splitext(path)
    if ending.lower() in _COMPRESSED and stem.lower().endswith(".tar"):
        ending = ".tar"
    command = ARCHIVES.get(ending.lower())
    if not command or not os.path.isfile(path):
        return ""
    return f"{path} is an archive, and images are not read from archives. Extract it first: {command} {path}"
