"""High-pass filters in space and in frequency: BiHPF's map, after its description."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from npr_keras.errors import ConfigError
from npr_keras.layers.dct import _OfOneSize


@keras.saving.register_keras_serializable(package="npr_keras")
class BilateralHighPass(_OfOneSize):
    """The spectrum of an image's surroundings, its high frequencies amplified.

    Pixels are weighed by how far they are from the middle, `1 - exp(-r^2 / 2 s^2)`, their spectrum's
    magnitudes in the same way by frequency, and the logarithm is taken of one more than that. No code
    was ever published: the filters' shape and constants are ours, and what is trained on this is no
    reproduction.

    Args:
        side: Of the images, in pixels.
        space, frequency: `s` of either filter, as a share of half the side.
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, side, side, C).

    Output shape:
        The same, the lowest frequency in the middle.

    Reference:
        After the description of Jeong et al., "BiHPF: bilateral high-pass filters for robust deepfake
        detection", WACV 2022.
    """

    def __init__(self, side=256, space=0.5, frequency=0.25, **kwargs):
        super().__init__(side, **kwargs)
        for name, value in (("space", space), ("frequency", frequency)):
            if not isinstance(value, (int, float)) or value <= 0:
                raise ConfigError(f"`{name}` must be a number above 0. Received: {name}={value!r}")
        self.space = space
        self.frequency = frequency

    def call(self, inputs):
        x = self._checked(inputs)
        n = self.side
        place = np.fft.fftshift(np.arange(n))
        angle = 2 * np.pi * (np.outer(place, np.arange(n)) % n) / n
        cos, sin = (ops.convert_to_tensor(f(angle), x.dtype) for f in (np.cos, np.sin))
        x = x * self._weights(np.arange(n) - (n - 1) / 2, self.space, x.dtype)
        a, b = (ops.einsum("ij,bjkc->bikc", m, x) for m in (cos, sin))
        real = ops.einsum("bikc,lk->bilc", a, cos) - ops.einsum("bikc,lk->bilc", b, sin)
        imaginary = ops.einsum("bikc,lk->bilc", a, sin) + ops.einsum("bikc,lk->bilc", b, cos)
        magnitude = ops.sqrt(ops.square(real) + ops.square(imaginary) + 1e-12)
        weights = self._weights(np.arange(n) - n // 2, self.frequency, x.dtype)
        return ops.cast(ops.log(1 + magnitude * weights), self.compute_dtype)

    def _weights(self, offsets: np.ndarray, share: float, dtype):
        squares = np.add.outer(offsets**2.0, offsets**2.0)
        width = share * self.side / 2
        return ops.convert_to_tensor(
            (1 - np.exp(-squares / (2 * width**2)))[None, :, :, None], dtype
        )

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "space": self.space, "frequency": self.frequency}
