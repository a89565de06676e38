"""Every format, written and then run by its own runtime."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from npr_keras.config import PROTOCOLS, DetectorConfig
from npr_keras.data.decode import load
from npr_keras.data.folder import find_sets
from npr_keras.errors import CheckpointError, ConfigError, ExportError
from npr_keras.findings import Calibration
from npr_keras.models import Detector, save_detector
from npr_keras.predict import KerasPredictor, open_predictor

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exporting runs on TensorFlow"
)
CALIBRATION = Calibration(2.0, 0.25, 0.5, 100, protocol="native")


@pytest.fixture(scope="module", params=["native", "resize256"])
def either_folder(request, tmp_path_factory):
    """Run folders with protocols of any size and of one."""
    return make_run(tmp_path_factory.mktemp("run") / "npr", request.param)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run's folder with a small detector in it."""
    return make_run(tmp_path_factory.mktemp("run") / "npr", "native")


def make_run(folder, protocol):
    folder.mkdir()
    config = DetectorConfig(
        blocks=(1, 1), width=8, preprocessing=PROTOCOLS[protocol], calibration=CALIBRATION
    )
    keras.utils.set_random_seed(1)
    save_detector(Detector(config), folder / "model.keras")
    (folder / "README.md").write_text("# A card\n")
    return folder


@pytest.fixture(scope="module")
def exported(either_folder):
    from npr_keras.export.export import export_detector

    made = export_detector(either_folder, ["savedmodel", "tflite", "onnx", "openvino"])
    return either_folder, {one.format: one for one in made}


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(0)
    return [
        random.integers(0, 256, (2, *size, 3), np.uint8)
        for size in ((64, 64), (33, 50), (256, 256))
    ]


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
    assert predictor.calibration == CALIBRATION
    assert len(predictor.identity) == 64
    assert made[name].verified.difference < 1e-4
    assert made[name].folded
    assert made[name].size > 10_000
    assert not list(folder.glob(".exporting"))


@pytest.fixture
def encoded(tmp_path):
    """Files of every format that is decoded in the graph, and what is none."""
    random = np.random.default_rng(1)
    picture = Image.fromarray(random.integers(0, 256, (45, 62, 3), np.uint8))
    paths = []
    for name in ("a.png", "a.jpg", "a.webp", "a.bmp", "a.gif"):
        picture.save(tmp_path / name)
        paths.append(tmp_path / name)
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:300])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("text")
    picture.crop((0, 0, 1, 1)).save(tmp_path / "one.png")
    bad = [tmp_path / n for n in ("broken.jpg", "empty.png", "text.png", "one.png")]
    return paths, bad


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
            continue
        logit = float(detector.predict(load(path, detector.preprocessing)[None])[0])
        assert row["valid"]
        assert row["logit"] == pytest.approx(logit, abs=1e-4)
        assert row["probability"] == pytest.approx(CALIBRATION.probability(logit), abs=1e-4)
        assert row["label"] == (b"generated" if logit > CALIBRATION.threshold else b"real")
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
    maps = signatures["activation"](tf.constant(images[0]))
    np.testing.assert_allclose(maps["activation"].numpy().mean((1, 2)), expected, atol=1e-4)

    def example(data):
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
        features = tf.train.Features(feature={"image/encoded": feature})
        return tf.train.Example(features=features).SerializeToString()

    data = [good[0].read_bytes(), bad[1].read_bytes()]
    answer = signatures["classify"](tf.constant([example(d) for d in data]))
    alone = signatures["serving_default"](tf.constant(data))["probability"].numpy()
    assert answer["classes"].numpy().tolist() == [[b"real", b"generated"]] * 2
    np.testing.assert_allclose(answer["scores"].numpy()[0], [1 - alone[0], alone[0]], atol=1e-6)
    assert np.isnan(answer["scores"].numpy()[1]).all()


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


def test_what_travels_along(exported):
    _folder, made = exported
    beside = Path(made["savedmodel"].path, "assets.extra")
    assert (beside / "README.md").read_text() == "# A card\n"
    assert (beside / "tf_serving_warmup_requests").stat().st_size > 1000
    facts = json.loads((beside / "npr_keras.json").read_text())
    assert facts["name"] == "npr"
    assert facts["calibration"]["threshold"] == 0.5


def test_versions(exported):
    from npr_keras.export.export import export_detector

    run_folder, _ = exported
    (first,) = [p for p in run_folder.iterdir() if p.name == "1"]
    with pytest.raises(ExportError, match=r"Version 1 is in .* already, and may be served"):
        export_detector(run_folder, version=1)
    assert first.exists()
    assert isinstance(open_predictor(run_folder), KerasPredictor)  # the run is still the run


