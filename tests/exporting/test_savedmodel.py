"""The SavedModel's signatures, by TensorFlow and by its C API."""

import io
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from npr_keras.data.decode import load
from npr_keras.errors import ExportError
from npr_keras.profile import UNCALIBRATED
from npr_keras.runtimes.keras_file import KerasPredictor

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exporting runs on TensorFlow"
)


REASONS = {
    "broken.jpg": "cannot be decoded",
    "empty.png": "empty",
    "text.png": "not a JPEG, PNG, WebP, BMP or GIF file",
    "one.png": "too small",
}


def test_encoded_images_in_a_batch(exported, encoded):
    import tensorflow as tf

    folder, made = exported
    good, bad = encoded
    order = [good[0], bad[0], good[1], bad[1], *good[2:], *bad[2:]]
    loaded = tf.saved_model.load(made["savedmodel"].path)
    serve = loaded.signatures["serving_default"]
    answer = {k: v.numpy() for k, v in serve(tf.constant([p.read_bytes() for p in order])).items()}
    detector = KerasPredictor(folder)
    for i, path in enumerate(order):
        row = {k: v[i] for k, v in answer.items()}
        if path in bad:
            if path.name == "one.png" and detector.preprocessing.resize:
                continue  # one pixel can be resized
            assert not row["valid"] and np.isnan(row["logit"]) and row["label"] == b""
            assert REASONS[path.name] in row["error"].decode()
            continue
        logit = float(detector.predict(load(path, detector.preprocessing)[None])[0])
        assert row["valid"]
        assert row["logit"] == pytest.approx(logit, abs=1e-4)
        # Found on native pixels: an export with others knows nothing of it.
        native = detector.preprocessing.name == "native"
        calibration = detector.profile.calibration if native else UNCALIBRATED
        assert row["probability"] == pytest.approx(calibration.probability(logit), abs=1e-4)
        label = b"generated" if logit > calibration.threshold else b"no trace"
        assert row["label"] == (label if native else b"uncalibrated")
        assert row["error"] == b""
    nothing = serve(tf.constant([b"x", b""]))
    assert not nothing["valid"].numpy().any()
    assert serve(tf.zeros([0], tf.string))["logit"].shape == (0,)


def test_other_signatures(exported, encoded, images):
    import tensorflow as tf

    folder, made = exported
    good, bad = encoded
    signatures = tf.saved_model.load(made["savedmodel"].path).signatures
    expected = KerasPredictor(folder).predict(images[0])
    floats = signatures["pixels_float32"](tf.constant(images[0], tf.float32))
    np.testing.assert_allclose(floats["logit"], expected, atol=1e-4)
    spoilt = images[0].astype(np.float32)
    spoilt[0, 5, 5, 0] = np.nan
    found = signatures["pixels_float32"](tf.constant(spoilt))
    assert found["valid"].numpy().tolist() == [False, True]
    scaled = np.stack([images[0][0] / np.float32(255), images[0][1].astype(np.float32)])
    found = signatures["pixels_float32"](tf.constant(scaled))
    assert found["valid"].numpy().tolist() == [False, True]
    assert b"scaled to 1" in found["error"][0].numpy() and found["error"][1].numpy() == b""
    black = np.zeros((1, 8, 8, 3), np.float32)
    assert bool(signatures["pixels_float32"](tf.constant(black))["valid"][0])
    assert not bool(signatures["pixels_float32"](tf.constant(black - 1))["valid"][0])
    found = signatures["pixels_float32"](tf.constant(spoilt))
    assert np.isnan(found["logit"][0]) and found["label"][0] == b""
    assert float(found["logit"][1]) == pytest.approx(float(expected[1]), abs=1e-4)
    maps = signatures["activation"](tf.constant(images[0]))
    np.testing.assert_allclose(maps["activation"].numpy().mean((1, 2)), expected, atol=1e-4)

    def example(data):
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
        features = tf.train.Features(feature={"image/encoded": feature})
        return tf.train.Example(features=features).SerializeToString()

    data = [good[0].read_bytes(), bad[1].read_bytes()]
    broken = [b"no example", tf.train.Example().SerializeToString()]
    answer = signatures["classify"](tf.constant([*(example(d) for d in data), *broken]))
    alone = signatures["serving_default"](tf.constant(data))["probability"].numpy()
    assert answer["classes"].numpy().tolist() == [[b"no trace", b"generated"]] * 4
    np.testing.assert_allclose(answer["scores"].numpy()[0], [1 - alone[0], alone[0]], atol=1e-6)
    assert np.isnan(answer["scores"].numpy()[1:]).all()


