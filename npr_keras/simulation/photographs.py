"""Photographs to feed the simulated generators: the user's own, or embedded ones.

The embedded ones need no download and raise no question of licences: scenes from `scenes.py` taken
by the camera of `camera.py`, and pieces of the two photographs that scikit-learn ships.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from npr_keras.data.decode import FORMATS, decode
from npr_keras.data.walk import list_images
from npr_keras.errors import LayoutError, UnreadableImageError
from npr_keras.simulation.camera import photograph
from npr_keras.simulation.scenes import scene

_SAMPLE_SHARE = 0.1
_NATIVE_SHARE = 0.1
_SAMPLE_SIDE = 427  # the shorter one of scikit-learn's photographs


def embedded_photograph(seed: int, index: int, size: int, jpeg: int | None = None) -> np.ndarray:
    """One photograph, a function of its arguments alone.

    Args:
        seed, index: Non-negative integers.
        size: Side, in pixels; beyond 427 all photographs are simulated ones.
        jpeg: Quality of the simulated camera's JPEG file; None for a lossless one.

    Returns:
        uint8, (size, size, 3).
    """
    random = np.random.default_rng([seed, index])
    if random.random() < _SAMPLE_SHARE and size <= _SAMPLE_SIDE:
        pixels = _samples()[random.integers(2)]
        return _piece(pixels[:, ::-1] if random.random() < 0.5 else pixels, random, size)
    # Pictures of this size have been shrunk by the time that anyone sees them; a few are pieces
    # of what the camera made, with the traces of its mosaic.
    shrink = 1.0 if random.random() < _NATIVE_SHARE else random.uniform(1.2, 2.2)
    side = 2 * int(np.ceil(size * shrink / 2))
    return _shrink(photograph(scene(random, side), random, jpeg), size)


class FolderPhotographs:
    """Pieces of the photographs in a folder, as a function of a seed and an index.

    Args:
        folder: Searched with everything below it.
        size: Side of the pieces, in pixels. Smaller photographs are left out.
        seed: Of the order, the places and the shrinking.
        validation: Fraction of the photographs that is kept apart.

    Attributes:
        left_out: Dict from path to why a photograph is not used.

    Raises:
        LayoutError: If there is no such folder, or no photograph in it that is large enough.
    """

    def __init__(self, folder: str | os.PathLike, size: int, seed: int, validation: float = 0.0):
        if not os.path.isdir(folder):
            raise LayoutError(f"No such folder of photographs: {os.fspath(folder)}")
        self.size = size
        self.seed = seed
        self.left_out: dict[str, str] = {}
        paths = [path for path in list_images(folder) if self._is_usable(path)]
        if not paths:
            reason = next(iter(self.left_out.values()), "no image files in it")
            raise LayoutError(
                f"No photographs of at least {size} x {size} pixels under {os.fspath(folder)} "
                f"(pictures are made with a margin). {reason}"
            )
        order = np.random.default_rng(seed).permutation(len(paths))
        paths = [paths[i] for i in order]
        apart = max(1, round(len(paths) * validation)) if validation else 0
        apart = min(apart, len(paths) - 1)  # one photograph alone has to do for both
        self._train = paths[: len(paths) - apart]
        self._validation = paths[len(paths) - apart :] or paths

    def fingerprint(self) -> str:
        """A digest of which photographs there are: their names and lengths in bytes, in order."""
        paths = dict.fromkeys([*self._train, *self._validation])
        listed = [(os.path.basename(path), os.path.getsize(path)) for path in paths]
        return hashlib.sha256(repr(listed).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def _is_usable(self, path):
        try:
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
        except Exception:  # whatever a broken file makes of Pillow's plugins
            self.left_out[path] = f"{path}: not an image that can be read."
            return False
        if min(width, height) < self.size:
            self.left_out[path] = f"{path}: {width} x {height} pixels is too small."
            return False
        return True

    def piece(self, index: int, validation: bool = False) -> np.ndarray:
        """A piece of a photograph, shrunk by a random factor: uint8, (size, size, 3).

        An unreadable photograph is noted in `left_out`, and the next one takes its place.

        Raises:
            UnreadableImageError: If none can be read.
        """
        paths: Sequence[str] = self._validation if validation else self._train
        for i in range(len(paths)):
            # One further every round, so that photographs and networks do not go in step.
            path = paths[(index + index // len(paths) + i) % len(paths)]
            try:
                pixels = decode(path)
                return _piece(pixels, np.random.default_rng([self.seed, index]), self.size)
            except UnreadableImageError as error:
                self.left_out[path] = str(error)
        raise UnreadableImageError(f"None of the photographs can be read. {self.left_out[path]}")


def _piece(pixels, random, size):
    height, width = pixels.shape[:2]
    side = int(size * random.uniform(1, min(height, width) / size))
    top, left = random.integers(0, (height - side + 1, width - side + 1))
    return _shrink(np.ascontiguousarray(pixels[top : top + side, left : left + side]), size)


def _shrink(pixels, size):
    """Pillow's Lanczos filter, with which most programs make pictures smaller."""
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.array(Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS))


@functools.cache
def _samples():
    from sklearn.datasets import load_sample_images

    return load_sample_images().images
