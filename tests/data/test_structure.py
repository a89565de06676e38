"""Readable means the same on every path: damaged files are read, or refused, by Pillow and graph alike."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from npr_keras.data import graph
from npr_keras.data.decode import decode
from npr_keras.data.structure import has_every_scan
from npr_keras.errors import UnreadableImageError
from npr_keras.forensics.history import read_history
from npr_keras.simulation.photographs import embedded_photograph

PIXELS = embedded_photograph(7, 0, 64)
in_graph = tf.function(
    lambda data: graph.decode(data, alone=True), input_signature=[tf.TensorSpec([], tf.string)]
)


def encode(format, **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, format, **options)
    return file.getvalue()


def chunks(data):
    position = 8
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += 12 + length


def png(parts, wrong=None):
    """A PNG of these chunks; the checksum of one may be wrong."""
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in parts:
        checksum = zlib.crc32(name + body) ^ (name == wrong)
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)
    return data


def scans_of(data, count):
    """A progressive JPEG that ends after so many scans."""
    starts = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    return data[: starts[count]] + b"\xff\xd9"


HEAD, BODY, END = chunks(encode("PNG"))
ROWS = zlib.decompress(BODY[1])
TEXT = (b"tEXt", b"key\0value")
PROGRESSIVE = encode("JPEG", quality=85, progressive=True)
SHIFTED = zlib.compress(ROWS)
READABLE = {
    "a comment with a wrong checksum": png([HEAD, TEXT, BODY, END], b"tEXt"),
    "a short gamma": png([HEAD, (b"gAMA", b"\0"), BODY, END]),
    "a short transparency": png([HEAD, (b"tRNS", b"\0"), BODY, END]),
    "an animation without frames": png([HEAD, (b"acTL", b"\0" * 7 + b"\2"), BODY, END]),
    "a broken colour profile": png([HEAD, (b"iCCP", b"abc\0\0none"), BODY, END]),
    "bytes behind the end": encode("PNG") + b"garbage" * 9,
    "more pixels than there are": png([HEAD, (b"IDAT", zlib.compress(ROWS * 2)), END]),
    "a BMP with bytes behind it": encode("BMP") + b"x" * 50,
    "progressive": PROGRESSIVE,
    "progressive, full colours": encode("JPEG", quality=95, subsampling=0, progressive=True),
    "bytes behind a JPEG": encode("JPEG") + b"x" * 400,
    "a progressive JPEG with filling": PROGRESSIVE[:2] + b"\xff\xff" + PROGRESSIVE[2:],
    "a JPEG behind a JPEG": PROGRESSIVE + encode("JPEG", quality=40),
}
REFUSED = {
    "pixels with a wrong checksum": (png([HEAD, BODY, END], b"IDAT"), "wrong checksum of its IDAT"),
    "an end with a wrong checksum": (png([HEAD, BODY, END], b"IEND"), "wrong checksum of its IEND"),
    "no end": (png([HEAD, BODY]), "ends too early"),
    "half an end": (encode("PNG")[:-3], "ends too early"),
    "an unknown critical chunk": (png([HEAD, (b"ABCD", b"x"), BODY, END]), "unexpected ABCD"),
    "two headers": (png([HEAD, HEAD, BODY, END]), "unexpected IHDR"),
    "no header": (png([BODY, END]), "unexpected IDAT"),
    "half of the pixels": (
        png([HEAD, (b"IDAT", zlib.compress(ROWS[: len(ROWS) // 2])), END]),
        "pixels end too early",
    ),
    "a comment between the pixels": (
        png([HEAD, (b"IDAT", SHIFTED[:500]), TEXT, (b"IDAT", SHIFTED[500:]), END]),
        "between its pixels",
    ),
    "no pixels": (png([HEAD, END]), "pixels end too early"),
    "a wrong sum of the pixels": (png([HEAD, (b"IDAT", SHIFTED[:-1] + b"?"), END]), "broken"),
    "a chunk without a name": (png([HEAD, (b"ab1D", b"x"), BODY, END]), "broken PNG"),
    **{
        f"{count} of 10 scans": (scans_of(PROGRESSIVE, count), "last scans are missing")
        for count in (1, 4, 9)
    },
    "3 scans, and a JPEG behind them": (
        scans_of(PROGRESSIVE, 3) + encode("JPEG"),
        "last scans are missing",
    ),
    "3 scans, with filling": (
        PROGRESSIVE[:2] + b"\xff" + scans_of(PROGRESSIVE, 3)[2:],
        "last scans are missing",
    ),
    "half a JPEG": (encode("JPEG")[:700], "truncated"),
}


@pytest.mark.parametrize("name", READABLE)
def test_what_does_not_decide_pixels_does_not_count(name):
    found = decode(READABLE[name])
    np.testing.assert_array_equal(in_graph(READABLE[name]).numpy(), found)
    if "JPEG" not in name and "progressive" not in name:
        np.testing.assert_array_equal(found, PIXELS)
    assert read_history(READABLE[name], found).width == 64


@pytest.mark.parametrize("name", REFUSED)
def test_what_decides_pixels_has_to_be_whole(name):
    data, reason = REFUSED[name]
    with pytest.raises(UnreadableImageError, match=reason):
        decode(data)
    with pytest.raises(tf.errors.OpError):
        in_graph(data)


def test_interlaced_pngs_are_counted(random):
    """Pillow reads them, and writes none: this one is written here, pass by pass."""
    for shape in ((5, 7), (8, 8), (1, 3), (33, 2)):
        pixels = random.integers(0, 256, (*shape, 3), np.uint8)
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]  # fmt: skip
        rows = b"".join(
            b"\0" + row.tobytes()
            for x, y, dx, dy in passes
            for row in pixels[y::dy, x::dx]
            if row.size
        )
        header = struct.pack(">IIBBBBB", shape[1], shape[0], 8, 2, 0, 0, 1)
        parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), END]
        np.testing.assert_array_equal(decode(png(parts)), pixels)
        np.testing.assert_array_equal(in_graph(png(parts)).numpy(), pixels)
        parts[1] = (b"IDAT", zlib.compress(rows[:-1]))
        with pytest.raises(UnreadableImageError, match="pixels end too early"):
            decode(png(parts))


def test_scans_are_counted_by_what_they_send():
    assert has_every_scan(PROGRESSIVE) and has_every_scan(encode("JPEG"))
    count = PROGRESSIVE.count(b"\xff\xda")
    assert [has_every_scan(scans_of(PROGRESSIVE, i)) for i in range(1, count)] == [False] * (
        count - 1
    )
    thumbnail = b"\xff\xe1" + struct.pack(">H", len(PROGRESSIVE) + 2) + PROGRESSIVE
    within = PROGRESSIVE[:2] + thumbnail + scans_of(PROGRESSIVE, 3)[2:]
    assert not has_every_scan(within)  # the thumbnail's scans are not the image's
    with pytest.raises(tf.errors.OpError):
        in_graph(within)
    np.testing.assert_array_equal(
        in_graph(PROGRESSIVE[:2] + thumbnail + PROGRESSIVE[2:]).numpy(), decode(PROGRESSIVE)
    )


@pytest.mark.parametrize("format", ["PNG", "JPEG", "progressive", "BMP", "WEBP"])
def test_damaged_at_random(format):
    """200 files a format, bytes changed, lost and cut off: the same pixels, or none, by both."""
    options = {"progressive": {"progressive": True}, "WEBP": {"quality": 80}}.get(format, {})
    whole = encode("JPEG" if format == "progressive" else format, **options)
    draw = random.Random(format)
    read = 0
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 1, 2, 5))):
            place = draw.randrange(len(data))
            kind = draw.randrange(4)
            if kind == 0:
                data[place] = draw.randrange(256)
            elif kind == 1:
                data[place] ^= 1 << draw.randrange(8)
            elif kind == 2 and len(data) > 60:
                del data[place : place + draw.randrange(1, 20)]
            elif draw.random() < 0.2 and place > 40:
                del data[place:]
        try:
            expected = decode(bytes(data))
        except UnreadableImageError:
            with pytest.raises(tf.errors.OpError):
                in_graph(bytes(data))
            continue
        read += 1
        np.testing.assert_array_equal(in_graph(bytes(data)).numpy(), expected)
    assert read < 200
