"""What was checked gets its name: all of it at once, and nothing that is served is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from npr_keras.atomic import is_abandoned, owner
from npr_keras.errors import ExportError

_STAGING = ".exporting-"


@contextlib.contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A hidden folder for what is not checked yet; gone at the end, however it ends."""
    for left in folder.glob(f"{_STAGING}*"):
        if is_abandoned(left.name.removeprefix(_STAGING)):
            shutil.rmtree(left, ignore_errors=True)
    try:
        path = Path(tempfile.mkdtemp(prefix=f"{_STAGING}{owner()}-", dir=folder))
    except OSError as error:  # nobody knows that name
        raise OSError(error.errno, error.strerror, os.fspath(folder)) from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _versions(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return [int(p.name) for p in folder.iterdir() if p.name.isdecimal()]


def require_free(folder: Path, version: int) -> None:
    """Raises ExportError if a version is there."""
    if version in _versions(folder):
        raise ExportError(
            f"Version {version} is in {folder} already, and may be served. Give another --version."
        )


def publish_version(path: Path, folder: Path, version: int | None) -> Path:
    """Gives a version its name: at once, and never one that is there."""
    for part in path.rglob("*"):
        if part.is_file():
            _to_disk(part)
    while True:
        number = version if version is not None else max(_versions(folder), default=0) + 1
        require_free(folder, number)
        try:
            os.rename(path, folder / str(number))
            return folder / str(number)
        except OSError:
            if not (folder / str(number)).exists():
                raise  # else another process took it: the next one


def publish_file(path: Path, folder: Path) -> Path:
    """Gives a file its name, in place of what had it.

    An OpenVINO model is two files: the old .xml goes first and the new one comes last, so that
    none is ever there beside the weights of another.
    """
    target = folder / path.name
    parts = [p for p in path.parent.iterdir() if p != path]
    for part in (*parts, path):
        _to_disk(part)
    if parts:
        target.unlink(missing_ok=True)
    for part in (*parts, path):
        os.replace(part, folder / part.name)
    return target


def _to_disk(path: Path) -> None:
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def size_of(target: Path) -> int:
    """Bytes of all that belongs to an artefact."""
    if target.is_dir():
        return sum(p.stat().st_size for p in target.rglob("*") if p.is_file())
    beside = target.with_suffix(".bin") if target.suffix == ".xml" else None
    return sum(p.stat().st_size for p in (target, beside) if p)
