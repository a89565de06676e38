"""ReLU in place: the same numbers, one tensor, and only where nobody looks."""

import keras
import numpy as np
import pytest
from keras import ops

from npr_keras.models import Detector, load_detector, save_detector
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.models.relu import ReLU

pytestmark = pytest.mark.every_backend


def test_values_and_what_was_there_before(random):
    x = random.normal(size=(2, 4, 4, 3)).astype("float32")
    given = ops.convert_to_tensor(x)
    np.testing.assert_array_equal(ops.convert_to_numpy(ReLU()(given)), np.maximum(x, 0))
    np.testing.assert_array_equal(ops.convert_to_numpy(given), x)  # not touched: no gradients here


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="in place on torch alone")
def test_in_place_where_gradients_are_taken(random):
    import torch

    weight = torch.tensor(random.normal(size=(3,)).astype("float32"), requires_grad=True)
    x = torch.tensor(random.normal(size=(5, 3)).astype("float32"))
    before = x + weight
    expected = torch.autograd.grad(torch.relu(before).square().sum(), weight)[0]
    fresh = x + weight
    found = ReLU()(fresh)
    assert found.data_ptr() == fresh.data_ptr()
    (gradient,) = torch.autograd.grad(found.square().sum(), weight)
    assert torch.equal(gradient, expected)
    with torch.no_grad():
        fresh = x + weight
        assert ReLU()(fresh).data_ptr() != fresh.data_ptr()


def test_training_is_as_with_keras_own(random, monkeypatch):
    """Three steps of a small detector: the same weights."""
    images = random.integers(0, 256, (4, 32, 32, 3)).astype("float32")
    labels = np.array([[0.0], [1.0], [0.0], [1.0]], "float32")
    trained = []
    for layer in (ReLU, keras.layers.ReLU):
        monkeypatch.setattr("npr_keras.models.backbones.resnet.ReLU", layer)
        keras.utils.set_random_seed(3)
        detector = Detector(ResNet(blocks=(1, 1), width=4))
        detector.compile(
            keras.optimizers.SGD(0.1), keras.losses.BinaryCrossentropy(from_logits=True)
        )
        for _ in range(3):
            detector.train_on_batch(images, labels)
        trained.append(detector.get_weights())
    for ours, theirs in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_files_with_keras_own_are_read(tmp_path, random):
    """What a file holds are settings: it makes no difference which ReLU wrote it."""
    detector = Detector(ResNet(blocks=(1,), width=4))
    save_detector(detector, tmp_path / "a.keras")
    images = random.integers(0, 256, (1, 32, 32, 3), np.uint8)
    again = load_detector(tmp_path / "a.keras")
    np.testing.assert_array_equal(again.predict_on_batch(images), detector.predict_on_batch(images))
