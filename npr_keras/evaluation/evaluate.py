"""A predictor on sets of labelled images: scores, and metrics of them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.records import ImageSet, Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import LayoutError
from npr_keras.evaluation.intervals import bootstrap_intervals
from npr_keras.evaluation.metrics import Metrics, best_threshold, compute_metrics
from npr_keras.scoring.loop import Predictor
from npr_keras.scoring.records import score_records
from npr_keras.scoring.score_log import ScoreLogs


@dataclass(frozen=True)
class SetResult:
    """What became of one set.

    Attributes:
        name: The set's.
        suite: The title of its suite, if any.
        protocol: The name of how its files became pixels.
        records: Its images.
        logits: float32 (n,), one for each record, NaN where it could not be read.
        metrics: Over the images that could be read.
        unreadable: Dict from path to what was wrong.
    """

    name: str
    records: tuple[Record, ...]
    logits: np.ndarray = field(repr=False)
    metrics: Metrics
    unreadable: dict[str, str]
    suite: str = ""
    protocol: str = ""


def evaluate(
    predictor: Predictor,
    sets: Sequence[ImageSet],
    protocol: Preprocessing,
    batch_size: int = 32,
    pipeline: str = "auto",
    max_unreadable: float = 0.01,
    progress: Callable[[str, int], None] | None = None,
    keep: ScoreLogs | str | os.PathLike | None = None,
    threshold: float | None = None,
) -> list[SetResult]:
    """Evaluates a predictor on sets of labelled images.

    Args:
        predictor: What scores the images.
        sets: What to evaluate it on, see `npr_keras.data.folder.find_sets`.
        protocol: How files become pixels, in sets that do not say so themselves.
        batch_size, pipeline: As for `npr_keras.scoring.records.score_records`.
        max_unreadable: Fraction of all images that may be unreadable.
        progress: Called with the set's name and the number of images done since the last call.
        keep: A folder where scores are kept until all is done, so that a killed evaluation goes on
            when it is started again. Needs a predictor with an `identity`. With a `ScoreLogs` they
            stay until the caller removes them.
        threshold: A logit found on other images, for `Metrics.calibrated_accuracy`; see
            `calibrated_threshold`.

    Returns:
        One result for each set, in order.

    Raises:
        TooManyUnreadableError: Beyond the limit, or where a set has no readable image at all.

    Example:
        >>> predictor = open_predictor("saved_models/npr")
        >>> (result,) = evaluate(predictor, find_sets("my_images")[0], predictor.preprocessing)
        >>> result.metrics.real, result.metrics.fake
        (2, 2)
    """
    unreadable = Unreadable(sum(len(s.records) for s in sets), max_unreadable)
    identity = getattr(predictor, "identity", None)
    keeper = keep if isinstance(keep, ScoreLogs) or keep is None else ScoreLogs(keep)
    results = []
    for image_set in sets:
        own = image_set.protocol or protocol
        log = keeper.of(identity, image_set.records, own) if keeper and identity else None
        logits = score_records(
            predictor,
            image_set.records,
            own,
            unreadable,
            batch_size,
            pipeline,
            functools.partial(progress, image_set.name) if progress else None,
            log,
        )
        if np.isnan(logits).all():
            unreadable.nothing_left(f"the set {image_set.name}")
        paths = {record.path for record in image_set.records}
        reasons = {p: reason for p, reason in unreadable.reasons.items() if p in paths}
        metrics = metrics_of(image_set.records, logits, threshold)
        results.append(
            SetResult(
                image_set.name,
                image_set.records,
                logits,
                metrics,
                reasons,
                image_set.suite,
                own.name,
            )
        )
    if keeper and keeper is not keep:
        keeper.remove()
    return results


def intervals_of(result: SetResult) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals of a set's accuracy and AP, see `bootstrap_intervals`."""
    return bootstrap_intervals(*_scored(result.records, result.logits))


def calibrated_threshold(results: Sequence[SetResult]) -> float:
    """The logit that separates the labels of these images best, both labels counting alike.

    Raises:
        LayoutError: If one of the labels is not there.
    """
    records = [record for result in results for record in result.records]
    logits = np.concatenate([result.logits for result in results])
    labels, logits = _scored(records, logits)
    if not 0 < labels.sum() < len(labels):
        raise LayoutError(
            "A threshold needs real and generated images. "
            f"Received: {int((labels == 0).sum())} real, {int(labels.sum())} generated"
        )
    return best_threshold(labels, logits, balanced=True)


def metrics_of(
    records: Sequence[Record], logits: np.ndarray, threshold: float | None = None
) -> Metrics:
    """The figures over the images that have a score."""
    labels, scored = _scored(records, logits)
    return compute_metrics(labels, scored, threshold)


def _scored(records, logits):
    labels = np.array([record.label for record in records])
    scored = ~np.isnan(logits)
    return labels[scored], logits[scored]


def pooled(results: Sequence[SetResult], threshold: float | None = None) -> Metrics:
    """The figures over all images of several sets taken together."""
    records = [record for result in results for record in result.records]
    return metrics_of(records, np.concatenate([result.logits for result in results]), threshold)


def mean_over_sets(results: Sequence[SetResult]) -> dict[str, float]:
    """The unweighted mean of each figure over the sets, as the paper takes it.

    A figure that is undefined in one of the sets has no mean: NaN.
    """
    names = [f.name for f in fields(Metrics) if f.name not in ("real", "fake")]
    return {
        name: float(np.mean([getattr(result.metrics, name) for result in results]))
        for name in names
    }
