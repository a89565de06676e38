"""The commands as a person runs them: output, exit codes, errors."""

import csv
import json
import math
import re
import signal
import subprocess
import sys
import time

import click
import numpy as np
import pytest
from conftest import BACKENDS, error_of
from sklearn.metrics import average_precision_score, roc_auc_score

from npr_keras.training.run_folder import RunFolder
from npr_keras_cli.main import main


@pytest.fixture
def sets(make_set, make_images, tmp_path):
    make_set(tmp_path / "sets" / "biggan", 5)
    make_set(tmp_path / "sets" / "stylegan" / "car", 2)
    make_set(tmp_path / "sets" / "stylegan" / "cat", 1)
    return tmp_path / "sets"


def test_train_eval_info(cli, invoke, source_folder, sets, tmp_path):
    out = tmp_path / "models"
    train = ["train", "--source", source_folder, "--classes", "cat", "--out", out, "--name", "mine"]
    train += ["--batch-size", "6", "--seed", "3", "--tensorboard", "--json"]
    done = cli(*train, "--epochs", "1")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["model"] == str(out / "mine" / "model.keras")
    assert result["last"]["epoch"] == 1
    assert "6 real + 6 generated to train on; 2 + 2 to validate" in done.stderr
    assert re.search(r"^ *1/1 +2\.00e-04 +0\.\d{4} +\d+\.\d", done.stderr, re.M)
    assert "oneDNN" not in done.stderr
    assert list((out / "mine" / "tensorboard").rglob("events.*"))

    again = invoke(*train, "--epochs", "1")
    assert "already holds a training run. Go on with it by --resume" in error_of(again)
    other = invoke(*train[:-1], "--epochs", "1", "--resume", "--lr", "0.1")
    assert "training.learning_rate: was 0.0002, now 0.1" in error_of(other)

    scored = invoke(
        "eval", "--model", out / "mine", "--data", sets, "--json", "--scores", tmp_path / "s.csv"
    )
    (report,) = json.loads(scored.stdout)["models"]
    assert [s["set"] for s in report["sets"]] == ["biggan", "stylegan"]
    assert {s["protocol"] for s in report["sets"]} == {"resize256"}
    assert json.loads(scored.stdout)["versions"]["pillow"]
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    assert len(rows) == 16
    for entry in [*report["sets"], {"set": None, **report["pooled"]}]:
        part = [r for r in rows if entry["set"] in (None, r["set"])]
        labels, logits = [int(r["label"]) for r in part], [float(r["logit"]) for r in part]
        assert entry["average_precision"] == pytest.approx(average_precision_score(labels, logits))
        assert entry["auc"] == pytest.approx(roc_auc_score(labels, logits))
        right = [(z > 0) == (y == 1) for y, z in zip(labels, logits, strict=True)]
        assert entry["accuracy"] == pytest.approx(np.mean(right))
    for row in rows:
        assert float(row["probability"]) == pytest.approx(1 / (1 + math.exp(-float(row["logit"]))))
    assert {r["class"] for r in rows} == {"", "car", "cat"}

    described = json.loads(invoke("info", out / "mine", "--json").stdout)
    assert described["parameters"] == "1,437,761 trainable"
    assert described["recipe"]["seed"] == 3
    assert described["trained on"]["classes"] == ["cat"]


@pytest.mark.slow
def test_without_tensorflow(run_python, source_folder, sets, tmp_path):
    """Training and evaluation on torch alone, by the PyDataset path."""
    call = "import sys; from npr_keras_cli.main import main; main()"
    out = tmp_path / "models"
    train = [
        "train",
        "--source",
        source_folder,
        "--classes",
        "cat",
        "--epochs",
        "1",
        "--out",
        out,
        "--name",
        "m",
    ]
    done = run_python(call, "torch", without=["tensorflow"], args=train, check=False)
    assert done.returncode == 0, done.stderr
    assert "Backend  torch" in done.stderr
    scored = run_python(
        call,
        "torch",
        without=["tensorflow"],
        args=["eval", "--model", out / "m", "--data", sets],
        check=False,
    )
    assert scored.returncode == 0, scored.stderr
    assert "mean of 2 sets" in scored.stdout
    refused = run_python(
        call, None, without=["tensorflow"], args=[*train, "--backend", "tensorflow"], check=False
    )
    assert "The tensorflow backend (--backend) needs what is not installed" in error_of(refused)
    piped = run_python(
        call,
        "torch",
        without=["tensorflow"],
        args=[*train[:-1], "n", "--pipeline", "tf.data"],
        check=False,
    )
    assert "pip install tensorflow" in error_of(piped)


