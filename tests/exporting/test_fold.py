import keras
import numpy as np
import pytest

from npr_keras.layers import NPR
from npr_keras.layers.representation import make_representation
from npr_keras.models import Detector
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.models.batch_norm import BatchNorm
from npr_keras.models.fold import difference_kernel, fold, is_foldable

pytestmark = pytest.mark.every_backend


def trained(random, representation=None, blocks=(1, 1)):
    """A detector whose batch normalisation has something to fold."""
    detector = Detector(ResNet(blocks=blocks, width=8), representation)
    for layer in detector.layers:
        if isinstance(layer, BatchNorm):
            layer.set_weights([random.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return detector


def logits(model, pixels):
    return np.asarray(model.predict_on_batch(pixels.astype(np.float32)))[:, 0]


# What folds is the same arithmetic everywhere: one of each kind on the other backends.
REFERENCES = [1, 2, 3, 4, "avg", "max"] if keras.backend.backend() == "tensorflow" else [4, "max"]


@pytest.mark.parametrize("reference", REFERENCES)
def test_the_same_score(random, reference):
    detector = trained(random, NPR(reference=reference, data_format="channels_last"))
    folded = fold(detector)
    for shape in ((64, 64), (51, 33), (30, 97), (2, 2)):
        pixels = random.integers(0, 256, (2, *shape, 3))
        np.testing.assert_allclose(logits(folded, pixels), logits(detector, pixels), atol=2e-5)
        exact = fold(detector, exact=True)
        np.testing.assert_allclose(logits(exact, pixels), logits(detector, pixels), atol=2e-5)
    kernel = 3 if reference == "max" else 4
    assert folded.get_layer("conv1").kernel_size == (kernel, kernel)
    assert is_foldable(detector) == (reference != "max")
    assert not any(isinstance(layer, BatchNorm) for layer in folded.layers)
    assert any(isinstance(layer, NPR) for layer in folded.layers) == (reference == "max")


@pytest.mark.parametrize(
    "options",
    [
        {"window": 3, "scale": 1.0},
        {"padding": "same"},
        {"layer": "pixels"},
        {"layer": "high-pass"},
        {"layer": "haar-hh"},
    ],
    ids=str,
)
def test_other_representations_keep_their_layer(random, options):
    detector = trained(random, make_representation(**options))
    assert not is_foldable(detector)
    pixels = random.integers(0, 256, (2, 32, 35, 3))
    folded = fold(detector)
    np.testing.assert_allclose(logits(folded, pixels), logits(detector, pixels), atol=2e-5)
    assert folded.get_layer("conv1").kernel_size == (3, 3)


def test_differences_are_exact_in_half_precision(random):
    """1 and -1 on grey levels: nothing to round, in eight bits of mantissa."""
    kernel = difference_kernel(NPR(data_format="channels_last"), 3)
    assert set(np.unique(kernel)) == {-1, 0, 1}
    assert kernel.shape == (4, 4, 3, 27)
    pixels = random.integers(0, 256, (6, 8, 3)).astype(np.float32)
    patch = pixels[:4, :4]
    differences = np.einsum("abc,abco->o", patch, kernel).reshape(3, 3, 3)
    corner = pixels[::2, ::2].repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(differences, (pixels - corner)[1:4, 1:4])


def test_it_is_the_pixels_differences_that_count(random):
    """A picture and the same one brighter: NPR has no mean, so neither has the folded kernel."""
    detector = trained(random, NPR(data_format="channels_last"))
    kernel = fold(detector).get_layer("conv1").get_weights()[0]
    np.testing.assert_allclose(kernel.sum((0, 1)), 0, atol=1e-6)
    pixels = random.integers(0, 200, (1, 40, 40, 3))
    brighter = logits(fold(detector), pixels + 50)
    np.testing.assert_allclose(brighter, logits(detector, pixels), atol=2e-5)
