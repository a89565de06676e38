"""A predictor and labelled images to scores, and scores to figures."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.records import ImageSet, Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import CheckpointError, LayoutError
from npr_keras.evaluation.intervals import bootstrap_intervals
from npr_keras.evaluation.kept import Keeper, KeptScores
from npr_keras.evaluation.metrics import Metrics, best_threshold, compute_metrics

MOST_PIXELS = 1 << 24  # of a batch; a detector's first layer takes 64 bytes for each


class Predictor(Protocol):
    """All that evaluation knows of a predictor."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """uint8 (B, H, W, 3) to float32 logits (B,)."""


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


def score(
    predictor: Predictor,
    records: Sequence[Record],
    protocol: Preprocessing,
    unreadable: Unreadable,
    batch_size: int = 32,
    pipeline: str = "auto",
    progress: Callable[[int], None] | None = None,
    kept: KeptScores | None = None,
) -> np.ndarray:
    """Scores images.

    Args:
        predictor: What scores them.
        records: The images.
        protocol: How files become pixels.
        unreadable: Where images that cannot be read are reported.
        batch_size: At most so many images at once, all of one size.
        pipeline: See `npr_keras.data.pipeline.PIPELINES`.
        progress: Called with the number of images done since the last call.
        kept: Where scores are kept while this goes on, and found where it was broken off.

    Returns:
        float32 logits, (n,), in the order of `records`; NaN for unreadable images.

    Raises:
        CheckpointError: If the predictor itself gives NaN.
        TooManyUnreadableError: Beyond the limit that `unreadable` was made with.
    """
    logits = kept.read() if kept else np.full(len(records), np.nan, np.float32)
    left = [int(i) for i in np.flatnonzero(np.isnan(logits))]
    if progress and len(left) < len(records):
        progress(len(records) - len(left))
    from npr_keras.data.stream import stream_pixels  # imports Keras, which scores need not

    images = stream_pixels([records[i] for i in left], protocol, unreadable, pipeline)
    for positions, pixels in batches_by_size(images, batch_size):
        indices = [left[i] for i in positions]
        logits[indices] = predictor.predict(pixels)
        if np.isnan(logits[indices]).any():
            raise CheckpointError(
                "The model gives NaN instead of a logit, "
                f"first for {records[indices[int(np.isnan(logits[indices]).argmax())]].path}. "
                "Its weights are broken; a training that diverged leaves such weights."
            )
        if kept:
            kept.append(indices, logits[indices])
        if progress:
            progress(len(indices))
    return logits


def batches_by_size(
    images: Iterable[tuple[int, np.ndarray]], batch_size: int, waiting: int = 8
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Groups images of the same size into batches.

    At most `waiting * batch_size` images wait for others of their size; beyond that the largest
    group goes as it is, so that memory stays bounded over any mixture of sizes.

    Args:
        images: Pairs of an index and pixels, (H, W, 3).
        batch_size: Images a batch, at most.
        waiting: How many batches' worth of images may wait.

    A batch of large images is smaller: together they have at most `MOST_PIXELS` pixels.

    Yields:
        The batch's indices and its pixels, (b, H, W, 3).
    """
    groups: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}
    count = 0
    for index, pixels in images:
        group = groups.setdefault(pixels.shape, [])
        group.append((index, pixels))
        count += 1
        height, width = pixels.shape[:2]
        full = len(group) == batch_size or (len(group) + 1) * height * width > MOST_PIXELS
        if full or count == waiting * batch_size:
            largest = max(groups, key=lambda shape: len(groups[shape]))
            ready = groups.pop(pixels.shape if full else largest)
            count -= len(ready)
            yield _stack(ready)
    for group in groups.values():
        yield _stack(group)


def _stack(group):
    indices, pixels = zip(*group, strict=True)
    return list(indices), np.stack(pixels)


def evaluate(
    predictor: Predictor,
    sets: Sequence[ImageSet],
    protocol: Preprocessing,
    batch_size: int = 32,
    pipeline: str = "auto",
    max_unreadable: float = 0.01,
    progress: Callable[[str, int], None] | None = None,
    keep: Keeper | str | os.PathLike | None = None,
    threshold: float | None = None,
) -> list[SetResult]:
    """Judges a predictor on sets of labelled images.

    Args:
        predictor: What scores the images.
        sets: What to judge it on, see `npr_keras.data.folder.find_sets`.
        protocol: How files become pixels, in sets that do not say so themselves.
        batch_size, pipeline: As for `score`.
        max_unreadable: Fraction of all images that may be unreadable.
        progress: Called with the set's name and the number of images done since the last call.
        keep: A folder where scores are kept until all is done, so that a killed evaluation goes on
            when it is started again. Needs a predictor with an `identity`. With a `Keeper` they
            stay until the caller removes them.
        threshold: A logit found on other images, for `Metrics.calibrated_accuracy`; see
            `calibrated_threshold`.

    Returns:
        One result for each set, in order.

    Raises:
        TooManyUnreadableError: Beyond the limit, or where a set has no readable image at all.
    """
    unreadable = Unreadable(sum(len(s.records) for s in sets), max_unreadable)
    identity = getattr(predictor, "identity", None)
    keeper = keep if isinstance(keep, Keeper) or keep is None else Keeper(keep)
    results = []
    for image_set in sets:
        own = image_set.protocol or protocol
        kept = keeper.scores(identity, image_set.records, own) if keeper and identity else None
        logits = score(
            predictor,
            image_set.records,
            own,
            unreadable,
            batch_size,
            pipeline,
            functools.partial(progress, image_set.name) if progress else None,
            kept,
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
