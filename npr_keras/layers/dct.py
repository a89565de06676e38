"""The discrete cosine transform of whole images: Frank's and F3Net's maps."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from npr_keras.errors import ConfigError
from npr_keras.layers.precision import as_float

_TINY = 1e-12


def dct_matrix(side: int) -> np.ndarray:
    """The orthonormal DCT-II of a signal of that length: float64, (side, side)."""
    place = np.arange(side)
    matrix = np.cos(np.pi * place[:, None] * (place + 0.5) / side) * np.sqrt(2 / side)
    matrix[0] /= np.sqrt(2)
    return matrix


def transformed(x, matrix):
    """Both axes of images, (B, n, n, C), through an (n, n) matrix."""
    x = ops.einsum("ij,bjkc->bikc", matrix, x)
    return ops.einsum("lk,bikc->bilc", matrix, x)


class _OfOneSize(keras.layers.Layer):
    """A map of images of `side` x `side` pixels alone."""

    def __init__(self, side, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(side, int) or side < 8:
            raise ConfigError(f"`side` must be an integer of at least 8. Received: side={side!r}")
        self.side = side
        self.autocast = False

    def _checked(self, inputs):
        x = as_float(inputs)
        sides = tuple(x.shape[1:3])
        if not all(side in (None, self.side) for side in sides):
            raise ConfigError(
                f"{type(self).__name__} takes {self.side} x {self.side} pixels. "
                f"Received: {sides[1]} x {sides[0]}"
            )
        return x

    def get_config(self):
        return {**super().get_config(), "side": self.side}


@keras.saving.register_keras_serializable(package="npr_keras")
class LogDCT(_OfOneSize):
    """The logarithm of each coefficient's magnitude, standardised by the training images.

    Their mean and variance are weights that no gradient changes; `adapt` finds them.

    Args:
        side: Of the images, in pixels.
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, side, side, C), pixels as they are, 0 to 255.

    Output shape:
        The same.

    Reference:
        Frank et al., "Leveraging frequency analysis for deep fake image recognition", ICML 2020.
    """

    def __init__(self, side=256, **kwargs):
        super().__init__(side, **kwargs)

    def build(self, input_shape):
        shape = (self.side, self.side, input_shape[-1])
        options = {"shape": shape, "trainable": False, "dtype": "float32"}
        self.mean = self.add_weight(name="mean", initializer="zeros", **options)
        self.variance = self.add_weight(name="variance", initializer="ones", **options)

    def log(self, inputs):
        """The logarithm alone: (B, side, side, C)."""
        x = self._checked(inputs)
        matrix = ops.convert_to_tensor(dct_matrix(self.side), x.dtype)
        return ops.log(ops.abs(transformed(x, matrix)) + _TINY)

    def call(self, inputs):
        x = self.log(inputs)
        # A coefficient that never changes says nothing: it becomes 0, not an infinity.
        std = ops.sqrt(ops.maximum(self.variance, 1e-8))
        x = (x - ops.cast(self.mean, x.dtype)) / ops.cast(std, x.dtype)
        return ops.cast(x, self.compute_dtype)

    def adapt(self, images: Iterable[np.ndarray]) -> None:
        """Takes mean and population variance from images, (side, side, C) each: Welford's way."""
        mean = squares = np.zeros(self.mean.shape)
        count = 0
        for image in images:
            x = np.asarray(ops.convert_to_numpy(self.log(image[None])[0]), np.float64)
            count += 1
            step = x - mean
            mean = mean + step / count
            squares = squares + step * (x - mean)
        if count:
            self.mean.assign(mean.astype(np.float32))
            self.variance.assign((squares / count).astype(np.float32))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.side, self.side, input_shape[-1])


@keras.saving.register_keras_serializable(package="npr_keras")
class FrequencyBands(_OfOneSize):
    """Four images of an image: its low, middle and high frequencies, and all, with learned masks.

    A band's mask is its place on the sum of both frequencies, edges included on both sides, and a
    learned part from -1 to 1.

    Args:
        side: Of the images, in pixels.
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, side, side, C), from -1 to 1.

    Output shape:
        (B, side, side, 4 C).

    Reference:
        Qian et al., "Thinking in frequency: face forgery detection by mining frequency-aware clues",
        ECCV 2020, frequency-aware decomposition; the constants are those of the public
        re-implementation, as there is no official code.
    """

    def __init__(self, side=256, **kwargs):
        super().__init__(side, **kwargs)

    @property
    def edges(self) -> tuple[tuple[float, float], ...]:
        """Of the bands, on the sum of both frequencies."""
        n = self.side
        return ((0, n // 2.82), (n // 2.82, n // 2), (n // 2, 2 * n), (0, 2 * n))

    def build(self, input_shape):
        self.masks = self.add_weight(
            name="masks",
            shape=(4, self.side, self.side),
            initializer=keras.initializers.RandomNormal(stddev=0.1),
        )

    def call(self, inputs):
        x = self._checked(inputs)
        matrix = ops.convert_to_tensor(dct_matrix(self.side), x.dtype)
        back = ops.transpose(matrix)
        total = np.add.outer(np.arange(self.side), np.arange(self.side))
        spectrum = transformed(x, matrix)
        bands = []
        for i, (low, high) in enumerate(self.edges):
            base = ops.convert_to_tensor(((total >= low) & (total <= high)) * 1.0, x.dtype)
            learned = ops.cast(2 * ops.sigmoid(self.masks[i]) - 1, x.dtype)
            bands.append(transformed(spectrum * (base + learned)[None, :, :, None], back))
        return ops.cast(ops.concatenate(bands, axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.side, self.side, 4 * input_shape[-1])
