"""Training's random crop, flip, blur and compression, drawn ahead so that every pipeline and backend
does the same."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance

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
        seed: int64 (n,): of what else is done to the image, see `spoil`.
    """

    order: np.ndarray
    row: np.ndarray
    column: np.ndarray
    flip: np.ndarray
    blur: np.ndarray
    jpeg: np.ndarray
    seed: np.ndarray

    def part(self, places: slice) -> EpochPlan:
        """Some of it, a batch's."""
        return EpochPlan(*(drawn[places] for drawn in self))


@functools.lru_cache(maxsize=2)  # every batch asks, and two epochs meet in one pipeline
def plan_epoch(count: int, epoch: int, config: TrainingConfig) -> EpochPlan:
    """Draws the plan of an epoch.

    Args:
        count: Number of images; of pairs, where they come in pairs.
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
    blur, jpeg = np.where(blurred, sigma, 0.0), np.where(compressed, quality, 0)
    seed = random.integers(0, 2**62, count)
    return EpochPlan(order, row, column, flip, blur, jpeg, seed)


def paired(plan: EpochPlan, pairs: np.ndarray) -> EpochPlan:
    """A plan of pairs as one of images: both of a pair, one behind the other, with the same draws.

    Args:
        plan: Of pairs.
        pairs: int64 (n, 2): the images of each; -1 where there is no second one.
    """
    last = np.argsort(pairs[plan.order, 1] < 0, kind="stable")  # or it would part all behind it
    plan = EpochPlan(*(drawn[last] for drawn in plan))
    both = pairs[plan.order]
    order, there = both.ravel(), (both >= 0).ravel()
    return EpochPlan(order[there], *(drawn.repeat(2)[there] for drawn in plan[1:]))


_LESS = 3  # times the crop's side: of larger images only a part is changed


def spoil(
    pixels: np.ndarray, sigma: float, quality: int, seed: int, config: TrainingConfig
) -> np.ndarray:
    """All that a recipe does to an image before the crop.

    Turned, made larger or smaller, other colours, blurred, noisy, JPEG, WebP, a rectangle cut out:
    each with its probability, drawn from the seed alone.

    Args:
        pixels: uint8, (H, W, 3).
        sigma, quality: See `degrade`.
        seed: Of all other draws.
        config: The recipe.

    Returns:
        uint8, (H', W', 3).
    """
    if not is_spoilt(config):
        return degrade(pixels, sigma, quality)
    random = np.random.default_rng(int(seed))
    chances = random.random(6)
    turns, noise_seed = int(random.integers(1, 4)), int(random.integers(2**31))
    factor = float(np.exp(random.uniform(*np.log(config.rescale_factor))))
    factor = factor if chances[1] < config.rescale else 1.0
    pixels = _part(pixels, config.crop, factor, random)
    if chances[0] < config.rotate:
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
    if factor != 1:
        pixels = perturb.resize(pixels, factor)
    if chances[2] < config.colour:
        pixels = _recoloured(pixels, random.uniform(0.8, 1.2, 3))
    if sigma > 0:
        pixels = perturb.blur(pixels, float(sigma))
    if chances[3] < config.noise:
        pixels = perturb.noise(pixels, float(random.uniform(*config.noise_sigma)), noise_seed)
    if quality > 0:
        pixels = perturb.jpeg(pixels, int(quality))
    if chances[4] < config.webp:
        low, high = config.webp_quality
        pixels = perturb.webp(pixels, int(random.integers(low, high + 1)))
    return _cut(pixels, random) if chances[5] < config.cutout else pixels


def is_spoilt(config: TrainingConfig) -> bool:
    """Whether a recipe does more to images than to blur and compress, crop and mirror them."""
    more = (config.webp, config.noise, config.rescale, config.colour, config.rotate, config.cutout)
    return any(more)


def _part(pixels, crop, factor, random):
    """Of an image much larger than the crop, a random part: what is cut off later costs nothing."""
    height, width = pixels.shape[:2]
    places = random.random(2)
    side = int(np.ceil(_LESS * crop / min(factor, 1.0)))
    top, left = (
        int(max(0, n - side + 1) * place) for n, place in zip((height, width), places, strict=True)
    )
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def _recoloured(pixels, factors):
    image = Image.fromarray(pixels)
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for kind, factor in zip(kinds, factors, strict=True):
        image = kind(image).enhance(float(factor))
    return np.array(image)


def _cut(pixels, random):
    """A rectangle of a tenth to a half of both sides becomes grey."""
    height, width = pixels.shape[:2]
    tall, wide = (
        int(n * share)
        for n, share in zip((height, width), random.uniform(0.1, 0.5, 2), strict=True)
    )
    top, left = (
        int(random.integers(0, height - tall + 1)),
        int(random.integers(0, width - wide + 1)),
    )
    pixels = pixels.copy()
    pixels[top : top + tall, left : left + wide] = 128
    return pixels


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
