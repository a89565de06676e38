import pytest

from npr_keras.config import PROTOCOLS
from npr_keras.data.history import History
from npr_keras.findings import UNCALIBRATED, Calibration, Condition
from npr_keras.predict.verdict import judge, quality_band
from npr_keras.profile import ModelProfile


def history(quality=None, resampling=0.0, lossy=None, format="PNG"):
    lossy = quality is not None if lossy is None else lossy
    return History(format, "RGB", 9, 9, lossy, quality, "", resampling, ())


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


def verdict(logit, past, calibration=None, measured=MEASURED, protocol="native"):
    profile = ModelProfile(PROTOCOLS["native"], calibration or UNCALIBRATED, measured)
    found = judge(logit, past, profile, PROTOCOLS[protocol])
    return found.verdict, " | ".join(found.reasons)


@pytest.mark.parametrize(
    ("logit", "past", "expected", "reason"),
    [
        (-3, history(), "real", ""),
        (3, history(), "generated", ""),
        (-3, history(97), "real", ""),  # above the highest that was measured, that one stands
        (-3, history(95), "real", ""),
        (-3, history(93), "inconclusive", "JPEG quality 93: of generated pictures like that it finds 60 %"),
        (3, history(93), "generated", ""),  # photographs are left alone at 90 and at 95
        (3, history(80), "inconclusive", "of photographs like that it takes 50 % for generated"),
        (-3, history(60), "inconclusive", "JPEG quality 60: how this detector does"),
        (-3, history(lossy=True, format="WEBP"), "inconclusive", "lossy WEBP"),
        (-3, history(resampling=50), "inconclusive", "traces of a resize: of generated"),
        (3, history(resampling=50), "generated", ""),
    ],
)  # fmt: skip
def test_the_measured_rule(logit, past, expected, reason):
    found, reasons = verdict(logit, past)
    assert found == expected
    assert reason in reasons


def test_what_was_not_measured_is_not_known():
    assert verdict(3, history(), measured=()) == ("generated", "")
    found, reasons = verdict(3, history(85), measured=())
    assert found == "inconclusive"
    assert "was not measured" in reasons
    found, reasons = verdict(3, history(95), protocol="resize256")
    assert found == "inconclusive"
    assert "with other pixels or at another threshold" in reasons
    moved = Calibration(1.0, 0.0, 2.5, 500, protocol="native")
    found, reasons = verdict(3, history(95), moved)  # measured at the threshold 0
    assert found == "inconclusive"
    assert "at another threshold" in reasons
    undefined = (condition("jpeg", 90, 0.9, float("nan")),)
    assert verdict(-3, history(90), measured=undefined)[0] == "inconclusive"
    for format in ("GIF", "JPEG2000", "TIFF"):
        assert verdict(-3, history(lossy=True, format=format))[0] == "inconclusive"


def test_a_detector_that_finds_nothing_says_nothing():
    blind = (condition("none", 0, 1.0, 0.1),)
    found, reasons = verdict(-3, history(), measured=blind)
    assert found == "inconclusive"
    assert "as it is: of generated pictures like that it finds 10 %" in reasons
    assert verdict(3, history(), measured=blind)[0] == "generated"


def test_between_probability_one_half_and_the_threshold():
    strict = Calibration(2.0, 1.0, 4.0, 500, 0.01, 0.95, "native")
    assert verdict(0.5, history(), strict, ())[0] == "real"
    found, reasons = verdict(3, history(), strict, ())
    assert found == "inconclusive"
    assert "below the threshold that 1 % of photographs pass" in reasons
    assert verdict(4.5, history(), strict, ())[0] == "generated"
    lenient = Calibration(2.0, 4.0, 1.0, 500, 0.2, 0.95, "native")
    found, reasons = verdict(2, history(), lenient, ())
    assert found == "inconclusive"
    assert "above the threshold that 20 % of photographs pass, and yet more likely real" in reasons
    assert verdict(5, history(), lenient, ())[0] == "generated"
    assert verdict(0, history(), lenient, ())[0] == "real"


def test_a_calibration_holds_for_its_pixels_alone():
    other = Calibration(2.0, 1.0, 1.0, 500, protocol="resize256")
    found, reasons = verdict(5, history(), other, ())
    assert found == "inconclusive"
    assert "found on resize256 pixels, and these are native" in reasons
    assert verdict(5, history(), other, (), "resize256")[0] == "generated"


def test_quality_bands():
    jpegs = [c for c in MEASURED if c.kind == "jpeg"]
    assert [c.amount for c in quality_band(jpegs, 92)] == [90, 95]
    assert [c.amount for c in quality_band(jpegs, 90)] == [90]
    assert [c.amount for c in quality_band(jpegs, 100)] == [95]
    assert quality_band(jpegs, 69) == []
    assert quality_band([], 90) == []
