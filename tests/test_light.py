"""The shipped detector by NumPy alone: Keras' scores, in a fraction of the time to begin."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npr_keras.errors import ConfigError
from npr_keras.layers.representation import make_representation
from npr_keras.models import Detector, save_detector
from npr_keras.models.backbones.base import make_backbone
from npr_keras.models.backbones.mlp import MLP
from npr_keras.presets import model_path
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.runtimes.light import open_light
from npr_keras.runtimes.open import open_light_predictor


@pytest.mark.every_backend
def test_scores_are_keras_own(random):
    light, full = open_light_predictor("npr-lab"), KerasPredictor(model_path("npr-lab"))
    assert light.identity == full.identity and light.profile == full.profile
    for size in ((64, 64), (130, 98), (256, 300)):
        images = random.integers(0, 256, (2, *size, 3), np.uint8)
        np.testing.assert_allclose(light.predict(images), full.predict(images), atol=1e-4)
    with pytest.raises(ConfigError, match="at least 64 pixels a side"):
        light.predict(images[:, :40])


@pytest.mark.every_backend
def test_a_trained_periodogram(tmp_path, random):
    """The other spectrum, other layers, statistics that were found: of a file that any backend wrote."""
    spectrum = make_representation("periodogram", side=16)
    detector = Detector(MLP(hidden=(6,)), spectrum)
    images = random.integers(0, 256, (3, 40, 52, 3), np.uint8)
    spectrum.adapt(images.astype(np.float32))
    save_detector(detector, tmp_path / "model.keras")
    found = open_light_predictor(tmp_path).predict(images)
    np.testing.assert_allclose(found, KerasPredictor(detector).predict(images), atol=1e-4)


def test_what_it_does_not_know_is_left_to_keras(tmp_path):
    """Another detector, a broken file, an address, an export."""
    save_detector(Detector(make_backbone("resnet", blocks=(1,), width=4)), tmp_path / "npr.keras")
    assert open_light(tmp_path / "npr.keras") is None
    whole = bytearray(Path(model_path("npr-lab")).read_bytes())
    for place in (200, len(whole) // 2, len(whole) - 60):  # compressed data, and the directory
        whole[place] ^= 0xFF
        (tmp_path / "damaged.keras").write_bytes(whole)
        assert open_light(tmp_path / "damaged.keras") is None
    (tmp_path / "broken.keras").write_bytes(b"PK")
    assert open_light(tmp_path / "broken.keras") is None
    with zipfile.ZipFile(tmp_path / "odd.keras", "w") as archive:
        archive.writestr("config.json", '{"class_name": "Detector"}')
    assert open_light(tmp_path / "odd.keras") is None
    for model in (tmp_path / "gone.keras", tmp_path, "grpc://127.0.0.1:1/npr"):
        assert open_light_predictor(model) is None


def test_of_folders_keras_is_asked(tmp_path, invoke, monkeypatch):
    """It is there later, and then faster."""
    for name in ("a", "b"):
        Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / f"{name}.png")
    asked = []
    monkeypatch.setattr("npr_keras.runtimes.open.open_light_predictor", lambda m: asked.append(m))
    monkeypatch.setattr("npr_keras_cli.backend._GIVEN", frozenset())
    files = sorted(tmp_path.iterdir())
    for arguments, is_light in (([tmp_path], False), (files, True), (files * 9, False)):
        invoke("predict", *arguments, "--model", "npr-lab")
        assert bool(asked) == is_light
        asked.clear()


@pytest.mark.parametrize(("options", "environment", "imported"),
                         [([], {}, False), (["--backend", "tensorflow"], {}, True),
                          ([], {"KERAS_BACKEND": "tensorflow"}, True)])  # fmt: skip
def test_predict_imports_no_more_than_it_needs(tmp_path, options, environment, imported):
    """Unless the user says what Keras is to run on."""
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    script = (
        "import sys; from npr_keras_cli.main import main\n"
        f"main({['predict', str(tmp_path / 'a.png'), *options]!r}, standalone_mode=False)\n"
        "print('IMPORTED', [m for m in ('keras', 'tensorflow', 'torch', 'sklearn') if m in sys.modules])"
    )
    kept = {k: v for k, v in os.environ.items() if k not in ("KERAS_BACKEND", "NPR_MODEL")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                          env={**kept, **environment})  # fmt: skip
    last = done.stdout.strip().splitlines()[-1]
    assert ("keras" in last) == imported, last
    assert imported or last == "IMPORTED []"