def test_keras_default_backend_is_nobodys_choice(run_python, tmp_path):
    """Keras writes "tensorflow" into its settings on any first import."""
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    call = "import sys; from npr_keras_cli.main import main; main()"
    info = ["info", "--json"]
    done = run_python(call, without=["tensorflow"], args=info, env={"KERAS_HOME": str(tmp_path)})
    assert json.loads(done.stdout)["backend"] == "torch"


def test_backend_names(cli, model, sets):
    wrong = error_of(cli("eval", "--model", model, "--data", sets, "--backend", "theano"), code=2)
    assert "'theano' is not one of 'tensorflow', 'torch', 'jax'" in wrong
    assert "KERAS_BACKEND: unknown backend 'theano'" in error_of(cli("info", backend="theano"))


def test_errors_of_train_and_eval(invoke, monkeypatch, model, tmp_path, make_images, source_folder):
    assert "no such folder" in error_of(
        invoke("eval", "--model", model, "--data", tmp_path / "absent")
    )
    make_images(tmp_path / "plain" / "cats", 2)
    assert "Found the folders cats, 2 image files" in error_of(
        invoke("eval", "--model", model, "--data", tmp_path / "plain")
    )
    assert "No model at" in error_of(
        invoke("eval", "--model", tmp_path / "no.keras", "--data", source_folder / "val")
    )
    assert "Its classes: cat, dog" in error_of(
        invoke("train", "--source", source_folder, "--classes", "cow")
    )
    monkeypatch.delenv("NPR_DATA", raising=False)
    assert "set NPR_DATA" in error_of(invoke("train", "--classes", "car"))
    monkeypatch.setenv("NPR_DATA", str(tmp_path))
    assert "npr-keras data download progan" in error_of(invoke("train"))
    assert "'120%' is not a share" in error_of(invoke("train", "--max-unreadable", "120%"), code=2)
    for option, value in (("--epochs", "0"), ("--lr", "inf"), ("--max-unreadable", "1")):
        wrong = invoke("train", "--source", source_folder, option, value)
        assert f"Invalid value for '{option}'" in error_of(wrong, code=2)
    nowhere = ["--scores", tmp_path / "no" / "s.csv"]
    assert "no such folder" in error_of(
        invoke("eval", "--model", model, "--data", tmp_path, *nowhere)
    )
    blocked = invoke("train", "--source", source_folder, "--out", model, "--epochs", "1")
    assert "is a file" in error_of(blocked, code=2)


def test_info(cli, invoke):
    described = json.loads(cli("info", "--json", backend="torch").stdout)
    assert described["backend"] == "torch"
    assert described["devices"][0].startswith("CPU")
    assert set(described["backends"]) == set(BACKENDS)
    lines = invoke("info").stdout.splitlines()
    assert lines[0].split() == ["backend", "tensorflow"]


def test_every_command_has_help(invoke):
    names = re.findall(r"^  ([a-z]+)  ", invoke("--help").stdout, re.M)
    assert names == [
        "demo", "data", "train", "detectors", "models", "eval", "compare", "suites", "predict", "explain", "calibrate", "robustness", "ablate", "export", "serve", "query", "convert", "info", "bench",
    ]  # fmt: skip
    for name in names:
        text = invoke(name, "--help").stdout
        assert "npr-keras" in text, f"{name} --help shows no example"
        for label, option in options_of(main.get_command(None, name), name):
            assert option.help and option.help.strip(), f"{label} {option.opts[0]} has no help"


def options_of(command, label):
    """Every option of a command and of those below it, with the command's name."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield label, parameter
    for name, inner in getattr(command, "commands", {}).items():
        yield from options_of(inner, f"{label} {name}")


@pytest.mark.slow
def test_interrupt_says_how_to_go_on(source_folder, tmp_path):
    script = "import sys; from npr_keras_cli.main import main; sys.argv[0] = 'npr-keras'; main()"
    arguments = [
        "train",
        "--source",
        str(source_folder),
        "--epochs",
        "50",
        "--out",
        str(tmp_path),
        "--name",
        "it",
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background ignores SIGINT, and what it starts inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while RunFolder(tmp_path / "it").last_epoch() < 1 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 1, stderr
    assert f"npr-keras {' '.join(arguments)} --resume" in stderr
    assert "Traceback" not in stderr


def test_weights_are_asked_for_at_once(invoke):
    """Before anything is read: a file that is not there, and one that the method needs."""
    missing = invoke("train", "--source", "source", "--weights", "missing.pth")
    assert "There is no missing.pth" in error_of(missing)
    for method, what in (("lgrad", "the discriminator of StyleGAN"), ("univfd", "CLIP ViT-L/14")):
        needed = invoke("train", "--source", "source", "--detector", method)
        assert what in error_of(needed) and "give it by --weights" in error_of(needed)
