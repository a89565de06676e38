"""A score, a file's history and a model's profile to a verdict, and why.

`generated` means that photographs with the same history would have been left alone; `no trace`, that
generated images with the same history would have been found: it does not mean that an image is real.
Both are measured, by `npr-keras calibrate` and `npr-keras robustness --store`. Where nothing was
measured there is no verdict; where something speaks against one, it is inconclusive.

The commands, the server's client and `npr_keras.score` all come here. A bare `label` of an exported
model is the threshold alone: it knows no history.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from npr_keras.config import Preprocessing
from npr_keras.forensics.evidence import LEAST_SIDE, Evidence
from npr_keras.forensics.examine import Examined
from npr_keras.forensics.history import History
from npr_keras.profile import Calibration, Condition, ModelProfile

GENERATED, NO_TRACE, INCONCLUSIVE, NO_VERDICT = "generated", "no trace", "inconclusive", ""
ENOUGH = 0.75  # of the images of the other kind have to be recognised
_UNKNOWN = "this detector's accuracy on such images is unknown (npr-keras robustness --store)"


@dataclass(frozen=True)
class Verdict:
    """What can be said of an image.

    Attributes:
        verdict: "generated", "no trace", "inconclusive", or "" where nothing was measured.
        reasons: Why it is inconclusive, or why there is none; empty otherwise.
    """

    verdict: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """What is said of one image.

    Attributes:
        path: The file.
        error: Why there is no score; "" where there is one, and the rest holds.
        logit: The detector's output.
        probability: Of being generated, calibrated.
        threshold: The logit above which images are called generated.
        verdict: "generated", "no trace", "inconclusive", or "" where the model gives none, see
            `npr_keras.verdict`.
        reasons: Why it is inconclusive, or why there is none.
        pixels: What the detector saw: the protocol's name and the size.
        history: What the file says of itself.
        evidence: How much its pixels can say.

    Example:
        >>> Prediction("photo.jpg", error="empty").verdict
        ''
    """

    path: str
    error: str = ""
    logit: float = float("nan")
    probability: float = float("nan")
    threshold: float = float("nan")
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    pixels: str = ""
    history: History | None = None
    evidence: Evidence | None = None


def decide(
    logit: float,
    history: History,
    evidence: Evidence,
    profile: ModelProfile,
    protocol: Preprocessing,
) -> Verdict:
    """The verdict on one image.

    Args:
        logit: Its score.
        history: What its file says, see `npr_keras.forensics.history.read_history`.
        evidence: How much its pixels can say, see `npr_keras.forensics.evidence.weigh`.
        profile: What is known about the model.
        protocol: How the file became pixels; only what was measured on such counts.
    """
    if reason := no_verdict(profile, protocol):
        return Verdict(NO_VERDICT, (reason,))
    calibration = profile.calibration_for(protocol)
    leaning = GENERATED if logit > calibration.threshold else NO_TRACE
    reasons = evidence.missing()
    if history.claims and leaning == NO_TRACE:
        reasons.append("the file itself says that it was generated")
    if undecided := _undecided(logit, calibration):
        reasons.append(undecided)
    if not history.format:
        reasons.append("pixels without a file: how they were compressed is unknown")
    measured = [
        c
        for c in profile.robustness_for(protocol)
        if not (math.isnan(c.real_accuracy) or math.isnan(c.fake_accuracy))
    ]
    for what, conditions in _conditions(history, evidence, measured):
        reason = _weakness(leaning, conditions)
        if reason:
            reasons.append(f"{what}: {reason}")
    return Verdict(INCONCLUSIVE, tuple(reasons)) if reasons else Verdict(leaning)


def conclude(
    profile: ModelProfile, name: str, image: Examined, logit: float, protocol: Preprocessing
) -> Prediction:
    """A score to what is said of the image.

    Args:
        profile: The model's.
        name: The image's.
        image: What was scored.
        logit: Its score, a number.
        protocol: How it became pixels.
    """
    calibration = profile.calibration_for(protocol)
    verdict = decide(logit, image.history, image.evidence, profile, protocol)
    height, width = image.pixels.shape[:2]
    return Prediction(
        name,
        logit=logit,
        probability=calibration.probability(logit),
        threshold=calibration.threshold,
        verdict=verdict.verdict,
        reasons=verdict.reasons,
        pixels=f"{protocol.name} {width}x{height}",
        history=image.history,
        evidence=image.evidence,
    )


def no_verdict(profile: ModelProfile, protocol: Preprocessing) -> str:
    """Why a model gives no verdicts on such pixels; "" where it does."""
    if profile.calibration_for(protocol).images or profile.robustness_for(protocol):
        return ""
    return f"this detector was neither calibrated nor measured on {protocol.name} pixels"


def _undecided(logit: float, calibration: Calibration) -> str:
    low, high = calibration.undecided
    if not calibration.images or not low < logit <= high:
        return ""
    rate, shift, threshold = (
        calibration.false_positive_rate,
        calibration.shift,
        calibration.threshold,
    )
    if rate and calibration.is_fitted and min(shift, threshold) < logit <= max(shift, threshold):
        side = "below" if logit <= threshold else "above"
        odds = "generated" if logit > shift else "a photograph"
        return f"more likely {odds}, but {side} the threshold that {100 * rate:g} % of photographs exceed"
    return f"close to the threshold: logits from {low:.2f} to {high:.2f} decide nothing"


def _weakness(leaning: str, conditions: Sequence[Condition]) -> str:
    """Why a leaning does not count under these conditions; "" where it does."""
    if not conditions:
        return _UNKNOWN
    if leaning == NO_TRACE:
        share = min(c.fake_accuracy for c in conditions)
        said = f"this detector finds only {100 * share:.0f} % of generated images like that"
    else:
        share = min(c.real_accuracy for c in conditions)
        said = f"this detector calls {100 * (1 - share):.0f} % of photographs like that generated"
    return said if share < ENOUGH else ""


def _conditions(history: History, evidence: Evidence, measured: Sequence[Condition]):
    """What an image went through, and what was measured of that."""

    def of(kind):
        return [c for c in measured if c.kind == kind]

    untouched = True
    if history.quality is not None:
        yield f"JPEG quality {history.quality}", around(of("jpeg"), history.quality)
        untouched = False
    elif history.lossy:
        alike = history.format in ("WEBP", "AVIF")
        yield f"lossy {history.format}", of("webp") if alike else []
        untouched = False
    elif history.was_jpeg:
        # The trace does not tell the quality: the worst of what was measured.
        yield "traces of JPEG blocks", of("jpeg")
        untouched = False
    if history.resized:
        yield "traces of a resize", of("resize")  # by how much is not known either
        untouched = False
    if untouched:
        yield "uncompressed", of("none")
    crops = of("crop")
    if crops and evidence.side < max(c.amount for c in crops):
        yield f"{evidence.width} x {evidence.height} pixels", around(crops, evidence.side)
    elif not crops and evidence.side < LEAST_SIDE:
        yield f"{evidence.width} x {evidence.height} pixels, fewer than {LEAST_SIDE} a side", []


def around(conditions: Sequence[Condition], amount: float) -> list[Condition]:
    """The measurements on either side of an amount; the one at it; none below the lowest.

    Above the highest one that was measured, that one stands: less compression, or more pixels, do
    less harm.
    """
    ordered = sorted(conditions, key=lambda c: c.amount)
    below = [c for c in ordered if c.amount <= amount]
    above = [c for c in ordered if c.amount >= amount]
    if not below:
        return []
    if not above or below[-1].amount == amount:
        return [below[-1]]
    return [below[-1], above[0]]
