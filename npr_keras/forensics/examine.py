"""One image to all that is needed for its score and its verdict."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.decode import decode, preprocess, read_image_file
from npr_keras.errors import UnreadableImageError
from npr_keras.forensics.evidence import Evidence, weigh
from npr_keras.forensics.history import History, pixel_history, read_history
from npr_keras.limits import MOST_SCORED
from npr_keras.visible import visible


@dataclass(frozen=True)
class Examined:
    """An image, ready to be scored.

    Attributes:
        pixels: What the detector sees, uint8 (H, W, 3).
        history: What the file says of itself.
        evidence: How much its pixels can say.
    """

    pixels: np.ndarray
    history: History
    evidence: Evidence


def examine(source: str | os.PathLike | bytes | np.ndarray, protocol: Preprocessing) -> Examined:
    """Reads one image.

    Args:
        source: A path, the encoded bytes, or pixels, uint8 RGB (H, W, 3); nothing is known of the
            history of pixels but what they show.
        protocol: How it becomes the detector's pixels.

    Raises:
        UnreadableImageError: If it cannot be read, is too small, or is larger than `MOST_SCORED`.
    """
    if isinstance(source, np.ndarray):
        seen = _seen(source, protocol)
        return Examined(seen, pixel_history(source), weigh(source, seen))
    if isinstance(source, bytes):
        pixels = decode(source)
        seen = _seen(pixels, protocol)
        return Examined(seen, read_history(source, pixels), weigh(pixels, seen))
    data = read_image_file(source)  # once, for pixels and history
    try:
        return examine(data, protocol)
    except UnreadableImageError as error:
        path, text = visible(source), str(error)
        reason = text.removeprefix("Cannot read the image: ")
        said = f"Cannot read {path}: {reason}" if reason != text else f"Cannot use {path}: {text}"
        raise UnreadableImageError(said) from error


def _seen(pixels: np.ndarray, protocol: Preprocessing) -> np.ndarray:
    """What the detector sees of an image, if it is not too much at once."""
    seen = preprocess(pixels, protocol)
    if seen.shape[0] * seen.shape[1] > MOST_SCORED:
        raise UnreadableImageError(
            f"{seen.shape[1]} x {seen.shape[0]} pixels are more than are scored at once "
            f"({MOST_SCORED:,}); --protocol centercrop takes the middle of it"
        )
    return seen
