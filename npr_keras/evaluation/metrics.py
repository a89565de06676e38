"""Metrics from labels and logits, in NumPy. Generated (1) is the positive class throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# The figures of a set in the order of tables, and what papers call them.
FIGURES = {
    "accuracy": "acc",
    "average_precision": "AP",
    "real_accuracy": "real acc",
    "fake_accuracy": "fake acc",
    "balanced_accuracy": "bal acc",
    "auc": "AUC",
    "calibrated_accuracy": "cal acc",
    "best_accuracy": "best acc",
}


@dataclass(frozen=True)
class Metrics:
    """The figures of one set. Fractions from 0 to 1; NaN where a figure is not defined.

    Attributes:
        real, fake: Numbers of images scored.
        accuracy: Of all images, at logit 0.
        average_precision: Needs both labels.
        real_accuracy, fake_accuracy: Of the images of one label.
        balanced_accuracy: The mean of these two. Needs both labels.
        auc: Area under the ROC curve. Needs both labels.
        calibrated_accuracy: At a threshold that was found on other images; NaN without one.
        best_accuracy: At the threshold that suits these very images best. An oracle: no one who
            does not know the labels has it.
    """

    real: int
    fake: int
    accuracy: float
    average_precision: float
    real_accuracy: float
    fake_accuracy: float
    balanced_accuracy: float
    auc: float
    calibrated_accuracy: float
    best_accuracy: float


def compute_metrics(
    labels: np.ndarray, logits: np.ndarray, threshold: float | None = None
) -> Metrics:
    """All figures of a set.

    Args:
        labels: 0 or 1, (n,).
        logits: Real numbers, (n,); generated above 0.
        threshold: The logit that `calibrated_accuracy` is taken at.
    """
    labels, logits = np.asarray(labels), np.asarray(logits, np.float64)
    correct = (logits > 0) == (labels == 1)
    real_accuracy = _mean(correct[labels == 0])
    fake_accuracy = _mean(correct[labels == 1])
    return Metrics(
        real=int((labels == 0).sum()),
        fake=int((labels == 1).sum()),
        accuracy=_mean(correct),
        average_precision=average_precision(labels, logits),
        real_accuracy=real_accuracy,
        fake_accuracy=fake_accuracy,
        balanced_accuracy=(real_accuracy + fake_accuracy) / 2,
        auc=auc(labels, logits),
        calibrated_accuracy=(
            float("nan") if threshold is None else _mean((logits > threshold) == (labels == 1))
        ),
        best_accuracy=_mean((logits > best_threshold(labels, logits)) == (labels == 1)),
    )


def best_threshold(labels: np.ndarray, logits: np.ndarray, balanced: bool = False) -> float:
    """The logit above which images have to be called generated to be right most often.

    Halfway between two scores; of thresholds that are equally good, the one nearest to 0. NaN
    without images.

    Args:
        labels: 0 or 1, (n,).
        logits: Real numbers, (n,).
        balanced: Whether both labels count alike, however many images each has.
    """
    labels, logits = np.asarray(labels), np.asarray(logits, np.float64)
    if not len(labels):
        return float("nan")
    scores = np.unique(logits)
    thresholds = np.r_[scores[0] - 1, (scores[:-1] + scores[1:]) / 2, scores[-1] + 1]
    right = np.zeros(len(thresholds))
    for label in (0, 1):
        own = np.sort(logits[labels == label])
        below = np.searchsorted(own, thresholds, side="right")  # called real
        hits = below if label == 0 else len(own) - below
        right += hits / len(own) if balanced and len(own) else hits
    best = np.flatnonzero(right >= right.max() - 1e-12)
    return float(thresholds[best[np.abs(thresholds[best]).argmin()]])


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Sum over thresholds of precision times the gain in recall, ties taken together.

    scikit-learn's definition (`average_precision_score`), not the interpolated one. NaN unless
    both labels are present: with one alone the figure says nothing.
    """
    true, false = _cumulative_counts(labels, scores)
    if not _both(true, false):
        return float("nan")
    precision = true / (true + false)
    recall = true / true[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve by the trapezium rule. NaN unless both labels are present."""
    true, false = _cumulative_counts(labels, scores)
    if not _both(true, false):
        return float("nan")
    return float(np.trapezoid(np.r_[0, true] / true[-1], np.r_[0, false] / false[-1]))


def _cumulative_counts(labels, scores):
    """True and false positives at each distinct threshold, from the highest down."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order] == 1, scores[order]
    last_of_tie = np.r_[np.diff(scores) != 0, True] if len(scores) else np.zeros(0, bool)
    return np.cumsum(labels)[last_of_tie], np.cumsum(~labels)[last_of_tie]


def _both(true, false) -> bool:
    return len(true) > 0 and true[-1] > 0 and false[-1] > 0


def _mean(values) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
