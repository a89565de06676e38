"""What is exported, and what it is asked."""

import functools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from once import made_once
from PIL import Image

from npr_keras.config import PROTOCOLS
from npr_keras.models import Detector, save_detector
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.profile import Calibration, ModelProfile

TRAIN = """
import sys
from npr_keras.config import TrainingConfig
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.data.folder import find_source
from npr_keras.training import train
recipe = TrainingConfig(epochs=6, batch_size=8, resize=None, crop=64, learning_rate=2e-3)
detector = ResNet(blocks=(1, 1), width=16)
train(find_source(sys.argv[1]), recipe, detector, out=sys.argv[2], pipeline="pydataset")
"""
CALIBRATION = Calibration(2.0, 0.25, 0.5, 100, protocol="native")


@pytest.fixture(scope="session", params=["native", "resize256"])
def exported(request, tmp_path_factory):
    """A run with a protocol of any size, or of one, and everything that it is exported to."""
    from npr_keras.exporting.export import export_detector

    def make(folder):
        run = make_run(folder / "npr", request.param)
        made = export_detector(run, ["savedmodel", "tflite", "onnx", "openvino"])
        return run, {one.format: one for one in made}

    return made_once(tmp_path_factory, f"exported-{request.param}", make)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """A run's folder with a small detector in it."""
    return make_run(tmp_path_factory.mktemp("run") / "npr", "native")


def make_run(folder, protocol):
    folder.mkdir()
    config = ResNet(blocks=(1, 1), width=8)
    profile = ModelProfile(PROTOCOLS[protocol], CALIBRATION)
    keras.utils.set_random_seed(1)
    save_detector(Detector(config, profile=profile), folder / "model.keras")
    (folder / "README.md").write_text("# A card\n")
    return folder


@pytest.fixture(scope="session")
def images():
    random = np.random.default_rng(0)
    return [
        random.integers(0, 256, (2, *size, 3), np.uint8)
        for size in ((64, 64), (33, 50), (256, 256))
    ]


@pytest.fixture
def encoded(tmp_path):
    """Files of every format that is decoded in the graph, and what is none."""
    random = np.random.default_rng(1)
    picture = Image.fromarray(random.integers(0, 256, (45, 62, 3), np.uint8))
    paths = []
    for name in ("a.png", "a.jpg", "a.webp", "a.bmp", "a.gif"):
        picture.save(tmp_path / name)
        paths.append(tmp_path / name)
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:300])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("text")
    picture.crop((0, 0, 1, 1)).save(tmp_path / "one.png")
    bad = [tmp_path / n for n in ("broken.jpg", "empty.png", "text.png", "one.png")]
    return paths, bad


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Gives, for a backend, a small detector trained on it, and a folder of noise and blocks."""
    data = tmp_path_factory.mktemp("blocks")
    random = np.random.default_rng(5)
    for part, count in (("train/a", 24), ("val/a", 4), ("test", 24)):
        for label, side in (("0_real", 1), ("1_fake", 2)):
            (data / part / label).mkdir(parents=True)
            for i in range(count):
                small = random.integers(0, 256, (64 // side, 64 // side, 3), np.uint8)
                picture = Image.fromarray(small.repeat(side, 0).repeat(side, 1))
                picture.save(data / part / label / f"{i}.png")

    @functools.cache
    def train(backend):
        out = tmp_path_factory.mktemp(backend) / "npr"
        subprocess.run(
            [sys.executable, "-c", TRAIN, data, out],
            env={**os.environ, "KERAS_BACKEND": backend}, check=True, timeout=300,
        )  # fmt: skip
        return out, data

    return train
