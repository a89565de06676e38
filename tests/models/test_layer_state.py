"""What users do to a detector with Keras' own means survives its file."""

import keras
import numpy as np
import pytest
from conftest import BACKENDS, ROOT

from npr_keras.errors import CheckpointError
from npr_keras.models import Detector, load_detector, save_detector
from npr_keras.models.backbones.resnet import ResNet

SMALL = ResNet(blocks=(1, 1), width=8)
OLD_FILE = ROOT / "tests" / "models" / "data" / "version_0_1.keras"


@pytest.mark.every_backend
def test_frozen_layers_stay_frozen(tmp_path, random):
    detector = Detector(SMALL)
    for layer in detector.layers[:-1]:
        layer.trainable = False
    assert len(detector.trainable_weights) == 2
    detector.save(tmp_path / "a.keras")
    save_detector(detector, tmp_path / "b.keras")
    pixels = random.integers(0, 256, (1, 32, 32, 3), np.uint8)
    for name in ("a.keras", "b.keras"):
        loaded = load_detector(tmp_path / name)
        assert len(loaded.trainable_weights) == 2
        assert all(not layer.trainable for layer in loaded.layers[:-1])
        np.testing.assert_array_equal(
            loaded.predict_on_batch(pixels), detector.predict_on_batch(pixels)
        )


@pytest.mark.every_backend
def test_int8_survives(tmp_path, random):
    detector = Detector(SMALL)
    pixels = random.integers(0, 256, (2, 32, 32, 3), np.uint8)
    before = detector.predict_on_batch(pixels)
    detector.quantize("int8")
    detector.save(tmp_path / "q.keras")
    loaded = load_detector(tmp_path / "q.keras")
    assert loaded.layers[-1].dtype_policy.quantization_mode == "int8"
    found = loaded.predict_on_batch(pixels)
    np.testing.assert_allclose(found, detector.predict_on_batch(pixels), atol=1e-6)
    np.testing.assert_allclose(found, before, atol=0.1)


@pytest.mark.every_backend
def test_a_dtype_is_honoured(tmp_path):
    detector = Detector(SMALL, dtype="mixed_bfloat16")
    assert "bfloat16" in {layer.compute_dtype for layer in detector.layers}
    assert detector.representation.compute_dtype == "float32"  # the differences stay exact
    assert keras.config.dtype_policy().name == "float32"
    detector.save(tmp_path / "a.keras")
    loaded = load_detector(tmp_path / "a.keras")
    assert [la.compute_dtype for la in loaded.layers] == [
        la.compute_dtype for la in detector.layers
    ]
    assert {la.compute_dtype for la in Detector(SMALL).layers} == {"float32"}


def test_hdf5_is_refused_with_the_reason(tmp_path):
    detector = Detector(SMALL)
    with pytest.raises(CheckpointError, match=r"HDF5 .* ends in \.keras"):
        detector.save(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_text("x")
    with pytest.raises(CheckpointError, match=r"ends in \.keras. Received: .*b\.h5"):
        load_detector(tmp_path / "b.h5")


ORDERS = [
    "import npr_keras, keras",
    "import keras, npr_keras",
    "import npr_keras.layers.npr",
    "from npr_keras.models import load_detector",
    "import npr_keras.runtimes.keras_file",
]


@pytest.mark.parametrize(
    ("backend", "order"),
    [
        # Five seconds each, and no backend has a say in it.
        pytest.param(backend, order, marks=[pytest.mark.slow] * (backend != "tensorflow"))
        for backend in BACKENDS
        for i, order in enumerate(ORDERS)
    ],
)
def test_keras_loads_our_files(run_python, backend, order):
    """In a fresh process, whatever was imported first."""
    script = f"""
{order}
import keras
model = keras.saving.load_model({str(OLD_FILE)!r})
print(type(model).__name__, model.profile.calibration.threshold)
"""
    assert run_python(script, backend=backend).stdout.split() == ["Detector", "0.5"]
