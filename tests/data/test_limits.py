"""Limits of what is decoded: by what a file says of itself, before any of it is decoded."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from npr_keras.data.declared import Declared, declared
from npr_keras.data.decode import decode
from npr_keras.errors import UnreadableImageError
from npr_keras.limits import GROWTH_FROM, MOST_PARTS, MOST_PIXELS, MOST_SCANS, MOST_SIDE


def encoded(kind, sizes, **options):
    images = [Image.new("RGB", size, (90 * i, 9, 9)) for i, size in enumerate(sizes)]
    file = io.BytesIO()
    more = {"save_all": True, "append_images": images[1:]} if len(images) > 1 else {}
    images[0].save(file, kind, **more, **options)
    return file.getvalue()


def png(width, height):
    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_one_frame(kind):
    assert declared(encoded(kind, [(30, 20)])) == Declared(30, 600, 600)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_every_frame_counts(kind):
    data = encoded(kind, [(30, 20)] * 3)
    assert declared(data) == Declared(30, 600, 1800)


def test_a_gif_with_a_huge_second_frame():
    data = encoded("GIF", [(16, 16)]).rstrip(b";")
    huge = b"," + struct.pack("<HHHH", 0, 0, 60_000, 60_000) + b"\0\2\0;"
    found = declared(data + huge)
    assert found.largest == 60_000**2 and found.side == 60_000
    with pytest.raises(UnreadableImageError, match="3,600,000,000 pixels, more than the"):
        decode(data + huge)


def test_a_gif_whose_frame_makes_the_canvas_larger():
    """57 bytes that took 1.3 GB: 11 x 9 pixels at (1371, 62976). Found by fuzzing."""
    data = encoded("GIF", [(16, 16)]).rstrip(b";")
    far = b"," + struct.pack("<HHHH", 1371, 62976, 11, 9) + b"\0\2\0;"
    assert declared(data + far).largest == (1371 + 11) * (62976 + 9)
    alone = data[: data.index(b",")] + far
    assert declared(alone).largest == (1371 + 11) * (62976 + 9)


def test_a_gif_that_two_parsers_read_differently():
    """An extension without a block: Pillow reads on where others do not. Found by fuzzing."""
    data = encoded("GIF", [(16, 16)])
    place = data.index(b",")
    hidden = b",\0\x2f\0\5\x0c\0\x09\0"  # 12 x 9 pixels at (12032, 1280)
    odd = data[:place] + b"!\0\0\x08" + hidden[1:] + data[place:]
    for one in (data, odd, data[:place] + b"!\0\0" + hidden + b"\0\2\0;"):
        try:
            height, width, _ = decode(one).shape
        except UnreadableImageError:
            continue
        assert declared(one).largest >= height * width


def test_what_is_no_part_of_a_gif_is_passed_over():
    """As Pillow does: a frame that stands behind rubbish is a frame."""
    data = encoded("GIF", [(16, 16)])
    place = data.index(b",")
    assert declared(data[:place] + b"\xfd\xfe" + data[place:]) == declared(data)


def test_many_parts():
    """A GIF of empty comments, a PNG of empty chunks: an answer at once, and no endless count."""
    gif = encoded("GIF", [(16, 16)]).rstrip(b";") + b"!\xfe\0" * (MOST_PARTS + 1)
    with pytest.raises(UnreadableImageError, match="a side of 65,537 pixels"):
        decode(gif)
    data = encoded("PNG", [(16, 16)])
    chunk = struct.pack(">I", 0) + b"teXt" + struct.pack(">I", zlib.crc32(b"teXt"))
    with pytest.raises(UnreadableImageError, match="more than 1,048,576 chunks"):
        decode(data[:33] + chunk * (MOST_PARTS + 1) + data[33:])
    jpeg = encoded("JPEG", [(16, 16)])
    with pytest.raises(UnreadableImageError, match="101 scans, more than the 100"):
        decode(jpeg[:-2] + b"\xff\xda" * MOST_SCANS + jpeg[-2:])


def test_what_grows_too_much():
    """A picture of one colour in a few bytes costs what a photograph costs, and says nothing."""
    white = encoded("PNG", [(2400, 2000)], optimize=True)
    assert decode(white).shape == (2000, 2400, 3)  # RGB grows 1,000 times at most: deflate's limit
    few = png(2400, 2000)
    with pytest.raises(
        UnreadableImageError, match=r"4,800,000 pixels in \d+ bytes: it grows .* times"
    ):
        decode(few)
    assert declared(png(1900, 2000)).largest < GROWTH_FROM  # small ones may


def test_what_is_no_image():
    for data in (b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", bytes(100), b"GIF89a" + bytes(7) + b"!"):
        assert declared(data).total == 0
    random = np.random.default_rng(0)
    whole = encoded("GIF", [(30, 20)] * 3)
    for _ in range(300):  # never more than an error that is none: it returns
        broken = bytearray(whole[: random.integers(6, len(whole))])
        broken[random.integers(len(broken))] = random.integers(256)
        declared(bytes(broken))


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [
        (MOST_SIDE + 1, 2, f"a side of {MOST_SIDE + 1:,} pixels, more than the {MOST_SIDE:,}"),
        (2, 19_900_000, "a side of 19,900,000 pixels"),
        (MOST_PIXELS // 10_000 + 1, 10_000, f"pixels, more than the {MOST_PIXELS:,}"),
    ],
)
def test_refused_before_it_is_decoded(width, height, said, monkeypatch):
    for name in ("npr_keras.data.decode.whole", "PIL.Image.open"):  # nothing is inflated
        monkeypatch.setattr(name, lambda *a, **k: pytest.fail("it was decoded"))
    with pytest.raises(UnreadableImageError, match=said):
        decode(png(width, height))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_the_graph_keeps_them_too(kind):
    """By the header alone: nothing is decoded, and Pillow, which is asked then, says why."""
    import tensorflow as tf

    from npr_keras.data import graph

    def resized(data, width, height):
        place, form = {"PNG": (16, ">II"), "GIF": (6, "<HH"), "BMP": (18, "<ii")}[kind]
        return (
            data[:place] + struct.pack(form, width, height) + data[place + struct.calcsize(form) :]
        )

    data = encoded(kind, [(30, 20)])
    np.testing.assert_array_equal(graph.decode(tf.constant(data), alone=True), decode(data))
    for width, height in ((60_000, 60_000), (20_000, 20_000)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="beyond the limits"):
            graph.decode(tf.constant(resized(data, width, height)), alone=True)
