"""Arrays that users pass: what is taken, and what is refused with the reason."""

import numpy as np
import pytest

from npr_keras.data.arrays import as_batch, as_pixels
from npr_keras.errors import PixelError
from npr_keras.models import Detector
from npr_keras.models.backbones.resnet import ResNet
from npr_keras.runtimes.keras_file import KerasPredictor


def test_what_is_taken(random):
    pixels = random.integers(0, 256, (8, 10, 3), np.uint8)
    assert as_pixels(pixels) is pixels
    for other in (pixels.astype(np.int64), pixels.astype(np.float32), pixels.tolist()):
        found = as_pixels(other)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, pixels)
    assert as_batch(pixels).shape == (1, 8, 10, 3)
    assert as_batch([pixels, pixels]).shape == (2, 8, 10, 3)
    assert as_batch(pixels[None]).shape == (1, 8, 10, 3)
    black = np.zeros((4, 4, 3), np.float32)
    black[0, 0] = 1  # levels 0 and 1, not an image scaled to 1
    assert as_pixels(black).max() == 1


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((4, 4, 3), 0.5), "from 0.5 to 0.5, an image scaled to 1. Multiply by 255"),
        (np.full((4, 4, 3), 3.5), "float64 with fractions"),
        (np.full((4, 4, 3), -1), "int64 from -1 to -1"),
        (np.full((4, 4, 3), 300), "from 300 to 300"),
        (np.full((4, 4, 3), np.nan), "from nan to nan"),
        (np.zeros((4, 4, 4), np.uint8), "with alpha"),
        (np.zeros((4, 4), np.uint8), "grey: repeat it"),
        (np.zeros((3, 4, 5), np.uint8), "channels first"),
        (np.zeros((1, 1, 3), np.uint8), "at least 2 x 2"),
        (np.zeros((4, 4, 3), "U1"), "Received: <U1"),
    ],
)
def test_what_is_refused(array, message):
    with pytest.raises(PixelError, match=message):
        as_pixels(array)


def test_batches_that_are_none(random):
    pixels = random.integers(0, 256, (8, 10, 3), np.uint8)
    with pytest.raises(
        PixelError, match=r"images of one size. Received: \(8, 10, 3\), \(8, 8, 3\)"
    ):
        as_batch([pixels, pixels[:, :8]])
    with pytest.raises(PixelError, match="Received: no images"):
        as_batch([])
    for file in ("a.png", b"\x89PNG"):
        with pytest.raises(PixelError, match=r"npr_keras\.score takes files and bytes"):
            as_batch(file)


@pytest.mark.every_backend
def test_detectors_refuse_images_scaled_to_1(random):
    detector = Detector(ResNet(blocks=(1,), width=4))
    pixels = random.integers(0, 256, (2, 16, 16, 3), np.uint8)
    for score in (detector.predict_on_batch, KerasPredictor(detector).predict):
        with pytest.raises(PixelError, match="scaled to 1"):
            score(pixels / 255)
    with pytest.raises(PixelError, match="scaled to 1"):
        detector.predict(pixels / 255, verbose=0)
    predictor = KerasPredictor(detector)
    expected = predictor.predict(pixels)
    np.testing.assert_allclose(predictor.predict(list(pixels)), expected, atol=1e-6)
    np.testing.assert_allclose(predictor.predict(pixels[0]), expected[:1], atol=1e-5)
