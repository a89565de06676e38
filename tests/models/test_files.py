from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import BACKENDS

from npr_keras.config import PROTOCOLS
from npr_keras.errors import CheckpointError
from npr_keras.models import Detector, load_detector, save_detector
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.profile import Calibration, Condition, ModelProfile

SMALL = ResNet(blocks=(1, 1), width=8)


def test_optimizer_stays_out_unless_asked_for(tmp_path, random):
    detector = Detector(SMALL)
    detector.compile("adam", "mse")
    detector.fit(random.random((2, 32, 32, 3)), np.zeros((2, 1)), verbose=0)
    save_detector(detector, tmp_path / "bare.keras")
    save_detector(detector, tmp_path / "full.keras", optimizer=True)
    assert load_detector(tmp_path / "full.keras", compile=True).optimizer.iterations == 1
    assert not load_detector(tmp_path / "bare.keras", compile=True).compiled
    for a, b in zip(
        load_detector(tmp_path / "bare.keras").get_weights(), detector.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_a_failing_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    save_detector(Detector(SMALL), path)
    before = path.read_bytes()

    def fails(self, file):
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(keras.Model, "save", fails)
    with pytest.raises(OSError, match="disk full"):
        save_detector(Detector(SMALL), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


def test_errors(tmp_path):
    with pytest.raises(CheckpointError, match="No model at"):
        load_detector(tmp_path)
    (tmp_path / "a.keras").write_bytes(b"text")
    with pytest.raises(CheckpointError, match="it is no zip archive"):
        load_detector(tmp_path / "a.keras")
    (tmp_path / "NPR.pth").write_bytes(b"")
    with pytest.raises(CheckpointError, match="npr-keras convert"):
        load_detector(tmp_path / "NPR.pth")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "b.keras")
    with pytest.raises(CheckpointError, match="holds a Sequential, not an npr_keras Detector"):
        load_detector(tmp_path / "b.keras")


SAVE = """
import sys, numpy as np, keras
from npr_keras.models import Detector, save_detector
keras.utils.set_random_seed(1)
detector = Detector()
save_detector(detector, sys.argv[1] + ".keras")
x = np.random.default_rng(0).integers(0, 256, (2, 50, 64, 3), np.uint8)
np.save(sys.argv[1] + ".npy", detector.predict_on_batch(x))
"""
LOAD = """
import sys, numpy as np
from npr_keras.models import load_detector
x = np.random.default_rng(0).integers(0, 256, (2, 50, 64, 3), np.uint8)
for name in sys.argv[1:]:
    y = load_detector(name + ".keras").predict_on_batch(x)
    np.testing.assert_allclose(y, np.load(name + ".npy"), rtol=1e-4, atol=1e-5)
    print("same", name)
"""


@pytest.mark.slow
def test_a_file_of_any_backend_loads_on_every_backend(tmp_path, run_python):
    names = [tmp_path / backend for backend in BACKENDS]
    for backend, name in zip(BACKENDS, names, strict=True):
        run_python(SAVE, backend, args=[name])
    for backend in BACKENDS:
        assert run_python(LOAD, backend, args=names).stdout.count("same") == 3


@pytest.mark.every_backend
def test_a_file_of_version_0_1():
    """Written by that version, which kept what is known inside the network's settings."""
    detector = load_detector(Path(__file__).parent / "data" / "version_0_1.keras")
    pixels = np.random.default_rng(3).integers(0, 256, (2, 32, 48, 3), np.uint8)
    written = [-0.17496319115161896, -0.17944647371768951]  # its logits then, on tensorflow
    np.testing.assert_allclose(detector.predict_on_batch(pixels)[:, 0], written, atol=1e-6)
    assert detector.backbone == ResNet(blocks=(1, 1), width=4)
    assert detector.profile == ModelProfile(
        PROTOCOLS["native"],
        Calibration(2.0, 0.25, 0.5, 100, 0.05, 0.95, "native"),
        (
            Condition("none", 0.0, 0.9, 0.8, 0.91, 100, "native", 0.5),
            Condition("jpeg", 90.0, 0.8, 0.7, 0.81, 100, "native", 0.5),
        ),
    )
