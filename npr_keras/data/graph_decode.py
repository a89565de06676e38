"""Encoded images to pixels as TensorFlow operations: `data/decode.py` bit for bit, or refused.

Stock operations only, so that the same function serves `tf.data` and exported signatures. What a
graph cannot read as Pillow does (TIFF, AVIF, animated WebP, transparent or partial GIF frames,
palette BMP, CMYK JPEG) raises InvalidArgumentError when it runs; whoever can then asks Pillow.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from npr_keras.limits import GROWTH_FROM, MOST_GROWTH, MOST_PIXELS, MOST_SIDE

_GREY_PALETTE = np.repeat(np.arange(256, dtype=np.uint8), 4).reshape(256, 4)
_GREY_PALETTE[:, 3] = 0


def decode(data, alone=False):
    """Decodes one image.

    Args:
        data: Scalar string tensor: the encoded bytes.
        alone: Whether there is no Pillow to ask, as in a server. Then CMYK JPEGs are decoded too,
            equal to Pillow where the image has no black ink; elsewhere TensorFlow rounds down what
            Pillow rounds to the nearest, and about half of the values are one level lower. And GIFs:
            equal, but of damaged ones each reads some that the other refuses.

    Returns:
        uint8 RGB pixels, (H, W, 3), H and W unknown.

    Raises:
        tf.errors.InvalidArgumentError: When run on bytes that are broken, or in a format that
            needs Pillow.
    """

    def starts_with(prefix):
        return tf.strings.substr(data, 0, len(prefix)) == prefix

    webp = starts_with(b"RIFF") & (_bytes_at(data, 8, 4) == b"WEBP")
    data = _unsupported(data, _is_too_large(data, starts_with), "an image beyond the limits")
    pixels = tf.case(
        [
            (starts_with(b"\xff\xd8\xff"), lambda: _decode_jpeg(data, alone)),
            (starts_with(b"\x89PNG\r\n\x1a\n"), lambda: _decode_png(data)),
            (webp, lambda: _decode_webp(data)),
            (starts_with(b"BM"), lambda: _decode_bmp(data)),
            (starts_with(b"GIF8"), lambda: _decode_gif(data, alone)),
        ],
        default=lambda: _unsupported(data, True, "a format that TensorFlow does not decode"),
    )
    return tf.ensure_shape(pixels, [None, None, 3])


def _is_too_large(data, starts_with):
    """`declared.within_limits` as operations, for the formats whose headers are short."""

    def sides_at(position, size, kind, little=True):
        octets = _bytes_at(data, position, 2 * size)
        return tf.cast(tf.io.decode_raw(octets, kind, little_endian=little), tf.int64)

    whole = tf.strings.length(data) >= 26  # what is shorter is refused by its decoder
    sides = tf.case(
        [
            (whole & starts_with(b"\x89PNG\r\n\x1a\n"), lambda: sides_at(16, 4, tf.int32, False)),
            (whole & starts_with(b"BM"), lambda: tf.abs(sides_at(18, 4, tf.int32))),
            (whole & starts_with(b"GIF8"), lambda: sides_at(6, 2, tf.uint16)),
            (
                starts_with(b"\xff\xd8\xff"),
                lambda: tf.cast(tf.image.extract_jpeg_shape(data)[:2], tf.int64),
            ),
        ],
        default=lambda: tf.zeros([2], tf.int64),
    )
    area, size = tf.reduce_prod(sides), tf.strings.length(data)
    grows = (area > GROWTH_FROM) & (3 * area > MOST_GROWTH * tf.cast(size, tf.int64))
    return (tf.reduce_max(sides) > MOST_SIDE) | (area > MOST_PIXELS) | grows


def _decode_jpeg(data, alone):
    # The accurate integer DCT is what Pillow's libjpeg runs; TensorFlow's default is a faster one
    # that differs in two thirds of all values.
    if not alone:
        four = tf.image.extract_jpeg_shape(data)[2] == 4
        data = _unsupported(data, four, "a CMYK JPEG")
    data = _unsupported(data, ~_has_every_scan(data), "a progressive JPEG without its last scans")
    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")


def _has_every_scan(data):
    """`structure.has_every_scan` as operations."""
    octets = tf.cast(tf.io.decode_raw(data, tf.uint8), tf.int32)
    last = tf.size(octets) - 1

    def at(position):
        return tf.gather(octets, tf.clip_by_value(position, 0, last))

    def is_before(position):  # segments in front of the frame's header: FF <marker> <length>
        frame = (at(position + 1) >= 0xC0) & (at(position + 1) <= 0xC2)
        return (position < last) & (at(position) == 0xFF) & ~frame

    def following(position):
        length = tf.maximum(2, 256 * at(position + 2) + at(position + 3))
        return tf.where(
            at(position + 1) == 0xFF, position + 1, position + 2 + length
        )  # FF FF: filling

    frame = tf.while_loop(is_before, lambda p: [following(p)], [2])[0]
    components = at(frame + 10 + 3 * tf.range(at(frame + 9)))  # their numbers
    # Behind it FF DA begins a scan, and nothing else does: in pixels FF is followed by 00.
    start = tf.minimum(following(frame), last)
    first, second = octets[start:-1], octets[start + 1 :]
    ends = tf.where((first == 0xFF) & (second == 0xD9))[
        :, 0
    ]  # another image may stand behind the end
    end = tf.cond(tf.size(ends) > 0, lambda: ends[0], lambda: tf.size(first, tf.int64))
    scans = tf.where((first == 0xFF) & (second == 0xDA))[:, 0]
    scans = start + tf.cast(tf.boolean_mask(scans, scans < end), tf.int32)
    count = at(scans + 4)
    tail = scans + 5 + 2 * count
    finished = at(tail + 2) % 16 == 0  # up to the last bit
    sent = at(scans[:, None] + 5 + 2 * tf.range(4))  # (scans, 4)
    sent = tf.where(tf.range(4) < count[:, None], sent, -1)
    has = tf.reduce_any(
        sent[:, None, :] == components[None, :, None], axis=2
    )  # (scans, components)
    k = tf.range(64)
    band = (k >= at(tail)[:, None]) & (k <= at(tail + 1)[:, None]) & finished[:, None]
    complete = tf.reduce_any(has[:, :, None] & band[:, None, :], axis=0)  # (components, 64)
    return (at(frame) == 0xFF) & ((at(frame + 1) != 0xC2) | tf.reduce_all(complete))


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
    size = tf.io.decode_raw(_bytes_at(data, 2, 4), tf.int32)[
        0
    ]  # what comes behind is no part of it
    data = tf.cond(size > 54, lambda: _bytes_at(data, 0, size), lambda: data)
    pixels = tf.io.decode_bmp(data)
    return tf.cond(
        tf.shape(pixels)[2] == 1,
        lambda: tf.repeat(pixels[:, :, :1], 3, axis=2),
        lambda: pixels[:, :, :3],
    )


def _decode_gif(data, alone):
    if not alone:
        return _unsupported(data, True, "a GIF")
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
