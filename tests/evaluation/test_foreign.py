"""Detectors that are not ours: a function, and scores in a file."""

import csv
import sys

import numpy as np
import pytest
from conftest import said

from npr_keras.config import PROTOCOLS
from npr_keras.data.folder import find_sets
from npr_keras.errors import CheckpointError, TooManyUnreadableError
from npr_keras.evaluation.evaluate import evaluate
from npr_keras.evaluation.robustness import measure_robustness
from npr_keras.runtimes.foreign import is_foreign
from npr_keras.runtimes.open import open_predictor

NATIVE = PROTOCOLS["native"]


@pytest.fixture
def sets(make_set, tmp_path):
    make_set(tmp_path / "sets" / "one", 3)
    return find_sets(tmp_path / "sets")[0]


def write(path, rows, kind="probability"):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", kind])
        writer.writerows(rows)
    return path


def test_a_function(sets, tmp_path, monkeypatch):
    (tmp_path / "theirs.py").write_text(
        "def predict(path):\n    return 0.9 if '1_fake' in path else 0.0\n"
        "def wrong(path):\n    return 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    predictor = open_predictor("theirs:predict")
    (found,) = evaluate(predictor, sets, NATIVE)
    assert found.metrics.accuracy == found.metrics.average_precision == 1
    assert sorted(set(np.round(found.logits, 3))) == pytest.approx([-16.118, 2.197], abs=1e-3)
    with pytest.raises(CheckpointError, match=r"gives 3 for .* Expected a probability"):
        evaluate(open_predictor("theirs:wrong"), sets, NATIVE)
    with pytest.raises(CheckpointError, match="scores files, not pixels"):
        predictor.predict(np.zeros((1, 8, 8, 3), np.uint8))
    for name in ("theirs:nothing", "no_such_module:predict"):
        with pytest.raises(CheckpointError, match="Expected module:function"):
            open_predictor(name)
    del sys.modules["theirs"]


def test_scores(sets, tmp_path):
    (images,) = sets
    rows = [(r.path, 0.25 + 0.5 * r.label) for r in images.records]
    (found,) = evaluate(open_predictor(write(tmp_path / "s.csv", rows)), sets, NATIVE)
    assert found.logits.tolist() == pytest.approx(
        [np.log(3) * (2 * r.label - 1) for r in images.records]
    )
    logits = write(tmp_path / "l.csv", [(path, 8 * p - 4) for path, p in rows], "logit")
    (found,) = evaluate(open_predictor(logits), sets, NATIVE)
    assert found.logits.tolist() == pytest.approx([4.0 * r.label - 2 for r in images.records])


def test_scores_of_images_that_lay_elsewhere(sets, tmp_path):
    (images,) = sets
    rows = [(f"/far/{'/'.join(r.path.split('/')[-3:])}", float(r.label)) for r in images.records]
    (found,) = evaluate(open_predictor(write(tmp_path / "s.csv", rows)), sets, NATIVE)
    assert found.metrics.accuracy == 1
    # 000.png is in both label folders: by its name alone nobody knows which one is meant.
    rows = [(r.path.rsplit("/", 1)[1], float(r.label)) for r in images.records]
    with pytest.raises(TooManyUnreadableError, match="no score"):
        evaluate(open_predictor(write(tmp_path / "names.csv", rows)), sets, NATIVE)


def test_a_score_is_not_taken_from_the_other_of_a_pair(sets, tmp_path):
    """Both have one name; only the generated ones have scores."""
    (images,) = sets
    rows = [(r.path, 0.9) for r in images.records if r.label]
    predictor = open_predictor(write(tmp_path / "s.csv", rows))
    found = predictor.predict_files([r.path for r in images.records])
    assert np.isnan(found).tolist() == [not r.label for r in images.records]


def test_what_is_no_file_of_scores(tmp_path):
    (tmp_path / "a.csv").write_text("name,value\nx,1\n")
    with pytest.raises(CheckpointError, match="expected the columns path and one of logit"):
        open_predictor(tmp_path / "a.csv")
    with pytest.raises(CheckpointError, match="Cannot read the scores"):
        open_predictor(write(tmp_path / "b.csv", [("x.png", "high")]))
    with pytest.raises(CheckpointError, match="Cannot read the scores"):
        open_predictor(tmp_path / "gone.csv")
    assert is_foreign("pkg.module:function") and not is_foreign("C:/models/npr")
    assert not is_foreign("saved_models/npr") and not is_foreign("grpc://127.0.0.1:8500/npr")


def test_what_needs_one_of_our_models(sets, tmp_path, monkeypatch, invoke):
    """Perturbed files would be scored as they are: the same figure under every condition."""
    (images,) = sets
    scores = write(tmp_path / "s.csv", [(r.path, float(r.label)) for r in images.records])
    with pytest.raises(CheckpointError, match="nothing can be done to their images"):
        measure_robustness(open_predictor(scores), images.records, NATIVE, [("jpeg", 50)])
    for command in (
        ["calibrate", "--data", tmp_path / "sets"],
        ["export"],
        ["explain", "a.png", "--out", tmp_path],
    ):
        done = invoke(*command, "--model", scores)
        assert "is not one of our models" in said(done)
    (tmp_path / "fails.py").write_text("def predict(path):\n    raise KeyError('no such layer')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CheckpointError, match=r"fails:predict fails for .*no such layer"):
        evaluate(open_predictor("fails:predict"), sets, NATIVE)
    del sys.modules["fails"]


def test_at_the_command_line(invoke, sets, tmp_path):
    (images,) = sets
    write(tmp_path / "s.csv", [(r.path, float(r.label)) for r in images.records])
    done = invoke("eval", "--model", tmp_path / "s.csv", "--data", tmp_path / "sets")
    assert done.returncode == 0, done.stderr
    assert "100.0" in done.stdout


def test_what_an_installed_package_brings(sets, tmp_path, monkeypatch):
    (tmp_path / "brought.py").write_text("def predict(path):\n    return '1_fake' in path\n")
    (tmp_path / "brought-1.0.dist-info").mkdir()
    (tmp_path / "brought-1.0.dist-info" / "METADATA").write_text("Name: brought\nVersion: 1.0\n")
    (tmp_path / "brought-1.0.dist-info" / "entry_points.txt").write_text(
        "[npr_keras.detectors]\ntheirs-v2 = brought:predict\n"
    )
    assert not is_foreign("theirs-v2")
    monkeypatch.syspath_prepend(tmp_path)
    assert is_foreign("theirs-v2")
    (found,) = evaluate(open_predictor("theirs-v2"), sets, NATIVE)
    assert found.metrics.accuracy == 1
    del sys.modules["brought"]
