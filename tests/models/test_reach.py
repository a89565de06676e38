"""How far features look, and that tiles of just that reach give the whole image's score."""

import numpy as np
import pytest

from npr_keras.detectors import DETECTORS
from npr_keras.layers import NPR
from npr_keras.layers.median import MedianResidual
from npr_keras.layers.representation import make_representation
from npr_keras.models import Detector
from npr_keras.models.backbones.base import make_backbone
from npr_keras.models.backbones.ferretnet import FerretNet
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.runtimes import tiles
from npr_keras.runtimes.keras_file import KerasPredictor

pytestmark = pytest.mark.every_backend


def local_detector(kind):
    if kind == "npr":
        return Detector(ResNet(blocks=(1, 2), width=4))
    if kind == "seven":
        return Detector(
            ResNet(blocks=(1, 1), width=4, kernel=7), NPR(window=4, name="representation")
        )
    return Detector(FerretNet(width=4), MedianResidual(name="representation"))


@pytest.mark.parametrize("kind", ["npr", "seven", "ferretnet"])
def test_tiles_are_exact_and_the_halo_is_needed(kind, random):
    """Whole images and tiles of 64 pixels, sides that are no multiple of anything but 2."""
    predictor = KerasPredictor(local_detector(kind))
    stride, halo = predictor.detector.tiling
    assert stride == 8 and halo % stride == 0
    images = random.integers(0, 256, (1, 150, 202, 3), np.uint8)
    whole = predictor.predict(images)
    found = tiles.logits_in_tiles(predictor._activation, images, (stride, halo), 64)
    np.testing.assert_allclose(found, whole, rtol=2e-6, atol=1e-6)
    less = tiles.logits_in_tiles(predictor._activation, images, (stride, stride), 64)
    assert np.abs(less - whole).max() > 1e-5 * np.abs(whole).max()


def test_reach_by_hand():
    """NPR's trunk: 3x3/2, pool 3/2, three 3x3 at a stride of 4, 3x3/2, three 3x3 at a stride of 8.

    1 + 2 + 3 * 4 + 4 + 3 * 8 = 43 pixels to the left, and a block's other pixel: 44, in eights 48.
    """
    assert Detector(ResNet()).tiling == (8, 48)


def test_large_images_are_tiled(monkeypatch, random):
    predictor = KerasPredictor(local_detector("npr"))
    images = random.integers(0, 256, (2, 100, 90, 3), np.uint8)
    whole = predictor.predict(images)
    seen = []
    monkeypatch.setattr(tiles, "MOST_WHOLE", 80 * 100)
    monkeypatch.setattr(
        "npr_keras.runtimes.keras_file.logits_in_tiles",
        lambda f, x, t: seen.append(x.shape) or tiles.logits_in_tiles(f, x, t, 32),
    )
    np.testing.assert_allclose(predictor.predict(images), whole, rtol=1e-5, atol=1e-6)
    assert seen == [(2, 100, 90, 3)]
    predictor.predict(images[:, :80])
    assert len(seen) == 1


@pytest.mark.parametrize("name", ["frank", "patchfor", "safe", "lab"])
def test_what_sees_the_whole_image_has_no_tiles(name):
    """A spectrum, a mean of probabilities, a wavelet, features of the whole."""
    row = DETECTORS[name]
    detector = Detector(make_backbone(**row.backbone), make_representation(**row.representation))
    assert detector.tiling is None
