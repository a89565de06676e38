"""`data simulate`, `predict`, and the whole of `demo`, on small pictures."""

import json
import re
import shlex

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from npr_keras.config import DetectorConfig
from npr_keras.models import Detector, save_detector
from npr_keras.simulation import named
from npr_keras.simulation.plan import SimulationConfig
from npr_keras_cli.main import main

SMALL = {"size": 32, "steps": 2, "networks": ("x2k3t0", "x2k3t1")}


@pytest.fixture
def small_simulation(monkeypatch, tmp_path):
    """`simulated` as a matter of seconds, in a cache of its own."""
    monkeypatch.setenv("NPR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        named,
        "SIMULATED",
        {
            "source": {".": SimulationConfig("nearest", count=8, validation=0.25, **SMALL)},
            "suite": {
                name: SimulationConfig(name, count=2, seed=2, layout="set", **SMALL)
                for name in ("nearest", "bilinear")
            },
        },
    )
    return tmp_path / "cache"


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_demo_does_what_its_commands_say(small_simulation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("demo", "--seed", 7)
    assert done.exit_code == 0, done.output
    unfolded = done.stderr.replace(" \\\n", "").splitlines()
    commands = [shlex.split(line[2:]) for line in unfolded if line[:2] == "$ "]
    assert [c[1] for c in commands] == ["data", "train", "eval", "predict"]
    assert done.stderr.count("is made now, once, in") == 2  # the source and the suite
    assert "6 real + 6 generated to train on; 2 + 2 to validate" in done.stderr
    assert re.search(
        r"Done in \d+:\d\d\. The detector is saved_models/demo-7/model\.keras", done.stderr
    )
    assert re.search(r"^bilinear \(2 classes\) +4 ", done.stdout, re.M)
    assert re.search(r"^mean of 2 sets", done.stdout, re.M)
    assert len(re.findall(r"^ +\d\.\d{4} +(?:real|generated) ", done.stdout, re.M)) == 2

    # A second time everything is there, and what was printed works when typed.
    last = commands[-1][1:]
    typed = run(*last)
    assert typed.exit_code == 0
    assert typed.stdout in done.stdout
    again = run("demo", "--seed", 7)
    assert again.exit_code == 0, again.output
    assert "is made now" not in again.stderr
    assert again.stdout == done.stdout


def test_data_simulate_into_a_folder(tmp_path):
    arguments = ["data", "simulate", "--upsampler", "subpixel", "--out", tmp_path / "s"]
    arguments += [
        "--count",
        4,
        "--size",
        32,
        "--steps",
        2,
        "--networks",
        "x2k3t0",
        "--validation",
        "25%",
    ]
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    (report,) = json.loads(done.stdout).values()
    assert report["settings"]["upsampler"] == "subpixel"
    assert report["networks"]["x2k3t0"]["pictures"] == 4
    assert len(list((tmp_path / "s" / "train" / "x2k3t0" / "1_fake").iterdir())) == 3
    table = run(*arguments)  # it is there already
    assert table.exit_code == 0
    assert re.search(r"^subpixel +x2k3t0 +4 +\d+\.\d +\d+\.\d$", table.stdout, re.M)
    assert max(map(len, table.stdout.splitlines())) <= 80
    other = run(*arguments, "--seed", 2)
    assert other.exit_code == 1
    assert "seed: was 1, now 2" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--upsampler", "nearest"], "--upsampler and --out go together"),
        (["--out", "x"], "--upsampler and --out go together"),
        (["--seed", "3"], "--seed: needs --upsampler and --out"),
        (["--upsampler", "bicubic", "--out", "x"], "'bicubic' is not one of"),
    ],
)
def test_data_simulate_usage(arguments, message):
    done = run("data", "simulate", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_eval_takes_either_data_or_a_suite(tmp_path):
    for arguments in ([], ["--data", tmp_path, "--suite", "simulated"]):
        done = run("eval", "--model", tmp_path, *arguments)
        assert done.exit_code == 2
        assert "either --data DIR or --suite NAME" in done.stderr


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.keras"
    save_detector(Detector(DetectorConfig(blocks=(1, 1), width=8)), path)
    return path


def test_predict_files_and_folders_in_order(model, make_images, tmp_path):
    make_images(tmp_path / "b", 2, size=30)
    make_images(tmp_path / "a" / "deep", 1, size=41)
    Image.fromarray(np.zeros((20, 25, 3), np.uint8)).save(tmp_path / "single.bmp")
    paths = [tmp_path / "b", tmp_path / "single.bmp", tmp_path / "a"]
    done = run("predict", *paths, "--model", model, "--json")
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["path"] for row in rows] == [
        str(tmp_path / p) for p in ("b/000.png", "b/001.png", "single.bmp", "a/deep/000.png")
    ]
    from npr_keras.config import PROTOCOLS
    from npr_keras.data.decode import load
    from npr_keras.models import load_detector

    detector = load_detector(model)
    for row in rows:
        expected = float(
            detector.predict_on_batch(load(row["path"], PROTOCOLS["native"])[None])[0, 0]
        )
        assert row["logit"] == pytest.approx(expected, abs=1e-5)
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-6)
        assert row["verdict"] == ("generated" if expected > 0 else "real")


def test_predict_says_what_it_cannot_read(model, make_images, tmp_path):
    make_images(tmp_path, 1)
    (tmp_path / "broken.jpg").write_bytes(b"")
    done = run("predict", tmp_path, "--model", model)
    assert done.exit_code == 1
    assert "broken.jpg: the file is empty" in done.stdout
    assert "000.png" in done.stdout
    missing = run("predict", tmp_path / "nothing.png", "--model", model)
    assert missing.exit_code == 1
    assert "No such file or folder" in missing.stderr
    assert not missing.stdout
    (tmp_path / "empty").mkdir()
    assert (
        "No image files in the folder"
        in run("predict", tmp_path / "empty", "--model", model).stderr
    )
