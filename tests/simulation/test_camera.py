"""The camera's steps against SciPy, Pillow, and formulas."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from npr_keras.simulation.camera import (
    add_noise,
    blur,
    compress,
    demosaic,
    gamma,
    mosaic,
    photograph,
)


@pytest.mark.parametrize("sigma", [0.4, 0.8, 1.7])
def test_blur_is_scipys(random, sigma):
    picture = random.random((20, 31, 3))
    expected = ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="nearest", truncate=3.0)
    assert np.allclose(blur(picture, sigma), expected, atol=1e-5)


def test_no_blur_is_no_change(random):
    picture = random.random((5, 6, 3)).astype(np.float32)
    assert np.array_equal(blur(picture, 0), picture)


def test_mosaic_is_red_green_green_blue():
    picture = np.arange(4 * 4 * 3).reshape(4, 4, 3)
    raw = mosaic(picture)
    assert raw[2, 2] == picture[2, 2, 0]
    assert raw[2, 3] == picture[2, 3, 1]
    assert raw[3, 2] == picture[3, 2, 1]
    assert raw[3, 3] == picture[3, 3, 2]


def test_demosaic_is_the_published_filters(random):
    # Malvar, He, Cutler, Figure 2, times 8.
    green = [
        [0, 0, -1, 0, 0],
        [0, 0, 2, 0, 0],
        [-1, 2, 4, 2, -1],
        [0, 0, 2, 0, 0],
        [0, 0, -1, 0, 0],
    ]
    beside = [
        [0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0],
    ]  # fmt: skip
    across = [
        [0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0],
    ]  # fmt: skip
    raw = random.random((12, 14))

    def filtered(kernel):
        return ndimage.correlate(raw, np.array(kernel) / 8, mode="mirror")

    picture = demosaic(raw)
    upright = np.transpose(beside)
    at = {"R": (0, 0), "Gr": (0, 1), "Gb": (1, 0), "B": (1, 1)}
    expected = {
        ("R", 0): raw, ("Gr", 1): raw, ("Gb", 1): raw, ("B", 2): raw,
        ("R", 1): filtered(green), ("B", 1): filtered(green),
        ("R", 2): filtered(across), ("B", 0): filtered(across),
        ("Gr", 0): filtered(beside), ("Gb", 2): filtered(beside),
        ("Gr", 2): filtered(upright), ("Gb", 0): filtered(upright),
    }  # fmt: skip
    assert len(expected) == 12
    for (place, colour), values in expected.items():
        row, column = at[place]
        part = (slice(row, None, 2), slice(column, None, 2))
        assert np.allclose(picture[(*part, colour)], values[part], atol=1e-5), (place, colour)


def test_noise_has_the_variance_it_says(random):
    for light in (0.0, 0.2, 0.9):
        noisy = add_noise(np.full((300, 300), light), random, shot=0.01, read=0.05)
        assert noisy.mean() == pytest.approx(light, abs=3e-3)
        assert noisy.var() == pytest.approx(0.01 * light + 0.05**2, rel=0.05)


def test_gamma_is_srgb():
    values = gamma(np.array([-1.0, 0.0, 0.002, 0.0031308, 0.2159, 0.5, 1.0, 2.0]))
    assert values.tolist() == [0, 0, 7, 10, 128, 188, 255, 255]


def test_compress_is_pillows_jpeg(random):
    pixels = random.integers(0, 256, (24, 24, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=60)
    assert np.array_equal(compress(pixels, 60), np.array(Image.open(file)))


def test_photographs_repeat_and_may_be_jpeg(random):
    light = random.random((32, 32, 3))
    first = photograph(light, np.random.default_rng(0))
    assert first.shape == (32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, photograph(light, np.random.default_rng(0)))
    assert np.array_equal(photograph(light, np.random.default_rng(0), jpeg=80), compress(first, 80))
