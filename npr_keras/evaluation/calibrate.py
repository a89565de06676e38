"""Logits to probabilities that mean something, and thresholds that keep a promise. NumPy and SciPy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from npr_keras.errors import CalibrationError

CONFIDENCE = 0.95


def fit_probability(labels: np.ndarray, logits: np.ndarray) -> tuple[float, float]:
    """Temperature and shift of `sigmoid((logit - shift) / temperature)`.

    Maximum likelihood with both labels weighing alike, and targets a little off 0 and 1, so that
    labels which the logits separate cleanly do not drive the temperature to 0: Platt,
    "Probabilistic Outputs for Support Vector Machines", 1999, equation 13 and the fit's targets.

    Args:
        labels: 0 or 1, (n,).
        logits: Real numbers, (n,).

    Returns:
        The temperature, above 0, and the shift, a logit.

    Raises:
        CalibrationError: If a label is missing, or generated images do not score higher than real
            ones.
    """
    from sklearn.linear_model import LogisticRegression

    labels, logits = np.asarray(labels), np.asarray(logits, np.float64)
    counts = [int((labels == label).sum()) for label in (0, 1)]
    if not all(counts):
        raise CalibrationError(
            "Probabilities need real and generated images. "
            f"Received: {counts[0]} real, {counts[1]} generated. From real ones alone a threshold can "
            "be found: --reals and --fpr."
        )
    target, weight = _targets(labels)
    centre, scale = logits.mean(), logits.std() or 1.0
    inputs = np.tile((logits - centre) / scale, 2)[:, None]
    both = np.repeat([1, 0], len(labels))
    fit = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    fit.fit(inputs, both, sample_weight=np.r_[weight * target, weight * (1 - target)])
    slope = float(fit.coef_[0, 0]) / scale
    if slope <= 0:
        raise CalibrationError(
            "On these images real ones score higher than generated ones, on the whole: this detector "
            "cannot be calibrated on them. Are the labels the right way round?"
        )
    return 1 / slope, float(centre - fit.intercept_[0] * scale / fit.coef_[0, 0])


def shift_interval(
    labels: np.ndarray, logits: np.ndarray, temperature: float, shift: float
) -> tuple[float, float]:
    """Where the shift of `fit_probability` would lie with other images: a 95 % interval.

    The sandwich estimate of the fit's variance (Huber, "The behavior of maximum likelihood estimates
    under nonstandard conditions", Berkeley Symposium, 1967), real and generated images being drawn
    apart, and the delta method.

    Args:
        labels, logits: What was fitted, (n,).
        temperature, shift: What was found.
    """
    labels, logits = np.asarray(labels), np.asarray(logits, np.float64)
    target, weight = _targets(labels)
    inputs = np.stack([logits, np.ones(len(logits))], axis=1)
    fitted = 1 / (1 + np.exp(-np.clip((logits - shift) / temperature, -700, 700)))
    curvature = (inputs * (weight * fitted * (1 - fitted))[:, None]).T @ inputs
    scores = inputs * (weight * (target - fitted))[:, None]
    for label in (0, 1):
        scores[labels == label] -= scores[labels == label].mean(0)
    bread = np.linalg.pinv(curvature)
    gradient = np.array(
        [-shift * temperature, -temperature]
    )  # of -b / a, a = 1 / T, b = -shift / T
    variance = gradient @ bread @ (scores.T @ scores) @ bread @ gradient
    half = float(_normal_quantile(0.5 + CONFIDENCE / 2) * np.sqrt(max(0.0, variance)))
    return shift - half, shift + half


def _normal_quantile(share: float) -> float:
    """Of the standard normal distribution."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)


