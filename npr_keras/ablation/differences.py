"""How much a variant differs from the default, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from npr_keras.errors import ConfigError

FIGURES = ("accuracy", "average_precision")


@dataclass(frozen=True)
class Difference:
    """A figure of one variant less that of another, with the same seeds and the same images.

    Attributes:
        mean: Over seeds.
        low, high: The ends of the 95 % interval; NaN where it cannot be told.
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
        """Whether 0 lies outside the interval. One seed shows nothing: another may differ as much."""
        return self.seeds > 1 and (self.low > 0 or self.high < 0)


def paired_difference(
    labels: Sequence[np.ndarray],
    ours: Sequence[Sequence[np.ndarray]],
    theirs: Sequence[Sequence[np.ndarray]],
    figure: str = "accuracy",
    repetitions: int = 400,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """The difference of a figure, its mean over sets, between two variants.

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
    With one seed there are the images alone, and the interval says nothing about other seeds.

    Args:
        labels: For each set, 0 or 1, (n,).
        ours, theirs: For each seed, for each set, logits, (n,); NaN for what could not be read.
        figure: One of `FIGURES`.
        repetitions: Resamples of the images, real and generated ones apart.
        level: Of confidence.
        seed: Of the resampling.

    Raises:
        ConfigError: If there is no such figure, or seeds and sets do not pair.
    """
    if figure not in FIGURES:
        raise ConfigError(f"`figure` must be one of {', '.join(FIGURES)}. Received: {figure!r}")
    if len(ours) != len(theirs) or not ours or any(len(z) != len(labels) for z in (*ours, *theirs)):
        raise ConfigError(
            f"Seeds and sets must pair. Received: {len(ours)} and {len(theirs)} seeds, "
            f"{len(labels)} sets"
        )
    from scipy import stats

    seeds = len(ours)
    found = _differences(labels, ours, theirs, figure, None)
    mean = float(found.mean())
    random = np.random.default_rng(seed)
    resampled = np.array(
        [_differences(labels, ours, theirs, figure, random) for _ in range(repetitions)]
    )  # (repetitions, seeds)
    of_each, of_mean = resampled.var(axis=0, ddof=1).mean(), resampled.mean(axis=1).var(ddof=1)
    known = stats.norm.ppf((1 + level) / 2)
    if seeds == 1:
        half = known * np.sqrt(of_mean)
    else:
        between = found.var(ddof=1) / seeds
        images = max(0.0, (of_mean - of_each / seeds) / (1 - 1 / seeds))
        unknown = stats.t.ppf((1 + level) / 2, seeds - 1)
        half = np.sqrt(unknown**2 * between + known**2 * images)
    half = float(half)
    return Difference(mean, mean - half, mean + half, tuple(map(float, found)))


def _differences(labels, ours, theirs, figure, random) -> np.ndarray:
    """D_s for each seed, over the images or, with `random`, over a resample of them: (S,)."""
    per_set = []
    for k, truth in enumerate(labels):
        weights = np.ones(len(truth)) if random is None else _weights(truth, random)
        per_set.append(
            [
                _figure(figure, truth, weights, mine[k]) - _figure(figure, truth, weights, other[k])
                for mine, other in zip(ours, theirs, strict=True)
            ]
        )
    return np.mean(per_set, axis=0)


def _weights(truth: np.ndarray, random) -> np.ndarray:
    weights = np.zeros(len(truth))
    for label in (0, 1):
        places = np.flatnonzero(truth == label)
        if len(places):
            drawn = random.integers(len(places), size=len(places))
            weights[places] = np.bincount(drawn, minlength=len(places))
    return weights


def _figure(figure: str, truth: np.ndarray, weights: np.ndarray, logits: np.ndarray) -> float:
    read = ~np.isnan(logits)
    truth, weights, logits = truth[read] == 1, weights[read], logits[read]
    if figure == "accuracy":
        return float(weights @ ((logits > 0) == truth) / weights.sum())
    return weighted_average_precision(truth, weights, logits)


def weighted_average_precision(truth: np.ndarray, weights: np.ndarray, logits: np.ndarray) -> float:
    """Average precision of images that count `weights` times; ties are one step, as in
    scikit-learn."""
    order = np.argsort(-logits, kind="stable")
    truth, weights, logits = truth[order], weights[order], logits[order]
    last = np.r_[np.diff(logits) != 0, True]
    true, seen = np.cumsum(weights * truth)[last], np.cumsum(weights)[last]
    if not true[-1]:
        return float("nan")
    gained = np.diff(true, prepend=0)
    some = gained > 0
    return float(np.sum(gained[some] * true[some] / seen[some]) / true[-1])


def spread(values: Mapping[int, float] | Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over seeds (n - 1 in the denominator; NaN for one seed)."""
    numbers = np.array(list(values.values() if isinstance(values, Mapping) else values), float)
    return float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else float("nan")
