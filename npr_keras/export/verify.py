"""Whether an exported model gives the detector's scores: found out by running it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from npr_keras.data.records import Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import ExportError
from npr_keras.evaluation.evaluate import score
from npr_keras.evaluation.metrics import compute_metrics
from npr_keras.simulation.photographs import embedded_photograph

# What is run: batch, height, width. One image and several, square and not, even and odd.
SHAPES = ((1, 256, 256), (4, 224, 224), (1, 97, 151), (3, 64, 200))
# Largest difference of a logit, absolute and relative, that is still rounding.
TOLERANCES = {"float32": (1e-4, 1e-5), "float16": (5e-2, 1e-2), "bf16": (5e-2, 1e-2)}
POINTS = 0.02  # of accuracy and AP, that int8 may differ by on a labelled set
_TIMED = 8  # images of 256 x 256


@dataclass(frozen=True)
class Verified:
    """What was seen of an exported model.

    Attributes:
        difference: The largest difference of a logit to the detector's, over `SHAPES`.
        images_per_second: With `_TIMED` images of 256 x 256 at once.
        accuracy, average_precision: On a labelled set, theirs and the detector's; None without one.
    """

    difference: float
    images_per_second: float
    accuracy: tuple[float, float] | None = None
    average_precision: tuple[float, float] | None = None


def verify(
    predictor, reference, quantize: str, records: Sequence[Record] = (), pipeline: str = "auto"
) -> Verified:
    """Runs an exported model beside its detector.

    Args:
        predictor: The exported model.
        reference: The detector, as a predictor.
        quantize: What its arithmetic was reduced to.
        records: Labelled images to judge both on; int8 needs them.
        pipeline: See `npr_keras.data.pipeline.PIPELINES`.

    Raises:
        ExportError: If they differ by more than rounding; for int8, by more than 2 points.
    """
    worst, where = 0.0, ""
    for shape in SHAPES:
        pixels = _pictures(*shape)
        expected = np.asarray(reference.predict(pixels))
        found = np.asarray(predictor.predict(pixels))
        if found.shape != expected.shape:
            raise ExportError(f"{shape}: logits of the shape {found.shape}, not {expected.shape}.")
        difference = np.abs(found - expected)
        worst = max(worst, float(difference.max()))
        absolute, relative = TOLERANCES.get(quantize, (np.inf, 0.0))
        if not (difference <= absolute + relative * np.abs(expected)).all():
            where = (
                f"{shape[0]} x {shape[1]} x {shape[2]}: {found.tolist()}, not {expected.tolist()}"
            )
            raise ExportError(
                f"The exported model gives other scores than its detector ({where}); "
                f"{quantize} may differ by {absolute:g}. Nothing was written."
            )
    accuracy = precision = None
    if records:
        accuracy, precision = _judge(predictor, reference, records, pipeline)
        apart = max(abs(a - b) for a, b in (accuracy, precision))
        if quantize == "int8" and apart > POINTS:
            raise ExportError(
                f"int8: accuracy {100 * accuracy[0]:.1f} % instead of {100 * accuracy[1]:.1f}, AP "
                f"{100 * precision[0]:.1f} % instead of {100 * precision[1]:.1f}; at most "
                f"{100 * POINTS:g} points are allowed. Nothing was written."
            )
    elif quantize == "int8":
        raise ExportError("int8 is judged on labelled images: give --data DIR.")
    return Verified(worst, _speed(predictor), accuracy, precision)


def _judge(predictor, reference, records, pipeline):
    labels = np.array([record.label for record in records])
    figures = []
    for judged in (predictor, reference):
        unreadable = Unreadable(len(records), 0.01)
        logits = score(judged, records, reference.preprocessing, unreadable, pipeline=pipeline)
        known = ~np.isnan(logits)
        figures.append(compute_metrics(labels[known], logits[known]))
    ours, theirs = figures
    return (
        (ours.accuracy, theirs.accuracy),
        (ours.average_precision, theirs.average_precision),
    )


def _speed(predictor, rounds: int = 3) -> float:
    pixels = _pictures(_TIMED, 256, 256)
    predictor.predict(pixels)  # the first one plans
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        predictor.predict(pixels)
        seconds.append(time.perf_counter() - begun)
    return _TIMED / float(np.median(seconds))


def _pictures(count: int, height: int, width: int) -> np.ndarray:
    """Photographs of the project's own, and one picture of blocks, whose NPR map is empty."""
    side = -(-max(height, width) // 8) * 8
    pictures = [embedded_photograph(7, i, side)[:height, :width] for i in range(count)]
    if count > 1:
        blocks = pictures[0][::2, ::2].repeat(2, 0).repeat(2, 1)
        pictures[0] = blocks[:height, :width]
    return np.stack(pictures)
