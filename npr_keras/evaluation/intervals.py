"""How far a set's figures would move with other images of the same kind: bootstrap intervals."""

from __future__ import annotations

import numpy as np


def bootstrap_intervals(
    labels: np.ndarray,
    logits: np.ndarray,
    repetitions: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of accuracy and average precision over resampled images.

    Real and generated images are drawn anew, each as many as there are, so that the balance of a
    set stays what it is. Scores are sorted once; a resample is a count for each of them, so that
    100,000 images take seconds.

    Args:
        labels: 0 or 1, (n,).
        logits: Real numbers, (n,).
        repetitions: Resamples.
        level: The part of them that lies inside.
        seed: Of the resampling.

    Returns:
        "accuracy" and "average_precision", each with its lower and upper end; NaN where the figure
        is not defined.
    """
    labels, logits = np.asarray(labels), np.asarray(logits, np.float64)
    nothing = (float("nan"), float("nan"))
    if not len(labels):
        return {"accuracy": nothing, "average_precision": nothing}
    order = np.argsort(-logits, kind="stable")
    positive = labels[order] == 1
    correct = (logits[order] > 0) == positive
    last_of_tie = np.r_[np.diff(logits[order]) != 0, True]
    places = [np.flatnonzero(positive), np.flatnonzero(~positive)]
    random = np.random.default_rng(seed)
    accuracy, precision = np.empty(repetitions), np.full(repetitions, np.nan)
    for i in range(repetitions):
        counts = np.zeros(len(labels), np.int64)
        for place in places:
            if len(place):
                drawn = random.integers(len(place), size=len(place))
                counts[place] = np.bincount(drawn, minlength=len(place))
        accuracy[i] = counts[correct].sum() / len(labels)
        if all(map(len, places)):
            precision[i] = weighted_average_precision(counts, positive, last_of_tie)
    tails = [(1 - level) / 2, (1 + level) / 2]
    return {
        name: (float(low), float(high))
        for name, values in (("accuracy", accuracy), ("average_precision", precision))
        for low, high in [np.quantile(values, tails)]
    }


def weighted_average_precision(weights, positive, last_of_tie):
    """As `metrics.average_precision`, of images that count `weights` times.

    Args:
        weights: At least 0, (..., n); the images from the highest logit down.
        positive: bool, (n,).
        last_of_tie: bool, (n,): whether the next image has another logit.

    Returns:
        (...); NaN where no positive image counts.
    """
    true = np.cumsum(weights * positive, axis=-1)[..., last_of_tie]
    seen = np.cumsum(weights, axis=-1)[..., last_of_tie]
    gained = np.diff(true, prepend=0, axis=-1)
    # Where nothing is gained nothing is added, and the first rows may be empty.
    steps = np.divide(gained * true, seen, out=np.zeros_like(true, float), where=gained > 0)
    with np.errstate(invalid="ignore"):
        return steps.sum(axis=-1) / true[..., -1]
