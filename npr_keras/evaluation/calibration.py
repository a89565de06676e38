"""Calibrating a detector: from labelled images, or from photographs, to what is stored with it."""

from __future__ import annotations

import dataclasses
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
from npr_keras.evaluation.evaluate import SetResult
from npr_keras.profile import UNCALIBRATED, Calibration, with_band


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

    Example:
        >>> found = calibrate(np.array([0, 0, 1, 1]), np.array([-3.0, -1.0, 2.0, 4.0]))
        >>> round(found.calibration.threshold, 1)
        0.5
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


def scores_to_calibrate_on(result: SetResult) -> tuple[np.ndarray, np.ndarray]:
    """Labels and logits, (n,) each, of an evaluation's images that could be read."""
    read = ~np.isnan(result.logits)
    return np.array([record.label for record in result.records])[read], result.logits[read]
