"""Whether a file is whole: what Pillow and TensorFlow would read differently is decided here.

Pillow refuses a PNG for a broken comment and takes one whose pixels end early; TensorFlow does the
opposite. An unfinished progressive JPEG they fill up differently. The rule for both: what decides
pixels has to be whole, and nothing else counts. `data/graph_decode.py` keeps the same rule.
"""

from __future__ import annotations

import re
import struct
import zlib

from npr_keras.limits import MOST_PARTS

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
# The seven passes of interlacing: first column, first row, steps.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # fmt: skip
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")  # neither stuffing nor a restart


def whole(data: bytes) -> bytes:
    """An encoded image, reduced to what decides its pixels.

    Args:
        data: The file's bytes.

    Returns:
        A PNG without its ancillary chunks; anything else as it is.

    Raises:
        ValueError: If a PNG's chunks or pixels, or a progressive JPEG's scans, are not all there.
    """
    if data.startswith(PNG_SIGNATURE):
        return _png(data)
    if data.startswith(b"\xff\xd8") and not has_every_scan(data):
        raise ValueError("a progressive JPEG whose last scans are missing")
    return data


def _png(data: bytes) -> bytes:
    kept, header = [PNG_SIGNATURE], b""
    pixels: list[bytes] = []
    position, last = len(PNG_SIGNATURE), b""
    for _ in range(MOST_PARTS):
        head = data[position : position + 8]
        if len(head) < 8:
            raise ValueError("a PNG that ends too early")
        length, name = struct.unpack(">I4s", head)
        chunk = data[position : position + 12 + length]
        position += 12 + length
        if length > 0x7FFFFFFF or not name.isalpha() or len(chunk) < 12 + length:
            raise ValueError("a PNG that ends too early" if name.isalpha() else "a broken PNG")
        follows, last = last == b"IDAT", name
        if name[:1].islower():  # ancillary: comments, colour profiles, frames of an animation
            continue
        if name == b"IDAT" and pixels and not follows:
            raise ValueError("a broken PNG: something lies between its pixels")
        if name not in _CRITICAL or (name == b"IHDR") != (len(kept) == 1):
            raise ValueError(f"a broken PNG: unexpected {name.decode('ascii')} chunk")
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise ValueError(f"a broken PNG: wrong checksum of its {name.decode('ascii')} chunk")
        kept.append(chunk)
        if name == b"IHDR":
            header = chunk[8:-4]
        elif name == b"IDAT":
            pixels.append(chunk[8:-4])
        elif name == b"IEND":
            break
    else:
        raise ValueError(f"a PNG of more than {MOST_PARTS:,} chunks")
    _require_pixels(header, b"".join(pixels))
    return b"".join(kept)


def _require_pixels(header: bytes, compressed: bytes) -> None:
    if len(header) != 13:
        raise ValueError("a broken PNG: its header is not 13 bytes long")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * _CHANNELS.get(colour, 0)
    shapes = [(width, height)]
    if interlaced:
        shapes = [
            (max(0, -(-(width - x) // dx)), max(0, -(-(height - y) // dy)))
            for x, y, dx, dy in _ADAM7
        ]
    needed = sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in shapes if columns)
    if needed > 1 << 31:  # more than is decoded anyway: Pillow says so
        return
    inflate, count = zlib.decompressobj(), 0
    try:
        for begin in range(0, len(compressed), 1 << 16):  # in slices: what is left over is copied
            rest = compressed[begin : begin + (1 << 16)]
            while rest and count < needed:
                count += len(inflate.decompress(rest, 1 << 20))
                rest = inflate.unconsumed_tail
        if count < needed:
            count += len(inflate.flush())
    except zlib.error as error:
        raise ValueError(f"a broken PNG: {error}") from error
    if count < needed:
        raise ValueError("a PNG whose pixels end too early")


def has_every_scan(data: bytes) -> bool:
    """Whether a progressive JPEG sends every coefficient to its last bit; True for other whole JPEGs."""
    position = 2
    components: list = []
    complete: dict = {}
    while found := _MARKER.search(data, position):
        if not complete and not components and found.start() != position:
            return False  # something that is no segment, in front of the image
        marker, position = found[1][0], found.end()
        length = int.from_bytes(data[position : position + 2], "big")
        segment = data[position + 2 : position + length]
        if marker == 0xD9:  # the end
            break
        if marker in (0xC0, 0xC1, 0xC2):
            if marker != 0xC2 or len(segment) < 6:
                return True
            components = [segment[6 + 3 * i] for i in range(segment[5]) if 6 + 3 * i < len(segment)]
        elif marker == 0xDA and len(segment) >= 1 and len(segment) >= 4 + 2 * segment[0]:
            count = segment[0]
            first, last, bits = segment[1 + 2 * count : 4 + 2 * count]
            if bits & 15 == 0:  # up to the last bit
                for i in range(count):
                    for k in range(first, min(last, 63) + 1):
                        complete[segment[1 + 2 * i], k] = True
        position += max(length, 2)
    return all((c, k) in complete for c in components for k in range(64))
