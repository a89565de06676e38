"""`npr-keras eval` on folders of the user's: tables, files, errors. Suites: test_suites.py."""

import csv
import importlib.util
import io
import json
import re

import numpy as np
import pytest
from conftest import BACKENDS, error_of, said
from stubs import Brightness

EVAL = ("eval", "--pipeline", "pydataset")  # quicker, for a few images


@pytest.fixture
def sets(make_set, tmp_path):
    make_set(tmp_path / "sets" / "biggan", 5)
    make_set(tmp_path / "sets" / "stylegan" / "car", 2)
    make_set(tmp_path / "sets" / "stylegan" / "cat", 1)
    return tmp_path / "sets"


def test_a_table_that_fits(invoke, model, sets):
    done = invoke(*EVAL, "--model", model, "--data", sets)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == [
        "set",
        "images",
        "acc",
        "±",
        "AP",
        "±",
        "real",
        "fake",
        "AUC",
        "best*",
    ]
    heads = ["biggan ", "stylegan (2 classes) ", "mean of 2 sets ", "all images pooled "]
    rows = [line for line in lines[2:] if line.startswith(tuple(heads))]
    assert [row.startswith(head) for row, head in zip(rows, heads, strict=True)] == [True] * 4
    assert "pixels: resize256" in done.stdout
    assert "no one knows who does not know the labels" in done.stdout.replace("\n", " ")


def test_one_label_says_what_is_undefined(invoke, model, make_images, tmp_path):
    make_images(tmp_path / "set" / "0_real", 3)
    done = invoke(*EVAL, "--model", model, "--data", tmp_path / "set", "--protocol", "native")
    assert done.returncode == 0, done.stderr
    assert "– undefined: needs both real and generated images." in done.stdout
    done = invoke(*EVAL, "--model", model, "--data", tmp_path / "set", "--json")
    (row,) = json.loads(done.stdout)["models"][0]["sets"]
    assert row["average_precision"] is None
    assert row["real_accuracy"] in (0.0, 1 / 3, 2 / 3, 1.0)


def test_csv_and_pool(invoke, stub_models, sets):
    model = "any.keras"
    done = invoke(*EVAL, "--model", model, "--data", sets, "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [r["set"] for r in rows] == ["biggan", "stylegan", "(mean)", "(pooled)"]
    done = invoke(*EVAL, "--model", model, "--data", sets, "--csv", "--pool")
    pooled = list(csv.DictReader(io.StringIO(done.stdout)))
    assert pooled[0]["set"] == "sets"
    assert pooled[0]["auc"] == rows[-1]["auc"]


def test_unreadable_images_are_named(invoke, stub_models, sets):
    (sets / "biggan" / "0_real" / "001.png").write_text("no image")
    command = [*EVAL, "--model", "any.keras", "--data", sets]
    scores = sets.parent / "scores.csv"
    done = invoke(*command, "--max-unreadable", "10%", "--scores", scores)
    assert done.returncode == 0
    assert "1 image is unreadable and left out" in said(done)
    assert "001.png: not an image in a format that is known" in said(done)
    (row,) = [r for r in csv.DictReader(scores.open()) if r["error"]]
    assert (row["logit"], row["probability"]) == ("", "")
    strict = invoke(*command, "--max-unreadable", "0")
    assert "1 of 16 images are unreadable, more than the limit of 0" in error_of(strict)


def test_names_are_not_markup(invoke, stub_models, make_set, tmp_path):
    model = "any.keras"
    make_set(tmp_path / "sets" / "adm[new]", 1)
    make_set(tmp_path / "sets" / "[bold]x", 1)
    done = invoke(*EVAL, "--model", model, "--data", tmp_path / "sets")
    assert "adm[new]" in done.stdout
    assert "[bold]x" in done.stdout


def test_detectors_side_by_side(invoke, stub_models, sets, tmp_path):
    models = ["runs/at127.keras", "runs/at125"]
    command = [*EVAL, "--data", sets, "--model", models[0], "--model", models[1]]
    done = invoke(*command, "--scores", tmp_path / "s.csv", "--report", tmp_path / "r.json")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"A  {models[0]}", f"B  {models[1]}"]
    assert lines[3].split() == ["set", "A:", "acc", "AP", "B:", "acc", "AP"]
    report = json.loads((tmp_path / "r.json").read_text())
    assert [m["name"] for m in report["models"]] == ["at127", "at125"]
    for column, own in enumerate(report["models"]):
        alone = json.loads(invoke(*EVAL, "--data", sets, "--model", own["model"], "--json").stdout)
        assert alone["models"][0]["sets"] == own["sets"]
        assert alone["images"] == report["images"]
        (row,) = [line.split() for line in lines if line.startswith("biggan")]
        assert row[1 + 2 * column] == f"{100 * own['sets'][0]['accuracy']:.1f}"
    twice = invoke(*EVAL, "--data", sets, "--model", "runs/a", "--model", "runs/../runs/a")
    assert "given more than once" in error_of(twice)
    assert {r["model"] for r in csv.DictReader((tmp_path / "s.csv").open())} == {"at127", "at125"}


@pytest.mark.parametrize("other", ["at125", "at0"])  # at0: differences of two digits
def test_compare(invoke, stub_models, sets, tmp_path, other):
    models = ["--model", "runs/at127.keras", "--model", f"runs/{other}"]
    command = ["compare", *EVAL[1:], "--data", sets, *models]
    done = invoke(*command, "--report", tmp_path / "r.json")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    first, second = json.loads((tmp_path / "r.json").read_text())["models"]
    assert first["differences"] == {}
    found = second["differences"]["mean"]["accuracy"]
    assert found[0] == pytest.approx(second["mean"]["accuracy"] - first["mean"]["accuracy"])
    assert found[1] <= found[0] <= found[2]
    (line,) = [text for text in done.stdout.splitlines() if text.startswith(other)]
    assert f"{100 * found[0]:+.1f} [" in line
    assert len(re.split(r" {2,}", line)) == 5, "a cell touches the next"


