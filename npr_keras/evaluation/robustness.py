"""How a detector does on pictures that went through something, photographs and generated alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.perturb import PERTURBATIONS, STANDARD, perturb
from npr_keras.data.records import Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import ConfigError
from npr_keras.evaluation.evaluate import batches_by_size
from npr_keras.evaluation.kept import Keeper
from npr_keras.evaluation.metrics import compute_metrics
from npr_keras.findings import Condition


def measure_robustness(
    predictor,
    records: Sequence[Record],
    protocol: Preprocessing,
    conditions: Sequence[tuple[str, float]] = STANDARD,
    threshold: float = 0.0,
    batch_size: int = 32,
    max_unreadable: float = 0.01,
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
        batch_size, max_unreadable: As for `npr_keras.evaluation.evaluate.evaluate`.
        progress: Called with the condition and the number of images done since the last call.
        keep: Where scores are kept, so that a killed measurement goes on; the caller removes them.

    Returns:
        One `Condition` each, in order.
    """
    from npr_keras.data.stream import stream_through  # imports Keras

    for kind, amount in conditions:
        if kind not in PERTURBATIONS:
            known = ", ".join(PERTURBATIONS)
            raise ConfigError(f"A condition is one of {known}. Received: {kind!r} {amount!r}")
    unreadable = Unreadable(len(records), max_unreadable)
    labels = np.array([record.label for record in records])
    identity = getattr(predictor, "identity", None)
    measured = []
    for kind, amount in conditions:
        name = condition_name(kind, amount)
        kept = keep.scores(f"{identity} {name}", records, protocol) if keep and identity else None
        logits = kept.read() if kept else np.full(len(records), np.nan, np.float32)
        left = np.flatnonzero(np.isnan(logits))
        if progress and len(left) < len(records):
            progress(name, len(records) - len(left))
        images = stream_through(
            [records[i] for i in left],
            lambda pixels, place, kind=kind, amount=amount, left=left: perturb(
                pixels, kind, amount, int(left[place])
            ),
            protocol,
            unreadable,
        )
        for positions, pixels in batches_by_size(images, batch_size):
            indices = left[positions]
            logits[indices] = predictor.predict(pixels)
            if kept:
                kept.append(indices, logits[indices])
            if progress:
                progress(name, len(indices))
        scored = ~np.isnan(logits)
        figures = compute_metrics(labels[scored], logits[scored], threshold)
        right = (logits > threshold) == (labels == 1)
        measured.append(
            Condition(
                kind,
                amount,
                float(right[scored & (labels == 0)].mean()),
                float(right[scored & (labels == 1)].mean()),
                figures.average_precision,
                int(scored.sum()),
                protocol.name,
            )
        )
    return measured


def condition_name(kind: str, amount: float) -> str:
    """`jpeg 90`; `none` for pictures as they are."""
    return kind if kind == "none" else f"{kind} {amount:g}"
