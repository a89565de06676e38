"""Archives to folders, trusting nothing that is written in them."""

from __future__ import annotations

import bisect
import errno
import filecmp
import io
import itertools
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from npr_keras.data.layout import LABEL_FOLDERS
from npr_keras.errors import DownloadError
from npr_keras.packages import import_needed

ENDINGS = (".zip", ".7z")


@dataclass(frozen=True)
class _Entry:
    name: str
    size: int
    folder: bool
    link: bool


def unpack(
    parts: Sequence[str | os.PathLike], into: str | os.PathLike, keep: Collection[str] = ()
) -> int:
    """Unpacks a zip or 7z archive.

    All names are checked before a byte is written. What is unpacked lies in a hidden folder until
    all of it is there, and no file that is there already is replaced.

    Args:
        parts: The archive's file, or the files that it was split into, in order.
        into: The folder.
        keep: Names of folders that stay where the archive holds nothing else at its top; any other
            such folder is left away, being the archive's name and no more.

    Returns:
        The number of files.

    Raises:
        DownloadError: If the archive is broken, would write outside the folder, holds links, is
            larger than the free space, or holds other content for a file that is there.
        MissingPackageError: If it is a 7z archive, and the packages for these are not installed.
    """
    into = Path(into)
    name = os.fspath(parts[0])
    into.mkdir(parents=True, exist_ok=True)
    temporary = into / f".unpacking-{Path(name).name}"
    shutil.rmtree(temporary, ignore_errors=True)  # of a call that was killed
    try:
        with _opened(parts) as archive:
            entries = archive.entries()
            _check(name, entries, into)
            temporary.mkdir()
            archive.extract(temporary)
        return merge(name, _without_its_name(temporary, keep), into)
    except (  # type: ignore[misc]  # py7zr's are known once it is installed
        zipfile.BadZipFile,
        zlib.error,
        *_seven_zip_errors(),
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise DownloadError(f"{name} is broken: {error}. Remove it and fetch it again.") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # which zipfile gets for places that cannot be
            raise
        raise DownloadError(f"{name} is broken. Remove it and fetch it again.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _without_its_name(folder: Path, keep: Collection[str]) -> Path:
    """The folder that holds what the archive is about: its own name is often the only one on top."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name.lower() in keep:
            return folder
        if any(path.name.lower() in LABEL_FOLDERS for path in inside[0].iterdir()):
            return folder
        folder = inside[0]


def _check(name: str, entries: Sequence[_Entry], into: Path) -> None:
    for entry in entries:
        path = PurePosixPath(entry.name.replace("\\", "/"))
        outside = path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", entry.name)
        if outside or "\0" in entry.name:
            raise DownloadError(
                f"{name} would write outside its folder: {entry.name!r}. Nothing was unpacked; do "
                "not use this archive."
            )
        if entry.link:
            raise DownloadError(
                f"{name} holds a link: {entry.name!r}. Nothing was unpacked; data sets have none."
            )
    files = [PurePosixPath(entry.name) for entry in entries if not entry.folder]
    known = set(files)
    for path in files:
        if (len(known) != len(files) and files.count(path) > 1) or known & set(path.parents):
            raise DownloadError(
                f"{name} holds more than one thing of the name {path}. Nothing was unpacked."
            )
    needed = sum(entry.size for entry in entries)
    free = shutil.disk_usage(into).free
    if needed > free:
        raise DownloadError(
            f"{name} unpacks to {needed:,} bytes, and {free:,} are free in {into}. "
            "Make room, or give another --data-root."
        )


def merge(name: str, source: Path, into: Path) -> int:
    """Moves all files of a folder into another one; finds out first whether all of them can be."""
    moves = []
    for path in sorted(source.rglob("*")):
        target = into / path.relative_to(source)
        if path.is_dir():
            continue
        blocked = next((p for p in target.parents if p.exists() and not p.is_dir()), None)
        if blocked or target.is_dir():
            raise DownloadError(
                f"{name} holds {path.relative_to(source)}, and {blocked or target} is something else. "
                "Nothing was unpacked; move it away, or give another --data-root."
            )
        if target.exists() and not filecmp.cmp(path, target, shallow=False):
            raise DownloadError(
                f"{name} holds other content than {target}, which is there. Nothing was replaced; "
                "move the old files away, or give another --data-root."
            )
        moves.append((path, target))
    for path, target in moves:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    return len(moves)


@contextmanager
def _opened(parts: Sequence[str | os.PathLike]) -> Iterator[_Zip | _SevenZip]:
    first = os.fspath(parts[0])
    whole = re.sub(r"\.\d{3}$", "", first)
    with _volumes(parts, whole) as file:
        if whole.lower().endswith(".7z"):
            py7zr = import_needed("py7zr", "A 7z archive")
            with py7zr.SevenZipFile(file) as archive:
                yield _SevenZip(archive)
        else:
            with zipfile.ZipFile(file) as archive:
                yield _Zip(archive)


def _volumes(parts, whole: str):
    return open(parts[0], "rb") if len(parts) == 1 else io.BufferedReader(_Joined(parts), 1 << 20)


class _Joined(io.RawIOBase):
    """Files one after the other, read as if they were one."""

    def __init__(self, paths):
        self.paths = [os.fspath(path) for path in paths]
        self.ends = list(itertools.accumulate(map(os.path.getsize, self.paths)))
        self.place = 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=os.SEEK_SET):
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.ends[-1]}[whence]
        if base + offset < 0:
            raise ValueError(f"a place before the beginning: {base + offset}")
        self.place = base + offset
        return self.place

    def readinto(self, buffer):
        number = bisect.bisect_right(self.ends, self.place)
        if number == len(self.ends):
            return 0
        with open(self.paths[number], "rb") as file:
            file.seek(self.place - (self.ends[number - 1] if number else 0))
            count = file.readinto(buffer)
        self.place += count
        return count


class _Zip:
    def __init__(self, archive: zipfile.ZipFile):
        self.archive = archive

    def entries(self) -> list[_Entry]:
        return [
            _Entry(i.filename, i.file_size, i.is_dir(), stat.S_ISLNK(i.external_attr >> 16))
            for i in self.archive.infolist()
        ]

    def extract(self, folder: Path) -> None:
        self.archive.extractall(folder)


class _SevenZip:
    def __init__(self, archive):
        self.archive = archive

    def entries(self) -> list[_Entry]:
        return [
            _Entry(i.filename, i.uncompressed, i.is_directory, i.is_symlink)
            for i in self.archive.list()
        ]

    def extract(self, folder: Path) -> None:
        self.archive.extractall(folder)


def _seven_zip_errors() -> tuple[type[Exception], ...]:
    try:
        import lzma

        from py7zr.exceptions import ArchiveError
    except ImportError:
        return ()
    return (ArchiveError, lzma.LZMAError)