def test_more_detectors_than_fit(invoke, stub_models, sets):
    models = [f"{name}0.5.keras" for name in "abcde"]
    done = invoke(*EVAL, "--data", sets, *[a for path in models for a in ("--model", path)])
    assert done.returncode == 0, done.stderr
    assert max(len(line) for line in done.stdout.splitlines() if not line.endswith("keras")) <= 80
    assert len(re.findall(r"^[A-E] +[a-e]0\.5 +\d", done.stdout, re.M)) == 5
    assert "Means over 2 sets" in done.stdout


def test_calibrated_on_other_images(invoke, stub_models, sets, make_set, tmp_path):
    model = "any.keras"
    other = make_set(tmp_path / "other", 4)
    command = [*EVAL, "--model", model, "--data", sets, "--calibrate-on"]
    done = invoke(*command, other, "--scores", tmp_path / "s.csv", "--json")
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)["models"]
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    for entry in report["sets"]:
        own = [r for r in rows if r["set"] == entry["set"]]
        right = [(float(r["logit"]) > report["threshold"]) == (r["label"] == "1") for r in own]
        assert entry["calibrated_accuracy"] == pytest.approx(np.mean(right))
    # It separates the images that it was found on as well as any threshold does.
    done = invoke(*EVAL, "--model", model, "--data", other, "--json", "--scores", tmp_path / "o")
    best = json.loads(done.stdout)["models"][0]["sets"][0]["best_accuracy"]
    own = list(csv.DictReader((tmp_path / "o").open()))
    right = [(float(r["logit"]) > report["threshold"]) == (r["label"] == "1") for r in own]
    assert np.mean(right) == pytest.approx(best)
    table = invoke(*command, other).stdout
    assert "cal best*" in table
    assert f"cal: at logit {report['threshold']:.3f}" in table
    refused = error_of(invoke(*command, sets / "biggan"))
    assert "10 of its images are also judged" in refused
    (other / "0_real" / "000.png").write_bytes(b"no image")
    done = invoke(*command, other, "--max-unreadable", "10%")
    assert "1 image is unreadable and left out" in said(done)
    only = make_set(tmp_path / "only", 2)
    for path in (only / "1_fake").iterdir():
        path.unlink()
    assert "real and generated images. Received: 2 real, 0" in error_of(invoke(*command, only))


def test_reports_are_refused_before_the_work(invoke, model, sets, tmp_path, monkeypatch):
    command = [*EVAL, "--model", model, "--data", sets, "--report"]
    assert ".html, .md, .tex, .csv, .json" in error_of(invoke(*command, tmp_path / "r.pdf"))
    assert "no such folder" in error_of(invoke(*command, tmp_path / "no" / "r.md"))
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "jinja2" else find(n))
    assert "npr-keras[report]" in error_of(invoke(*command, tmp_path / "r.html"))


def test_scores_are_found_again(invoke, stub_models, sets, monkeypatch):
    """Stopped in the middle, the same command scores only what is left."""
    model = "any.keras"
    whole = invoke(*EVAL, "--model", model, "--data", sets, "--json").stdout
    predict, calls = Brightness.predict, []

    def stopping(self, images):
        calls.append(len(images))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return predict(self, images)

    monkeypatch.setattr(Brightness, "predict", stopping)
    command = [*EVAL, "--model", model, "--data", sets, "--json", "--batch-size", "4"]
    assert invoke(*command).returncode == 1
    done = invoke(*command)
    assert sum(calls) - calls[1] == 16  # each image once
    calls.clear()
    monkeypatch.setattr(Brightness, "predict", predict)
    first, second = json.loads(whole), json.loads(done.stdout)
    for a, b in zip(first["models"][0]["sets"], second["models"][0]["sets"], strict=True):
        assert a == b


def test_scores_are_kept_until_all_is_done(invoke, stub_models, sets, tmp_path, monkeypatch):
    """Two detectors, and a report that cannot be written: neither is scored again."""
    predict, seen = Brightness.predict, []

    def counting(self, images):
        seen.append(len(images))
        return predict(self, images)

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Brightness, "predict", counting)
    command = [*EVAL, "--model", "at127", "--model", "at125", "--data", sets]
    command += ["--report", tmp_path / "r.md"]
    with monkeypatch.context() as patched:
        patched.setattr("npr_keras.report.text.write_text", fail)
        assert "No space left" in error_of(invoke(*command))
    assert sum(seen) == 32
    assert invoke(*command).returncode == 0
    assert sum(seen) == 32
    assert not list((tmp_path / "cache" / "scores").glob("*"))


def test_a_judged_split_without_images(invoke, stub_models, source_folder):
    for path in (source_folder / "val").rglob("*.png"):
        path.unlink()
    done = invoke(*EVAL, "--model", "any", "--data", source_folder)
    assert "Nothing to evaluate" in error_of(done)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_scores_agree_over_the_backends(cli, model, sets, tmp_path, backend):
    for name, options in {
        "ours": ["--backend", backend],
        "theirs": ["--backend", "tensorflow", "--pipeline", "pydataset"],
    }.items():
        done = cli(
            "eval", "--model", model, "--data", sets, "--scores", tmp_path / f"{name}.csv", *options
        )
        assert done.returncode == 0, done.stderr
    logits = [
        [float(r["logit"]) for r in csv.DictReader((tmp_path / f"{n}.csv").open())]
        for n in ("ours", "theirs")
    ]
    np.testing.assert_allclose(*logits, rtol=1e-4, atol=1e-5)
