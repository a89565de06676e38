"""The power spectrum of an image, averaged over windows: what is everywhere in it adds up."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from npr_keras.errors import ConfigError
from npr_keras.layers.precision import as_float

# Luma, and what blue and red differ from it by.
_COLOURS = np.array([[0.299, 0.587, 0.114], [-0.299, -0.587, 0.886], [0.701, -0.587, -0.114]])
FLOOR = 0.1  # of a power, below what rounding to whole levels leaves


@keras.saving.register_keras_serializable(package="npr_keras")
class Periodogram(keras.layers.Layer):
    """The logarithm of the mean power of each frequency, and the mean of the logarithm.

    Of windows of `side` x `side` pixels, half overlapping, in luma and both colour differences, each
    less its mean, under a Hann window: Welch's method. What an up-sampling leaves is the same
    everywhere in an image and adds up, and content averages out; recompression takes away single
    differences of pixels, but not what all windows have in common. Frequencies of both
    directions of an axis are averaged. Standardised by the training images; `adapt` finds mean and
    variance.

    Args:
        side: Of a window, in pixels, a multiple of 4.
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, H, W, 3), RGB from 0 to 255, both sides at least `side`.

    Output shape:
        (B, side / 2 + 1, side / 2 + 1, 6), by vertical and horizontal frequency.

    Reference:
        Welch, "The use of fast Fourier transform for the estimation of power spectra", 1967; spectra
        as features: Durall et al., CVPR 2020, Frank et al., ICML 2020.
    """

    def __init__(self, side=64, **kwargs):
        super().__init__(**kwargs)
        if isinstance(side, bool) or not isinstance(side, int) or side < 8 or side % 4:
            raise ConfigError(
                f"Periodogram: `side` must be a multiple of 4 from 8. Received: side={side!r}"
            )
        self.window = side
        self.autocast = False

    most_adapted = 2000  # images whose mean and variance stand for all

    @property
    def least(self) -> int:
        """Side of the smallest image, in pixels."""
        return self.window

    @property
    def found_shape(self) -> tuple[int, ...]:
        """Of what is found in one image."""
        bins = self.window // 2 + 1
        return (bins, bins, 6)

    def build(self, input_shape):
        options = {"shape": self.found_shape, "trainable": False, "dtype": "float32"}
        self.mean = self.add_weight(name="mean", initializer="zeros", **options)
        self.variance = self.add_weight(name="variance", initializer="ones", **options)

    def spectra(self, inputs):
        """Before they are standardised: (B, side / 2 + 1, side / 2 + 1, 6)."""
        n, bins = self.window, self.window // 2 + 1
        x, windows = self.windows(inputs)
        hann = np.hanning(n + 2)[1:-1]
        angle = 2 * np.pi * np.outer(np.arange(n), np.arange(bins)) / n
        cos, sin = (
            ops.convert_to_tensor(f(angle) * hann[:, None], x.dtype) for f in (np.cos, np.sin)
        )
        # Vertical, then horizontal: of the four products, both signs of a frequency are made.
        parts = []
        for one in (cos, sin):
            y = ops.transpose(ops.matmul(x, one), (0, 2, 1))
            parts += [ops.matmul(y, cos), ops.matmul(y, sin)]
        cc, cs, sc, ss = parts
        power = ops.stack(
            [ops.square(cc - ss) + ops.square(sc + cs), ops.square(cc + ss) + ops.square(sc - cs)],
            1,
        )
        power = ops.reshape(power, (-1, 3, windows, 2, bins, bins))
        mean = ops.log(ops.mean(power, axis=2) + FLOOR)
        log = ops.mean(ops.log(power + FLOOR), axis=2)
        found = ops.mean(ops.stack([mean, log], axis=2), axis=3)  # (B, 3, 2, bins, bins)
        return ops.transpose(ops.reshape(found, (-1, 6, bins, bins)), (0, 2, 3, 1))

    def windows(self, inputs):
        """(B * 3 * windows, side, side), horizontal by vertical place, each less its mean; and windows.

        Of each image the three colours, one behind the other.
        """
        x = as_float(inputs)
        n, half = self.window, self.window // 2
        x = ops.matmul(x, ops.convert_to_tensor(_COLOURS.T, x.dtype))
        rows, columns = (ops.shape(x)[axis] // half for axis in (1, 2))
        x = ops.transpose(x[:, : rows * half, : columns * half], (0, 3, 1, 2))
        x = ops.reshape(x, (-1, rows, half, columns * half))  # (B * 3, rows, n / 2, W)
        x = ops.concatenate([x[:, :-1], x[:, 1:]], axis=2)
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 2)), (-1, columns, half, n))
        x = ops.concatenate([x[:, :-1], x[:, 1:]], axis=2)
        x = ops.reshape(x, (-1, n, n))  # windows, horizontal by vertical place
        x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        return x, (rows - 1) * (columns - 1)

    def call(self, inputs):
        x = self.spectra(inputs)
        std = ops.sqrt(ops.maximum(self.variance, 1e-6))
        x = (x - ops.cast(self.mean, x.dtype)) / ops.cast(std, x.dtype)
        return ops.cast(x, self.compute_dtype)

    def adapt(self, images: Iterable[np.ndarray]) -> None:
        """Takes mean and population variance from images, (H, W, 3) each, from 0 to 255."""
        count, total, squares = 0, np.zeros(self.mean.shape), np.zeros(self.mean.shape)
        for image in images:
            x = np.asarray(ops.convert_to_numpy(self.spectra(image[None])[0]), np.float64)
            count, total, squares = count + 1, total + x, squares + x * x
        if count:
            mean = total / count
            self.mean.assign(mean.astype(np.float32))
            self.variance.assign((squares / count - mean**2).astype(np.float32))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.found_shape)

    def get_config(self):
        return {**super().get_config(), "side": self.window}