def test_another_score_is_not_written(run_folder, tmp_path, monkeypatch):
    from npr_keras.export import export as module

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
    from npr_keras.export import export as module

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "verify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        module.export_detector(run_folder, ["savedmodel"], out=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_half_precision(run_folder, tmp_path, images):
    from npr_keras.export.export import export_detector

    (small,) = export_detector(run_folder, ["tflite"], "float16", tmp_path)
    np.testing.assert_allclose(
        open_predictor(small.path).predict(images[0]),
        KerasPredictor(run_folder).predict(images[0]),
        atol=5e-2,
    )
    (half,) = export_detector(run_folder, ["openvino"], "bf16", tmp_path)
    assert open_predictor(half.path).facts.quantize == "bf16"
    assert half.verified.difference < 0.1


def test_int8_is_judged_on_a_set(run_folder, tmp_path, make_set):
    from npr_keras.export.export import export_detector

    with pytest.raises(ExportError, match="--data DIR"):
        export_detector(run_folder, ["tflite"], "int8", tmp_path)
    records = find_sets(make_set(tmp_path / "set", 20, size=64))[0][0].records
    try:
        (made,) = export_detector(run_folder, ["tflite"], "int8", tmp_path / "out", records=records)
    except ExportError as error:  # an untrained detector's scores lie close together
        assert "points are allowed" in str(error)
        assert list((tmp_path / "out").iterdir()) == []
    else:
        (ours, theirs), _ = made.verified.accuracy, made.verified.average_precision
        assert abs(ours - theirs) <= 0.02


def test_wrong_arguments(run_folder, tmp_path):
    from npr_keras.export.export import export_detector

    with pytest.raises(ConfigError, match="Received: 'coreml'"):
        export_detector(run_folder, ["coreml"])
    with pytest.raises(ConfigError, match="onnx can be float32"):
        export_detector(run_folder, ["onnx"], "int8")
    with pytest.raises(CheckpointError, match="No model at"):
        export_detector(tmp_path / "gone.keras")
    for name in ("a.onnx", "a.tflite", "a.xml"):
        (tmp_path / name).write_text("nothing")
        with pytest.raises(CheckpointError, match="Cannot read the model"):
            open_predictor(tmp_path / name)
    with pytest.raises(CheckpointError, match=r"No model at .*one of .keras, .onnx"):
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


def test_on_another_backend(run_python, run_folder):
    script = (
        "import sys; from npr_keras.export.export import export_detector\n"
        "export_detector(sys.argv[1], ['onnx'])"
    )
    done = run_python(script, "torch", args=[run_folder], check=False)
    assert "KERAS_BACKEND=tensorflow. Received: torch" in done.stderr


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_predict_without_keras_and_tensorflow(run_python, exported, encoded, name):
    _, made = exported
    good, _ = encoded
    script = (
        "import json, sys\n"
        "from npr_keras_cli.main import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print(json.dumps(sorted({'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules))))"
    )
    arguments = ["predict", good[0], "--model", made[name].path, "--json"]
    done = run_python(script, args=arguments, without=("tensorflow",), backend="torch")
    row, loaded = map(json.loads, done.stdout.splitlines())
    assert loaded == []
    pixels = load(good[0], PROTOCOLS["native"])[None]
    expected = float(open_predictor(made[name].path).predict(pixels)[0])
    assert row["logit"] == pytest.approx(expected, abs=1e-5)


def test_nothing_is_stored_in_an_artefact(invoke, exported, make_set, tmp_path):
    """Said before the work, not after it."""
    _, made = exported
    data = make_set(tmp_path / "data", 20, size=16)
    for command in (["calibrate"], ["robustness", "--store"]):
        done = invoke(*command, "--model", made["onnx"].path, "--data", data)
        assert done.returncode == 1
        assert "is an exported model, and nothing is stored in those" in done.stderr


@pytest.mark.parametrize("name", ["savedmodel", "onnx"])
def test_info_of_an_artefact(invoke, exported, name):
    folder, made = exported
    described = json.loads(invoke("info", made[name].path, "--json").stdout)
    assert described["format"] == f"{name}, float32"
    assert described["calibration"]["threshold"] == 0.5
    assert described["pixels"] == KerasPredictor(folder).preprocessing.to_dict()
    assert "pixels" in invoke("info", made[name].path).stdout


def test_command(invoke, run_folder, tmp_path, make_set):
    data = make_set(tmp_path / "data", 3)
    done = invoke("export", run_folder, "--format", "onnx", "--out", tmp_path / "o", "--data", data)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split()[:3] == ["format", "type", "size"]
    assert max(map(len, done.stdout.splitlines()[:2])) <= 80
    assert str(tmp_path / "o" / "model.onnx") in done.stdout
    same = invoke("eval", "--model", tmp_path / "o" / "model.onnx", "--model", run_folder, "--data",
                  data, "--json", "--pipeline", "pydataset")  # fmt: skip
    ours, theirs = json.loads(same.stdout)["models"]
    assert ours["mean"]["average_precision"] == pytest.approx(theirs["mean"]["average_precision"])
