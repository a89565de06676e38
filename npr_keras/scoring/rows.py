"""What is said of an image as a flat row: the schema of every JSON line and CSV file of scores."""

from __future__ import annotations

import dataclasses
import math

from npr_keras.profile import ModelProfile
from npr_keras.verdict import Prediction

FIELDS = (
    "path", "verdict", "probability", "logit", "threshold", "pixels", "format", "width", "height",
    "quality", "subsampling", "resized", "was_jpeg", "texture", "clipped", "reasons", "claims", "error",
)  # fmt: skip


def row_of(prediction: Prediction) -> dict:
    """A prediction by `FIELDS`: None, NaN or an empty text where nothing is known."""
    row = dataclasses.asdict(prediction)
    history, evidence = (row.pop(name) or {} for name in ("history", "evidence"))
    if prediction.history:
        row["resized"] = prediction.history.resized
        row["was_jpeg"] = prediction.history.was_jpeg
    row |= {k: evidence.get(k) for k in ("texture", "clipped")}
    row |= {k: history.get(k) for k in ("format", "width", "height", "quality", "subsampling")}
    row["claims"] = history.get("claims", ())
    return {name: row.get(name) for name in FIELDS}


def json_row(prediction: Prediction, profile: ModelProfile) -> dict:
    """A row for JSON: what is not known is left out, and what everyone has to know of the model comes."""
    row = {k: v for k, v in row_of(prediction).items() if v not in (None, "", ()) and not _nan(v)}
    return {**row, "notice": profile.notice} if profile.notice else row


def csv_row(prediction: Prediction) -> list:
    """A row's cells for CSV: what is not known is empty."""
    row = row_of(prediction)
    row["reasons"], row["claims"] = "; ".join(row["reasons"]), "; ".join(row["claims"])
    return ["" if v is None or _nan(v) else v for v in row.values()]


def _nan(value) -> bool:
    return isinstance(value, float) and math.isnan(value)
