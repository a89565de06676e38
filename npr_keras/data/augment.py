"""Training's random crop and flip, drawn ahead so that every pipeline and backend does the same."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from npr_keras.data.decode import tile


@dataclass(frozen=True)
class EpochPlan:
    """One epoch's randomness, a function of the seed and the epoch's number alone.

    An interrupted run that goes on at an epoch draws what it would have drawn.

    Attributes:
        order: int64 (n,): which image comes when, a full permutation.
        row, column: float64 (n,) from [0, 1): where the crop sits.
        flip: bool (n,): whether the image is mirrored.
    """

    order: np.ndarray
    row: np.ndarray
    column: np.ndarray
    flip: np.ndarray


@functools.lru_cache(maxsize=2)  # every batch asks, and two epochs meet in one pipeline
def plan_epoch(count: int, seed: int, epoch: int, flip: float) -> EpochPlan:
    """Draws the plan of an epoch.

    Args:
        count: Number of images.
        seed, epoch: Non-negative integers.
        flip: Probability of a horizontal flip.
    """
    random = np.random.default_rng([seed, epoch])
    return EpochPlan(
        order=random.permutation(count),
        row=random.random(count),
        column=random.random(count),
        flip=random.random(count) < flip,
    )


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
