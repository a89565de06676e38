"""Scenes and photographs have the statistics of natural images."""

import numpy as np
import pytest

from npr_keras.simulation.photographs import embedded_photograph
from npr_keras.simulation.scenes import dead_leaves, power_law_noise, scene


def power_slope(picture, low=4, high=0.35):
    """The exponent of the power's fall with the frequency, fitted over whole rings of it."""
    side = len(picture)
    window = np.hanning(side)[:, None] * np.hanning(side)
    power = np.abs(np.fft.fftshift(np.fft.fft2((picture - picture.mean()) * window))) ** 2
    y, x = np.indices(power.shape) - side // 2
    ring = np.hypot(y, x).astype(int)
    mean = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    frequencies = np.arange(low, int(high * side))
    return -np.polyfit(np.log(frequencies), np.log(mean[frequencies]), 1)[0]


def kurtosis(values):
    values = values - values.mean()
    return np.mean(values**4) / np.mean(values**2) ** 2


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0])
def test_power_law_noise_has_its_exponent(random, exponent):
    fields = power_law_noise(random, 128, exponent, channels=3)
    assert fields.shape == (128, 128, 3)
    assert np.allclose(fields.mean((0, 1)), 0, atol=1e-5)
    assert np.allclose(fields.std((0, 1)), 1, atol=1e-5)
    slopes = [power_slope(fields[..., i]) for i in range(3)]
    assert np.mean(slopes) == pytest.approx(exponent, abs=0.15)
    if exponent < 2:  # beyond that a few low frequencies are nearly all of it
        assert abs(np.corrcoef(fields[..., 0].ravel(), fields[..., 1].ravel())[0, 1]) < 0.2


@pytest.mark.parametrize("size", [128, 304])
def test_photographs_have_natural_statistics(size):
    # In grey light, as the literature has it: the power falls with about the square of the
    # frequency, and the derivative's tails are far heavier than a Gaussian's, whose kurtosis is 3.
    pictures = [embedded_photograph(5, i, size).mean(2) for i in range(30)]
    slopes = [power_slope(picture) for picture in pictures]
    assert 1.8 < np.mean(slopes) < 2.6
    tails = [kurtosis(np.diff(picture)) for picture in pictures]
    assert np.median(tails) > 5
    assert np.mean(np.array(tails) > 3.5) > 0.9


def test_the_measures_would_notice(random):
    white = random.normal(size=(128, 128))
    assert power_slope(white) == pytest.approx(0, abs=0.2)
    assert kurtosis(np.diff(white)) == pytest.approx(3, abs=0.2)


def test_leaves_cover_each_other_and_their_radii_follow_a_power_law(random):
    # One leaf at a time on a ground of its own shows its area; many of them show the density.
    areas = np.array(
        [(dead_leaves(random, 64, 2.0, 0.25, 1) == 1).sum() for _ in range(3000)], float
    )
    inside = areas[areas > 0]
    radii = np.sqrt(inside / np.pi)  # stretched ones count as smaller discs
    # With a density of r**-3, the share above r falls with r**-2: from 3 to 6, to a quarter.
    ratio = np.mean(radii > 6) / np.mean(radii > 3)
    assert 0.15 < ratio < 0.35
    numbers = dead_leaves(random, 64, 1.0, 0.5, 400)
    assert numbers.max() == 400  # the last leaf lies on top
    assert len(np.unique(numbers)) < 400  # and some are hidden


def test_scenes_are_light_and_repeatable():
    first, again = (scene(np.random.default_rng(3), 48) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (48, 48, 3)
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1


def test_embedded_photographs_differ_and_repeat():
    pictures = [embedded_photograph(1, i, 64) for i in range(12)]
    assert all(p.shape == (64, 64, 3) and p.dtype == np.uint8 for p in pictures)
    assert len({p.tobytes() for p in pictures}) == 12
    assert np.array_equal(pictures[7], embedded_photograph(1, 7, 64))
    assert not np.array_equal(pictures[7], embedded_photograph(2, 7, 64))
    assert embedded_photograph(1, 0, 450).shape == (450, 450, 3)
