"""One process at a time writes into a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from npr_keras.errors import RunError

LOCK_FILE = ".lock"


@contextlib.contextmanager
def locked(
    folder: str | os.PathLike, doing: str, wait: bool = False, name: str = LOCK_FILE
) -> Iterator[None]:
    """Keeps a folder for this process while the block runs; makes the folder where there is none.

    The lock is the operating system's and ends with the process, however that ends; the empty file
    stays.

    Args:
        folder: The folder.
        doing: What happens there, such as "training", for the other process' message.
        wait: Whether to wait for the other process instead.
        name: Of the lock's file.

    Raises:
        RunError: If another process is at it.
    """
    folder = Path(folder)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / name)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except filelock.Timeout:
        raise RunError(
            f"{folder}: another process is {doing} there. Wait for it, or choose another folder."
        ) from None
    try:
        yield
    finally:
        lock.release()
        if is_new and os.listdir(folder) == [name]:  # nothing came of it
            (folder / name).unlink()
            folder.rmdir()
