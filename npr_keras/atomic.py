"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import socket
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Gives a temporary path beside `path` and, when the block ends well, renames it to `path`.

    The data reaches the disk before the name does. A block that fails leaves `path` as it was and
    nothing else behind; what a killed process left there goes when the next one writes.

    Example:
        >>> with replacing("scores.csv") as temporary:
        ...     temporary.write_text("path,logit\\n")
    """
    path = Path(path)
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "No such folder", os.fspath(path.parent))
    _clean(os.path.abspath(path.parent))
    temporary = path.with_name(f".{owner()}-{uuid.uuid4().hex[:6]}.{path.name}")
    try:
        try:
            yield temporary
        except OSError as error:
            # What a person knows is the file's own name; libraries may give none.
            if error.errno and error.filename in (None, str(temporary), temporary):
                raise OSError(error.errno, error.strerror, os.fspath(path)) from error
            raise
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


_TEMPORARY = re.compile(r"\.([0-9a-f]{8}-\d+-)[0-9a-f]{6}\..+")


def owner() -> str:
    """This machine and this process, as they stand in names: others may write into the same folder."""
    return f"{_machine()}-{os.getpid()}"


@functools.cache
def _machine() -> str:
    """Where a process' number means one process: containers of one name have numbers of their own."""
    parts = [socket.gethostname()]
    for read in (
        lambda: os.readlink("/proc/self/ns/pid"),
        lambda: Path("/proc/sys/kernel/random/boot_id").read_text(),
    ):
        with contextlib.suppress(OSError):
            parts.append(read())
    return f"{zlib.crc32(repr(parts).encode()):08x}"


def is_abandoned(name: str) -> bool:
    """Whether a name begins with an `owner` of this machine that is no more."""
    host, _, rest = name.partition("-")
    process = rest.partition("-")[0]
    if host != owner().partition("-")[0] or not process.isdecimal() or os.name != "posix":
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's; no number of a process
        return False
    return False


@functools.lru_cache(maxsize=4096)
def _clean(folder: str) -> None:
    """Removes temporary files of this machine's processes that are no more, once for each folder."""
    with os.scandir(folder) as entries:
        found = [(e.path, _TEMPORARY.fullmatch(e.name)) for e in entries]
    for path, match in found:
        if match and is_abandoned(match[1]):
            with contextlib.suppress(OSError):
                os.unlink(path)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file, atomically, in UTF-8; undecodable parts of file names stay as they are."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
