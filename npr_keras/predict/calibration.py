"""Calibrating a detector, and storing with it what was found."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass

import numpy as np

from npr_keras.evaluation.calibrate import (
    CONFIDENCE,
    Bin,
    RateThreshold,
    expected_calibration_error,
    fit_probability,
    images_needed,
    reliability,
    shift_interval,
    threshold_at_rate,
)
from npr_keras.findings import UNCALIBRATED, Calibration, with_band


@dataclass(frozen=True)
class Calibrated:
    """What calibration found.

    Attributes:
        calibration: To be stored with the detector.
        before, after: The reliability diagram of the labelled images, without and with it; None
            from real images alone.
        rate: How the threshold was found, where a false-positive rate was asked for.
        needed: How many real images that takes at least.
    """

    calibration: Calibration
    before: list[Bin] | None
    after: list[Bin] | None
    rate: RateThreshold | None
    needed: int | None

    def to_dict(self) -> dict:
        """Plain values; a bin without images has no figures."""
        result: dict = {"calibration": self.calibration.to_dict()}
        for name in ("before", "after"):
            rows = getattr(self, name)
            if rows:
                result[f"ece_{name}"] = expected_calibration_error(rows)
                result[f"reliability_{name}"] = [dataclasses.asdict(r) for r in rows if r.images]
        if self.rate:
            result["false_positives"] = dataclasses.asdict(self.rate)
            result["images_needed"] = self.needed
        return result


def calibrate(
    labels: np.ndarray,
    logits: np.ndarray,
    rate: float | None = None,
    stored: Calibration | None = None,
    protocol: str = "",
) -> Calibrated:
    """Finds what a detector's logits mean.

    Args:
        labels: 0 or 1, (n,). All 0: only a threshold is found, and probabilities stay as they are.
        logits: The detector's, (n,).
        rate: The false-positive rate that the threshold is for; None puts it at probability 0.5.
        stored: What is known already of such pixels.
        protocol: The name of how the images became pixels.

    Raises:
        CalibrationError: If the images do not allow it.
    """
    labels, logits = np.asarray(labels), np.asarray(logits)
    calibration = stored or UNCALIBRATED
    before = after = found = None
    interval = (calibration.threshold, calibration.threshold)
    if labels.any() or rate is None:
        temperature, shift = fit_probability(labels, logits)
        interval = shift_interval(labels, logits, temperature, shift)
        plain = np.array([UNCALIBRATED.probability(z) for z in logits])
        calibration = Calibration(temperature, shift, shift, len(labels))
        fitted = np.array([calibration.probability(z) for z in logits])
        before, after = reliability(labels, plain, True), reliability(labels, fitted, True)
    if rate is not None:
        found = threshold_at_rate(logits[labels == 0], rate)
        interval = (found.lowest, found.threshold)
        calibration = dataclasses.replace(
            calibration,
            threshold=found.threshold,
            images=len(labels),
            false_positive_rate=rate,
            confidence=CONFIDENCE,
        )
    calibration = with_band(dataclasses.replace(calibration, protocol=protocol), interval)
    needed = images_needed(rate) if rate is not None else None
    return Calibrated(calibration, before, after, found, needed)


def store(model: str | os.PathLike, **fields) -> None:
    """Writes settings of a detector into its `.keras` file, atomically; weights stay as they are.

    Args:
        model: The file, or the folder that holds it.
        fields: Fields of `ModelProfile`, such as `calibration` and `robustness`.
    """
    from npr_keras.models import load_detector, save_detector
    from npr_keras.models.files import model_file

    detector = load_detector(model)
    profile = dataclasses.replace(detector.profile, **fields)
    if profile == detector.profile:  # the same again: the file stays the one that was exported
        return
    detector.profile = profile
    save_detector(detector, model_file(model))
