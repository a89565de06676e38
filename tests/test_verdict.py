"""What is concluded from a score: the rule, and each reason against a verdict."""

import numpy as np
import pytest

from npr_keras.config import PROTOCOLS
from npr_keras.forensics.evidence import Evidence
from npr_keras.forensics.history import History
from npr_keras.profile import UNCALIBRATED, Calibration, Condition, ModelProfile
from npr_keras.verdict import around, decide

PLENTY = Evidence(256, 256, 0.9, 0.01)


def history(quality=None, resampling=0.0, lossy=None, format="PNG", claims=(), blocking=0.0):
    lossy = quality is not None if lossy is None else lossy
    return History(format, "RGB", 9, 9, lossy, quality, "", resampling, claims, blocking)


def condition(kind, amount, real, fake, protocol="native", threshold=0.0):
    return Condition(kind, amount, real, fake, 0.9, 100, protocol, threshold)


MEASURED = (
    condition("none", 0, 0.99, 0.95),
    condition("jpeg", 95, 0.99, 0.85),
    condition("jpeg", 90, 0.99, 0.60),
    condition("jpeg", 70, 0.50, 0.90),
    condition("webp", 75, 0.98, 0.10),
    condition("resize", 0.5, 0.95, 0.95),
    condition("resize", 2, 0.95, 0.30),
)


def verdict(logit, past, calibration=None, measured=MEASURED, protocol="native", evidence=PLENTY):
    profile = ModelProfile(PROTOCOLS["native"], calibration or UNCALIBRATED, measured)
    found = decide(logit, past, evidence, profile, PROTOCOLS[protocol])
    return found.verdict, " | ".join(found.reasons)


@pytest.mark.parametrize(
    ("logit", "past", "expected", "reason"),
    [
        (-3, history(), "no trace", ""),
        (3, history(), "generated", ""),
        (-3, history(97), "no trace", ""),  # above the highest that was measured, that one stands
        (-3, history(95), "no trace", ""),
        (-3, history(93), "inconclusive", "JPEG quality 93: this detector finds only 60 % of generated"),
        (3, history(93), "generated", ""),  # photographs are left alone at 90 and at 95
        (3, history(80), "inconclusive", "this detector calls 50 % of photographs like that generated"),
        (-3, history(60), "inconclusive", "JPEG quality 60: this detector's accuracy on such images is"),
        (-3, history(lossy=True, format="WEBP"), "inconclusive", "lossy WEBP"),
        (-3, history(resampling=50), "inconclusive", "traces of a resize: this detector finds only 30 %"),
        (3, history(resampling=50), "generated", ""),
        (-3, history(blocking=5), "inconclusive", "traces of JPEG blocks: this detector finds only 60 %"),
        (3, history(blocking=5), "inconclusive", "calls 50 % of photographs"),
    ],
)  # fmt: skip
def test_the_measured_rule(logit, past, expected, reason):
    found, reasons = verdict(logit, past)
    assert found == expected
    assert reason in reasons


def test_nothing_measured_no_verdict():
    found, reasons = verdict(3, history(), measured=())
    assert (
        found == ""
        and reasons == "this detector was neither calibrated nor measured on native pixels"
    )
    assert verdict(-3, history(85), measured=())[0] == ""
    assert verdict(3, history(), protocol="resize256")[0] == ""  # measured on other pixels
    other = Calibration(2.0, 1.0, 1.0, 500, protocol="resize256")
    assert verdict(5, history(), other, ())[0] == ""


def test_a_calibration_alone_decides_nothing():
    calibrated = Calibration(2.0, 1.0, 1.0, 500, protocol="native")
    found, reasons = verdict(9, history(), calibrated, ())
    assert found == "inconclusive"
    assert reasons.startswith("uncompressed: this detector's accuracy on such images is unknown")
    moved = Calibration(1.0, 0.0, 2.5, 500, protocol="native")
    assert verdict(9, history(95), moved)[0] == "inconclusive"  # measured at the threshold 0


def test_what_was_not_measured_is_not_known():
    undefined = (condition("jpeg", 90, 0.9, float("nan")),)
    assert verdict(-3, history(90), measured=undefined)[0] == "inconclusive"
    for format in ("GIF", "JPEG2000", "TIFF"):
        assert verdict(-3, history(lossy=True, format=format))[0] == "inconclusive"


def test_a_detector_that_finds_nothing_says_nothing():
    blind = (condition("none", 0, 1.0, 0.1),)
    found, reasons = verdict(-3, history(), measured=blind)
    assert found == "inconclusive"
    assert "uncompressed: this detector finds only 10 % of generated images like that" in reasons
    assert verdict(3, history(), measured=blind)[0] == "generated"


def at(calibration):
    """A detector that is perfect on uncompressed images, at the calibration's threshold."""
    return (condition("none", 0, 1.0, 1.0, threshold=calibration.threshold),)


def test_near_the_threshold_nothing_is_decided():
    found = Calibration(2.0, 1.0, 1.0, 500, None, None, "native", band=(-0.5, 2.2))
    for logit, expected in ((-0.6, "no trace"), (-0.4, "inconclusive"), (2.1, "inconclusive"), (2.3, "generated")):  # fmt: skip
        said, reasons = verdict(logit, history(), found, at(found))
        assert said == expected
        assert ("logits from -0.50 to 2.20 decide nothing" in reasons) == (said == "inconclusive")