def _targets(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Platt's targets, and weights by which both labels count alike."""
    counts = [int((labels == label).sum()) for label in (0, 1)]
    target = np.where(labels == 1, (counts[1] + 1) / (counts[1] + 2), 1 / (counts[0] + 2))
    weight = np.where(labels == 1, 0.5 / counts[1], 0.5 / counts[0]) * len(labels)
    return target, weight


@dataclass(frozen=True)
class RateThreshold:
    """A threshold for a false-positive rate.

    Attributes:
        threshold: The logit; images above it are called generated.
        rate: The rate that is not exceeded, with the confidence.
        lowest: Below this score the rate is exceeded, with the same confidence.
        above, images: How many real images are above it, of how many.
        interval: Exact binomial (Clopper-Pearson) 95 % interval of the rate, two-sided.
    """

    threshold: float
    rate: float
    lowest: float
    above: int
    images: int
    interval: tuple[float, float]


def threshold_at_rate(logits: np.ndarray, rate: float) -> RateThreshold:
    """The lowest threshold that keeps a false-positive rate, from real images alone.

    With 95 % confidence over the choice of images, not more than `rate` of all images like these
    are above it. It is one of the scores, the largest but k: the rate above that one has the
    distribution Beta(k + 1, n - k), whatever the scores' own is (Wilks, "Determination of Sample
    Sizes for Setting Tolerance Limits", Annals of Mathematical Statistics 12, 1941).

    Args:
        logits: Of real images, (n,).
        rate: From above 0 to below 1.

    Raises:
        CalibrationError: If there are too few images for that, saying how many it takes.
    """
    from scipy.stats import beta

    logits = np.sort(np.asarray(logits, np.float64))
    count = len(logits)
    needed = images_needed(rate)
    if count < needed:
        possible = 1 - (1 - CONFIDENCE) ** (1 / count) if count else 1.0
        hint = (
            f" With {count} images, --fpr {math.ceil(1000 * possible) / 1000:g} can be."
            if count
            else ""
        )
        raise CalibrationError(
            f"A false-positive rate of {100 * rate:g} % cannot be promised from {count} real images: "
            f"it takes {needed:,}.{hint}"
        )
    ks = np.arange(count)
    k = int(np.flatnonzero(beta.ppf(CONFIDENCE, ks + 1, count - ks) <= rate)[-1])
    threshold = float(logits[count - 1 - k])
    above = int((logits > threshold).sum())
    over = np.flatnonzero(beta.ppf(1 - CONFIDENCE, ks + 1, count - ks) >= rate)
    lowest = float(logits[count - 1 - over[0]]) if len(over) else float(logits[0])
    return RateThreshold(threshold, rate, lowest, above, count, binomial_interval(above, count))


def images_needed(rate: float) -> int:
    """How many real images it takes, at least, to promise a false-positive rate."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(1 - rate))


def binomial_interval(successes: int, count: int) -> tuple[float, float]:
    """The exact 95 % interval of a fraction: Clopper and Pearson, Biometrika 26, 1934."""
    from scipy.stats import binomtest

    interval = binomtest(successes, count).proportion_ci(CONFIDENCE, "exact")
    return float(interval.low), float(interval.high)


@dataclass(frozen=True)
class Bin:
    """One column of a reliability diagram.

    Attributes:
        low, high: Its ends.
        images: How many images have a probability between these.
        weight: What they weigh together; as many, unless real and generated weigh alike.
        probability: Their mean probability; NaN where there are none.
        generated: The fraction of them that is generated; NaN where there are none.
    """

    low: float
    high: float
    images: int
    weight: float
    probability: float
    generated: float


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, balanced: bool = False, bins: int = 10
) -> list[Bin]:
    """How often images of some probability are generated, in bins of equal width.

    Args:
        labels: 0 or 1, (n,).
        probabilities: From 0 to 1, (n,).
        balanced: Whether real and generated images weigh alike in all, however many there are:
            what `fit_probability` assumes.
        bins: How many.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    weights = np.ones(len(labels))
    if balanced:
        for label in (0, 1):
            weights[labels == label] = 0.5 * len(labels) / max(1, (labels == label).sum())
    rows = []
    for i in range(bins):
        own = place == i
        count, weight = int(own.sum()), float(weights[own].sum())
        mean = float(weights[own] @ probabilities[own]) / weight if count else math.nan
        share = float(weights[own] @ labels[own]) / weight if count else math.nan
        rows.append(Bin(i / bins, (i + 1) / bins, count, weight, mean, share))
    return rows


def expected_calibration_error(rows: list[Bin]) -> float:
    """The mean distance of probability and frequency over the images, 0 to 1.

    Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning",
    AAAI 2015. NaN without images.
    """
    total = sum(row.weight for row in rows)
    if not total:
        return math.nan
    return sum(r.weight * abs(r.probability - r.generated) for r in rows if r.images) / total
