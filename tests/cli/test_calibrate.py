"""`calibrate`, `robustness` and `explain`, as a person meets them."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from conftest import error_of, said
from PIL import Image

from npr_keras.models import load_detector
from npr_keras.profile import Calibration


def test_calibrate_then_predict_and_eval(invoke, own_model, make_set, make_images, tmp_path):
    data = make_set(tmp_path / "data", 20)
    before = load_detector(own_model).get_weights()
    done = invoke("calibrate", "--model", own_model, "--data", data, "--figure", tmp_path / "r.svg",
                  "--protocol", "resize256", "--pipeline", "pydataset", "--json")  # fmt: skip
    if done.returncode:  # an untrained detector may rank them the other way round
        assert "cannot be calibrated" in error_of(done)
        shutil.move(data / "0_real", data / "x")
        shutil.move(data / "1_fake", data / "0_real")
        shutil.move(data / "x", data / "1_fake")
        done = invoke("calibrate", "--model", own_model, "--data", data, "--figure",
                      tmp_path / "r.svg", "--protocol", "resize256", "--pipeline", "pydataset", "--json")  # fmt: skip
    found = json.loads(done.stdout)
    detector = load_detector(own_model)
    assert detector.profile.calibration == Calibration.from_dict(found["calibration"])
    assert detector.preprocessing.name == "resize256"
    for ours, theirs in zip(before, detector.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert "<svg" in (tmp_path / "r.svg").read_text()
    calibration = found["calibration"]
    done = invoke("predict", data, "--model", own_model, "--json")
    for row in map(json.loads, done.stdout.splitlines()):
        scaled = (row["logit"] - calibration["shift"]) / calibration["temperature"]
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-scaled)), abs=1e-9)
        assert row["verdict"] == "inconclusive"  # nothing was measured yet
        assert row["threshold"] == calibration["threshold"]
        assert any("accuracy on such images is unknown" in reason for reason in row["reasons"])
    judged = invoke(
        "eval", "--model", own_model, "--data", data, "--json", "--pipeline", "pydataset"
    )
    (own,) = json.loads(judged.stdout)["models"]
    assert own["threshold"] == calibration["threshold"]
    assert own["mean"]["calibrated_accuracy"] is not None
    other = invoke("predict", data / "0_real", "--model", own_model, "--protocol", "native")
    assert "it was found on resize256 pixels, and these are native" in said(other)
    assert "neither calibrated nor measured on native pixels" in " ".join(other.stdout.split())
    assert max(len(line) for line in other.stdout.splitlines() if ".png" not in line) <= 80
    native = invoke("eval", "--model", own_model, "--data", data, "--json", "--pipeline", "pydataset",
                    "--protocol", "native")  # fmt: skip
    assert json.loads(native.stdout)["models"][0]["threshold"] is None

    make_images(tmp_path / "reals", 70)
    command = [
        "calibrate",
        "--protocol",
        "resize256",
        "--model",
        own_model,
        "--pipeline",
        "pydataset",
        "--reals",
        tmp_path / "reals",
    ]
    done = invoke(*command, "--fpr", "5%")
    assert done.returncode == 0, done.stderr
    assert "that takes 59 real images" in done.stdout
    stored = load_detector(own_model).profile.calibration
    assert stored.false_positive_rate == 0.05
    assert stored.temperature == calibration["temperature"]  # reals alone say nothing of that
    done = invoke(
        "predict", tmp_path / "reals", "--model", own_model, "--protocol", "resize256", "--json"
    )
    above = [json.loads(line)["verdict"] == "generated" for line in done.stdout.splitlines()]
    assert sum(above) <= 0.05 * 70
    assert "it takes 299. With 70 images" in error_of(invoke(*command, "--fpr", "1%"))
    assert load_detector(own_model).profile.calibration == stored  # a failure changes nothing
    done = invoke(*command, "--fpr", "50%", "--dry-run")
    assert done.returncode == 0
    assert load_detector(own_model).profile.calibration == stored


def test_calibrate_takes_only_real_ones_for_real(
    invoke, stub_models, make_set, tmp_path, monkeypatch
):
    monkeypatch.setattr("npr_keras.models.files.store_in_profile", lambda *args, **options: None)
    data = make_set(tmp_path / "train" / "cat", 61)
    command = ["calibrate", "--model", "any", "--reals", tmp_path, "--fpr", "5%"]
    done = invoke(*command, "--pipeline", "pydataset", "--json")
    assert json.loads(done.stdout)["false_positives"]["images"] == 61
    assert data.is_dir()


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        ([], "either --data DIR or --reals DIR", 2),
        (["--reals", "."], "--reals needs --fpr", 2),
        (["--reals", ".", "--fpr", "0"], "not a share above 0%", 2),
        (["--data", ".", "--figure", "r.pdf"], ".png, .svg", 1),
        (["--reals", ".", "--fpr", "1%", "--figure", "r.svg"], "needs --data", 2),
        (["--reals", "nowhere", "--fpr", "1%"], "no such folder", 1),
    ],
)
def test_calibrate_errors(invoke, stub_models, tmp_path, monkeypatch, arguments, message, code):
    monkeypatch.chdir(tmp_path)
    done = invoke("calibrate", "--model", "any", *arguments)
    assert message in error_of(done, code)


def test_robustness_is_stored_and_used(invoke, own_model, make_set, tmp_path):
    data = make_set(tmp_path / "data", 20, size=16)
    few = make_set(tmp_path / "few", 3)
    refused = invoke("robustness", "--model", own_model, "--data", few, "--store")
    assert "at least 20 real and 20 generated images. Received: 3 and 3" in error_of(refused)
    command = ["robustness", "--model", own_model, "--data", data, "--condition", "jpeg=90,50"]
    done = invoke(*command, "--store", "--json", "--figure", tmp_path / "r.png")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    stored = [c.to_dict() for c in load_detector(own_model).profile.robustness]
    assert stored == rows
    assert {row["protocol"] for row in rows} == {"resize256"}  # the model's own
    assert [(r["kind"], r["amount"]) for r in rows] == [("jpeg", 90), ("jpeg", 50)]
    assert invoke(*command[:-1], "jpeg=70", "--store").returncode == 0
    kept = [c.amount for c in load_detector(own_model).profile.robustness]
    assert kept == [90, 50, 70]  # beside what was there
    Image.open(tmp_path / "r.png").verify()
    Image.open(data / "1_fake" / "000.png").save(tmp_path / "a.jpg", quality=70)
    (line,) = invoke(
        "predict", tmp_path / "a.jpg", "--model", own_model, "--json"
    ).stdout.splitlines()
    row = json.loads(line)
    assert row["quality"] == 70
    # Untrained: all are called the same, so one kind of picture is never recognised.
    assert row["verdict"] == "inconclusive"
    assert any(r.startswith("JPEG quality 70: this detector ") for r in row["reasons"])
    table = invoke(*command, "--condition", "none", "--condition", "resize=0.5")
    assert table.stdout.splitlines()[0].split() == ["condition", "bal", "acc", "AP", "real", "fake"]
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert "none " in table.stdout
    csv_rows = list(csv.DictReader(io.StringIO(invoke(*command, "--csv").stdout)))
    assert float(csv_rows[1]["real_accuracy"]) == rows[1]["real_accuracy"]


@pytest.mark.parametrize("wrong", ["jpeg", "jpeg=0", "jpeg=90.5", "rotate=3", "resize=0", "blur=x"])
def test_robustness_conditions(invoke, wrong, tmp_path):
    done = invoke("robustness", "--model", "m", "--data", tmp_path, "--condition", wrong)
    assert "Expected KIND=AMOUNT" in error_of(done, 2)


def test_explain(invoke, model, make_images, tmp_path):
    make_images(tmp_path / "a", 1, size=64)
    make_images(tmp_path / "b", 1, size=64)
    (tmp_path / "broken.png").write_text("broken")
    images = [tmp_path / "a" / "000.png", tmp_path / "b" / "000.png"]
    out = tmp_path / "figures"
    done = invoke("explain", *images, tmp_path / "broken.png", "--model", model, "--out", out,
                  "--arrays", "--format", "png", "--format", "svg")  # fmt: skip
    assert done.returncode == 1
    assert "broken.png: not an image" in done.stdout
    names = {path.name for path in out.iterdir()}
    assert len(names) == 2 * (2 + 3)
    stem = "000-explained"
    assert {f"{stem}.png", f"{stem}.svg", f"{stem}-2.png", f"{stem}-2-regions.npy"} <= names
    assert Image.open(out / f"{stem}.png").width > 1000
    activation = np.load(out / f"{stem}-activation.npy")
    bias = float(np.asarray(load_detector(model).get_layer("fc1").bias)[0])
    probability = float(done.stdout.splitlines()[1].split()[0])
    logit = float(activation.mean()) + bias  # the map's mean
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(probability, abs=1e-4)
    assert "no verdict" in (out / f"{stem}.svg").read_text()
    done = invoke("explain", "--compare", *images, "--model", model, "--out", out, "--arrays")
    assert done.returncode == 0, done.stderr
    assert (out / "000-compared-000.png").exists()
    assert len(list(out.glob("000-compared*.npy"))) == 2 * 3
    named = tmp_path / f"{stem}.png"
    shutil.copy(images[0], named)
    both = ["explain", named, images[0], "--model", model, "--out", tmp_path]
    assert "is one of the images" in error_of(invoke(*both))
    assert Image.open(named).size == (64, 64)  # the picture is still the picture
    make_images(tmp_path / "c", 1, size=50)
    other = tmp_path / "c" / "000.png"
    refused = invoke("explain", "--compare", images[0], other, "--model", model, "--out", out,
                     "--protocol", "native")  # fmt: skip
    assert "Received: 64 x 64 and 50 x 50" in error_of(refused)
    alone = invoke("explain", "--compare", other, "--model", model, "--out", out)
    assert "takes two images" in error_of(alone, 2)
