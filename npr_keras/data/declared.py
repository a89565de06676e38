"""What an encoded image says of its size, found without decoding any of it."""

from __future__ import annotations

import io
import re
import struct
import warnings
from typing import NamedTuple

from PIL import Image

from npr_keras.data.structure import PNG_SIGNATURE
from npr_keras.limits import (
    GROWTH_FROM,
    MOST_GROWTH,
    MOST_PARTS,
    MOST_PIXELS,
    MOST_SCANS,
    MOST_SIDE,
)

# Formats that carry photographs, as far as this Pillow was built with them. It knows more, some of
# which start other programs (EPS).
Image.init()
FORMATS = tuple(
    name
    for name in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000")
    if name in Image.OPEN
)


_GIF_PART = re.compile(rb"[,!;]")  # an image, an extension, the end


_GIF_HEAD = 1 << 20  # bytes that have a GIF's first frame in them
_TOO_MUCH = [(MOST_SIDE + 1, MOST_SIDE + 1)]


class Declared(NamedTuple):
    """Sizes as a file's headers give them.

    Attributes:
        side: The longest side of any frame, in pixels; 0 for what is no image.
        largest: Pixels of the largest frame.
        total: Pixels of all frames together, each as large as the canvas that it is put on.
    """

    side: int
    largest: int
    total: int


def declared(data: bytes) -> Declared:
    """The sizes of all frames of an encoded image; zeros for what is none."""
    if data.startswith(PNG_SIGNATURE) and data[12:16] == b"IHDR" and len(data) >= 24:
        return _joined([struct.unpack(">II", data[16:24]), *_png_frames(data)])
    if data.startswith((b"GIF87a", b"GIF89a")):
        # Where blocks are broken, Pillow and TensorFlow see other frames: both are asked.
        frames = _gif_frames(data)
        first = [*_by_pillow(data[:_GIF_HEAD], len(data) > _GIF_HEAD), *frames[:1], (0, 0)]
        return _joined([tuple(map(max, zip(*first, strict=True))), *frames[1:]])
    return _joined(_by_pillow(data))


def _by_pillow(data: bytes, is_cut: bool = False) -> list[tuple[int, int]]:
    """Sizes as Pillow reads them; too much where a part of the file should have been enough."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                frames = max(1, data.count(b"ANMF")) if image.format == "WEBP" else 1
                return [image.size] * frames
        except Image.DecompressionBombError:
            return _TOO_MUCH
        except Exception:  # whatever Pillow's parsers meet
            return _TOO_MUCH if is_cut else []


def within_limits(data: bytes, most_total: int | None = None) -> Declared:
    """What an image that may be decoded declares; raises ValueError, naming the limit, for others.

    Args:
        data: The file's bytes.
        most_total: Pixels of all frames together; None for any number.
    """
    if data.startswith(b"\xff\xd8") and (scans := data.count(b"\xff\xda")) > MOST_SCANS:
        raise ValueError(f"{scans:,} scans, more than the {MOST_SCANS:,} that are decoded")
    found = declared(data)
    side, largest, total = found
    if most_total is not None and total > most_total:
        raise ValueError(f"{total:,} pixels, more than the {most_total:,} that are taken")
    if side > MOST_SIDE:
        raise ValueError(f"a side of {side:,} pixels, more than the {MOST_SIDE:,} that are decoded")
    if largest > MOST_PIXELS:
        raise ValueError(f"{largest:,} pixels, more than the {MOST_PIXELS:,} that are decoded")
    if largest > GROWTH_FROM and 3 * largest > MOST_GROWTH * len(data):
        raise ValueError(
            f"{largest:,} pixels in {len(data):,} bytes: it grows {3 * largest // len(data):,} times, "
            f"more than the {MOST_GROWTH:,} that are decoded"
        )
    return found


def _joined(sizes) -> Declared:
    """Of frames; the first one is the canvas."""
    canvas = sizes[0][0] * sizes[0][1] if sizes else 0
    areas = [max(width * height, canvas) for width, height in sizes]
    return Declared(max(map(max, sizes), default=0), max(areas, default=0), sum(areas))


def _png_frames(data: bytes) -> list[tuple[int, int]]:
    """Of an animation, all frames but the first."""
    found, position = [], len(PNG_SIGNATURE)
    for _ in range(MOST_PARTS):
        if position + 8 > len(data):
            break
        length, name = struct.unpack(">I4s", data[position : position + 8])
        if name == b"fcTL" and position + 20 <= len(data):
            found.append(struct.unpack(">II", data[position + 12 : position + 20]))
        position += 12 + length
    return found[1:]


def _gif_frames(data: bytes) -> list[tuple[int, int]]:
    """The canvas, and every frame behind the first."""
    if len(data) < 13:
        return []
    width, height, flags = struct.unpack("<HHB", data[6:11])
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    frames: list[tuple[int, int]] = []
    parts = 0
    # What is none of a GIF's parts is passed over, as Pillow does.
    while found := _GIF_PART.search(data, position):
        position, kind = found.start(), found[0][0]
        parts += 1
        if kind == 0x2C and position + 10 <= len(data):  # an image
            left, top, *size = struct.unpack("<HHHH", data[position + 1 : position + 9])
            # What reaches beyond the canvas makes it larger.
            frames.append((left + size[0], top + size[1]))
            local = data[position + 9]
            position += 11 + (3 << (local & 7) + 1 if local & 0x80 else 0)
        elif kind == 0x21:  # an extension
            position += 2
        else:
            break
        while position < len(data) and data[position] and parts < MOST_PARTS:
            position += 1 + data[position]
            parts += 1
        if parts >= MOST_PARTS:
            return _TOO_MUCH
        position += 1
    if not frames:
        return [(width, height)]
    first = frames[0]
    return [(max(width, first[0]), max(height, first[1])), *frames[1:]]
