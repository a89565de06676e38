"""Scores of an evaluation under way, kept image by image, so that a killed one goes on."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.records import Record

_ROW = np.dtype([("index", "<i8"), ("logit", "<f4")])


class ScoreLog:
    """A file of (index, logit) pairs, only ever appended to.

    A process killed while it writes leaves at most one cut row at the end, which is dropped.
    Images that could not be read are not kept: they are tried again. Where nothing can be written,
    nothing is kept, and `failure` says why.

    Args:
        folder: Where such files lie; made when needed.
        model: What tells the model from all others, such as the digest of its file.
        records: The images, in order.
        protocol: How files become pixels.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        model: str,
        records: Sequence[Record],
        protocol: Preprocessing,
    ):
        digest = hashlib.sha256(repr((model, protocol)).encode())
        for record in records:
            entry = (record.path, *_state(record.path))
            digest.update(repr(entry).encode("utf-8", "surrogateescape"))
        self.path = Path(folder, f"{digest.hexdigest()[:24]}.scores")
        self._count = len(records)
        self.failure = ""

    def read(self) -> np.ndarray:
        """float32 logits, (n,), NaN where there is none yet."""
        logits = np.full(self._count, np.nan, np.float32)
        if self.path.exists():
            data = self.path.read_bytes()
            rows = np.frombuffer(data[: len(data) - len(data) % _ROW.itemsize], _ROW)
            # A disk may give back anything; two processes may keep the same scores, each its own.
            rows = rows[(rows["index"] >= 0) & (rows["index"] < self._count)]
            logits[rows["index"]] = rows["logit"]
            if len(data) % _ROW.itemsize:
                os.truncate(self.path, len(data) // _ROW.itemsize * _ROW.itemsize)
        return logits

    def append(self, indices: Sequence[int], logits: np.ndarray) -> None:
        """Keeps the scores of a batch: (b,), (b,)."""
        rows = np.empty(len(indices), _ROW)
        rows["index"], rows["logit"] = indices, logits
        if self.failure:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                file.write(rows.tobytes())
        except OSError as error:  # what can be made again is not worth an evaluation
            self.failure = f"{error.strerror}: {error.filename or self.path}"

    def remove(self) -> None:
        """Forgets them: the evaluation is done."""
        with contextlib.suppress(OSError):  # not there, or in a folder that is not ours
            self.path.unlink()


class ScoreLogs:
    """Scores of an evaluation of several sets or detectors, kept until all is done.

    Args:
        folder: Where the files lie.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = folder
        self.files: list[ScoreLog] = []

    def of(self, model: str, records: Sequence[Record], protocol: Preprocessing) -> ScoreLog:
        """See `ScoreLog`."""
        self.files.append(ScoreLog(self.folder, model, records, protocol))
        return self.files[-1]

    @property
    def failure(self) -> str:
        """Why scores were not kept; "" where they were."""
        return next((kept.failure for kept in self.files if kept.failure), "")

    def remove(self) -> None:
        """Forgets them all."""
        for kept in self.files:
            kept.remove()


def _state(path: str) -> tuple[int, int]:
    """Length and time of change: a file that was replaced is scored again."""
    try:
        state = os.stat(path)
    except OSError:
        return (-1, -1)
    return (state.st_size, state.st_mtime_ns)
