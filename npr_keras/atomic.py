"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Gives a temporary path beside `path` and, when the block ends well, renames it to `path`.

    The data reaches the disk before the name does. A block that fails leaves `path` as it was and
    nothing else behind; a killed process can leave a hidden file that ends like `path`.

    Example:
        >>> with replacing("scores.csv") as temporary:
        ...     temporary.write_text("path,logit\\n")
    """
    path = Path(path)
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "No such folder", os.fspath(path.parent))
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
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


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file, atomically, in UTF-8; undecodable parts of file names stay as they are."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
