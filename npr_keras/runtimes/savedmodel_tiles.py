"""Large images in tiles inside a graph: `npr_keras.runtimes.tiles` for a SavedModel."""

from __future__ import annotations

import tensorflow as tf

from npr_keras.limits import TILE


def logit_in_tiles(activation, pixels, tiling: tuple[int, int], tile: int = TILE):
    """The logit of one image, the mean of its activation map, which is made tile by tile.

    Args:
        activation: From float32 (1, h, w, 3) to a map of logits, (1, h', w').
        pixels: (H, W, 3), integers or floats.
        tiling: Stride and halo in pixels.
        tile: Pixels a side, a multiple of the stride.

    Returns:
        float32, scalar.
    """
    stride, halo = tiling
    height, width = tf.unstack(tf.shape(pixels)[:2])

    def span(begin, length):
        end = tf.minimum(length, begin + tile)
        first = tf.maximum(0, begin - halo)
        kept = (end - begin + stride - 1) // stride
        return first, tf.minimum(length, end + halo), (begin - first) // stride, kept

    def add(top, left, total, count):
        top_first, bottom, row, rows = span(top, height)
        left_first, right, column, columns = span(left, width)
        part = tf.cast(pixels[top_first:bottom, left_first:right], tf.float32)
        found = activation(part[None])[0, row : row + rows, column : column + columns]
        left += tile
        return (
            tf.where(left < width, top, top + tile),
            tf.where(left < width, left, 0),
            total + tf.reduce_sum(tf.cast(found, tf.float64)),
            count + rows * columns,
        )

    start = (0, 0, tf.constant(0.0, tf.float64), 0)
    _, _, total, count = tf.while_loop(
        lambda top, *_: top < height, add, start, parallel_iterations=1
    )
    return tf.cast(total / tf.cast(count, tf.float64), tf.float32)
