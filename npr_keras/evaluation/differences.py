"""How much a variant differs from the default, and how sure that is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from npr_keras.errors import ConfigError
from npr_keras.evaluation.evaluate import SetResult
from npr_keras.evaluation.intervals import weighted_average_precision

FIGURES = ("accuracy", "average_precision")
_AT_ONCE = 1 << 22  # weights in memory


@dataclass(frozen=True)
class Resampled:
    """A figure of one run, its mean over sets.

    Attributes:
        value: On the images as they are.
        values: On resampled ones, (repetitions,).
    """

    value: float
    values: np.ndarray


@dataclass(frozen=True)
class Difference:
    """A figure of one variant less that of another, with the same seeds and the same images.

    Attributes:
        mean: Over seeds.
        low, high: The ends of the interval; NaN where it cannot be told: one seed tells nothing of
            what another would do.
        of_seeds: Of each pair of seeds.
    """

    mean: float
    low: float
    high: float
    of_seeds: tuple[float, ...]

    @property
    def seeds(self) -> int:
        """How many pairs."""
        return len(self.of_seeds)

    @property
    def is_real(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0


def resample(
    labels: Sequence[np.ndarray],
    logits: Sequence[np.ndarray],
    groups: Sequence[np.ndarray] | None = None,
    repetitions: int = 400,
    seed: int = 0,
) -> dict[str, Resampled]:
    """The figures of one run on its images, and on resamples of them.

    A resample gives each group of images a weight of its own, exponentially distributed (Rubin's
    Bayesian bootstrap); within each set, real and generated images keep their total. The same seed
    gives the same weights, so that runs on the same images pair.

    Args:
        labels: For each set, 0 or 1, (n,).
        logits: For each set, (n,); NaN for what could not be read, which is left out.
        groups: For each set, the number of each image's group, (n,): what depends on each other,
            such as one photograph in several sets. By default each image is alone.
        repetitions: Resamples.
        seed: Of the weights.

    Returns:
        A `Resampled` for each of `FIGURES`: the mean over the sets in which it is defined.

    Raises:
        ConfigError: If there is not one array of logits for each of the labels.
    """
    if [len(y) for y in labels] != [len(z) for z in logits]:
        raise ConfigError(
            f"Each set's logits must be as many as its labels, {[len(y) for y in labels]}. "
            f"Received: {[len(z) for z in logits]}"
        )
    if groups is None:
        ends = np.cumsum([0, *map(len, labels)])
        groups = [np.arange(*pair) for pair in itertools.pairwise(ends)]
    count = 1 + max((int(g.max()) for g in groups if len(g)), default=-1)
    found: dict[str, list] = {figure: [] for figure in FIGURES}
    for weights in _weights(count, repetitions, seed):
        by_set = [
            weighted_figures(y, z, weights[:, g])
            for y, z, g in zip(labels, logits, groups, strict=True)
        ]
        for figure in FIGURES:
            found[figure].append(mean_of_defined([one[figure] for one in by_set]))
    joined = {figure: np.concatenate(values) for figure, values in found.items()}
    return {figure: Resampled(float(v[0]), v[1:]) for figure, v in joined.items()}


def _weights(count: int, repetitions: int, seed: int):
    """Of every group, (some repetitions, count): first all 1, which is no resample, then the rest."""
    yield np.ones((1, count))
    random = np.random.default_rng(seed)
    size = max(1, _AT_ONCE // max(1, count))
    for first in range(0, repetitions, size):
        yield random.standard_exponential((min(size, repetitions - first), count))


def weighted_figures(
    labels: np.ndarray, logits: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Accuracy at logit 0 and average precision of images that count more or less.

    Args:
        labels: 0 or 1, (n,).
        logits: (n,); images that are NaN are left out.
        weights: Above 0, (R, n); made to keep the totals of both classes.

    Returns:
        For each of `FIGURES` an array, (R,): NaN without images, the average precision also without
        images of both classes.
    """
    places = np.flatnonzero(~np.isnan(logits))
    places = places[np.argsort(-logits[places], kind="stable")]
    positive, logits = labels[places] == 1, logits[places]
    if not len(places):
        return {figure: np.full(len(weights), np.nan) for figure in FIGURES}
    weights = weights[:, places]
    for one in (positive, ~positive):
        if one.any():
            weights[:, one] /= weights[:, one].mean(axis=1, keepdims=True)
    correct = (logits > 0) == positive
    precision = np.full(len(weights), np.nan)
    if 0 < positive.sum() < len(positive):
        last_of_tie = np.r_[np.diff(logits) != 0, True]
        precision = weighted_average_precision(weights, positive, last_of_tie)
    return {"accuracy": weights @ correct / len(places), "average_precision": precision}


