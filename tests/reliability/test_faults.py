"""Full disks, folders that may not be written, two processes, clocks that jump: said with the name, and
nothing half written."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOL = [sys.executable, "-m", "npr_keras_cli.main"]


@pytest.fixture
def source(make_set, tmp_path):
    """A source to train on, and a file with a small detector."""
    import keras

    from npr_keras.models import Detector, save_detector
    from npr_keras.models.backbones.resnet import ResNet

    for part in ("train", "val"):
        make_set(tmp_path / "source" / part / "cat", 24, size=96)
    keras.utils.set_random_seed(1)
    save_detector(Detector(ResNet(blocks=(1, 1), width=8)), tmp_path / "model.keras")
    return tmp_path / "source"


def run(arguments, before=(), **environment):
    return subprocess.run(
        [*before, *TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=300,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", **environment},
    )  # fmt: skip


def last_words(done):
    return " ".join(done.stderr.split())


def commands(source, out):
    model, val = source.parent / "model.keras", source / "val"
    small = ("--resize", "none", "--crop", "32", "--epochs", "1")
    return {
        "train": ["train", "--source", source, "--out", out, "--name", "run", *small],
        "export": ["export", model, "--format", "onnx", "--out", out / "exported"],
        "eval": ["eval", "--model", model, "--data", val, "--report", out / "report.html"],
        "simulate": ["data", "simulate", "--upsampler", "nearest", "--out", out / "s", "--count", "8",
                     "--size", "64", "--steps", "2"],
        "reconstruct": ["data", "reconstruct", "--photos", val, "--out", out / "p", "--size", "32",
                        "--count", "40", "--decoder", "identity"],
        "explain": ["explain", val / "cat" / "0_real" / "000.png", "--model", model, "--out", out / "x"],
    }  # fmt: skip


NAMES = ("train", "export", "eval", "simulate", "reconstruct", "explain")


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 1 MiB, 18 KB of it free."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("a file system can be mounted by root alone")
    (disk / "fill").write_bytes(bytes(1_030_000))
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk(source, tiny_disk, name):
    """The file is named; what has a name is whole; no traceback."""
    done = run(commands(source, tiny_disk)[name])
    words = last_words(done)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "space left on device" in words.lower() and str(tiny_disk) in words
    for path in tiny_disk.rglob("*"):
        assert path.suffix not in (".keras", ".onnx", ".html"), path
        if path.suffix == ".png":
            from PIL import Image

            Image.open(path).load()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_folders_that_may_not_be_written(source, tmp_path, name):
    """Reading goes on where it needs no writing; what cannot be written is named."""
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root may write anywhere, and there is no setpriv")
    closed = tmp_path / "closed"
    closed.mkdir()
    for path in (closed, *source.rglob("*"), source):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    done = run(commands(source, closed)[name], before if os.geteuid() == 0 else (),
               NPR_CACHE=str(closed / "cache"))  # fmt: skip
    for path in (closed, source, *source.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert f"Permission denied: {closed}" in last_words(done)
    assert list(closed.iterdir()) == []


@pytest.mark.slow
def test_an_evaluation_needs_no_cache(source, tmp_path):
    """What can be made again is not worth its failing: it goes on, and says so."""
    (tmp_path / "cache").write_text("no folder")
    arguments = [
        "eval",
        "--model",
        source.parent / "model.keras",
        "--data",
        source / "val",
        "--json",
    ]
    done = run(arguments, NPR_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert "scores were not kept meanwhile (Not a directory" in last_words(done)
    assert json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "simulate", "reconstruct"])
def test_two_at_once(source, tmp_path, name):
    """One does the work; the other says that there is one, or comes too late and finds it done."""
    arguments = [*TOOL, *map(str, commands(source, tmp_path / "out")[name])]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    both = [subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                             env=environment) for _ in range(2)]  # fmt: skip
    said = [process.communicate(timeout=300)[1] for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes and "Traceback" not in "".join(said)
    for code, words in zip(codes, said, strict=True):
        text = " ".join(words.split())
        assert code == 0 or "another process is" in text or "there already" in text, text
    assert not [p for p in (tmp_path / "out").rglob(".*-*") if p.is_file()]


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_clocks_that_jump(make_set, tmp_path, invoke, monkeypatch, jump):
    """A wall clock that is set back or forth by an hour at every look: the same scores, no odd rates."""
    make_set(tmp_path / "d", 4)
    arguments = ("eval", "--model", "npr-lab", "--data", tmp_path / "d", "--json")
    before = json.loads(invoke(*arguments).stdout)
    clock, real = [0], time.time

    def jumping():
        clock[0] += 1
        return real() + jump * (clock[0] % 2)

    monkeypatch.setattr(time, "time", jumping)
    found = invoke(*arguments)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["models"] == before["models"]


def test_a_kept_score_that_is_no_score(make_set, tmp_path, invoke, monkeypatch):
    """A disk gives back anything: rows beyond the images are passed over."""
    import numpy as np

    from npr_keras.config import PROTOCOLS
    from npr_keras.data.folder import find_sets
    from npr_keras.scoring.score_log import _ROW, ScoreLog

    sets, _ = find_sets(make_set(tmp_path / "d", 3))
    kept = ScoreLog(tmp_path, "one", sets[0].records, PROTOCOLS["native"])
    kept.append([0], np.array([1.0]))
    odd = np.array([(99, 5.0), (-3, 5.0)], _ROW)
    Path(kept.path).write_bytes(Path(kept.path).read_bytes() + odd.tobytes() + b"abc")
    found = kept.read()
    assert found[0] == 1.0 and np.isnan(found[1:]).all()
    kept.append([1], np.array([2.0]))
    assert kept.read()[:2].tolist() == [1.0, 2.0]
