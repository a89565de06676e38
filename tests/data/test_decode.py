"""The pixel rule: Pillow against by-hand expectations, and the graph against Pillow."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from npr_keras.config import PROTOCOLS, Preprocessing
from npr_keras.data import augment, decode, graph
from npr_keras.errors import UnreadableImageError


def encode(image, format, **options):
    data = io.BytesIO()
    image.save(data, format, **options)
    return data.getvalue()


def noise(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def smooth(height, width, channels=3):
    """Something a lossy codec keeps."""
    y, x, c = np.mgrid[:height, :width, :channels]
    return (127 + 80 * np.sin(x / 7 + c) + 40 * np.cos(y / 5)).astype(np.uint8)


def picture(mode, height=37, width=53):
    image = Image.fromarray(smooth(height, width, 4), "RGBA")
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def cut_out():
    pixels = smooth(37, 53, 4)
    pixels[:, :, 3] = 255
    pixels[5:20, 5:20, 3] = 0
    return Image.fromarray(pixels, "RGBA")


def png16(colour_type, channels):
    """A 16-bit PNG; Pillow writes no coloured ones."""
    rows = noise(8, 10 * channels * 2, 1).reshape(8, -1)

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 10, 8, 16, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def animation(format):
    frames = [Image.fromarray(noise(20, 30, seed=i)) for i in range(3)]
    return encode(frames[0], format, save_all=True, append_images=frames[1:])


IN_GRAPH = {
    "jpeg 4:4:4": encode(picture("RGB"), "JPEG", quality=95, subsampling=0),
    "jpeg 4:2:2": encode(picture("RGB"), "JPEG", quality=75, subsampling=1),
    "jpeg 4:2:0": encode(picture("RGB"), "JPEG", quality=60, subsampling=2),
    "jpeg progressive": encode(picture("RGB"), "JPEG", progressive=True),
    "jpeg grey": encode(picture("L"), "JPEG"),
    "png": encode(picture("RGB"), "PNG"),
    "png alpha": encode(picture("RGBA"), "PNG"),
    "png grey": encode(picture("L"), "PNG"),
    "png grey alpha": encode(picture("LA"), "PNG"),
    "png palette": encode(picture("P"), "PNG"),
    "png 1 bit": encode(picture("1"), "PNG"),
    "png 16-bit grey": png16(0, 1),
    "png 16-bit colour": png16(2, 3),
    "png 16-bit grey alpha": png16(4, 2),
    "png 16-bit alpha": png16(6, 4),
    "apng": animation("PNG"),
    "webp": encode(picture("RGB"), "WEBP", quality=70),
    "webp lossless": encode(picture("RGB"), "WEBP", lossless=True),
    "webp alpha": encode(picture("RGBA"), "WEBP", lossless=True),
    "bmp": encode(picture("RGB"), "BMP"),
    "bmp grey": encode(picture("L"), "BMP"),
    "bmp alpha": encode(picture("RGBA"), "BMP"),
    "gif": encode(picture("P"), "GIF"),
    "gif animated": animation("GIF"),
    "gif comment": encode(picture("P"), "GIF", comment=b"a comment" * 40),
}
PILLOW_ONLY = {
    "tiff": encode(picture("RGB"), "TIFF"),
    "ppm": encode(picture("RGB"), "PPM"),
    "pgm": encode(picture("L"), "PPM"),
    "bmp palette": encode(picture("P"), "BMP"),
    "bmp 1 bit": encode(picture("1"), "BMP"),
    "gif transparent": encode(cut_out(), "GIF"),
    "gif transparent, comment": encode(cut_out(), "GIF", comment=b"!" * 300),
    "gif partial frame": IN_GRAPH["gif"].replace(b"\x2c\0\0\0\0\x35\0", b"\x2c\1\0\0\0\x34\0"),
    "jpeg cmyk": encode(Image.fromarray(noise(64, 64, 4), "CMYK"), "JPEG"),
    "webp animated": animation("WEBP"),
}
BROKEN = {
    "empty": b"",
    "text": b"this is no image",
    "truncated jpeg": IN_GRAPH["jpeg 4:2:0"][:700],
    "truncated png": IN_GRAPH["png"][:900],
    "jpeg head only": b"\xff\xd8\xff\xe0",
    "png head only": b"\x89PNG\r\n\x1a\n",
    "bmp head only": b"BM",
    "webp head only": b"RIFF\0\0\0\0WEBP",
    "gif head only": b"GIF89a",
    "gif of four bytes": b"GIF8",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
}

graph_decode = tf.function(graph.decode, input_signature=[tf.TensorSpec([], tf.string)])
decode_alone = tf.function(
    lambda data: graph.decode(data, alone=True), input_signature=[tf.TensorSpec([], tf.string)]
)


@pytest.mark.parametrize("name", IN_GRAPH)
def test_graph_decodes_as_pillow(name):
    expected = decode.decode(IN_GRAPH[name])
    np.testing.assert_array_equal(decode_alone(IN_GRAPH[name]).numpy(), expected)
    if name.startswith("gif"):  # of damaged ones each reads some that the other refuses
        with pytest.raises(tf.errors.InvalidArgumentError):
            graph_decode(IN_GRAPH[name])
    else:
        np.testing.assert_array_equal(graph_decode(IN_GRAPH[name]).numpy(), expected)


@pytest.mark.parametrize("name", [*PILLOW_ONLY, *BROKEN])
def test_graph_refuses_what_it_cannot_decode_as_pillow(name):
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph_decode({**PILLOW_ONLY, **BROKEN}[name])
    if name != "jpeg cmyk":
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode_alone({**PILLOW_ONLY, **BROKEN}[name])


def test_a_server_decodes_cmyk_within_one_level():
    black = PILLOW_ONLY["jpeg cmyk"]
    lower = decode.decode(black).astype(int) - graph.decode(black, alone=True).numpy()
    assert set(np.unique(lower)) == {0, 1}
    plain = encode(picture("CMYK"), "JPEG")  # no black ink: exact
    np.testing.assert_array_equal(graph.decode(plain, alone=True).numpy(), decode.decode(plain))


@pytest.mark.parametrize("name", PILLOW_ONLY)
def test_pillow_reads_the_rest(name):
    assert decode.decode(PILLOW_ONLY[name]).shape[2] == 3


@pytest.mark.parametrize("name", BROKEN)
def test_broken_bytes_are_one_clear_error(name):
    with pytest.raises(UnreadableImageError, match=r"Cannot read the image: ."):
        decode.decode(BROKEN[name])


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UnreadableImageError, match=r"absent\.png: No such file"):
        decode.decode(tmp_path / "absent.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UnreadableImageError, match=r"folder\.png: Is a directory"):
        decode.decode(tmp_path / "folder.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(UnreadableImageError, match=r"empty\.png: the file is empty"):
        decode.decode(tmp_path / "empty.png")


def test_a_decompression_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(UnreadableImageError, match="decompression bomb"):
        decode.decode(IN_GRAPH["png"])


def test_alpha_is_dropped_and_exif_ignored():
    pixels = noise(6, 9, 4)
    data = encode(Image.fromarray(pixels, "RGBA"), "PNG")
    np.testing.assert_array_equal(decode.decode(data), pixels[:, :, :3])
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees
    assert decode.decode(encode(picture("RGB"), "JPEG", exif=exif)).shape == (37, 53, 3)


graph_resize = {
    size: tf.function(
        lambda x, size=size: graph.resize(x, size),
        input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)],
    )
    for size in (2, 31, 224, 256)
}
SIDE = st.one_of(
    st.integers(1, 40), st.integers(1, 700), st.sampled_from([1, 31, 224, 255, 256, 257])
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(SIDE, SIDE, st.sampled_from(sorted(graph_resize)), st.integers(0, 9), st.booleans())
def test_graph_resizes_as_pillow(height, width, size, seed, extreme):
    pixels = noise(height, width, seed=seed)
    if extreme:  # full contrast, where clipping and rounding show
        pixels = (pixels > 127).astype(np.uint8) * 255
    expected = Image.fromarray(pixels).resize((size, height), Image.BILINEAR)
    expected = np.asarray(expected.resize((size, size), Image.BILINEAR))
    np.testing.assert_array_equal(decode.resize(pixels, size), expected)
    np.testing.assert_array_equal(graph_resize[size](pixels).numpy(), expected)


def test_resize_takes_the_width_first():
    # Pillow 13 alone would take the height first here, and differ.
    pixels = noise(900, 300, seed=3)
    one_pass = Image.fromarray(pixels).resize((256, 900), Image.BILINEAR)
    expected = np.asarray(one_pass.resize((256, 256), Image.BILINEAR))
    np.testing.assert_array_equal(decode.resize(pixels, 256), expected)


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("size", [(256, 256), (301, 257), (100, 500), (223, 225), (47, 31), (2, 3)])
def test_protocols_agree(name, size):
    protocol, pixels = PROTOCOLS[name], noise(*size)
    y = decode.preprocess(pixels, protocol)
    both = tf.function(lambda x: graph.preprocess(x, protocol))(tf.constant(pixels)).numpy()
    np.testing.assert_array_equal(both, y)
    if protocol.fixed_size:
        assert y.shape == (protocol.fixed_size, protocol.fixed_size, 3)


def test_protocols_by_hand():
    pixels = noise(301, 259)
    native = decode.preprocess(pixels, PROTOCOLS["native"])
    np.testing.assert_array_equal(native, pixels[:300, :258])
    # (301 - 224) / 2 = 38.5 goes to 38, (259 - 224) / 2 = 17.5 to 18: half to even.
    crop = decode.preprocess(pixels, PROTOCOLS["centercrop"])
    np.testing.assert_array_equal(crop, pixels[38:262, 18:242])
    small = noise(100, 230)
    tiled = decode.preprocess(small, PROTOCOLS["tile"])
    np.testing.assert_array_equal(tiled, np.concatenate([small] * 3)[38:262, 3:227])
    kept = decode.preprocess(noise(61, 300), PROTOCOLS["centercrop"])
    assert kept.shape == (60, 224, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
def test_an_image_without_neighbours(size):
    with pytest.raises(UnreadableImageError, match="at least 2 x 2"):
        decode.preprocess(noise(*size), PROTOCOLS["native"])
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph.preprocess(tf.constant(noise(*size)), Preprocessing("native", even=True))


@pytest.mark.parametrize("size", [(256, 256), (224, 224), (100, 300), (225, 500)])
@pytest.mark.parametrize("draw", [(0.0, 0.0), (0.999999, 0.5), (0.33, np.nextafter(1, 0))])
def test_random_crop_agrees(size, draw):
    pixels = noise(*size)
    y = augment.random_crop(pixels, 224, *draw)
    assert y.shape == (224, 224, 3)
    np.testing.assert_array_equal(graph.random_crop(tf.constant(pixels), 224, *draw).numpy(), y)
