"""A camera in five steps: optics, colour filters and noise, demosaicing, gamma, a file.

Its traces matter: a photograph's neighbouring pixels are related too, because two thirds of its
values were interpolated. A detector that takes that for a generator's trace is no detector.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur, as of a lens.

    Args:
        picture: float, (H, W, C).
        sigma: Standard deviation, in pixels; 0 for none.

    Returns:
        float32, (H, W, C); the edges are repeated outwards.
    """
    if sigma <= 0:
        return picture.astype(np.float32)
    reach = max(1, int(3 * sigma + 0.5))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return _filter_separably(picture, kernel / kernel.sum())


def _filter_separably(picture, kernel):
    reach = len(kernel) // 2
    for axis in (0, 1):
        padding = [(reach, reach) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(picture.astype(np.float32), padding, "edge")
        length = picture.shape[axis]
        picture = sum(
            np.float32(weight) * padded.take(range(i, i + length), axis)
            for i, weight in enumerate(kernel)
        )
    return picture


def mosaic(picture: np.ndarray) -> np.ndarray:
    """What a sensor behind Bayer's colour filters sees: one colour a pixel, R G over G B.

    B. E. Bayer, "Color imaging array", US patent 3971065, 1976.

    Args:
        picture: (H, W, 3), H and W even.

    Returns:
        (H, W).
    """
    raw = picture[..., 1].copy()
    raw[0::2, 0::2] = picture[0::2, 0::2, 0]
    raw[1::2, 1::2] = picture[1::2, 1::2, 2]
    return raw


def add_noise(raw: np.ndarray, random: np.random.Generator, shot: float, read: float) -> np.ndarray:
    """Sensor noise whose variance grows with the light: shot * raw + read**2.

    Foi, Trimeche, Katkovnik, Egiazarian, "Practical Poissonian-Gaussian Noise Modeling and Fitting
    for Single-Image Raw-Data", IEEE TIP 2008.

    Args:
        raw: float, from 0 to 1.
        random: Source of randomness.
        shot, read: Strengths of the two parts.
    """
    deviation = np.sqrt(shot * np.maximum(raw, 0) + read**2)
    return raw + deviation * random.standard_normal(raw.shape)


def demosaic(raw: np.ndarray) -> np.ndarray:
    """Guesses the two colours that each pixel did not see.

    The linear filters of Malvar, He, Cutler, "High-quality linear interpolation for demosaicing of
    Bayer-patterned color images", ICASSP 2004 (Figure 2).

    Args:
        raw: (H, W), as `mosaic` gives it.

    Returns:
        float32, (H, W, 3).
    """
    height, width = raw.shape
    padded = np.pad(raw.astype(np.float32), 2, "reflect")  # keeps the filters' phase

    def at(row, column):
        return padded[2 + row : 2 + row + height, 2 + column : 2 + column + width]

    here = at(0, 0)
    sides = at(0, -1) + at(0, 1)
    above = at(-1, 0) + at(1, 0)
    corners = at(-1, -1) + at(-1, 1) + at(1, -1) + at(1, 1)
    far_sides = at(0, -2) + at(0, 2)
    far_above = at(-2, 0) + at(2, 0)
    # The green of a red or blue pixel; the red or blue of a green one, whose like stand beside it
    # or above it; the red of a blue one and the blue of a red one.
    green = (4 * here + 2 * (sides + above) - far_sides - far_above) / 8
    beside = (5 * here + 4 * sides - corners - far_sides + far_above / 2) / 8
    upright = (5 * here + 4 * above - corners - far_above + far_sides / 2) / 8
    across = (6 * here + 2 * corners - 1.5 * (far_sides + far_above)) / 8

    picture = np.empty((height, width, 3), np.float32)
    red, blue = (slice(0, None, 2),) * 2, (slice(1, None, 2),) * 2
    green_of_red_row = (slice(0, None, 2), slice(1, None, 2))
    green_of_blue_row = (slice(1, None, 2), slice(0, None, 2))
    picture[..., 1] = here
    for colour, opposite, own in ((0, 2, red), (2, 0, blue)):
        picture[(*own, colour)] = here[own]
        picture[(*own, 1)] = green[own]
        picture[(*own, opposite)] = across[own]
    picture[(*green_of_red_row, 0)] = beside[green_of_red_row]
    picture[(*green_of_red_row, 2)] = upright[green_of_red_row]
    picture[(*green_of_blue_row, 0)] = upright[green_of_blue_row]
    picture[(*green_of_blue_row, 2)] = beside[green_of_blue_row]
    return picture


def gamma(picture: np.ndarray) -> np.ndarray:
    """Light to the values of a file: sRGB's curve (IEC 61966-2-1).

    Args:
        picture: float, from 0 to 1; beyond that it is clipped.

    Returns:
        uint8.
    """
    light = np.clip(picture, 0, 1)
    curved = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * curved).astype(np.uint8)


def compress(pixels: np.ndarray, quality: int) -> np.ndarray:
    """What is left of an image after JPEG, by Pillow, with its usual chroma subsampling.

    Args:
        pixels: uint8, (H, W, 3).
        quality: 1 to 95.
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def photograph(
    scene: np.ndarray, random: np.random.Generator, jpeg: int | None = None
) -> np.ndarray:
    """Takes a picture of a scene.

    Args:
        scene: float RGB in linear light, (H, W, 3), H and W even.
        random: Source of randomness: sharpness of the lens and noise of the sensor.
        jpeg: Quality of a JPEG file; None for a lossless one.

    Returns:
        uint8, (H, W, 3).
    """
    optical = blur(scene, random.uniform(0.3, 0.8))
    sensitivity = random.uniform(0, 1)
    raw = add_noise(mosaic(optical), random, 4e-4 * sensitivity, 4e-3 * sensitivity)
    pixels = gamma(demosaic(raw))
    return pixels if jpeg is None else compress(pixels, jpeg)
