"""What was found out about a detector after training, and travels with it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from npr_keras.settings import Config, is_int, is_number

UNSURE = math.log(0.65 / 0.35)  # in units of the temperature: from 35 to 65 % nothing is decided


@dataclass(frozen=True)
class Calibration(Config):
    """What a detector's logits mean: found by `npr-keras calibrate`, stored with the detector.

    Args:
        temperature, shift: The probability of being generated is
            `sigmoid((logit - shift) / temperature)`, real and generated images being equally many
            (Platt 1999; Guo et al., ICML 2017, with a shift).
        threshold: Logits above it are called generated.
        images: How many images it was found on; 0 for a detector that was never calibrated.
        false_positive_rate: The rate that the threshold was chosen for, from real images alone;
            None where it was not.
        confidence: With which it is not exceeded; None likewise.
        protocol: The name of how these images became pixels.
        band: The logits from where to where nothing is decided: the 95 % interval of the threshold,
            and where the probability is near one half. Empty for a calibration of version 0.1.
    """

    temperature: float = 1.0
    shift: float = 0.0
    threshold: float = 0.0
    images: int = 0
    false_positive_rate: float | None = None
    confidence: float | None = None
    protocol: str = ""
    band: tuple[float, float] | tuple[()] = ()

    def __post_init__(self):
        self._require(
            isinstance(self.band, tuple)
            and len(self.band) in (0, 2)
            and all(map(is_number, self.band)),
            "band",
            "two logits, or nothing",
        )
        self._require(
            is_number(self.temperature) and self.temperature > 0, "temperature", "a number above 0"
        )
        for name in ("shift", "threshold"):
            self._require(is_number(getattr(self, name)), name, "a number (a logit)")
        self._require(is_int(self.images) and self.images >= 0, "images", "a count")
        for name in ("false_positive_rate", "confidence"):
            value = getattr(self, name)
            self._require(
                value is None or (is_number(value) and 0 < value < 1), name, "None or a fraction"
            )

    @property
    def undecided(self) -> tuple[float, float]:
        """The logits between which no verdict is given."""
        return self.band or _with_even_odds((self.threshold, self.threshold), self)

    @property
    def is_fitted(self) -> bool:
        """Whether probabilities were fitted, and not the threshold alone found."""
        return (self.temperature, self.shift) != (1.0, 0.0)

    def probability(self, logit: float) -> float:
        """The calibrated probability of being generated."""
        scaled = (logit - self.shift) / self.temperature
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, scaled))))  # exp overflows beyond 709


def with_band(calibration: Calibration, interval: tuple[float, float]) -> Calibration:
    """The calibration with its band.

    Args:
        calibration: With temperature, shift and threshold.
        interval: Where the threshold may lie.
    """
    return replace(calibration, band=_with_even_odds(interval, calibration))


def _with_even_odds(interval: tuple[float, float], calibration: Calibration) -> tuple[float, float]:
    """An interval, and where the fitted probability is from 35 to 65 %."""
    low, high = interval
    if calibration.is_fitted:
        low = min(low, calibration.shift - UNSURE * calibration.temperature)
        high = max(high, calibration.shift + UNSURE * calibration.temperature)
    return low, high


UNCALIBRATED = Calibration()  # the sigmoid of the logit, as it came out of training


@dataclass(frozen=True)
class Condition(Config):
    """A detector's accuracy on images that went through something, see `npr-keras robustness`.

    Args:
        kind: What they went through, one of `npr_keras.data.perturb.PERTURBATIONS`.
        amount: How much of it: JPEG or WebP quality, factor, standard deviation, or side.
        real_accuracy, fake_accuracy: Fractions of real images called real, and of generated ones
            called generated, at the detector's threshold.
        average_precision: Of the two.
        images: How many images that is from, real and generated together.
        protocol: The name of how they became pixels, after what they went through.
        threshold: The logit that the accuracies are taken at.
    """

    kind: str
    amount: float
    real_accuracy: float
    fake_accuracy: float
    average_precision: float
    images: int
    protocol: str
    threshold: float = 0.0

    def __post_init__(self):
        for name in ("kind", "protocol"):
            self._require(isinstance(getattr(self, name), str), name, "a text")
        for name in ("amount", "threshold"):
            self._require(is_number(getattr(self, name)), name, "a number")
        for name in ("real_accuracy", "fake_accuracy", "average_precision"):
            value = getattr(self, name)
            known = isinstance(value, (int, float)) and (math.isnan(value) or 0 <= value <= 1)
            self._require(known, name, "a fraction, or NaN where it is not defined")
        self._require(is_int(self.images) and self.images >= 0, "images", "a count")
