"""Detectors that are not ours, in an evaluation: somebody's function, or scores in a file."""

from __future__ import annotations

import csv
import hashlib
import importlib
import importlib.metadata
import math
import os
import re
from collections.abc import Callable, Sequence

import numpy as np

from npr_keras.config import PROTOCOLS, Preprocessing
from npr_keras.errors import CheckpointError
from npr_keras.profile import ModelProfile
from npr_keras.runtimes.exported import first_line
from npr_keras.tables import ZERO_SHOT, load_code

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
GROUP = "npr_keras.detectors"  # of entry points: a name, and "module:function"
_SCORES = ("logit", "score", "probability")


class ForeignPredictor:
    """Scores files by their paths; what it makes of the pixels is its own affair.

    Args:
        name: What it is: "module:function", or a path.
        score: From a path to a score: above 0 means generated; or a probability, where `shares`.
        shares: Whether scores are from 0 to 1, and become logits.

    Attributes:
        identity: What tells it from others, for scores that are kept.
    """

    preprocessing: Preprocessing = PROTOCOLS["native"]

    def __init__(self, name: str, score: Callable[[str], float], shares: bool, identity: str = ""):
        self.path = name
        self.profile = ModelProfile(self.preprocessing)
        self.identity = identity or None
        self._score = score
        self._shares = shares

    def predict_files(self, paths: Sequence[str]) -> np.ndarray:
        """Paths to float32 logits, (n,); NaN for what it gives no score."""
        return np.array([self._logit(path) for path in paths], np.float32)

    def _logit(self, path: str) -> float:
        try:
            value = float(self._score(path))
        except Exception as error:  # whatever somebody's code meets
            raise CheckpointError(f"{self.path} fails for {path}: {first_line(error)}") from error
        if not self._shares or math.isnan(value):
            return value
        if not 0 <= value <= 1:
            raise CheckpointError(
                f"{self.path} gives {value:g} for {path}. Expected a probability from 0 to 1."
            )
        value = min(max(value, 1e-7), 1 - 1e-7)
        return math.log(value / (1 - value))

    def predict(self, images):
        raise CheckpointError(
            f"{self.path} is not one of our models: it scores files, not pixels. It can be evaluated "
            "(npr-keras eval, compare)."
        )


def installed() -> dict[str, str]:
    """Detectors that installed packages bring by an entry point: names to "module:function"."""
    return {found.name: found.value for found in importlib.metadata.entry_points(group=GROUP)}


def is_foreign(model: str | os.PathLike) -> bool:
    """Whether a model is "module:function", a CSV file of scores, in `installed` or `ZERO_SHOT`."""
    text = os.fspath(model)
    if text.partition("=")[0] in ZERO_SHOT and "=" in text:
        return True
    if _FUNCTION.fullmatch(text) or text.lower().endswith(".csv"):
        return True
    return not os.path.exists(text) and text in installed()


def open_foreign(model: str):
    """A function of somebody's, scores, or what needs no training.

    Args:
        model: "module:function", which takes a path and gives the probability of being generated; the
            name that an installed package has one under, see `installed`; or a CSV file with a column `path` and one of `logit`, `score` and `probability`, of which
            `score` is a probability too.

    Raises:
        CheckpointError: If there is no such function, or the file holds no scores.
    """
    kind, _, rest = model.partition("=")
    if kind in ZERO_SHOT:
        return load_code(ZERO_SHOT[kind])(rest)
    code = model if _FUNCTION.fullmatch(model) else installed().get(model, "")
    if code:
        module, _, name = code.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise CheckpointError(
                f"No detector {model}: {error}. Expected module:function on Python's path."
            ) from error
        return ForeignPredictor(model, function, True)
    scores, kind, digest = _read_scores(model)

    def look_up(path: str) -> float:
        for key in (os.path.realpath(path), *_tails(path)):
            if (value := scores.get(key)) is not None:
                return value
        return math.nan

    return ForeignPredictor(model, look_up, kind != "logit", digest)


def _tails(path: str) -> list[str]:
    """The last three parts of a path, the last two, and its name."""
    parts = os.path.normpath(path).split(os.sep)
    return ["/".join(parts[-count:]) for count in (3, 2, 1) if len(parts) >= count]


def _read_scores(path: str) -> tuple[dict[str, float | None], str, str]:
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with open(path, encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            kind = next((one for one in _SCORES if one in (rows.fieldnames or ())), "")
            if not kind or "path" not in (rows.fieldnames or ()):
                raise CheckpointError(
                    f"{path}: expected the columns path and one of {', '.join(_SCORES)}. "
                    f"Received: {', '.join(rows.fieldnames or ()) or 'nothing'}"
                )
            folder = os.path.dirname(os.path.abspath(path))
            found: dict[str, float | None] = {}
            for row in rows:
                value = float(row[kind]) if row[kind] else math.nan
                # Images may lie elsewhere: by the end of their paths, where that is theirs alone. A
                # bare name counts where the file gives no more: both of a pair may have one.
                tails = _tails(row["path"])
                for tail in tails if len(tails) == 1 else tails[:-1]:
                    found[tail] = None if tail in found else value
                found[os.path.realpath(os.path.join(folder, row["path"]))] = value
    except (OSError, ValueError) as error:
        raise CheckpointError(f"Cannot read the scores in {path}: {error}") from error
    return found, kind, digest
