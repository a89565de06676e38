"""What happens to images on their way: recompressed, resized, blurred, noisy, cropped."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from npr_keras.data.decode import center_crop
from npr_keras.errors import ConfigError
from npr_keras.tables import PERTURBATIONS, load_code


def jpeg(pixels: np.ndarray, quality: float, seed: int = 0) -> np.ndarray:
    """Through a JPEG file of that quality, colours at half the resolution (4:2:0), as on the web."""
    return _through(pixels, "JPEG", quality=int(quality), subsampling="4:2:0")


def webp(pixels: np.ndarray, quality: float, seed: int = 0) -> np.ndarray:
    """Through a lossy WebP file of that quality."""
    return _through(pixels, "WEBP", quality=int(quality))


def resize(pixels: np.ndarray, factor: float, seed: int = 0) -> np.ndarray:
    """Both sides times a factor: Pillow's bicubic filter, antialiased. At least 2 pixels a side."""
    height, width = (max(2, round(side * factor)) for side in pixels.shape[:2])
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def blur(pixels: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """Gaussian blur; standard deviation in pixels."""
    return np.array(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def noise(pixels: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """White Gaussian noise; standard deviation in grey levels."""
    added = np.random.default_rng([seed, 0]).normal(0, sigma, pixels.shape)
    return np.clip(np.rint(pixels + added), 0, 255).astype(np.uint8)


def crop(pixels: np.ndarray, side: float, seed: int = 0) -> np.ndarray:
    """The centre, at most that many pixels a side."""
    return center_crop(pixels, int(side))


def unchanged(pixels: np.ndarray, amount: float = 0, seed: int = 0) -> np.ndarray:
    """The picture as it is."""
    return pixels


def perturb(pixels: np.ndarray, kind: str, amount: float, seed: int = 0) -> np.ndarray:
    """Lets a picture go through something.

    Args:
        pixels: uint8, (H, W, 3).
        kind: One of `npr_keras.tables.PERTURBATIONS`.
        amount: How much of it, see there.
        seed: Of what is random.

    Raises:
        ConfigError: If there is no such kind.
    """
    if kind not in PERTURBATIONS:
        raise ConfigError(f"`kind` must be one of {', '.join(PERTURBATIONS)}. Received: {kind!r}")
    return load_code(PERTURBATIONS[kind].apply)(pixels, amount, seed)


def _through(pixels, format_name, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_name, **options)
    with Image.open(file) as image:
        return np.array(image.convert("RGB"))
