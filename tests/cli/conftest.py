"""What the tests of several commands share."""

import shutil

import pytest

from npr_keras.models import Detector, save_detector
from npr_keras.models.backbones.resnet import ResNet


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A small detector's file, untrained; nobody writes to it."""
    path = tmp_path_factory.mktemp("model") / "small.keras"
    save_detector(Detector(ResNet(blocks=(1, 1), width=8)), path)
    return path


@pytest.fixture
def own_model(model, tmp_path):
    """A run's folder with a copy, to be written to."""
    (tmp_path / "run").mkdir()
    shutil.copy(model, tmp_path / "run" / "model.keras")
    return tmp_path / "run"
