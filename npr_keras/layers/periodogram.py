"""The power spectrum of an image, averaged over windows: what is everywhere in it adds up."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from npr_keras import spectra
from npr_keras.errors import ConfigError
from npr_keras.layers.precision import as_float


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
        return spectra.periodogram(as_float(inputs), self.window, ops)

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
