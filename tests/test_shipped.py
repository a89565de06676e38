"""The detector that comes with the package: there on the day it is installed."""

import json
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from conftest import ROOT, error_of
from PIL import Image
from sklearn.datasets import load_sample_images

from npr_keras.models import Detector
from npr_keras.presets import default_model, presets
from npr_keras.runtimes.open import open_predictor

NAME = "npr-lab"


@pytest.fixture
def photograph(tmp_path):
    """A photograph as a camera's JPEG, of 640 x 427 pixels."""
    Image.fromarray(load_sample_images().images[0]).save(tmp_path / "photo.jpg", quality=95)
    return tmp_path / "photo.jpg"


def test_the_default_is_what_comes_with_it(monkeypatch):
    monkeypatch.delenv("NPR_MODEL", raising=False)
    assert default_model() == NAME and next(iter(presets())) == NAME
    preset = presets()[NAME]
    assert preset.fits(preset.path.read_bytes())
    assert preset.path.stat().st_size < 6_000_000 and preset.licence == "Apache-2.0"
    card = preset.path.with_suffix(".md").read_text()
    for said in (
        "## What it is",
        "## What it was trained on",
        "## What it reaches",
        "## What it is not for",
    ):
        assert said in card
    profile = open_predictor(NAME).profile
    assert profile.calibration.false_positive_rate == 0.05 and profile.calibration.images >= 400
    assert {c.kind for c in profile.robustness} >= {"none", "jpeg", "webp", "resize"}


@pytest.mark.every_backend
def test_scores_that_are_known(photograph):
    """Equal logits on every backend: what TensorFlow gave when it was shipped."""
    detector = Detector.from_preset(NAME)
    known = json.loads((ROOT / "tests" / "shipped_scores.json").read_text())
    image = load_sample_images().images[0][:426]
    pixels = {"photograph": image, "blocks": image[::2, ::2].repeat(2, 0).repeat(2, 1)[:426]}
    for name, logit in known.items():
        found = float(detector.predict_on_batch(np.ascontiguousarray(pixels[name]))[0, 0])
        assert found == pytest.approx(logit, abs=1e-4), (keras.backend.backend(), name)


@pytest.mark.slow
def test_the_wheel_alone(tmp_path, photograph):
    """Built and unpacked somewhere, away from the repository, without a network: a verdict."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", tmp_path, ROOT],
        check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 8_000_000
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        "import socket, sys\n"
        "def refuse(*args, **options): raise OSError('no network here')\n"
        "socket.socket.connect = refuse\n"
        "from npr_keras_cli.main import main\n"
        "import npr_keras; assert 'site' in npr_keras.__file__, npr_keras.__file__\n"
        "sys.argv[0] = 'npr-keras'; main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    environment.pop("NPR_MODEL", None)
    done = subprocess.run(
        [sys.executable, "-c", script, "predict", photograph, "--json"],
        capture_output=True, text=True, env=environment, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] in ("no trace", "inconclusive")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["savedmodel", "onnx"])
def test_exports_of_it_verify(form, tmp_path):
    from npr_keras.exporting.export import export_detector

    model = tmp_path / "model.keras"
    model.write_bytes(presets()[NAME].path.read_bytes())
    (made,) = export_detector(model, [form])
    assert made.verified.difference < 1e-3


def test_what_comes_with_it_stays_as_it_is(invoke, make_set, tmp_path):
    before = presets()[NAME].path.read_bytes()
    data = make_set(tmp_path / "data", 20)
    for command in (
        ["calibrate", "--model", NAME, "--reals", data, "--fpr", "5%"],
        ["robustness", "--data", data, "--store"],
    ):
        assert f"{NAME} comes with this package, and stays as it is" in error_of(invoke(*command))
    assert presets()[NAME].path.read_bytes() == before
