"""Image files to pixels, with Pillow. This module is the rule; `data/graph.py` must agree with it.

Pixels decide everything here: NPR is made of differences of single grey levels between neighbours,
so a decoder or a resize that is off by one level is another input. What the official code does is
kept, oddities included: EXIF orientation is not applied, alpha is dropped, a palette is looked up,
and 16-bit grey clips at 255.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from npr_keras.config import Preprocessing
from npr_keras.data.declared import FORMATS, within_limits
from npr_keras.data.structure import whole
from npr_keras.errors import UnreadableImageError
from npr_keras.limits import MOST_BYTES, MOST_SIDE
from npr_keras.visible import visible


def decode(source: str | os.PathLike | bytes) -> np.ndarray:
    """Reads one image.

    Args:
        source: A path, or the encoded bytes.

    Returns:
        uint8 RGB pixels, (H, W, 3). The first frame of an animation.

    Raises:
        UnreadableImageError: If the file is missing, empty, truncated or damaged where it matters (see
            `npr_keras.data.structure`), not an image, or beyond a limit of `npr_keras.limits`.
    """
    name = "the image" if isinstance(source, bytes) else visible(source)
    try:
        data = source if isinstance(source, bytes) else read_file(source)
        within_limits(data)
        data = whole(data)
        with warnings.catch_warnings():  # the limit is ours
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        with image:
            return np.array(image.convert("RGB"))
    # Pillow's plugins raise what their parsers meet: OSError, SyntaxError, ValueError, EOFError,
    # struct.error, zlib.error, DecompressionBombError and more.
    except Exception as error:
        raise UnreadableImageError(f"Cannot read {name}: {_reason(error, source)}") from error


def read_image_file(path: str | os.PathLike) -> bytes:
    """As `read_file`; raises UnreadableImageError, as `decode` does."""
    try:
        return read_file(path)
    except (OSError, ValueError) as error:
        raise UnreadableImageError(
            f"Cannot read {visible(path)}: {_reason(error, path)}"
        ) from error


def read_file(path: str | os.PathLike) -> bytes:
    """The bytes of a file that can be an image.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no regular file, which may never end, or too large.
    """
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("not a regular file")
    if status.st_size > MOST_BYTES:
        raise ValueError(f"{status.st_size:,} bytes, more than the {MOST_BYTES:,} that are read")
    return Path(path).read_bytes()


def path_for_graph(path: str | os.PathLike) -> bytes:
    """A path for an operation that reads files, which knows no limit; b"", which it cannot read, for a
    file that is beyond one."""
    try:
        status = os.stat(path)
    except OSError:
        return b""
    fits = stat.S_ISREG(status.st_mode) and status.st_size <= MOST_BYTES
    return os.fsencode(path) if fits else b""


def _reason(error: Exception, source) -> str:
    empty = len(source) == 0 if isinstance(source, bytes) else _is_empty_file(source)
    if empty:
        return "the file is empty"
    if type(error).__name__ == "UnidentifiedImageError":
        if _is_heic(source):
            return (
                "HEIC is not supported. Convert it to PNG without resizing; note that HEIC is lossy"
            )
        return "not an image in a format that is known"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _is_heic(source) -> bool:
    if isinstance(source, bytes):
        head = source[:12]
    else:
        with open(source, "rb") as file:
            head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"heim", b"mif1", b"msf1")


def _is_empty_file(path) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) == 0


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """Makes both sides `size` pixels long, the aspect ratio not kept.

    Pillow's antialiased bilinear filter in two calls: the width first, then the height. One call
    did the same until Pillow 13.0, which may take the height first; the paper's figures are older.

    Args:
        pixels: uint8, (H, W, 3).
        size: Pixels.

    Returns:
        uint8, (size, size, 3). The input itself where it has that size.
    """
    height, width = pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    image = Image.fromarray(pixels)
    image = image.resize((size, height), Image.Resampling.BILINEAR)
    return np.array(image.resize((size, size), Image.Resampling.BILINEAR))


def tile(pixels: np.ndarray, size: int) -> np.ndarray:
    """Repeats an image to the right and downwards until both sides are at least `size` pixels."""
    height, width = pixels.shape[:2]
    return np.tile(pixels, (-(-size // height), -(-size // width), 1))


def center_crop(pixels: np.ndarray, size: int) -> np.ndarray:
    """Keeps the centre, at most `size` pixels a side.

    Half a pixel is rounded to the even offset, as torchvision's CenterCrop does.
    """
    height, width = pixels.shape[:2]
    top, left = _center_offset(height, size), _center_offset(width, size)
    return pixels[top : top + size, left : left + size]


def _center_offset(side: int, size: int) -> int:
    return max(0, round((side - size) / 2))


def preprocess(pixels: np.ndarray, protocol: Preprocessing) -> np.ndarray:
    """Applies a protocol's steps.

    Args:
        pixels: uint8, (H, W, 3).
        protocol: The steps, see `Preprocessing`.

    Returns:
        uint8, (H', W', 3).

    Raises:
        UnreadableImageError: If fewer than 2 x 2 pixels would be left: there are no neighbours.
    """
    if protocol.resize:
        pixels = resize(pixels, protocol.resize)
    if protocol.tile:
        pixels = tile(pixels, protocol.tile)
    if protocol.crop:
        # A copy: a view would keep the whole picture in memory.
        pixels = center_crop(pixels, protocol.crop).copy()
    height, width = pixels.shape[:2]
    if min(height, width) < 2:
        raise UnreadableImageError(
            f"The image is {width} x {height} pixels; NPR needs at least 2 x 2"
        )
    if max(height, width) > MOST_SIDE:
        raise UnreadableImageError(
            f"The image is {width} x {height} pixels; a side can have at most {MOST_SIDE:,}"
        )
    if protocol.even:
        pixels = pixels[: height - height % 2, : width - width % 2]
    return pixels


def load(source: str | os.PathLike | bytes, protocol: Preprocessing) -> np.ndarray:
    """`decode` and `preprocess` in one: a file to a detector's input, uint8 (H, W, 3).

    Example:
        >>> load_image("photo.jpg", PROTOCOLS["resize256"]).shape
        (256, 256, 3)
    """
    pixels = decode(source)
    try:
        return preprocess(pixels, protocol)
    except UnreadableImageError as error:
        if isinstance(source, bytes):
            raise
        raise UnreadableImageError(f"Cannot use {visible(source)}: {error}") from error
