"""One photograph and a decoder to one pair."""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.fft import dctn, idctn

from npr_keras.data.decode import FORMATS, decode
from npr_keras.data.perturb import jpeg
from npr_keras.errors import ConfigError
from npr_keras.forensics.jpeg import estimate_quality
from npr_keras.reconstruction.base import Decoder
from npr_keras.reconstruction.plan import ReconstructionConfig


@dataclass(frozen=True)
class Pair:
    """A pair, and all that decided it.

    Attributes:
        real, fake: uint8, (size, size, 3).
        facts: "crop" (left, top, side in the photograph, pixels), "scale", "offset" on the decoder's
            grid (left, top), "noise", "quality" (0 without), "mixed" and "blended", the photograph's share.
    """

    real: np.ndarray
    fake: np.ndarray
    facts: dict


def make_pair(
    path: str, name: str, index: int, decoder: Decoder, config: ReconstructionConfig
) -> Pair:
    """A pair, a function of its arguments alone.

    Args:
        path: The photograph, large enough, see `window_of`.
        name: What the decoder is called.
        index: Which of its pairs it is.
        decoder, config: See there.

    Raises:
        UnreadableImageError: If the photograph cannot be read.
    """
    random = np.random.default_rng([config.seed, zlib.crc32(name.encode()), index])
    window, size, multiple = window_of(decoder, config), config.size, decoder.multiple
    seen, box, scale = _window(_decoded(path), window, config.scale, random)
    # A decoder's edges show its padding: a margin of its multiple is thrown away.
    offset = random.integers(0, multiple, 2) if config.grid_offset else np.zeros(2, int)
    noise = float(random.uniform(0, config.latent_noise)) if config.latent_noise else 0.0
    noise = noise if decoder.has_latent else 0.0
    whole = _rounded(decoder.reconstruct(seen, random, noise))
    if whole.shape != seen.shape:
        raise ConfigError(
            f"The decoder {name} makes {whole.shape[1]} x {whole.shape[0]} pixels of {seen.shape[1]} x "
            f"{seen.shape[0]}. Expected as many: a pair would differ in size."
        )
    top, left = (int(multiple + n) for n in offset)
    real, fake = (one[top : top + size, left : left + size] for one in (seen, whole))
    mixed = blended = 0.0
    if config.mix != "none" and random.random() < config.mix_share:
        mixed = float(random.uniform(0, 0.8))
        fake = _MIXES[config.mix](real, fake, mixed, random)
    if random.random() < config.blend:
        region = _region(size, random)
        blended = float(1 - region.mean())
        fake = _rounded(region * fake + (1 - region) * real)
    quality = _quality_of(path) if random.random() < config.keep_jpeg else 0
    if quality:
        real, fake = jpeg(real, quality), jpeg(fake, quality)
    facts = {
        "crop": box,
        "scale": round(scale, 4),
        "offset": [int(n) for n in offset[::-1]],
        "noise": round(noise, 4),
        "quality": quality,
        "mixed": round(mixed, 4),
        "blended": round(blended, 4),
    }
    return Pair(real, fake, facts)


def window_of(decoder: Decoder, config: ReconstructionConfig) -> int:
    """Side, in pixels, of what a decoder is given for a picture: with a margin on all sides."""
    wanted = config.size + (3 if config.grid_offset else 2) * decoder.multiple
    return -(-wanted // decoder.multiple) * decoder.multiple


def _window(pixels, window, scales, random):
    """A square of a photograph, shrunk: uint8 (window, window, 3), its box, and the factor."""
    height, width = pixels.shape[:2]
    least = window / min(height, width)
    low, high = (float(np.log(max(least, scale))) for scale in scales)
    scale = float(np.exp(random.uniform(low, high)))
    side = min(round(window / scale), height, width)
    top, left = (int(random.integers(0, n - side + 1)) for n in (height, width))
    cut = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    if side != window:
        cut = np.array(Image.fromarray(cut).resize((window, window), Image.Resampling.LANCZOS))
    return cut, [left, top, side], window / side


@functools.lru_cache(maxsize=2)
def _decoded(path: str) -> np.ndarray:
    """Consecutive pairs are of one photograph, and large ones take long to decode."""
    return decode(path)


@functools.lru_cache(maxsize=4096)
def _quality_of(path: str) -> int:
    """A photograph's JPEG quality; 0 for what is no JPEG."""
    with Image.open(path, formats=FORMATS) as image:
        tables = getattr(image, "quantization", None)
    return (estimate_quality(tables) or 0) if tables else 0


def _rounded(pixels: np.ndarray) -> np.ndarray:
    return np.round(np.clip(pixels, 0, 255)).astype(np.uint8)


def _mix_pixels(real, fake, share, random):
    return _rounded(share * real.astype(np.float32) + (1 - share) * fake)


def _mix_dct(real, fake, share, random):
    """Of every 8 x 8 block, the same coefficients come from the photograph."""
    chosen = (random.random((8, 8)) < share)[None, :, None, :, None]
    parts = []
    for one in (real, fake):
        height, width = one.shape[:2]
        blocks = one.astype(np.float64).reshape(height // 8, 8, width // 8, 8, 3)
        parts.append(dctn(blocks, axes=(1, 3), norm="ortho"))
    mixed = idctn(np.where(chosen, *parts), axes=(1, 3), norm="ortho")
    return _rounded(mixed.reshape(real.shape))


_MIXES = {"pixel": _mix_pixels, "dct": _mix_dct}


def _region(size: int, random: np.random.Generator) -> np.ndarray:
    """Where it is generated: shares, float32, (size, size, 1), with a soft edge."""
    image = Image.new("L", (size, size))
    middle, radius = random.uniform(0.25, 0.75, 2) * size, random.uniform(0.15, 0.45, 2) * size
    box = [*(middle - radius), *(middle + radius)]
    draw = ImageDraw.Draw(image)
    (draw.ellipse if random.random() < 0.5 else draw.rectangle)(box, fill=255)
    image = image.filter(ImageFilter.GaussianBlur(random.uniform(0, 4)))
    return np.array(image, np.float32)[..., None] / 255
