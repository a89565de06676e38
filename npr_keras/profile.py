"""What is known about a model: one carrier for detectors, exported models and served ones.

A calibration and a robustness measurement hold for the pixels they were made with, and for no
others. `ModelProfile.calibration_for` and `ModelProfile.robustness_for` are the only ways to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from npr_keras.config import PROTOCOLS, Preprocessing
from npr_keras.findings import UNCALIBRATED, Calibration, Condition
from npr_keras.settings import Config

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
