"""How a detector does on pictures that went through something, photographs and generated alike."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.perturb import perturb
from npr_keras.data.records import Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import ConfigError, LayoutError
from npr_keras.evaluation.metrics import average_precision
from npr_keras.profile import Condition
from npr_keras.scoring.records import score_records
from npr_keras.scoring.score_log import ScoreLogs
from npr_keras.tables import PERTURBATIONS, standard_conditions


def measure_robustness(
    predictor,
    records: Sequence[Record],
    protocol: Preprocessing,
    conditions: Sequence[tuple[str, float]] = (),
    threshold: float = 0.0,
    batch_size: int = 32,
    unreadable: Unreadable | None = None,
    progress: Callable[[str, int], None] | None = None,
    keep: ScoreLogs | None = None,
) -> list[Condition]:
    """Evaluates a detector on the same images under each condition.

    Args:
        predictor: What scores the images.
        records: Real and generated ones.
        protocol: How they become pixels, after what they went through.
        conditions: Pairs of a kind, see `npr_keras.tables.PERTURBATIONS`, and an amount; by default
            the table's standard ones.
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

    Example:
        >>> predictor = open_predictor("saved_models/npr")
        >>> records = find_sets("my_images")[0][0].records
        >>> found = measure_robustness(predictor, records, PROTOCOLS["native"], [("jpeg", 90)])
        >>> found[0].kind, found[0].images
        ('jpeg', 4)
    """
    conditions = conditions or standard_conditions()
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
        logits = score_records(
            predictor,
            records,
            protocol,
            unreadable,
            batch_size,
            progress=functools.partial(progress, name) if progress else None,
            log=keep.of(f"{identity} {name}", records, protocol) if keep and identity else None,
            change=functools.partial(_perturbed, kind, amount),
        )
        measured.append(_condition(kind, amount, labels, logits, threshold, protocol))
    return measured


def _perturbed(kind: str, amount: float, pixels: np.ndarray, index: int) -> np.ndarray:
    return perturb(pixels, kind, amount, index)


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


def merged(stored: Sequence[Condition], found: Sequence[Condition]) -> tuple[Condition, ...]:
    """What is stored from now on: new measurements in the place of old ones of the same condition."""
    new = {(c.kind, c.amount, c.protocol) for c in found}
    left = [
        c
        for c in stored
        if (c.kind, c.amount, c.protocol) not in new
        and (c.protocol != found[0].protocol or c.threshold == found[0].threshold)
    ]
    return (*left, *found)


def condition_name(kind: str, amount: float) -> str:
    """`jpeg 90`; `none` for pictures as they are."""
    return kind if kind == "none" else f"{kind} {amount:g}"
