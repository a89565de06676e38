"""One image to all that is needed for its score and its verdict."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.decode import decode, preprocess, read_image_file
from npr_keras.data.evidence import Evidence, weigh
from npr_keras.data.history import History, pixel_history, read_history
from npr_keras.errors import UnreadableImageError

MAX_PIXELS = 40_000_000  # of what the detector sees; its first layer takes 64 bytes for each


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
        UnreadableImageError: If it cannot be read, is too small, or is larger than `MAX_PIXELS`.
    """
    given = isinstance(source, np.ndarray)
    named = not given and not isinstance(source, bytes)
    data = read_image_file(source) if named else source  # once, for pixels and history
    try:
        pixels = data if given else decode(data)
        seen = preprocess(pixels, protocol)
        if seen.shape[0] * seen.shape[1] > MAX_PIXELS:
            raise UnreadableImageError(
                f"{seen.shape[1]} x {seen.shape[0]} pixels are more than are scored at once "
                f"({MAX_PIXELS:,}); --protocol centercrop takes the middle of it"
            )
    except UnreadableImageError as error:
        if not named:
            raise
        path, text = os.fspath(source), str(error)
        reason = text.removeprefix("Cannot read the image: ")
        said = f"Cannot read {path}: {reason}" if reason != text else f"Cannot use {path}: {text}"
        raise UnreadableImageError(said) from error
    history = pixel_history(pixels) if given else read_history(data, pixels)
    return Examined(seen, history, weigh(pixels, seen))