def test_a_calibration_of_version_0_1_has_no_band():
    """Probabilities of 48 and 51 % are no opposite verdicts all the same."""
    old = Calibration(2.0, 1.0, 1.0, 500, protocol="native")
    for logit, expected in ((0.9, "inconclusive"), (1.1, "inconclusive"), (2.4, "generated"), (-0.4, "no trace")):  # fmt: skip
        assert verdict(logit, history(), old, at(old))[0] == expected


def test_between_probability_one_half_and_the_threshold():
    strict = Calibration(2.0, 1.0, 4.0, 500, 0.01, 0.95, "native")
    found, reasons = verdict(3, history(), strict, at(strict))
    assert found == "inconclusive"
    assert (
        "more likely generated, but below the threshold that 1 % of photographs exceed" in reasons
    )
    assert verdict(4.5, history(), strict, at(strict))[0] == "generated"
    assert verdict(-0.5, history(), strict, at(strict))[0] == "no trace"
    lenient = Calibration(2.0, 4.0, 1.0, 500, 0.2, 0.95, "native")
    found, reasons = verdict(2, history(), lenient, at(lenient))
    assert found == "inconclusive"
    assert "more likely a photograph, but above the threshold that 20 % of photographs" in reasons
    assert verdict(5.5, history(), lenient, at(lenient))[0] == "generated"


def test_a_file_that_claims_to_be_generated_is_not_called_untraced():
    claims = ("PNG text 'parameters', as Stable Diffusion web UI writes it",)
    found, reasons = verdict(-3, history(claims=claims))
    assert found == "inconclusive" and reasons == "the file itself says that it was generated"
    assert verdict(3, history(claims=claims)) == ("generated", "")


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(256, 256, 0.0, 0.0), "hardly any texture: 0 % of its 2 x 2 blocks"),
        (Evidence(256, 256, 0.9, 0.99), "clipped: 99 % of its values"),
        (Evidence(2, 2, 1.0, 0.0), "2 x 2 pixels, fewer than 64 a side: this detector's accuracy"),
        (Evidence(900, 40, 1.0, 0.0), "900 x 40 pixels, fewer than 64 a side"),
    ],
)
def test_pixels_without_evidence(evidence, reason):
    for logit in (-5, 5):
        found, reasons = verdict(logit, history(), evidence=evidence)
        assert found == "inconclusive" and reason in reasons


def test_small_images_by_what_was_measured():
    crops = (
        *MEASURED,
        condition("crop", 128, 0.97, 0.9),
        condition("crop", 64, 0.9, 0.8),
        condition("crop", 32, 0.4, 0.9),
    )
    small = Evidence(300, 40, 0.9, 0.0)
    found, reasons = verdict(5, history(), measured=crops, evidence=small)
    assert (
        found == "inconclusive"
        and "300 x 40 pixels: this detector calls 60 % of photographs" in reasons
    )
    assert verdict(-5, history(), measured=crops, evidence=small)[0] == "no trace"
    tiny = Evidence(20, 20, 0.9, 0.0)
    assert (
        "20 x 20 pixels: this detector's accuracy on such images is unknown"
        in verdict(-5, history(), measured=crops, evidence=tiny)[1]
    )
    assert (
        verdict(5, history(), measured=crops, evidence=Evidence(80, 90, 0.9, 0.0))[0] == "generated"
    )


def test_pixels_without_a_file_have_no_history():
    found, reasons = verdict(5, history(format=""))
    assert found == "inconclusive" and "pixels without a file" in reasons


def test_measurements_on_either_side():
    jpegs = [c for c in MEASURED if c.kind == "jpeg"]
    assert [c.amount for c in around(jpegs, 92)] == [90, 95]
    assert [c.amount for c in around(jpegs, 90)] == [90]
    assert [c.amount for c in around(jpegs, 100)] == [95]
    assert around(jpegs, 69) == []
    assert around([], 90) == []


def test_the_band_holds_the_true_threshold(random):
    """Fitted on 120 images: 19 of 20 intervals hold the shift of the distribution they are drawn from."""
    from npr_keras.evaluation.calibrate import fit_probability, shift_interval

    labels = np.repeat([0, 1], 60)
    inside, widths = 0, []
    for _ in range(300):
        logits = random.normal(np.where(labels == 1, 2.0, -1.0), 1.5)
        low, high = shift_interval(labels, logits, *fit_probability(labels, logits))
        inside += low <= 0.5 <= high
        widths.append(high - low)
    assert 300 * 0.95 - 3.5 * np.sqrt(300 * 0.95 * 0.05) <= inside <= 299
    many = np.tile(labels, 16)
    logits = random.normal(np.where(many == 1, 2.0, -1.0), 1.5)
    low, high = shift_interval(many, logits, *fit_probability(many, logits))
    assert high - low == pytest.approx(np.mean(widths) / 4, rel=0.3)


def test_the_band_of_a_rate(random):
    """Below `lowest` the rate is exceeded with 95 % confidence: the true rate there is known."""
    from scipy.stats import norm

    from npr_keras.evaluation.calibrate import threshold_at_rate

    kept = 0
    for _ in range(400):
        found = threshold_at_rate(random.normal(size=400), 0.05)
        assert found.lowest <= found.threshold
        kept += norm.sf(found.lowest) >= 0.05
    assert kept >= 400 * 0.95 - 3 * np.sqrt(400 * 0.95 * 0.05)
