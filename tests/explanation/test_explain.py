import numpy as np
import pytest

from npr_keras.errors import ConfigError
from npr_keras.explanation.maps import explain, region_edges, region_logits
from npr_keras.layers.representation import make_representation
from npr_keras.models import Detector
from npr_keras.models.backbones.resnet import ResNet

pytestmark = pytest.mark.every_backend


@pytest.fixture(scope="module")
def detector():
    return Detector(ResNet(blocks=(1, 1), width=16))


@pytest.mark.parametrize("shape", [(64, 64), (50, 122), (2, 2), (256, 256)])
def test_the_maps_mean_is_the_logit(detector, random, shape):
    pixels = random.integers(0, 256, (*shape, 3), np.uint8)
    found = explain(detector, pixels)
    logit = float(np.asarray(detector.predict_on_batch(pixels[None]))[0, 0])
    assert found.logit == pytest.approx(logit, abs=1e-5)
    assert found.activation.mean() + found.bias == pytest.approx(logit, abs=1e-5)
    assert found.activation.shape == tuple(-(-n // 8) for n in shape)
    if found.activation.shape == (8, 8):
        assert found.regions.mean() == pytest.approx(logit, abs=1e-5)


def test_the_official_size(random):
    pixels = random.integers(0, 256, (128, 96, 3), np.uint8)
    full = Detector()
    found = explain(full, pixels)
    logit = float(np.asarray(full.predict_on_batch(pixels[None]))[0, 0])
    assert found.activation.mean() + found.bias == pytest.approx(logit, abs=1e-5)


def test_the_representation_is_the_layers(detector, random):
    pixels = random.integers(0, 256, (40, 30, 3), np.uint8)
    found = explain(detector, pixels).representation
    normalised = (pixels / 255 - ResNet().mean) / ResNet().std
    first = normalised[::2, ::2].repeat(2, 0).repeat(2, 1)
    np.testing.assert_allclose(found, (normalised - first) * 2 / 3, atol=1e-5)


def test_evidence_is_where_it_is(random):
    """A detector whose activation is positive in one half: the regions say which."""
    activation = np.full((16, 12), -2.0, np.float32)
    activation[:, 6:] = 5
    regions = region_logits(activation, 0.5, 4)
    np.testing.assert_allclose(regions, [[-1.5, -1.5, 5.5, 5.5]] * 4)
    assert region_logits(activation, 0.5, 100).shape == (16, 12)
    uneven = region_logits(np.arange(10.0)[None], 0, 3)
    np.testing.assert_allclose(uneven, [[1.5, 5, 8]])


def test_regions_are_drawn_where_they_are():
    """28 positions in 8 parts: four of 4 positions and four of 3."""
    edges = region_edges(28, 8, 224)
    assert edges.tolist() == [0, 32, 64, 96, 128, 152, 176, 200, 224]
    assert region_edges(3, 8, 24).tolist() == [0, 8, 16, 24]


def test_wrong_arguments(detector):
    with pytest.raises(ConfigError, match="grid=0"):
        explain(detector, np.zeros((8, 8, 3), np.uint8), grid=0)
    with pytest.raises(ConfigError, match=r"\(1, 8, 8, 3\)"):
        explain(detector, np.zeros((1, 8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("options", "sides"),
    [
        ({"window": 3}, (30, 33)),
        ({"layer": "haar-hh"}, (15, 16)),
        ({"layer": "high-pass"}, (29, 31)),
    ],
)
def test_other_representations(random, options, sides):
    detector = Detector(ResNet(blocks=(1,), width=8), make_representation(**options))
    pixels = random.integers(0, 256, (31, 33, 3), np.uint8)
    found = explain(detector, pixels)
    assert found.representation.shape == (*sides, 3)
    assert found.activation.mean() + found.bias == pytest.approx(found.logit, abs=1e-5)