def mean_of_defined(values: Sequence) -> np.ndarray:
    """The mean over the first axis of what is not NaN; NaN where nothing is."""
    given = np.asarray(values, float)
    defined = ~np.isnan(given)
    with np.errstate(invalid="ignore"):
        return np.where(defined, values, 0).sum(axis=0) / defined.sum(axis=0)


def paired_difference(
    ours: Sequence[Resampled], theirs: Sequence[Resampled], level: float = 0.95
) -> Difference:
    """The difference of a figure between two variants, and its interval.

    Two things would make it another one: other seeds, and other images. All seeds are judged on the
    same images, so that what the images add does not fall with the number of seeds. With D_s the
    difference of seed s, on S seeds:

        D_s = d + a_s + b + c_s

    where a_s comes from the seed, b from the images alone, and c_s from both. The spread of the D_s
    tells var(a) + var(c). Resampling images tells, with the seeds held, var(b) + var(c) for each D_s
    and var(b) + var(c) / S for their mean, hence var(b). The variance of the mean is then
    var(D_s) / S + var(b). Of these the first is estimated from S values, and counts with Student's
    t, the second with the normal distribution's quantile; the squares of both add up (Zou and
    Donner's MOVER).

    Args:
        ours, theirs: For each seed, the same figure, resampled with the same weights.
        level: Of confidence.

    Raises:
        ConfigError: If the seeds do not pair.
    """
    if len(ours) != len(theirs) or not ours:
        raise ConfigError(f"Seeds must pair. Received: {len(ours)} and {len(theirs)}")
    from scipy import stats

    seeds = len(ours)
    found = np.array([o.value - t.value for o, t in zip(ours, theirs, strict=True)])
    resampled = np.stack([o.values - t.values for o, t in zip(ours, theirs, strict=True)])  # (S, R)
    of_each, of_mean = resampled.var(axis=1, ddof=1).mean(), resampled.mean(axis=0).var(ddof=1)
    half = np.nan
    if seeds > 1:
        between = found.var(ddof=1) / seeds
        images = np.maximum(0.0, (of_mean - of_each / seeds) / (1 - 1 / seeds))
        unknown, known = (q.ppf((1 + level) / 2) for q in (stats.t(seeds - 1), stats.norm))
        half = np.sqrt(unknown**2 * between + known**2 * images)
    mean, half = float(found.mean()), float(half)
    return Difference(mean, mean - half, mean + half, tuple(map(float, found)))


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over seeds (n - 1 in the denominator; NaN for one seed)."""
    numbers = np.asarray(values, float)
    return float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else float("nan")


def difference_on_images(
    ours: Sequence[SetResult], theirs: Sequence[SetResult], repetitions: int = 400
) -> dict[str, tuple[float, float, float]]:
    """A figure of one detector less that of another on the same images: mean over sets, interval.

    Both are resampled with the same weights, an image that is in several sets having one. What is
    resampled are images alone: it says nothing of other trainings of either.

    Args:
        ours, theirs: Results over the same sets.
        repetitions: Resamples.

    Returns:
        By figure: the difference, and the ends of its 95 % interval; NaN where it is not defined.
    """
    labels = [np.array([record.label for record in one.records]) for one in ours]
    numbers: dict[str, int] = {}
    groups = [
        np.array([numbers.setdefault(record.path, len(numbers)) for record in one.records])
        for one in ours
    ]
    found = {}
    # What one of them could not score counts for neither.
    read = [~(np.isnan(a.logits) | np.isnan(b.logits)) for a, b in zip(ours, theirs, strict=True)]
    first, second = (
        resample(
            labels,
            [np.where(known, one.logits, np.nan) for known, one in zip(read, some, strict=True)],
            groups,
            repetitions,
        )
        for some in (ours, theirs)
    )
    for figure in FIGURES:
        values = first[figure].values - second[figure].values
        low, high = np.quantile(values, (0.025, 0.975))
        found[figure] = (first[figure].value - second[figure].value, float(low), float(high))
    return found
