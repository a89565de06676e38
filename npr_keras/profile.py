"""What is known about a model: one carrier for detectors, exported models and served ones.

A calibration and a robustness measurement hold for the pixels they were made with, and for no
others. `ModelProfile.calibration_for` and `ModelProfile.robustness_for` are the only ways to them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from npr_keras.config import PROTOCOLS, Preprocessing
from npr_keras.settings import TEXT, Config, Rule, field_of, integer, is_number, number, required

_FRACTION = number(0, 1, above=True, below=True, optional=True)
_BAND = Rule(
    lambda v: isinstance(v, tuple) and len(v) in (0, 2) and all(map(is_number, v)),
    "two logits, or nothing",
)
_RATE = Rule(
    lambda v: isinstance(v, (int, float)) and (math.isnan(v) or 0 <= v <= 1),
    "a fraction, or NaN where it is not defined",
)
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

    temperature: float = field_of(1.0, number(0, above=True))
    shift: float = field_of(0.0, number())
    threshold: float = field_of(0.0, number())
    images: int = field_of(0, integer(0))
    false_positive_rate: float | None = field_of(None, _FRACTION)
    confidence: float | None = field_of(None, _FRACTION)
    protocol: str = field_of("", TEXT)
    band: tuple[float, float] | tuple[()] = field_of((), _BAND)

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

    kind: str = required(TEXT)
    amount: float = required(number())
    real_accuracy: float = required(_RATE)
    fake_accuracy: float = required(_RATE)
    average_precision: float = required(_RATE)
    images: int = required(integer(0))
    protocol: str = required(TEXT)
    threshold: float = field_of(0.0, number())


SIMULATED_NOTICE = (
    "Trained on simulated generators only: a demonstration, not a judge of real images."
)


@dataclass(frozen=True)
class ModelProfile(Config):
    """What is known about a model beside its weights.

    Args:
        preprocessing: How images become pixels when this model scores them.
        calibration: What its logits mean, on pixels of `calibration.protocol`.
        robustness: Its accuracy on images that were recompressed, resized and so on, each on
            pixels of `Condition.protocol`.
        simulated: Whether it was trained on simulated generators alone.

    Example:
        >>> profile = ModelProfile(PROTOCOLS["native"])
        >>> profile.calibration_for(PROTOCOLS["native"]).images  # never calibrated
        0
    """

    preprocessing: Preprocessing
    calibration: Calibration = UNCALIBRATED
    robustness: tuple[Condition, ...] = ()
    simulated: bool = False

    @property
    def notice(self) -> str:
        """What everyone has to know who reads this model's scores; "" where there is nothing."""
        return SIMULATED_NOTICE if self.simulated else ""

    @classmethod
    def from_dict(cls, values):
        values = dict(values)
        if isinstance(values.get("preprocessing"), Mapping):
            values["preprocessing"] = Preprocessing.from_dict(values["preprocessing"])
        if isinstance(values.get("calibration"), Mapping):
            values["calibration"] = Calibration.from_dict(values["calibration"])
        values["robustness"] = tuple(
            Condition.from_dict(c) if isinstance(c, Mapping) else c
            for c in values.get("robustness", ())
        )
        return super().from_dict(values)

    def calibration_for(self, protocol: Preprocessing) -> Calibration:
        """What logits mean on such pixels.

        Args:
            protocol: How the images became pixels.

        Returns:
            The stored calibration where it was found on such pixels, else `UNCALIBRATED`: the plain
            sigmoid, `images` being 0.
        """
        held = self.calibration.images and self.calibration.protocol == protocol.name
        return self.calibration if held and self._is_meant(protocol) else UNCALIBRATED

    def _is_meant(self, protocol: Preprocessing) -> bool:
        """Whether a protocol is the one of its name: this model's own, or the known one."""
        return protocol in (self.preprocessing, PROTOCOLS.get(protocol.name))

    def robustness_for(self, protocol: Preprocessing) -> tuple[Condition, ...]:
        """The measurements made on such pixels, at the threshold that holds for them."""
        threshold = self.calibration_for(protocol).threshold
        if not self._is_meant(protocol):
            return ()
        return tuple(
            c for c in self.robustness if c.protocol == protocol.name and c.threshold == threshold
        )

    def for_pixels(self, protocol: Preprocessing) -> ModelProfile:
        """This profile for a model that makes its pixels like that; what does not hold is dropped."""
        return replace(
            self,
            preprocessing=protocol,
            calibration=self.calibration_for(protocol),
            robustness=self.robustness_for(protocol),
        )

    def mismatches(self, protocol: Preprocessing) -> list[str]:
        """What is stored for other pixels and is therefore not used, a sentence each."""
        found = []
        calibration = self.calibration
        if calibration.images and not self.calibration_for(protocol).images:
            found.append(
                f"the stored calibration is not used: it was found on {calibration.protocol} pixels, "
                f"and these are {protocol.name}"
            )
        if self.robustness and not self.robustness_for(protocol):
            names = ", ".join(sorted({c.protocol for c in self.robustness}))
            same = any(c.protocol == protocol.name for c in self.robustness)
            found.append(
                "the stored robustness is not used: "
                + (
                    "it was measured at another threshold (run npr-keras robustness --store again)"
                    if same
                    else f"it was measured on {names} pixels, and these are {protocol.name}"
                )
            )
        return found
