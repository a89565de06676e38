"""How a detector does on pictures that went through something, photographs and generated alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.perturb import PERTURBATIONS, STANDARD, perturb
from npr_keras.data.records import Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import CheckpointError, ConfigError, LayoutError
from npr_keras.evaluation.evaluate import batches_by_size
from npr_keras.evaluation.kept import Keeper
from npr_keras.evaluation.metrics import average_precision
from npr_keras.findings import Condition


def measure_robustness(
    predictor,
    records: Sequence[Record],
    protocol: Preprocessing,
    conditions: Sequence[tuple[str, float]] = STANDARD,
    threshold: float = 0.0,
    batch_size: int = 32,
    unreadable: Unreadable | None = None,
    progress: Callable[[str, int], None] | None = None,
    keep: Keeper | None = None,
) -> list[Condition]:
    """Judges a detector on the same images under each condition.

    Args:
        predictor: What scores the images.
        records: Real and generated ones.
        protocol: How they become pixels, after what they went through.
        conditions: Pairs of a kind, see `npr_keras.data.perturb`, and an amount.
        threshold: The logit that accuracies are taken at.
        batch_size: As for `npr_keras.evaluation.evaluate.evaluate`.
        unreadable: Where images that cannot be read are reported; by default 1 % may be.
        progress: Called with the condition and the number of images done since the last call.
        keep: Where scores are kept, so that a killed measurement goes on; the caller removes them.

    Returns:
        One `Condition` each, in order.

    Raises:
        ConfigError: If there is no such condition.
        LayoutError: If one of the labels is missing.
        CheckpointError: If the predictor gives NaN.
        TooManyUnreadableError: Beyond the limit that `unreadable` was made with.
    """
    for kind, amount in conditions:
        if kind not in PERTURBATIONS:
            known = ", ".join(PERTURBATIONS)
            raise ConfigError(f"A condition is one of {known}. Received: {kind!r} {amount!r}")
    unreadable = unreadable or Unreadable(len(records), 0.01)
    labels = np.array([record.label for record in records])
    if not 0 < labels.sum() < len(labels):
        raise LayoutError(
            "Robustness needs real and generated images. "
            f"Received: {int((labels == 0).sum())} real, {int(labels.sum())} generated"
        )
    identity = getattr(predictor, "identity", None)
    measured = []
    for kind, amount in conditions:
        name = condition_name(kind, amount)
        kept = keep.scores(f"{identity} {name}", records, protocol) if keep and identity else None
        told = (lambda done, name=name: progress(name, done)) if progress else None
        logits = _scores(
            predictor, records, protocol, (kind, amount), unreadable, batch_size, told, kept
        )
        measured.append(_condition(kind, amount, labels, logits, threshold, protocol))
    return measured


def _scores(predictor, records, protocol, condition, unreadable, batch_size, progress, kept):
    """Logits of the images under one condition; NaN for those that cannot be read."""
    from npr_keras.data.stream import stream_through  # imports Keras

    logits = kept.read() if kept else np.full(len(records), np.nan, np.float32)
    kind, amount = condition
    left = np.flatnonzero(np.isnan(logits))
    if progress and len(left) < len(records):
        progress(len(records) - len(left))
    images = stream_through(
        [records[i] for i in left],
        lambda pixels, place: perturb(pixels, kind, amount, int(left[place])),
        protocol,
        unreadable,
    )
    for positions, pixels in batches_by_size(images, batch_size):
        indices = left[positions]
        logits[indices] = predictor.predict(pixels)
        if np.isnan(logits[indices]).any():
            raise CheckpointError("The model gives NaN instead of a logit: its weights are broken.")
        if kept:
            kept.append(indices, logits[indices])
        if progress:
            progress(len(indices))
    return logits


def _condition(kind, amount, labels, logits, threshold, protocol) -> Condition:
    scored = ~np.isnan(logits)
    right = (logits > threshold) == (labels == 1)
    return Condition(
        kind,
        amount,
        float(right[scored & (labels == 0)].mean()),
        float(right[scored & (labels == 1)].mean()),
        average_precision(labels[scored], logits[scored]),
        int(scored.sum()),
        protocol.name,
        threshold,
    )


def condition_name(kind: str, amount: float) -> str:
    """`jpeg 90`; `none` for pictures as they are."""
    return kind if kind == "none" else f"{kind} {amount:g}"
