"""Decoded training images in one file that is mapped into memory: decoded once, read every epoch."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from npr_keras.atomic import write_text
from npr_keras.data.ahead import load_ahead
from npr_keras.data.decode import decode, resize
from npr_keras.data.pipeline import worker_count
from npr_keras.data.records import Record
from npr_keras.errors import DataError, UnreadableImageError
from npr_keras.locks import locked

_RULE = 1  # grows when the same file becomes other pixels
_ROW = 3  # numbers of a row: offset, height, width
_AT_ONCE = 256  # images from one writing of the index to the next, or a tenth of what it has


class DecodedImages:
    """The pixels of images by their index, from a file of raw bytes.

    A file that has changed (size or time of change) counts as another one, and so does another
    `resize`: what does not fit is decoded anew. Killed, it goes on where it was.

    Args:
        folder: Where the file and its index lie; about 3 bytes a pixel.
        records: The images.
        size: Both sides before the crop, in pixels; None: as they are.
        progress: Called with how many are decoded and how many there are.

    Raises:
        DataError: If the disk has no room for them.
        RunError: If another process is filling this folder.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        records: Sequence[Record],
        size: int | None,
        progress: Callable[[int, int], None] | None = None,
    ):
        self._paths = [record.path for record in records]
        self._size = size
        key = _key(self._paths, size)
        self.path = Path(folder, f"{key}.pixels")
        index = Path(folder, f"{key}.json")
        if not index.exists():
            with locked(folder, "decoding images"):
                self._fill(index, progress)
        found = json.loads(index.read_text(encoding="utf-8"))
        self._rows = np.array(found["rows"], np.int64).reshape(-1, _ROW)
        self.reasons: dict[int, str] = {int(k): v for k, v in found["unreadable"].items()}
        empty = not self.path.stat().st_size
        self._bytes = np.zeros(0, np.uint8) if empty else np.memmap(self.path, np.uint8, "r")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> np.ndarray:
        """uint8, (H, W, 3), read only; UnreadableImageError for one that could not be read."""
        if index in self.reasons:
            raise UnreadableImageError(self.reasons[index])
        offset, height, width = self._rows[index]
        return self._bytes[offset : offset + 3 * height * width].reshape(height, width, 3)

    def _fill(self, index: Path, progress) -> None:
        """Decodes what is not there yet; the index appears when all are."""
        begun = index.with_suffix(".part")
        rows, unreadable = [], {}
        if begun.exists():
            stored = json.loads(begun.read_text(encoding="utf-8"))
            rows, unreadable = stored["rows"], stored["unreadable"]
        end = max((row[0] + 3 * row[1] * row[2] for row in rows), default=0)
        with open(self.path, "r+b" if self.path.exists() else "w+b") as file:
            file.truncate(end)
            file.seek(end)
            due = len(rows) + _AT_ONCE
            left, workers = range(len(rows), len(self._paths)), worker_count()
            for loaded in load_ahead(left, self._decoded, workers, 2 * workers):
                if loaded is None:
                    continue
                i, found = loaded
                if i == max(1, len(self._paths) // 100):
                    self._require_room(end, i)
                if isinstance(found, str):
                    rows.append([end, 0, 0])
                    unreadable[str(i)] = found
                else:
                    file.write(found.tobytes())
                    rows.append([end, *found.shape[:2]])
                    end += found.nbytes
                if progress:
                    progress(i + 1, len(self._paths))
                if len(rows) >= due:
                    due = len(rows) + max(_AT_ONCE, len(rows) // 10)
                    file.flush()
                    write_text(begun, json.dumps({"rows": rows, "unreadable": unreadable}))
            file.flush()
            os.fsync(file.fileno())
        write_text(index, json.dumps({"rows": rows, "unreadable": unreadable}))
        begun.unlink(missing_ok=True)

    def _decoded(self, i: int):
        try:
            pixels = decode(self._paths[i])
            return i, resize(pixels, self._size) if self._size else pixels
        except UnreadableImageError as error:
            return i, str(error)

    def _require_room(self, used: int, done: int) -> None:
        """By the first hundredth of them, whether all will fit."""
        needed = used // done * (len(self._paths) - done)
        free = shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise DataError(
                f"{self.path.parent}: {needed / 1e9:.1f} GB are needed for "
                f"{len(self._paths)} decoded images, and {free / 1e9:.1f} GB are free. "
                "Choose another folder with --cache, or train without it."
            )


def _key(paths: Sequence[str], size: int | None) -> str:
    """Of what the pixels depend on."""
    found = hashlib.sha256(f"{_RULE} {size}".encode())
    for path in paths:
        try:
            stat = os.stat(path)
            state = f"{stat.st_size} {stat.st_mtime_ns}"
        except OSError:
            state = "gone"
        found.update(f"\0{os.path.abspath(path)}\0{state}".encode(errors="surrogateescape"))
    return found.hexdigest()[:20]
