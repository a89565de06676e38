"""The last layer with weights that are never negative."""

import dataclasses

import keras
import numpy as np
import pytest

from npr_keras.config import TrainingConfig
from npr_keras.data.dataset import TrainingImages
from npr_keras.data.folder import find_source
from npr_keras.data.unreadable import Unreadable
from npr_keras.detectors import DETECTORS
from npr_keras.errors import ConfigError
from npr_keras.layers.cyclic import CyclicSpectrum
from npr_keras.models.backbones.mlp import MLP
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.training import train
from npr_keras.training.methods import detector_for
from npr_keras.training.positive import require_positive, stay_positive

RECIPE = TrainingConfig(epochs=1, batch_size=6, resize=None, crop=24, stay_positive=True)


@pytest.mark.every_backend
def test_only_evidence_for_generated_counts(source_folder, tmp_path):
    """By the conditions of an optimum within bounds."""
    small = ResNet(blocks=(1,), width=8)
    source = find_source(source_folder)
    plain = dataclasses.replace(RECIPE, stay_positive=False)
    before = train(source, plain, small, out=tmp_path / "plain").detector
    after = train(source, RECIPE, small, out=tmp_path / "positive").detector
    kernel, bias = after.head.get_weights()
    assert (kernel >= 0).all() and kernel.max() > 0
    for a, b in zip(before.layers[:-1], after.layers[:-1], strict=True):
        for one, other in zip(a.get_weights(), b.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    images = TrainingImages(source.train, RECIPE, Unreadable(24, 0))
    batches = images.batches(1, 2, "pydataset")
    seen = keras.Model(after.input, after.head.input)
    met = [batches[i] for i in range(len(images))]
    features = np.concatenate([np.asarray(seen.predict_on_batch(x)) for x, _ in met])
    labels = np.concatenate([y for _, y in met])[:, 0]
    scale = np.maximum(features.std(0), 1e-6)

    def slope_at(kernel, bias):
        wrong = 1 / (1 + np.exp(-features @ kernel - bias)) - labels
        return wrong @ (features / scale) / len(labels) + 1e-4 * kernel * scale

    slope, free = slope_at(kernel[:, 0], bias), kernel[:, 0] > 0
    np.testing.assert_allclose(slope[free], 0, atol=1e-3)
    assert (slope[~free] > -1e-3).all()
    assert np.abs(slope_at(0 * kernel[:, 0], 0 * bias)).max() > 1e-2


def test_what_can_be_negative(source_folder):
    source = find_source(source_folder)
    detector = detector_for(DETECTORS["frank"], None, None)
    config = dataclasses.replace(RECIPE, crop=256)
    images = TrainingImages(source.train, config, Unreadable(24, 0))
    for refuse in (require_positive, stay_positive):  # before anything is trained, and at the end
        with pytest.raises(ConfigError, match="what a ReLU leaves"):
            refuse(detector, images)


def test_a_perceptron(source_folder, tmp_path):
    source = find_source(source_folder)
    recipe = dataclasses.replace(RECIPE, draws=1)
    layer = CyclicSpectrum(16)
    found = train(source, recipe, MLP((8,)), layer, out=tmp_path / "run", method="lab")
    assert (found.detector.head.get_weights()[0] >= 0).all()
