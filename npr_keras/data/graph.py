"""The pixel rule of `data/decode.py` as TensorFlow operations, equal to it bit for bit.

Stock operations only, so that the same function serves `tf.data` and exported signatures. What a
graph cannot read as Pillow does (TIFF, AVIF, animated WebP, transparent or partial GIF frames,
palette BMP, CMYK JPEG) raises InvalidArgumentError when it runs; whoever can then asks Pillow.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from npr_keras.config import Preprocessing
from npr_keras.data import augment

# Pillow's fixed-point arithmetic for 8-bit images: 32 bits less 8 for the value and 2 for headroom.
_PRECISION_BITS = 22
_GREY_PALETTE = np.repeat(np.arange(256, dtype=np.uint8), 4).reshape(256, 4)
_GREY_PALETTE[:, 3] = 0


def decode(data, cmyk=False):
    """Decodes one image.

    Args:
        data: Scalar string tensor: the encoded bytes.
        cmyk: Whether to decode CMYK JPEGs too, for a server that has no Pillow to ask. Equal to
            Pillow where the image has no black ink; elsewhere TensorFlow rounds down what Pillow
            rounds to the nearest, and about half of the values are one level lower.

    Returns:
        uint8 RGB pixels, (H, W, 3), H and W unknown.

    Raises:
        tf.errors.InvalidArgumentError: When run on bytes that are broken, or in a format that
            needs Pillow.
    """

    def starts_with(prefix):
        return tf.strings.substr(data, 0, len(prefix)) == prefix

    webp = starts_with(b"RIFF") & (_bytes_at(data, 8, 4) == b"WEBP")
    pixels = tf.case(
        [
            (starts_with(b"\xff\xd8\xff"), lambda: _decode_jpeg(data, cmyk)),
            (starts_with(b"\x89PNG\r\n\x1a\n"), lambda: _decode_png(data)),
            (webp, lambda: _decode_webp(data)),
            (starts_with(b"BM"), lambda: _decode_bmp(data)),
            (starts_with(b"GIF8"), lambda: _decode_gif(data)),
        ],
        default=lambda: _unsupported(data, True, "a format that TensorFlow does not decode"),
    )
    return tf.ensure_shape(pixels, [None, None, 3])


def _decode_jpeg(data, cmyk):
    # The accurate integer DCT is what Pillow's libjpeg runs; TensorFlow's default is a faster one
    # that differs in two thirds of all values.
    if not cmyk:
        four = tf.image.extract_jpeg_shape(data)[2] == 4
        data = _unsupported(data, four, "a CMYK JPEG")
    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")


def _decode_png(data):
    # IHDR follows the signature: bit depth is byte 24, colour type 25. 16-bit grey is the one case
    # where Pillow clips; everything else 16-bit keeps the high byte in both.
    grey16 = _bytes_at(data, 24, 2) == b"\x10\x00"

    def clipped():
        wide = tf.io.decode_png(data, channels=1, dtype=tf.uint16)
        return tf.image.grayscale_to_rgb(
            tf.cast(tf.minimum(tf.cast(wide, tf.int32), 255), tf.uint8)
        )

    return tf.cond(grey16, clipped, lambda: tf.io.decode_png(data, channels=3))


def _decode_webp(data):
    # Bit 1 of the flags, byte 20 of the extended format: animated. TensorFlow 2.21 can write past
    # a buffer there and abort the process.
    flags = tf.io.decode_raw(_bytes_at(data, 20, 1), tf.uint8)
    animated = (_bytes_at(data, 12, 4) == b"VP8X") & tf.reduce_any(flags // 2 % 2 == 1)
    data = _unsupported(data, animated, "an animated WebP")
    pixels = tf.io.decode_image(data, expand_animations=False)
    return pixels[:, :, :3]


def _decode_bmp(data):
    # Header fields, little-endian: bits a pixel at 28, compression at 30; palette from 54 on.
    depth, compression = _bytes_at(data, 28, 2), _bytes_at(data, 30, 4)
    colour = (depth == b"\x18\x00") | (depth == b" \x00")
    grey = (depth == b"\x08\x00") & (_bytes_at(data, 54, 1024) == _GREY_PALETTE.tobytes())
    known = (colour | grey) & (compression == b"\x00\x00\x00\x00")
    data = _unsupported(data, ~known, "a BMP with a palette or compression")
    pixels = tf.io.decode_bmp(data)
    return tf.cond(
        tf.shape(pixels)[2] == 1,
        lambda: tf.repeat(pixels[:, :, :1], 3, axis=2),
        lambda: pixels[:, :, :3],
    )


def _decode_gif(data):
    data = _unsupported(data, ~_is_plain_gif(data), "a GIF with transparency or a partial frame")
    return tf.io.decode_image(data, channels=3, expand_animations=False)


def _is_plain_gif(data):
    """Whether the first frame is opaque and covers the canvas: walks the blocks in front of it.

    Pillow looks a transparent pixel up in the palette, TensorFlow paints it black.
    """
    octets = tf.cast(tf.io.decode_raw(data, tf.uint8), tf.int32)
    last = tf.size(octets) - 1

    def at(position):
        return octets[tf.minimum(position, last)]

    def is_extension(position):  # 21 <kind> <sub-blocks>, but for the graphic control: 21 F9
        return (position < last) & (at(position) == 0x21) & (at(position + 1) != 0xF9)

    def skip_extension(position):
        inside = lambda p: (p < last) & (at(p) != 0)  # noqa: E731
        return tf.while_loop(inside, lambda p: [p + at(p) + 1], [position + 2])[0] + 1

    # The header takes 13 bytes; byte 10 says whether a palette follows, and how large.
    palette = tf.where(at(10) >= 128, 3 * tf.bitwise.left_shift(2, at(10) % 8), 0)
    position = tf.while_loop(is_extension, lambda p: [skip_extension(p)], [13 + palette])[0]
    control = (at(position) == 0x21) & (at(position + 1) == 0xF9)
    transparent = control & (at(position + 3) % 2 == 1)
    frame = _bytes_at(data, tf.where(control, position + 8, position), 9)
    covers = frame == b"\x2c\0\0\0\0" + _bytes_at(data, 6, 4)  # left, top, width, height
    return covers & ~transparent


def _bytes_at(data, start, length):
    """A slice of a string; empty where the string is too short."""
    start = tf.minimum(start, tf.strings.length(data))
    return tf.strings.substr(data, start, length)


def _unsupported(data, condition, what):
    """`data` itself; when run with a true condition, InvalidArgumentError."""
    with tf.control_dependencies([tf.debugging.Assert(~tf.convert_to_tensor(condition), [what])]):
        if condition is True:  # the default branch of tf.case: its type must match the others'
            return tf.zeros([0, 0, 3], tf.uint8)
        return tf.identity(data)


def resize(pixels, size):
    """Pillow's antialiased bilinear resize, exactly, the width first.

    Args:
        pixels: uint8, (H, W, 3).
        size: Integer: both sides afterwards, in pixels.

    Returns:
        uint8, (size, size, 3).

    Reference:
        Pillow's `ImagingResample` for 8-bit images: triangle-filter coefficients in 22-bit fixed
        point, two passes, each rounded and clipped to uint8.
    """
    pixels = _resize_axis(pixels, size, axis=1)
    pixels = _resize_axis(pixels, size, axis=0)
    return tf.ensure_shape(pixels, [size, size, 3])


def _resize_axis(pixels, size, axis):
    side = tf.shape(pixels)[axis]
    return tf.cond(side == size, lambda: pixels, lambda: _resample(pixels, side, size, axis))


def _resample(pixels, side, size, axis):
    first, weights = _coefficients(side, size)  # (size,), (size, taps)
    taps = tf.shape(weights)[1]
    shape = [-1, 1, 1] if axis == 0 else [1, -1, 1]
    out_shape = tf.tensor_scatter_nd_update(tf.shape(pixels), [[axis]], [size])

    # One tap at a time: memory stays at one output image, however strong the reduction.
    def add_tap(tap, total):
        index = tf.minimum(first + tap, side - 1)  # beyond the edge the weight is zero
        values = tf.cast(tf.gather(pixels, index, axis=axis), tf.int32)
        return tap + 1, total + values * tf.reshape(weights[:, tap], shape)

    half = tf.fill(out_shape, 1 << (_PRECISION_BITS - 1))
    _, total = tf.while_loop(
        lambda tap, _: tap < taps,
        add_tap,
        (0, half),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None, None])),
    )
    total = tf.bitwise.right_shift(total, _PRECISION_BITS)
    return tf.cast(tf.clip_by_value(total, 0, 255), tf.uint8)


def _coefficients(side, size):
    """First source pixel and fixed-point weights for every output pixel of one axis.

    Returns:
        int32 (size,) and int32 (size, taps).
    """
    scale = tf.cast(side, tf.float64) / size
    filter_scale = tf.maximum(scale, 1.0)
    support = filter_scale  # the triangle filter reaches 1 to each side
    center = (tf.range(size, dtype=tf.float64) + 0.5) * scale
    # The casts truncate, as C's do; both are clipped at the edges first.
    low = tf.cast(tf.maximum(center - support + 0.5, 0.0), tf.int32)
    high = tf.minimum(tf.cast(center + support + 0.5, tf.int32), side)
    taps = tf.range(tf.cast(tf.math.ceil(support), tf.int32) * 2 + 1)
    position = tf.cast(low[:, None] + taps, tf.float64)  # (size, taps)
    weights = 1.0 - tf.abs((position - center[:, None] + 0.5) * (1.0 / filter_scale))
    weights = tf.where(taps < (high - low)[:, None], tf.maximum(weights, 0.0), 0.0)
    weights = weights / tf.reduce_sum(weights, axis=1, keepdims=True)
    # All weights are positive, so adding a half and truncating rounds.
    return low, tf.cast(weights * (1 << _PRECISION_BITS) + 0.5, tf.int32)


def tile(pixels, size):
    """`decode.tile` as operations."""
    shape = tf.shape(pixels)
    return tf.tile(pixels, [-(-size // shape[0]), -(-size // shape[1]), 1])


def center_crop(pixels, size):
    """`decode.center_crop` as operations."""
    shape = tf.shape(pixels)
    top, left = _center_offset(shape[0], size), _center_offset(shape[1], size)
    return pixels[top : top + size, left : left + size]


def _center_offset(side, size):
    spare = tf.maximum(side - size, 0)
    half = spare // 2
    return half + (spare % 2) * (half % 2)  # half a pixel goes to the even offset


def preprocess(pixels, protocol: Preprocessing):
    """`decode.preprocess` as operations: uint8 (H, W, 3) to uint8 (H', W', 3)."""
    if protocol.resize:
        pixels = resize(pixels, protocol.resize)
    if protocol.tile:
        pixels = tile(pixels, protocol.tile)
    if protocol.crop:
        pixels = center_crop(pixels, protocol.crop)
    height, width = tf.shape(pixels)[0], tf.shape(pixels)[1]
    large_enough = tf.debugging.Assert(tf.minimum(height, width) >= 2, ["fewer than 2 x 2 pixels"])
    with tf.control_dependencies([large_enough]):
        if protocol.even:
            return pixels[: height - height % 2, : width - width % 2]
        return tf.identity(pixels)


def random_crop(pixels, size, row, column):
    """`augment.random_crop` as operations."""
    pixels = tile(pixels, size)
    shape = tf.shape(pixels)

    def offset(side, draw):
        return tf.cast(tf.cast(side - size + 1, tf.float64) * draw, tf.int32)

    top, left = offset(shape[0], row), offset(shape[1], column)
    return tf.ensure_shape(pixels[top : top + size, left : left + size], [size, size, 3])


def spoil(pixels, sigma, quality):
    """`augment.spoil`, by Pillow: TensorFlow has neither its blur nor its compression."""

    def by_pillow():
        spoilt = tf.numpy_function(augment.spoil, (pixels, sigma, quality), tf.uint8)
        return tf.ensure_shape(spoilt, [None, None, 3])

    return tf.cond((sigma > 0) | (quality > 0), by_pillow, lambda: pixels)
