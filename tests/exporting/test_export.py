"""Every format, written and then run by its own runtime."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from npr_keras.config import PROTOCOLS
from npr_keras.data.decode import load
from npr_keras.errors import CheckpointError, ConfigError, ExportError
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.profile import UNCALIBRATED, ModelProfile
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.runtimes.open import open_predictor

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exporting runs on TensorFlow"
)


@pytest.mark.parametrize("name", ["savedmodel", "tflite", "onnx", "openvino"])
def test_the_detectors_scores_in_its_own_runtime(exported, images, name):
    folder, made = exported
    detector = KerasPredictor(folder)
    predictor = open_predictor(made[name].path)
    for pixels in images:
        found = predictor.predict(pixels)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, detector.predict(pixels), atol=1e-4)
    assert predictor.preprocessing == detector.preprocessing
    native = detector.preprocessing == PROTOCOLS["native"]  # what the calibration was found on
    assert detector.profile.calibration.threshold == 0.5
    assert predictor.profile.calibration == (
        detector.profile.calibration if native else UNCALIBRATED
    )
    assert len(predictor.identity) == 64
    assert made[name].verified.difference < 1e-4
    assert made[name].folded and made[name].calibrated == native
    assert made[name].size > 10_000
    assert not list(folder.glob(".exporting"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_from_other_backends(trained, tmp_path, backend):
    from npr_keras.exporting.export import export_detector

    run, data = trained(backend)
    pixels = np.stack(
        [load(path, PROTOCOLS["native"]) for path in sorted(data.glob("test/*/1*.png"))]
    )
    expected = KerasPredictor(run).predict(pixels)
    assert np.ptp(expected) > 1
    for one in export_detector(run, ["savedmodel", "onnx"], out=tmp_path):
        np.testing.assert_allclose(open_predictor(one.path).predict(pixels), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["pixels", "high-pass", "haar-hh"])
def test_other_representations(tmp_path, images, layer):
    from npr_keras.exporting.export import export_detector
    from npr_keras.layers.representation import make_representation
    from npr_keras.models import Detector, save_detector

    profile = ModelProfile(PROTOCOLS["native"])
    detector = Detector(ResNet(blocks=(1, 1), width=8), make_representation(layer), profile)
    save_detector(detector, tmp_path / "model.keras")
    expected = open_predictor(tmp_path)
    for made in export_detector(tmp_path, ["savedmodel", "tflite", "onnx", "openvino"]):
        predictor = open_predictor(made.path)
        assert not made.folded
        for pixels in images:
            np.testing.assert_allclose(
                predictor.predict(pixels), expected.predict(pixels), atol=1e-4
            )


def test_what_travels_along(exported):
    _folder, made = exported
    beside = Path(made["savedmodel"].path, "assets.extra")
    assert (beside / "README.md").read_text() == "# A card\n"
    assert (beside / "tf_serving_warmup_requests").stat().st_size > 1000
    facts = json.loads((beside / "npr_keras.json").read_text())
    assert facts["name"] == "npr"
    native = facts["profile"]["preprocessing"]["name"] == "native"
    assert facts["profile"]["calibration"]["threshold"] == (0.5 if native else 0.0)


def test_versions(exported):
    from npr_keras.exporting.export import export_detector

    run_folder, _ = exported
    (first,) = [p for p in run_folder.iterdir() if p.name == "1"]
    with pytest.raises(ExportError, match=r"Version 1 is in .* already, and may be served"):
        export_detector(run_folder, version=1)
    assert first.exists()
    assert isinstance(open_predictor(run_folder), KerasPredictor)  # the run is still the run


def test_another_score_is_not_written(run_folder, tmp_path, monkeypatch):
    from npr_keras.exporting import export as module

    fold = module.fold

    def off(detector, exact=False):
        folded = fold(detector)
        kernel, bias = folded.get_layer("fc1").get_weights()
        folded.get_layer("fc1").set_weights([kernel, bias + 0.01])
        return folded

    monkeypatch.setattr(module, "fold", off)
    for name in ("savedmodel", "onnx"):
        with pytest.raises(ExportError, match="gives other scores than its detector"):
            module.export_detector(run_folder, [name], out=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_interruption_leaves_nothing(run_folder, tmp_path, monkeypatch):
    from npr_keras.exporting import export as module

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "verify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        module.export_detector(run_folder, ["savedmodel"], out=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_wrong_arguments(run_folder, tmp_path):
    from npr_keras.exporting.export import export_detector

    with pytest.raises(ConfigError, match="Received: 'coreml'"):
        export_detector(run_folder, ["coreml"])
    with pytest.raises(ConfigError, match="onnx can be float32, int8"):
        export_detector(run_folder, ["onnx"], "float16")
    with pytest.raises(CheckpointError, match="No model at"):
        export_detector(tmp_path / "gone.keras")
    for name in ("a.onnx", "a.tflite", "a.xml"):
        (tmp_path / name).write_text("nothing")
        with pytest.raises(CheckpointError, match="Cannot read the model"):
            open_predictor(tmp_path / name)
    with pytest.raises(CheckpointError, match=r"No model at .*one of .keras, .tflite"):
        open_predictor(tmp_path / "gone.onnx")


def test_files_of_others_are_refused(exported, tmp_path):
    """A model that does not say how its pixels are made is scored with by nobody."""
    import onnx

    _, made = exported
    model = onnx.load(made["onnx"].path)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(CheckpointError, match="does not say how its pixels are to be made"):
        open_predictor(tmp_path / "bare.onnx")