def test_by_the_c_api_without_tensorflow(exported, encoded, images, tmp_path):
    """The loader that TensorFlow Serving uses; a session sees no variables, say."""
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    folder, made = exported
    path = Path(made["savedmodel"].path)
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    names = {
        key: {k: v.name for k, v in [*signature.inputs.items(), *signature.outputs.items()]}
        for key, signature in saved.meta_graphs[0].signature_def.items()
    }
    (tmp_path / "names.json").write_text(json.dumps(names))
    np.save(tmp_path / "pixels.npy", images[1])
    good, bad = encoded
    order = [good[0], bad[0], *good[1:]]
    script = Path(__file__).with_name("c_api.py")
    done = subprocess.run(
        [sys.executable, script, path, tmp_path / "names.json", tmp_path / "pixels.npy", *order],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.replace("NaN", "null"))
    assert not found["imported"]
    assert found["valid"] == [True, False, True, True, True, True]
    loaded = tf.saved_model.load(made["savedmodel"].path)
    expected = loaded.signatures["serving_default"](tf.constant([p.read_bytes() for p in order]))
    logits = [np.nan if z is None else z for z in found["logits"]]
    np.testing.assert_allclose(logits, expected["logit"], atol=1e-5)
    np.testing.assert_allclose(
        found["from_pixels"], KerasPredictor(folder).predict(images[1]), atol=1e-4
    )
    stock = {n.op for f in saved.meta_graphs[0].graph_def.library.function for n in f.node_def}
    assert not stock & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}


def test_files_are_compared_too(run_folder, tmp_path, monkeypatch):
    """A rule for pixels that is not the detector's shows in encoded images alone."""
    import tensorflow as tf

    from npr_keras.exporting import export
    from npr_keras.runtimes import savedmodel_graph as savedmodel

    def smaller(pixels, protocol):
        return tf.cast(tf.image.resize(pixels, [64, 64]), tf.uint8)

    monkeypatch.setattr(savedmodel.graph, "preprocess", smaller)
    with pytest.raises(ExportError, match="gives other scores for encoded images"):
        export.export_detector(run_folder, out=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_pictures_that_are_too_large(run_folder, tmp_path, monkeypatch):
    import tensorflow as tf

    from npr_keras.exporting import export
    from npr_keras.runtimes import savedmodel_graph as savedmodel

    monkeypatch.setattr(savedmodel, "MOST_SCORED", 256 * 256)
    monkeypatch.setattr("npr_keras.exporting.verify.SHAPES", ((1, 64, 64), (2, 50, 70)))
    (made,) = export.export_detector(run_folder, out=tmp_path / "out")
    serve = tf.saved_model.load(made.path).signatures["serving_default"]
    files = [tf.io.encode_png(np.zeros((n, 256, 3), np.uint8)).numpy() for n in (256, 258)]
    assert serve(tf.constant(files))["valid"].numpy().tolist() == [True, False]
    by_pixels = tf.saved_model.load(made.path).signatures["pixels"]
    assert by_pixels(pixels=tf.zeros([2, 256, 256, 3], tf.uint8))["valid"].numpy().all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="too large"):
        by_pixels(pixels=tf.zeros([1, 256, 258, 3], tf.uint8))


def test_large_pictures_in_tiles(run_folder, tmp_path, monkeypatch):
    """Every format that can: the whole image's logit, encoded or not."""
    import tensorflow as tf

    from npr_keras.exporting import export
    from npr_keras.runtimes import savedmodel_graph, tiles
    from npr_keras.runtimes.open import open_predictor

    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (1, tiles.TILE + 102, tiles.TILE + 50, 3), np.uint8)
    whole = KerasPredictor(run_folder).predict(pixels)
    monkeypatch.setattr(savedmodel_graph, "MOST_WHOLE", 400 * 400)
    formats = ["savedmodel", "onnx", "openvino", "tflite"]
    made = export.export_detector(run_folder, formats, out=tmp_path / "out")
    monkeypatch.setattr(tiles, "MOST_WHOLE", 400 * 400)
    for one in made:
        predictor = open_predictor(one.path)
        if one.format == "savedmodel":
            data = io.BytesIO()
            Image.fromarray(pixels[0]).save(data, "PNG")
            encoded = predictor.predict_encoded([data.getvalue(), b"none"])
            np.testing.assert_allclose(encoded, [*whole, np.nan], rtol=1e-5, atol=1e-6)
            sent = tf.constant(np.repeat(pixels, 2, 0))
            answer = tf.saved_model.load(one.path).signatures["pixels"](pixels=sent)
            np.testing.assert_allclose(answer["logit"], [*whole, *whole], rtol=1e-5, atol=1e-6)
        called = []
        inner = predictor._activation
        predictor._activation = lambda image, f=inner, c=called: c.append(1) or f(image)
        np.testing.assert_allclose(predictor.predict(pixels), whole, rtol=1e-5, atol=1e-6)
        assert len(called) == 4
