"""What happens to images on their way: recompressed, resized, blurred, noisy, cropped."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from npr_keras.data.decode import center_crop
from npr_keras.errors import ConfigError


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


@dataclass(frozen=True)
class Perturbation:
    """A row of the table.

    Attributes:
        apply: From uint8 (H, W, 3), an amount and a seed to uint8 (H', W', 3).
        least, most: Of the amount.
        whole: Whether it is an integer.
        amount: What it is.
    """

    apply: Callable[[np.ndarray, float, int], np.ndarray]
    least: float = 0
    most: float = 0
    whole: bool = False
    amount: str = ""

    def takes(self, amount: float) -> bool:
        """Whether an amount can be had."""
        return self.least <= amount <= self.most and not (self.whole and amount != int(amount))


PERTURBATIONS: dict[str, Perturbation] = {
    "none": Perturbation(unchanged),
    "jpeg": Perturbation(jpeg, 1, 100, True, "quality"),
    "webp": Perturbation(webp, 1, 100, True, "quality"),
    "resize": Perturbation(resize, 0.01, 8, False, "factor"),
    "blur": Perturbation(blur, 0, 100, False, "standard deviation in pixels"),
    "noise": Perturbation(noise, 0, 100, False, "standard deviation in grey levels"),
    "crop": Perturbation(crop, 2, 1 << 15, True, "side of the centre in pixels"),
}

# What is measured unless one asks for something else.
STANDARD: tuple[tuple[str, float], ...] = (
    ("none", 0),
    *(("jpeg", q) for q in (98, 95, 90, 80, 70, 50)),
    *(("webp", q) for q in (90, 75)),
    *(("resize", f) for f in (0.5, 0.75, 1.5, 2)),
    *(("blur", s) for s in (0.5, 1)),
    *(("noise", s) for s in (1, 3)),
    *(("crop", side) for side in (128, 64, 32)),
)


def perturb(pixels: np.ndarray, kind: str, amount: float, seed: int = 0) -> np.ndarray:
    """Lets a picture go through something.

    Args:
        pixels: uint8, (H, W, 3).
        kind: One of `PERTURBATIONS`.
        amount: How much of it, see there.
        seed: Of what is random.

    Raises:
        ConfigError: If there is no such kind.
    """
    if kind not in PERTURBATIONS:
        raise ConfigError(f"`kind` must be one of {', '.join(PERTURBATIONS)}. Received: {kind!r}")
    return PERTURBATIONS[kind].apply(pixels, amount, seed)


def _through(pixels, format_name, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_name, **options)
    with Image.open(file) as image:
        return np.array(image.convert("RGB"))
