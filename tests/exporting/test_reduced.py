"""Half precision and int8."""

from pathlib import Path

import keras
import numpy as np
import pytest

from npr_keras.config import PROTOCOLS
from npr_keras.data.decode import load
from npr_keras.data.folder import find_sets
from npr_keras.errors import ExportError
from npr_keras.layers import NPR
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.runtimes.open import open_predictor

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exporting runs on TensorFlow"
)


def test_half_precision(run_folder, tmp_path, images):
    from npr_keras.exporting.export import export_detector

    (small,) = export_detector(run_folder, ["tflite"], "float16", tmp_path)
    np.testing.assert_allclose(
        open_predictor(small.path).predict(images[0]),
        KerasPredictor(run_folder).predict(images[0]),
        atol=5e-2,
    )
    (half,) = export_detector(run_folder, ["openvino"], "bf16", tmp_path)
    assert open_predictor(half.path).facts.quantize == "bf16"
    assert half.verified.difference < 0.1


@pytest.mark.slow
def test_int8(trained, tmp_path):
    """The trunk in int8, pixels' differences in floats: the same accuracy, other logits."""
    import onnx

    from npr_keras.exporting.export import export_detector

    run, data = trained("torch")
    records = find_sets(data / "test")[0][0].records
    made = export_detector(run, ["tflite", "onnx", "openvino"], "int8", tmp_path, records=records)
    pixels = np.stack([load(record.path, PROTOCOLS["native"]) for record in records])
    labels = np.array([record.label for record in records])
    expected = KerasPredictor(run).predict(pixels)
    assert ((expected > 0) == labels).mean() > 0.9  # or nothing is shown
    for one in made:
        assert Path(one.path).name.startswith("model.int8.")
        found = open_predictor(one.path).predict(pixels)
        assert ((found > 0) == labels).mean() > 0.9
        assert 1e-4 < np.abs(found - expected).max() < 0.2 * np.ptp(expected)
        assert one.verified.accuracy[1] == pytest.approx(
            ((expected > 0) == labels)[np.arange(len(labels)) % 2 == 1].mean()
        )
    types = {node.op_type: node for node in onnx.load(made[1].path).graph.node}
    assert "QuantizeLinear" in types
    differences = next(
        n
        for n in onnx.load(made[1].path).graph.node
        if "differences" in n.name and n.op_type == "Conv"
    )
    assert not any("quantized" in name.lower() for name in differences.input)


def test_int8_needs_pictures(run_folder, tmp_path):
    from npr_keras.exporting.export import export_detector

    for name in ("tflite", "onnx"):
        with pytest.raises(ExportError, match="--data DIR"):
            export_detector(run_folder, [name], "int8", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_int8_that_loses_is_not_written(trained, tmp_path, monkeypatch):
    import onnx

    from npr_keras.exporting import export
    from npr_keras.runtimes import onnx_int8

    run, data = trained("torch")
    records = find_sets(data / "test")[0][0].records
    quantize_onnx = onnx_int8.quantize_onnx

    def spoilt(model, pictures):
        model = quantize_onnx(model, pictures)
        (last,) = (n for n in model.graph.node if n.name.endswith("fc1_1/Add"))
        (bias,) = (i for i in model.graph.initializer if i.name == last.input[1])
        bias.CopyFrom(onnx.numpy_helper.from_array(np.array([1000], np.float32), bias.name))
        return model

    monkeypatch.setattr(onnx_int8, "quantize_onnx", spoilt)
    with pytest.raises(ExportError, match="points are allowed"):
        export.export_detector(run, ["onnx"], "int8", tmp_path / "out", records=records)
    assert list((tmp_path / "out").iterdir()) == []


def test_int8_is_judged_on_both_classes(trained, tmp_path):
    from npr_keras.exporting.export import export_detector

    run, data = trained("torch")
    records = find_sets(data / "test")[0][0].records
    for some, counts in ((records[:24], "12 real, 0 generated"), (records[::4], "3 real, 3 gen")):
        with pytest.raises(ExportError, match=f"Left for it: {counts}"):
            export_detector(run, ["onnx"], "int8", tmp_path / "out", records=some)


def test_half_precision_is_judged_where_it_can_be(trained, tmp_path, monkeypatch):
    from npr_keras.exporting import export, verify

    run, data = trained("torch")
    records = find_sets(data / "test")[0][0].records
    (half,) = export.export_detector(run, ["openvino"], "bf16", tmp_path, records=records)
    assert half.verified.accuracy[0] == half.verified.accuracy[1] > 0.9
    logits_of = verify.logits_of
    monkeypatch.setattr(verify, "logits_of", lambda *a: np.abs(logits_of(*a)))
    with pytest.raises(ExportError, match=r"bf16: accuracy 50\.0 % instead of"):
        export.export_detector(run, ["openvino"], "bf16", tmp_path, records=records)


@pytest.mark.parametrize("reference", [1, 4, "avg"])
def test_half_precision_of_every_reference(tmp_path, reference):
    """The mean's quarters too: brightness would leak through rounded weights."""
    from npr_keras.exporting.export import export_detector
    from npr_keras.models import Detector, save_detector

    keras.utils.set_random_seed(3)
    config = ResNet(blocks=(1, 1), width=8)
    detector = Detector(config, NPR(reference=reference))
    save_detector(detector, tmp_path / "model.keras")
    export_detector(tmp_path / "model.keras", ["openvino"], "bf16")
    light = np.full((1, 64, 64, 3), 250, np.uint8)
    light[:, ::2] -= 1
    found = open_predictor(tmp_path / "model.bf16.xml").predict(
        np.concatenate([light, light - 200])
    )
    assert found[0] == pytest.approx(found[1], abs=1e-3)


def test_precisions_are_told_apart(tmp_path):
    """Where nothing folds the weights are the same files; the scores are not."""
    from npr_keras.exporting.export import export_detector
    from npr_keras.models import Detector, save_detector

    config = ResNet(blocks=(1, 1), width=8)
    save_detector(Detector(config, NPR(reference="max")), tmp_path / "model.keras")
    made = [export_detector(tmp_path, ["openvino"], q)[0] for q in ("float32", "bf16")]
    first, second = (open_predictor(one.path) for one in made)
    assert first.identity != second.identity
    assert not made[0].folded
