"""What all networks from image to image share: their factor, and what they call black and white."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from npr_keras.errors import ConfigError
from npr_keras.reconstruction.base import Decoder

# Grey levels from 0 to 255 become `level / scale - shift`.
RANGES = {"0 to 1": (255.0, 0.0), "-1 to 1": (127.5, 1.0), "0 to 255": (1.0, 0.0)}
_PROBE = 64  # pixels


class NetworkDecoder(Decoder):
    """A network from images to images, which may come out larger than they went in.

    What makes images larger is given smaller ones (Pillow's bicubic filter, as super-resolution
    networks are trained), so that what comes out has the photograph's size. Which numbers stand for
    black and white is found out: the range that reconstructs a smooth probe best.

    Args:
        files: What it is made of.

    Attributes:
        factor: How many times larger its images are.
        range: What its numbers range over, a key of `RANGES`.
    """

    takes = "a network from RGB images to RGB images, of any height and width"

    def __init__(self, files: Sequence[str]):
        super().__init__(files)
        self.files = files

    def run(self, x: np.ndarray, random: np.random.Generator, noise: float) -> np.ndarray:
        """(H, W, 3), in the network's own range, through it."""
        raise NotImplementedError

    def _run(self, pixels: np.ndarray, range_name: str, random, noise: float) -> np.ndarray:
        """(H, W, 3), 0 to 255, through it."""
        scale, shift = RANGES[range_name]
        x = (pixels / scale - shift).astype(np.float32)
        return (self.run(x, random, noise) + shift) * scale

    def probe(self) -> None:
        """Finds its factor and its range, from what it makes of a slope of colours."""
        ramp = np.linspace(40, 215, _PROBE)
        probe = np.stack([np.add.outer(ramp, ramp * k) / (1 + k) for k in (0.2, 1, 5)], -1)
        found = []
        for name in RANGES:
            try:
                made = self._run(probe.astype(np.float32), name, np.random.default_rng(0), 0.0)
            except Exception as error:  # whatever the runtime makes of an input that does not fit
                raise ConfigError(
                    f"{', '.join(self.files)}: does not take images of {_PROBE} x {_PROBE} pixels. "
                    f"Expected {self.takes}. "
                    f"Received: {first_line(error)}"
                ) from error
            factor, rest = divmod(made.shape[0], _PROBE)
            if rest or made.shape[:2] != (made.shape[0],) * 2 or factor < 1:
                raise ConfigError(
                    f"A decoder has to make images as large as they were, or 2, 3, 4, ... times larger. "
                    f"Received: {made.shape[1]} x {made.shape[0]} of {_PROBE} x {_PROBE}"
                )
            seen = np.asarray(made[::factor, ::factor], np.float64)
            found.append((float(np.mean((seen - probe) ** 2)), factor, name))
        apart, factor, name = min(found)
        if not apart < 40**2:
            raise ConfigError(
                f"{', '.join(self.files)}: what comes out is not the image that went in "
                f"(apart by {apart**0.5:.0f} grey levels). Expected a network from RGB images to such."
            )
        self.factor, self.range, self.multiple = factor, name, 8 * factor

    def reconstruct(self, pixels, random, noise=0.0):
        given = pixels
        if self.factor > 1:
            height, width = (side // self.factor for side in pixels.shape[:2])
            small = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
            given = np.array(small)
        return self._run(given.astype(np.float32), self.range, random, noise)


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
