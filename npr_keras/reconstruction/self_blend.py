"""Self-blended images: a picture blended with a changed copy of itself."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from scipy import ndimage
from scipy.spatial import ConvexHull

from npr_keras.errors import ConfigError
from npr_keras.reconstruction.base import Decoder

_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)


class SelfBlend(Decoder):
    """No generator: what it leaves is the edge of a blended region, as face swaps do.

    One of two copies is changed in colour and sharpness, and the region inside a mask comes from the
    other. The mask is the hull of a face's landmarks, moved, bent and blurred; where no face is
    found, or nobody finds any, the hull of points drawn over the whole image.

    Args:
        files: None; or "module:function", from uint8 (H, W, 3) to landmarks, (n, 2), x and y, or None
            where there is no face. Face detectors are the user's to bring.

    Reference:
        After the description in Shiohara and Yamasaki, "Detecting deepfakes with self-blended images",
        CVPR 2022.
    """

    multiple = 1

    def __init__(self, files: Sequence[str]):
        super().__init__(files)
        self.landmarks: Callable[[np.ndarray], np.ndarray | None] = lambda pixels: None
        if files:
            module, _, name = files[0].partition(":")
            try:
                self.landmarks = getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError) as error:
                raise ConfigError(
                    f"self-blend: expected module:function for landmarks. {files[0]}: {error}"
                ) from error

    def reconstruct(self, pixels, random, noise=0.0):
        changed = _moved(_changed(pixels, random), random)
        one, other = (changed, pixels) if random.random() < 0.5 else (pixels, changed)
        mask = _mask(self.landmarks(pixels), pixels.shape[:2], random)
        mask *= random.choice(_RATIOS)
        return mask * one.astype(np.float32) + (1 - mask) * other.astype(np.float32)


def _changed(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Another colour, brightness and contrast, and softer or sharper."""
    shift = random.uniform(-20, 20, 3) * (random.random() < 0.3)
    image = Image.fromarray(np.clip(pixels + shift, 0, 255).astype(np.uint8))
    hue, saturation, value = random.uniform((-8, -0.3, -0.3), (8, 0.3, 0.3))
    hsv = np.array(image.convert("HSV"), np.float32)
    hsv[..., 0] = (hsv[..., 0] + hue) % 256
    hsv[..., 1:] = np.clip(hsv[..., 1:] * (1 + np.array([saturation, value])), 0, 255)
    image = Image.fromarray(hsv.astype(np.uint8), "HSV").convert("RGB")
    image = ImageEnhance.Contrast(image).enhance(random.uniform(0.9, 1.1))
    if random.random() < 0.5:
        factor = random.choice((2, 4))
        small = image.resize([max(1, n // factor) for n in image.size], Image.Resampling.NEAREST)
        image = small.resize(image.size, Image.Resampling.BILINEAR)
    else:
        sharp = image.filter(ImageFilter.UnsharpMask(1, 100, 0))
        image = Image.blend(image, sharp, random.uniform(0.2, 0.5))
    return np.array(image)


def _moved(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A little larger or smaller, and to a side."""
    height, width = pixels.shape[:2]
    scale = random.uniform(0.95, 1 / 0.95)
    left = width * (0.5 - 0.5 / scale + random.uniform(-0.03, 0.03))
    top = height * (0.5 - 0.5 / scale + random.uniform(-0.015, 0.015))
    affine = (1 / scale, 0, left, 0, 1 / scale, top)
    image = Image.fromarray(np.pad(pixels, ((16, 16), (16, 16), (0, 0)), "reflect"))
    affine = (affine[0], 0, affine[2] + 16, 0, affine[4], affine[5] + 16)
    return np.array(
        image.transform((width, height), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    )


def _mask(points, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Shares of the changed copy, float32, (H, W, 1)."""
    height, width = shape
    if points is None:
        middle = random.uniform(0.3, 0.7, 2) * (width, height)
        spread = random.uniform(0.12, 0.3) * min(shape)
        points = middle + spread * random.standard_normal((24, 2))
    points = np.asarray(points, np.float64)
    hull = points[ConvexHull(points).vertices]
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).polygon([tuple(point) for point in hull], fill=255)
    mask = np.array(image, np.float32) / 255
    bent = [ndimage.gaussian_filter(random.uniform(-1, 1, shape), 7) * 50 for _ in range(2)]
    grid = np.mgrid[:height, :width].astype(np.float64)
    mask = ndimage.map_coordinates(mask, grid + np.stack(bent), order=1)
    for _ in range(2):
        mask = ndimage.gaussian_filter(mask, random.uniform(1, 5))
        mask = mask / max(float(mask.max()), 1e-6)
    return mask[..., None].astype(np.float32)
