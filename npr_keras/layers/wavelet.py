"""The diagonal band of a wavelet at the image's own size: SAFE's map."""

from __future__ import annotations

import math

import keras
from keras import ops

from npr_keras.layers.precision import as_float


@keras.saving.register_keras_serializable(package="npr_keras")
class WaveletHH(keras.layers.Layer):
    """One level of the biorthogonal wavelet 1.3, its HH band, scaled up to the image's size.

    The wavelet's high-pass is Haar's: along an axis `y[k] = (x[2k-2] - x[2k-1]) / sqrt 2`, the signal
    going on beyond its ends as its mirror image. Then bilinear, half-pixel centres.

    Args:
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, H, W, C), both sides at least 3 and perhaps unknown.

    Output shape:
        The same.

    Reference:
        SAFE: "Improving Synthetic Image Detection Towards Generalization: An Image Transformation
        Perspective", KDD 2025.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False

    def call(self, inputs):
        x = as_float(inputs)
        sides = ops.shape(x)[1:3]
        band = self.band(x)
        for axis, side in zip((1, 2), sides, strict=True):
            band = _scaled(band, axis, side)
        return ops.cast(band, self.compute_dtype)

    def band(self, x):
        """The band itself: (B, H, W, C) to (B, (H + 5) // 2, (W + 5) // 2, C)."""
        for axis in (1, 2):
            x = _differences(x, axis)
        return x

    def compute_output_shape(self, input_shape):
        return input_shape


def _at(x, axis, places):
    return x[tuple(places if i == axis else slice(None) for i in range(4))]


def _differences(x, axis):
    side = ops.shape(x)[axis]
    mirrored = [
        *(_at(x, axis, slice(i, i + 1)) for i in (1, 0)),
        x,
        *(_at(x, axis, slice(-i, 1 - i or None)) for i in (1, 2, 3)),  # the third for odd sides
    ]
    x = ops.concatenate(mirrored, axis=axis)
    x = _at(x, axis, slice(0, (side + 5) // 2 * 2))
    return (_at(x, axis, slice(0, None, 2)) - _at(x, axis, slice(1, None, 2))) / math.sqrt(2)


def _scaled(x, axis, side):
    """Bilinear along one axis, half-pixel centres, to another length."""
    length = ops.shape(x)[axis]
    last = ops.cast(length - 1, "float32")
    ratio = ops.cast(length, "float32") / ops.cast(side, "float32")
    place = (ops.cast(ops.arange(side), "float32") + 0.5) * ratio - 0.5
    place = ops.clip(place, 0.0, last)
    below = ops.floor(place)
    share = ops.cast(place - below, x.dtype)
    share = ops.reshape(share, [-1 if i == axis else 1 for i in range(4)])
    low = ops.take(x, ops.cast(below, "int32"), axis=axis)
    high = ops.take(x, ops.cast(ops.minimum(below + 1, last), "int32"), axis=axis)
    return low + (high - low) * share
