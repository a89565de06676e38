"""`suites`, and `eval --suite` on a tree with all 38 folders."""

import csv
import io
import json
import re
import shutil

import pytest
from click.testing import CliRunner
from conftest import said
from sklearn.metrics import average_precision_score

from npr_keras.data.decode import load
from npr_keras.evaluation.suites import get_suites
from npr_keras.models import Detector, save_detector
from npr_keras.models.backbones.resnet import ResNet
from npr_keras_cli.main import main


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.keras"
    save_detector(Detector(ResNet(blocks=(1,), width=4)), path)
    return path


@pytest.fixture
def tree(make_set, tmp_path, monkeypatch):
    monkeypatch.setenv("NPR_CACHE", str(tmp_path / "cache"))
    for suite in get_suites("all28"):
        for sub in suite.sets:
            for name in sub.classes or ("",):
                make_set(tmp_path / "data" / suite.title / sub.folder / name, 1, size=8)
    return tmp_path / "data"


def test_all28_beside_the_paper(tree, model, tmp_path):
    arguments = ["eval", "--model", model, "--suite", "all28", "--data-root", tree]
    arguments += ["--batch-size", 64, "--pipeline", "pydataset"]
    done = run(*arguments, "--json", "--scores", tmp_path / "s.csv")
    assert done.exit_code == 0, done.output
    (report,) = json.loads(done.stdout)["models"]
    assert len(report["sets"]) == 38
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    for entry in report["sets"]:
        own = [r for r in rows if (r["suite"], r["set"]) == (entry["suite"], entry["set"])]
        labels, logits = [int(r["label"]) for r in own], [float(r["logit"]) for r in own]
        assert entry["average_precision"] == pytest.approx(average_precision_score(labels, logits))
        right = [(z > 0) == (y == 1) for y, z in zip(labels, logits, strict=True)]
        assert entry["accuracy"] == pytest.approx(sum(right) / len(right))
        low, high = entry["intervals"]["accuracy"]
        assert 0 <= low <= entry["accuracy"] <= high <= 1
    # Each with its own protocol: GANGen-Detection is not resized.
    assert {s["protocol"] for s in report["sets"] if s["suite"] == "GANGen-Detection"} == {"native"}
    from npr_keras.config import PROTOCOLS
    from npr_keras.models import load_detector

    detector = load_detector(model)
    for suite, protocol in (("GANGen-Detection", "native"), ("Diffusion1kStep", "resize256")):
        row = next(r for r in rows if r["suite"] == suite)
        pixels = load(row["path"], PROTOCOLS[protocol])[None]
        assert float(row["logit"]) == pytest.approx(
            float(detector.predict_on_batch(pixels)[0, 0]), abs=1e-5
        )
    # Means by hand; the grand mean is over 38 sets.
    accuracies = [s["accuracy"] for s in report["sets"]]
    assert report["mean"]["accuracy"] == pytest.approx(sum(accuracies) / 38)
    first = [s["accuracy"] for s in report["sets"] if s["suite"] == "ForenSynths"]
    assert report["suites"]["ForenSynths"]["accuracy"] == pytest.approx(sum(first) / 8)
    assert report["suites"]["ForenSynths"]["paper"]["accuracy"] == pytest.approx(0.9245, abs=1e-4)
    assert report["sets"][0]["paper"] == {"accuracy": 0.998, "average_precision": 1.0}

    table = run(*arguments)
    assert table.exit_code == 0
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert re.search(r"^mean of 38 sets .* 92\.2 +95\.8$", table.stdout, re.M)
    assert re.search(r"^biggan +\d.* 87\.5 +94\.5$", table.stdout, re.M)
    assert "quoted" in table.stdout
    assert not list((tmp_path / "cache" / "scores").glob("*"))


def test_what_is_missing_stops_eval_before_it_begins(tree, model):
    shutil.rmtree(tree / "GANGen-Detection" / "BEGAN")
    (tree / "GANGen-Detection" / "GANimation").mkdir()
    arguments = ["eval", "--model", model, "--suite", "gangen", "--data-root", tree]
    done = run(*arguments)
    assert done.exit_code == 1
    assert "8 of 9 sub-testsets are there whole" in said(done)
    assert " GANGen-Detection/BEGAN" in said(done)
    allowed = run(*arguments, "--allow-missing", "--protocol", "tile", "--csv")
    assert allowed.exit_code == 0, allowed.output
    assert "ignored: GANGen-Detection/GANimation" in said(allowed)
    assert "means are over fewer sets: GANGen-Detection/BEGAN" in said(allowed)
    rows = list(csv.DictReader(io.StringIO(allowed.stdout)))
    assert len(rows) == 8 + 1 + 2
    assert {r["protocol"] for r in rows[:8]} == {"tile"}  # the user's word, over the suite's
    assert rows[0]["paper_accuracy"] == "0.83"


def test_eval_needs_a_data_root_and_a_suite_that_is_known(model, monkeypatch):
    monkeypatch.delenv("NPR_DATA", raising=False)
    done = run("eval", "--model", model, "--suite", "gangen")
    assert done.exit_code == 1
    assert "Give --data-root DIR or set NPR_DATA" in said(done)
    assert "Known: all28" in said(run("eval", "--model", model, "--suite", "all30"))


def test_suites_lists_what_there_is(tree):
    shutil.rmtree(tree / "DiffusionForensics")
    plain = run("suites")
    assert re.search(r"^all28 +38$", plain.stdout, re.M)
    assert "sywang/CNNDetection" in plain.stdout
    assert max(map(len, plain.stdout.splitlines())) <= 80
    there = run("suites", "--data-root", tree)
    assert re.search(r"^diffusionforensics +8 +0 of 8$", there.stdout, re.M)
    assert re.search(r"^all28 +38 +30 of 38$", there.stdout, re.M)
    one = run("suites", "forensynths", "--data-root", tree)
    assert re.search(r"^progan +ProGAN +resize256 +– +20 +LSUN$", one.stdout, re.M)
    assert "MISSING" not in one.stdout
    assert run("suites", "diffusionforensics", "--data-root", tree).stdout.count("MISSING") == 8
    described = json.loads(run("suites", "gangen", "--data-root", tree, "--json").stdout)
    assert described[0]["sets"][0]["path"] == str(tree / "GANGen-Detection" / "AttGAN")
    assert described[0]["missing"] == []
    assert run("suites", "gang").exit_code == 1
