"""A logit and a file's history to a verdict: real, generated, or inconclusive, and why.

"Real" means something only where generated pictures that went through the same would have been
found, and "generated" only where photographs would have been left alone. Both are measured, by
`npr-keras robustness --store`. Where a picture's history was not measured, nothing can be said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from npr_keras.config import Preprocessing
from npr_keras.data.history import History
from npr_keras.findings import Calibration, Condition
from npr_keras.profile import ModelProfile

REAL, GENERATED, INCONCLUSIVE = "real", "generated", "inconclusive"
ENOUGH = 0.75  # of the pictures of the other kind have to be recognised


@dataclass(frozen=True)
class Verdict:
    """What can be said of a picture.

    Attributes:
        verdict: "real", "generated" or "inconclusive".
        reasons: Why it is inconclusive; empty otherwise.
    """

    verdict: str
    reasons: tuple[str, ...] = ()


def judge(
    logit: float,
    history: History,
    profile: ModelProfile,
    protocol: Preprocessing,
) -> Verdict:
    """The verdict on one picture.

    Args:
        logit: Its score.
        history: What its file tells, see `npr_keras.data.history.read_history`.
        profile: What is known about the model.
        protocol: How the file became pixels; only what was measured so counts.
    """
    calibration = profile.calibration_for(protocol)
    leaning = GENERATED if logit > calibration.threshold else REAL
    reasons = profile.mismatches(protocol)[:1] if profile.calibration.images else []
    if leaning == REAL and logit > calibration.shift:
        reasons.append(
            f"more likely generated than real, and below the threshold{_rate(calibration)}"
        )
    if leaning == GENERATED and logit <= calibration.shift and calibration.images:
        reasons.append(f"above the threshold{_rate(calibration)}, and yet more likely real")
    usable = [
        c
        for c in profile.robustness_for(protocol)
        if not (math.isnan(c.real_accuracy) or math.isnan(c.fake_accuracy))
    ]
    missing = "was not measured"
    if profile.robustness and not usable:
        missing = "was measured with other pixels or at another threshold (robustness --store)"
    for what, conditions in _conditions(history, usable):
        if not conditions:
            reasons.append(f"{what}: how this detector does on such pictures {missing}")
            continue
        if leaning == REAL:
            share = min(c.fake_accuracy for c in conditions)
            text = f"of generated pictures like that it finds {100 * share:.0f} %"
        else:
            share = min(c.real_accuracy for c in conditions)
            text = f"of photographs like that it takes {100 * (1 - share):.0f} % for generated"
        if share < ENOUGH:
            reasons.append(f"{what}: {text}")
    return Verdict(INCONCLUSIVE, tuple(reasons)) if reasons else Verdict(leaning)


def _rate(calibration: Calibration) -> str:
    rate = calibration.false_positive_rate
    return f" that {100 * rate:g} % of photographs pass" if rate else ""


def _conditions(history: History, robustness: Sequence[Condition]):
    """What a picture went through, and what was measured of that."""
    if history.quality is not None:
        own = [c for c in robustness if c.kind == "jpeg"]
        yield f"JPEG quality {history.quality}", quality_band(own, history.quality)
    elif history.lossy:
        alike = history.format in ("WEBP", "AVIF")
        own = [c for c in robustness if c.kind == "webp" and alike]
        yield f"lossy {history.format}", own
    if history.resized:
        # The trace does not tell by how much: the worst of what was measured.
        own = [c for c in robustness if c.kind == "resize"]
        yield "traces of a resize", own
    untouched = [c for c in robustness if c.kind == "none"]
    if untouched and not history.lossy and not history.resized:
        yield "as it is", untouched


def quality_band(conditions: Sequence[Condition], quality: float) -> list[Condition]:
    """The measurements on either side of a quality; the one at it; none below the lowest.

    Above the highest one that was measured, that one stands: less compression does less harm.
    """
    ordered = sorted(conditions, key=lambda c: c.amount)
    below = [c for c in ordered if c.amount <= quality]
    above = [c for c in ordered if c.amount >= quality]
    if not below:
        return []
    if not above or below[-1].amount == quality:
        return [below[-1]]
    return [below[-1], above[0]]
