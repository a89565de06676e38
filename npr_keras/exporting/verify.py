"""Whether an exported model gives the detector's scores: found out by running it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from npr_keras.config import Preprocessing
from npr_keras.data.decode import preprocess
from npr_keras.data.records import Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import ExportError
from npr_keras.evaluation.metrics import compute_metrics
from npr_keras.scoring.loop import images_per_second
from npr_keras.scoring.records import score_records
from npr_keras.simulation.photographs import embedded_photograph

# What is run: batch, height, width. One image and several, square and not, even and odd.
SHAPES = ((1, 256, 256), (4, 224, 224), (1, 97, 151), (3, 64, 200))
# Largest difference of a logit, absolute and relative, that is still rounding.
TOLERANCES = {"float32": (1e-4, 1e-5), "float16": (5e-2, 1e-2), "bf16": (5e-2, 1e-2)}
# Of accuracy and AP, that they may differ by on a labelled set; one image is always allowed.
POINTS = {"int8": 0.02}
_FINE = 0.005
_FEWEST = 10  # images of each class that int8 is judged on
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
    predictor,
    reference,
    quantize: str,
    records: Sequence[Record] = (),
    expected: np.ndarray | None = None,
) -> Verified:
    """Runs an exported model beside its detector.

    Args:
        predictor: The exported model.
        reference: The detector, as a predictor.
        quantize: What its arithmetic was reduced to.
        records: Labelled images to judge both on; int8 needs them.
        expected: The detector's logits for these, see `logits_of`; by default they are computed.

    Raises:
        ExportError: If they differ by more than rounding, or on the labelled images by more than
            half a point (int8: 2 points); and if int8 has too few of these.
    """
    worst, where = 0.0, ""
    side = reference.detector.side if hasattr(reference, "detector") else None
    shapes = [(count, side, side) for count in (1, 4)] if side else SHAPES
    for shape in shapes:
        pixels = _pictures(*shape)
        theirs = np.asarray(reference.predict(pixels))
        found = np.asarray(predictor.predict(pixels))
        if found.shape != theirs.shape:
            raise ExportError(f"{shape}: logits of the shape {found.shape}, not {theirs.shape}.")
        difference = np.abs(found - theirs)
        worst = max(worst, float(difference.max()))
        absolute, relative = TOLERANCES.get(quantize, (np.inf, 0.0))
        if not (difference <= absolute + relative * np.abs(theirs)).all():
            where = f"{shape[0]} x {shape[1]} x {shape[2]}: {found.tolist()}, not {theirs.tolist()}"
            raise ExportError(
                f"The exported model gives other scores than its detector ({where}); "
                f"{quantize} may differ by {absolute:g} and {100 * relative:g} % of the logit. "
                "Nothing was written."
            )
    if hasattr(predictor, "predict_encoded"):
        worst = max(worst, _verify_encoded(predictor, reference))
    if quantize == "int8":
        _require_enough(records)
    if not records:
        return Verified(worst, _speed(predictor, side))
    accuracy, precision = _judge(predictor, reference, records, expected)
    allowed = max(POINTS.get(quantize, _FINE), 1 / len(records))
    # A difference that is not a number is none that is allowed.
    if not all(abs(a - b) <= allowed for a, b in (accuracy, precision)):
        raise ExportError(
            f"{quantize}: accuracy {100 * accuracy[0]:.1f} % instead of {100 * accuracy[1]:.1f}, AP "
            f"{100 * precision[0]:.1f} % instead of {100 * precision[1]:.1f}; at most "
            f"{100 * allowed:.2g} points are allowed. Nothing was written."
        )
    return Verified(worst, _speed(predictor, side), accuracy, precision)


def _require_enough(records: Sequence[Record]) -> None:
    counts = [sum(record.label == label for record in records) for label in (0, 1)]
    if min(counts) < _FEWEST:
        raise ExportError(
            f"int8 is judged on labelled images, {_FEWEST} real and {_FEWEST} generated ones at "
            f"least, besides those that its ranges are taken from. Left for it: {counts[0]} real, "
            f"{counts[1]} generated. Give more: --data DIR"
        )


def _verify_encoded(predictor, reference) -> float:
    """Files of several sizes in one batch, a broken one among them, beside the detector."""
    pictures = [_pictures(*shape)[-1] for shape in SHAPES]
    files = [_png(picture) for picture in pictures]
    found = np.asarray(predictor.predict_encoded([*files, b"no image"]))
    seen = [preprocess(picture, reference.preprocessing)[None] for picture in pictures]
    expected = np.array([reference.predict(pixels)[0] for pixels in seen])
    if not np.isnan(found[-1]) or not np.allclose(found[:-1], expected, atol=1e-4, rtol=1e-5):
        raise ExportError(
            f"The exported model gives other scores for encoded images ({found.tolist()}) than its "
            f"detector ({expected.tolist()}, and none for the last). Nothing was written."
        )
    return float(np.abs(found[:-1] - expected).max())


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def logits_of(predictor, records: Sequence[Record], protocol: Preprocessing) -> np.ndarray:
    """A predictor's logits of image files, NaN for the unreadable."""
    return score_records(predictor, records, protocol, Unreadable(len(records), 0.01))


def _judge(predictor, reference, records, expected):
    labels = np.array([record.label for record in records])
    if expected is None:
        expected = logits_of(reference, records, reference.preprocessing)
    ours, theirs = (
        compute_metrics(labels[~np.isnan(logits)], logits[~np.isnan(logits)])
        for logits in (logits_of(predictor, records, reference.preprocessing), expected)
    )
    return (
        (ours.accuracy, theirs.accuracy),
        (ours.average_precision, theirs.average_precision),
    )


def _speed(predictor, side: int | None) -> float:
    return images_per_second(predictor, _pictures(_TIMED, side or 256, side or 256))


def _pictures(count: int, height: int, width: int) -> np.ndarray:
    """Photographs of the project's own, and one picture of blocks, whose NPR map is empty."""
    side = -(-max(height, width) // 8) * 8
    pictures = [embedded_photograph(7, i, side)[:height, :width] for i in range(count)]
    if count > 1:
        blocks = pictures[0][::2, ::2].repeat(2, 0).repeat(2, 1)
        pictures[0] = blocks[:height, :width]
    return np.stack(pictures)
