"""What was found out about a detector after training, and travels with it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from npr_keras.settings import Config, is_int, is_number


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
    """

    temperature: float = 1.0
    shift: float = 0.0
    threshold: float = 0.0
    images: int = 0
    false_positive_rate: float | None = None
    confidence: float | None = None
    protocol: str = ""

    def __post_init__(self):
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

    def probability(self, logit: float) -> float:
        """The calibrated probability of being generated."""
        scaled = (logit - self.shift) / self.temperature
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, scaled))))  # exp overflows beyond 709


UNCALIBRATED = Calibration()  # the sigmoid of the logit, as it came out of training


@dataclass(frozen=True)
class Condition(Config):
    """How a detector does on images that went through something, see `npr-keras robustness`.

    Args:
        kind: What they went through: "none", "jpeg", "webp", "resize", "blur" or "noise".
        amount: How much of it: JPEG or WebP quality, factor, or standard deviation.
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
