"""Training's random crop, flip, blur and compression, drawn ahead so that every pipeline and backend
does the same."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from npr_keras.config import TrainingConfig
from npr_keras.data import perturb
from npr_keras.data.decode import tile


class EpochPlan(NamedTuple):
    """One epoch's randomness, a function of the seed and the epoch's number alone.

    An interrupted run that goes on at an epoch draws what it would have drawn.

    Attributes:
        order: int64 (n,): which image comes when, a full permutation.
        row, column: float64 (n,) from [0, 1): where the crop sits.
        flip: bool (n,): whether the image is mirrored.
        blur: float64 (n,): sigma of the blur in pixels, 0 for none.
        jpeg: int64 (n,): quality of the compression, 0 for none.
    """

    order: np.ndarray
    row: np.ndarray
    column: np.ndarray
    flip: np.ndarray
    blur: np.ndarray
    jpeg: np.ndarray

    def part(self, places: slice) -> EpochPlan:
        """Some of it, a batch's."""
        return EpochPlan(*(drawn[places] for drawn in self))


@functools.lru_cache(maxsize=2)  # every batch asks, and two epochs meet in one pipeline
def plan_epoch(count: int, epoch: int, config: TrainingConfig) -> EpochPlan:
    """Draws the plan of an epoch.

    Args:
        count: Number of images.
        epoch: Counted from 0.
        config: The recipe: its seed, and how often images are mirrored, blurred and compressed.
    """
    random = np.random.default_rng([config.seed, epoch])
    # What is new is drawn last: what was drawn before it stays what it was.
    order, row, column = random.permutation(count), random.random(count), random.random(count)
    flip = random.random(count) < config.flip
    blurred, sigma = random.random(count) < config.blur, random.uniform(*config.blur_sigma, count)
    low, high = config.jpeg_quality
    compressed, quality = random.random(count) < config.jpeg, random.integers(low, high + 1, count)
    return EpochPlan(
        order, row, column, flip, np.where(blurred, sigma, 0.0), np.where(compressed, quality, 0)
    )


def degrade(pixels: np.ndarray, sigma: float, quality: int) -> np.ndarray:
    """Blurs an image, then compresses it, each where the number is above 0.

    Args:
        pixels: uint8, (H, W, 3).
        sigma: Of the Gaussian blur, in pixels.
        quality: Of the JPEG file.

    Returns:
        uint8, (H, W, 3).

    Reference:
        Wang et al., "CNN-generated images are surprisingly easy to spot... for now", CVPR 2020.
    """
    if sigma > 0:
        pixels = perturb.blur(pixels, float(sigma))
    return perturb.jpeg(pixels, int(quality)) if quality > 0 else pixels


def random_crop(pixels: np.ndarray, size: int, row: float, column: float) -> np.ndarray:
    """Cuts a square out of an image; one that is smaller is tiled first.

    Args:
        pixels: uint8, (H, W, 3).
        size: The square's side, in pixels.
        row, column: From [0, 1); every offset is equally likely.

    Returns:
        uint8, (size, size, 3).
    """
    pixels = tile(pixels, size)
    height, width = pixels.shape[:2]
    top, left = int((height - size + 1) * row), int((width - size + 1) * column)
    return pixels[top : top + size, left : left + size]
