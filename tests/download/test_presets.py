"""Detectors by their names: fetched when asked for, compared with what is known, never before."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from conftest import error_of, said

from npr_keras import presets as named
from npr_keras.errors import CheckpointError, ConfigError
from npr_keras.models import Detector, load_detector
from npr_keras.models.official import to_state_dict
from npr_keras.models.pth import save_pth
from npr_keras.presets import Preset, default_model, get_preset, model_path
from npr_keras.runtimes.open import open_predictor


@pytest.fixture
def preset(server, monkeypatch, tmp_path):
    """An official checkpoint on a server, known by the digest that git gives it."""
    detector = Detector()
    save_pth(to_state_dict(detector), tmp_path / "NPR.pth")
    content = (tmp_path / "NPR.pth").read_bytes()
    server.files["NPR.pth"] = content
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    made = Preset(
        "theirs", "Theirs", "CC0", "nothing", address=server.url + "/well/NPR.pth", git_blob=blob,
        method="npr",
    )  # fmt: skip
    monkeypatch.setattr(named, "presets", lambda: {"theirs": made})
    monkeypatch.setenv("NPR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NPR_MODEL", raising=False)
    return made, detector


def test_fetched_by_its_name_alone(preset, server, invoke, tmp_path, monkeypatch):
    made, detector = preset
    assert "models download theirs" in error_of(invoke("info", "theirs"))
    with pytest.raises(CheckpointError, match="models download theirs"):
        open_predictor("theirs")
    asked = invoke("models", "download", "theirs")
    assert "Nobody is there to be asked" in error_of(asked, 2) and "licence CC0" in said(asked)
    done = invoke("models", "download", "theirs", "--yes")
    assert done.returncode == 0, done.stderr
    for ours, theirs in zip(
        detector.get_weights(), load_detector("theirs").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert invoke("models", "verify").returncode == 0
    pixels = np.zeros((1, 64, 64, 3), np.uint8)
    expected = detector.predict_on_batch(pixels)[0]
    assert open_predictor("theirs").predict(pixels) == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(Detector.from_preset("theirs").predict_on_batch(pixels)[0], expected)
    monkeypatch.setenv("NPR_MODEL", "theirs")
    listed = json.loads(invoke("models", "--json").stdout)
    assert listed["default"] == "theirs" and listed["models"][0]["here"]
    assert model_path(default_model()) == str(made.path)
    made.path.write_bytes(b"another")
    wrong = invoke("models", "verify", "theirs")
    assert "another file than it was when it came" in error_of(wrong)
    invoke("models", "remove", "theirs")
    assert not made.path.exists() and not list(made.path.parent.glob("theirs*"))


def test_what_is_another_file_is_thrown_away(preset, server, invoke):
    made, _ = preset
    server.files["NPR.pth"] = b"replaced"
    done = invoke("models", "download", "theirs", "--yes")
    assert "is not the file that this version knows as theirs" in error_of(done)
    assert not list(made.path.parent.glob("*"))


def test_names_and_files(preset, tmp_path, monkeypatch):
    made, _ = preset
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs").mkdir()  # a folder of that name goes first
    assert model_path("theirs") == "theirs"
    assert model_path("saved_models/mine") == "saved_models/mine"
    with pytest.raises(ConfigError, match=r"Known: theirs\. Received: 'ours'"):
        get_preset("ours")
    by_sha = dataclasses.replace(made, sha256=hashlib.sha256(b"x").hexdigest())
    assert by_sha.fits(b"x") and not by_sha.fits(b"y")
