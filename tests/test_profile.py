"""A calibration and a robustness measurement hold for their pixels, and for no others."""

import json

import pytest

from npr_keras.config import PROTOCOLS
from npr_keras.profile import UNCALIBRATED, Calibration, Condition, ModelProfile
from npr_keras.runtimes.exported import Facts

NATIVE, RESIZED = PROTOCOLS["native"], PROTOCOLS["resize256"]
FOUND = Calibration(2.0, 0.25, 1.5, 300, 0.01, 0.95, "native")


def condition(protocol, threshold, kind="none"):
    return Condition(kind, 0.0, 0.9, 0.8, 0.85, 100, protocol, threshold)


PROFILE = ModelProfile(
    RESIZED,
    FOUND,
    (condition("native", 1.5), condition("native", 0.0, "blur"), condition("resize256", 0.0)),
)


def test_a_calibration_is_had_for_its_own_pixels_alone():
    assert PROFILE.calibration_for(NATIVE) == FOUND
    assert PROFILE.calibration_for(RESIZED) == UNCALIBRATED
    never = ModelProfile(NATIVE, Calibration(protocol="native"))
    assert never.calibration_for(NATIVE) == UNCALIBRATED


def test_robustness_holds_at_its_threshold():
    assert PROFILE.robustness_for(NATIVE) == (condition("native", 1.5),)
    # Uncalibrated there, so what was measured at logit 0 holds.
    assert PROFILE.robustness_for(RESIZED) == (condition("resize256", 0.0),)


def test_what_an_export_with_other_pixels_keeps():
    assert PROFILE.for_pixels(RESIZED) == ModelProfile(
        RESIZED, UNCALIBRATED, (condition("resize256", 0.0),)
    )
    assert PROFILE.for_pixels(NATIVE) == ModelProfile(NATIVE, FOUND, (condition("native", 1.5),))


@pytest.mark.parametrize(
    ("profile", "protocol", "said"),
    [
        (PROFILE, NATIVE, []),
        (
            PROFILE,
            RESIZED,
            ["calibration is not used: it was found on native pixels, and these are"],
        ),
        (ModelProfile(NATIVE), RESIZED, []),
        (
            ModelProfile(NATIVE, FOUND, (condition("native", 0.0),)),
            NATIVE,
            ["robustness is not used: it was measured at another threshold"],
        ),
        (
            ModelProfile(NATIVE, FOUND, (condition("native", 1.5),)),
            RESIZED,
            ["calibration is not used", "robustness is not used: it was measured on native pixels"],
        ),
    ],
)
def test_what_is_not_used_is_said(profile, protocol, said):
    found = profile.mismatches(protocol)
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True))


def test_exports_of_version_0_1_are_read():
    """They kept the profile flat."""
    flat = PROFILE.to_dict()
    del flat["simulated"]
    del flat["calibration"]["band"]
    values = {"name": "n", "format": "onnx", "quantize": "float32", "source": "s", "versions": {}}
    old = Facts.from_dict(json.loads(json.dumps({**values, **flat})))
    assert old == Facts.from_dict(json.loads(json.dumps({**values, "profile": flat})))
    assert old.profile == PROFILE
