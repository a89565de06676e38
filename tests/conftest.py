"""Fixtures: small image trees, and a process with another backend or without a package."""

import os
import random as python_random
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
from PIL import Image
from stubs import Brightness

ROOT = Path(__file__).parent.parent
BACKENDS = ("tensorflow", "torch", "jax")

# Hides a package from a process, as on a machine where it is not installed.
WITHOUT = """
import sys
class _Hiding:
    def __init__(self, finder, package):
        self.finder, self.package = finder, package
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] != self.package:
            return self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path[:] = [_Hiding(finder, {name!r}) for finder in sys.meta_path]
"""


@pytest.fixture(autouse=True)
def _equal_weights():
    """Every run of a test meets the same first weights: Keras draws its seeds from `random`."""
    python_random.seed(0)


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def make_images(random):
    """Writes `count` PNGs into a folder; generated ones are made of 2 x 2 blocks."""

    def make(folder, count, size=32, blocks=False, suffix=".png"):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = random.integers(0, 256, (size, size, 3), np.uint8)
            if blocks:
                pixels = pixels[::2, ::2].repeat(2, 0).repeat(2, 1)
            Image.fromarray(pixels).save(folder / f"{i:03d}{suffix}")

    return make


@pytest.fixture
def make_set(make_images):
    """Writes a folder with 0_real and 1_fake."""

    def make(folder, count=4, size=32):
        make_images(Path(folder, "0_real"), count, size)
        make_images(Path(folder, "1_fake"), count, size, blocks=True)
        return Path(folder)

    return make


@pytest.fixture
def source_folder(make_set, tmp_path):
    """A training source: two classes of 6 + 6 images, 2 + 2 to validate."""
    for name in ("cat", "dog"):
        make_set(tmp_path / "source" / "train" / name, 6)
        make_set(tmp_path / "source" / "val" / name, 2)
    return tmp_path / "source"


@pytest.fixture
def run_python():
    """Runs a script in a process of its own; `without` names packages it must not find."""

    def run(
        script, backend=None, without=(), check=True, args=(), timeout=300, env=None, quiet=False
    ):
        script = "".join(WITHOUT.format(name=name) for name in without) + script
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **(env or {})}
        environment.pop("KERAS_BACKEND", None)
        if quiet:
            del environment["TF_CPP_MIN_LOG_LEVEL"]
        if backend:
            environment["KERAS_BACKEND"] = backend
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, args)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=timeout,
            cwd=ROOT,
        )
        if check:
            assert done.returncode == 0, done.stderr[-4000:]
        return done

    return run


@pytest.fixture
def cli(run_python):
    """Runs `npr-keras` in a process of its own."""

    def run(*args, **options):
        script = (
            "import sys; from npr_keras_cli.main import main; sys.argv[0] = 'npr-keras'; main()"
        )
        return run_python(script, args=args, check=False, quiet=True, **options)

    return run


@pytest.fixture
def invoke():
    """Runs `npr-keras` in this process: quicker, for what needs none of its own."""
    from click.testing import CliRunner

    from npr_keras_cli.main import main

    def run(*args):
        done = CliRunner().invoke(main, list(map(str, args)), prog_name="npr-keras")
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)

    return run


@pytest.fixture
def stub_models(monkeypatch, tmp_path):
    """Whatever is named as a model is `Brightness`; digits in its name are the threshold."""
    monkeypatch.setenv("NPR_CACHE", str(tmp_path / "cache"))

    def stub(model):
        digits = re.findall(r"\d+", Path(model).stem)
        return Brightness(int(digits[0]) if digits else 127)

    monkeypatch.setattr("npr_keras.runtimes.open.open_predictor", stub)


def error_of(done, code=1):
    """What a failed command said, its lines joined."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return said(done)


def said(done):
    """What a command said on stderr, its lines joined: they break where the terminal ends."""
    return " ".join(done.stderr.split())
