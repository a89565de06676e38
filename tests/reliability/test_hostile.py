"""Hostile files, in small: `python tests/reliability/commands.py` does the same with a thousand."""

import importlib.util
import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from npr_keras.data.declared import declared, within_limits
from npr_keras.data.decode import decode
from npr_keras.errors import UnreadableImageError
from npr_keras.limits import MOST_BYTES

HERE = Path(__file__).parent


def script(name):
    """A script of this folder as a module."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


corpus = script("corpus")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """48 files of every kind, and what is no file."""
    folder = tmp_path_factory.mktemp("hostile") / "set"
    counts = corpus.write_corpus(folder, 48, seed=3)
    assert len(counts) == len(corpus.KINDS)
    return folder


def files_of(folder):
    return {p for p in Path(folder).rglob("*") if p.is_file() and not p.is_symlink()}


def test_every_file_is_spoken_of(hostile, invoke):
    """A row with a score or a reason for each, the one of 200 GB too; and the other things are named."""
    found = invoke("predict", hostile, "--json", "--model", "npr-lab")
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert found.returncode == 1
    told = {row["path"] for row in rows}
    without_ending = {p for p in files_of(hostile) if not p.suffix.strip()}
    assert {str(p) for p in files_of(hostile) - without_ending} <= told
    assert all(("error" in row) != ("probability" in row) for row in rows)
    (sparse,) = (row for row in rows if row["path"].endswith("sparse.png"))
    assert f"more than the {MOST_BYTES:,} that are read" in sparse["error"]
    said = " ".join(found.stderr.split())
    for name in ("pipe.png: not a regular file", "zero.png: not a regular file", "loop.png: Too many levels",
                 "gone.png: No such file", "self: the same folder"):  # fmt: skip
        assert name in said, name


@pytest.mark.parametrize("pipeline", ["tf.data", "pydataset"])
def test_every_pipeline_reads_the_same(hostile, invoke, pipeline, tmp_path):
    """Through operations that know no limit, too: by the scores of what can be read."""
    scores = tmp_path / "scores.csv"
    found = invoke("eval", "--model", "npr-lab", "--data", hostile, "--max-unreadable", "100%", "--pipeline",
                   pipeline, "--scores", scores)  # fmt: skip
    assert found.returncode == 0, found.stderr
    rows = [line.split(",") for line in scores.read_text().splitlines()]
    predicted = invoke("predict", hostile, "--json", "--model", "npr-lab").stdout.splitlines()
    readable = [row for row in map(json.loads, predicted) if "logit" in row]
    logit = rows[0].index("logit")
    found = sorted(float(row[logit]) for row in rows[1:] if row[logit])
    np.testing.assert_allclose(found, sorted(row["logit"] for row in readable), atol=1e-4)


@pytest.mark.parametrize("kind", corpus.KINDS, ids=lambda f: f.__name__)
def test_declared_is_never_less_than_decoded(kind):
    """What is decoded is within what was declared before; else nothing is decoded."""
    draw = random.Random(kind.__name__)
    for _ in range(12):
        _, data = kind(draw)
        before = declared(data)
        try:
            within_limits(data, 100_000_000)
            pixels = decode(data)
        except (ValueError, UnreadableImageError):
            continue
        assert pixels[..., 0].size <= before.largest


def test_other_commands(hostile, invoke, tmp_path):
    assert invoke("data", "check", hostile).returncode == 3
    found = invoke("data", "reconstruct", "--photos", hostile / "0_real", "--out", tmp_path / "out",
                   "--size", "32", "--count", "2", "--decoder", "identity")  # fmt: skip
    assert found.returncode == 0, found.stderr
    for path in sorted(files_of(hostile))[:3]:
        assert invoke("explain", path, "--model", "npr-lab", "--out", tmp_path).returncode in (0, 1)


def test_the_corpus_is_the_same_for_the_same_seed(tmp_path):
    for name in ("one", "two"):
        corpus.write_corpus(tmp_path / name, 24, seed=9)
    one, two = (
        {p.relative_to(tmp_path / n): p.stat().st_size for p in files_of(tmp_path / n)}
        for n in ("one", "two")
    )
    assert one == two
    assert not os.listdir(tmp_path / "one" / "0_real" / "folder.png")
