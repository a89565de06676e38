"""The pixel rule of `data/decode.py` as TensorFlow operations, equal to it bit for bit.

Stock operations only, so that the same function serves `tf.data` and exported signatures. Decoding is
in `data/graph_decode.py`.
"""

from __future__ import annotations

import functools

import tensorflow as tf

from npr_keras.config import Preprocessing, TrainingConfig
from npr_keras.data import augment
from npr_keras.data.graph_decode import decode
from npr_keras.limits import MOST_SIDE

__all__ = ["center_crop", "decode", "preprocess", "random_crop", "resize", "spoil", "tile"]

# Pillow's fixed-point arithmetic for 8-bit images: 32 bits less 8 for the value and 2 for headroom.
_PRECISION_BITS = 22


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
    fits = (tf.minimum(height, width) >= 2) & (tf.maximum(height, width) <= MOST_SIDE)
    with tf.control_dependencies([tf.debugging.Assert(fits, ["too small or too long"])]):
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


def spoil(pixels, sigma, quality, seed, config: TrainingConfig):
    """`augment.spoil`, by Pillow: TensorFlow has neither its blur nor its compression."""

    def by_pillow():
        call = functools.partial(augment.spoil, config=config)
        spoilt = tf.numpy_function(call, (pixels, sigma, quality, seed), tf.uint8)
        return tf.ensure_shape(spoilt, [None, None, 3])

    if augment.is_spoilt(config):
        return by_pillow()
    return tf.cond((sigma > 0) | (quality > 0), by_pillow, lambda: pixels)
