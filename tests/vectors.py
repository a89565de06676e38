"""The vectors of the rivals' own code, and their ways of cutting an image."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

IMAGES = (
    "square256.png", "landscape_q95.jpg", "odd_301x257.png", "gray.jpg", "portrait_q75_420.jpg",
    "tall_240x700.png",
)  # fmt: skip


def rivals(name):
    folder = Path(os.environ["NPR_GOLDEN"], "rivals", name)
    arrays = np.load(folder / "expected.npz")
    return folder, json.loads((folder / "expected.json").read_text()), arrays


def opened(name):
    with Image.open(Path(os.environ["NPR_GOLDEN"], "images", name)) as image:
        return image.convert("RGB")


def cropped(image, side):
    """torchvision's CenterCrop: black where the image is smaller."""
    pixels = np.array(image)
    height, width = pixels.shape[:2]
    pads = [(max(0, side - n) // 2, (max(0, side - n) + 1) // 2) for n in (height, width)]
    pixels = np.pad(pixels, [*pads, (0, 0)])
    top, left = (round((n - side) / 2) for n in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def shorter(image, side, resample):
    width, height = image.size
    short = min(width, height)
    size = (side if n == short else int(side * n / short) for n in (width, height))
    return image.resize(tuple(size), resample)


def stem(name):
    return name.rsplit(".", 1)[0]


def arrays_of(layer, pixels):
    return keras.ops.convert_to_numpy(layer(pixels[None].astype("float32")))[0]


def logit_of(detector, pixels):
    return float(detector.predict_on_batch(pixels[None])[0, 0])


def require_statistics(found, expected, atol):
    for what in ("mean", "std", "min", "max"):
        assert getattr(found.astype(np.float64), what)() == pytest.approx(expected[what], abs=atol)
    weights = (np.arange(found.size) % 1009 + 1) / 1009
    summed = float((found.astype(np.float64).ravel() * weights).sum())
    assert summed == pytest.approx(expected["wsum"], abs=atol * found.size)
