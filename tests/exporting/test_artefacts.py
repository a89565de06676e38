"""Exported models at the command line."""

import json
import shutil
from pathlib import Path

import keras
import pytest
from conftest import error_of, said

from npr_keras.data.decode import load
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.runtimes.open import open_predictor

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exporting runs on TensorFlow"
)


def test_on_another_backend(run_python, run_folder):
    script = (
        "import sys; from npr_keras.exporting.export import export_detector\n"
        "export_detector(sys.argv[1], ['onnx'])"
    )
    done = run_python(script, "torch", args=[run_folder], check=False)
    assert "KERAS_BACKEND=tensorflow. Received: torch" in said(done)


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
    predictor = open_predictor(made[name].path)
    expected = float(predictor.predict(load(good[0], predictor.preprocessing)[None])[0])
    assert row["logit"] == pytest.approx(expected, abs=1e-5)


def test_nothing_is_stored_in_an_artefact(invoke, exported, make_set, tmp_path):
    """Said before the work, not after it."""
    _, made = exported
    data = make_set(tmp_path / "data", 20, size=16)
    for command in (["calibrate"], ["robustness", "--store"]):
        done = invoke(*command, "--model", made["onnx"].path, "--data", data)
        assert done.returncode == 1
        assert "is an exported model, and nothing is stored in those" in said(done)


@pytest.mark.parametrize("name", ["savedmodel", "onnx"])
def test_info_of_an_artefact(invoke, exported, name):
    folder, made = exported
    described = json.loads(invoke("info", made[name].path, "--json").stdout)
    assert described["format"] == f"{name}, float32"
    native = KerasPredictor(folder).preprocessing.name == "native"
    if native:
        assert described["calibration"]["threshold"] == 0.5
    else:
        assert described["calibration"] == "not calibrated"
    steps = KerasPredictor(folder).preprocessing.to_dict()
    assert described["pixels"] == {k: v for k, v in steps.items() if v not in (None, False)}
    assert described["robustness"] == "not measured"
    assert "pixels" in invoke("info", made[name].path).stdout


@pytest.mark.parametrize("command", ["export", "explain"])
def test_what_needs_the_detector_itself(invoke, exported, encoded, tmp_path, command):
    _, made = exported
    for name in ("onnx", "savedmodel"):
        arguments = {
            "export": [made[name].path],
            "explain": [encoded[0][0], "--model", made[name].path, "--out", tmp_path / "figures"],
        }[command]
        said = error_of(invoke(command, *arguments))
        assert "is an exported model, and" in said
        assert "Give the .keras file that it was made from" in said


def test_damaged_artefacts(invoke, exported, encoded, tmp_path):
    _, made = exported
    whole = Path(made["savedmodel"].path)
    for name in ("model.tflite", "model.onnx", "saved_model.pb", "header.tflite"):
        copy = tmp_path / f"in-{name}" / name
        copy.parent.mkdir()
        if name == "saved_model.pb":
            shutil.copytree(whole, copy.parent, dirs_exist_ok=True)
            copy.write_bytes((whole / name).read_bytes()[:5000])
            copy = copy.parent
        elif name == "header.tflite":
            copy.write_bytes(b"\x20\0\0\0TFL3")
        else:
            copy.write_bytes(Path(made[copy.suffix[1:]].path).read_bytes()[:5000])
        assert "Cannot read the model" in error_of(
            invoke("predict", encoded[0][0], "--model", copy)
        )


def test_names_and_usage(invoke, exported, run_folder, tmp_path):
    other = tmp_path / "run" / "other.keras"
    other.parent.mkdir()
    shutil.copy(run_folder / "model.keras", other)
    (other.parent / "README.md").write_text("# The other")
    done = invoke("export", other, "--format", "onnx", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "other.onnx").exists()
    assert (tmp_path / "out" / "README.md").read_text() == "# The other"
    assert json.loads(invoke("info", tmp_path / "out" / "other.onnx", "--json").stdout)
    wrong = invoke("export", other, "--format", "onnx", "--version", 3)
    assert "--version is the SavedModel's" in error_of(wrong, 2)
    assert "No model at" in error_of(invoke("info", tmp_path / "gone.onnx"))


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
