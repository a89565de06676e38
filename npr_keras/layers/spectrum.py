"""The power of an image at each frequency, whatever its direction: Durall's features."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from npr_keras.layers.dct import _OfOneSize

_GREY = (9798, 19235, 3735)  # of 32768: what OpenCV weighs R, G and B with, in integers
_TINY = 1e-8


@keras.saving.register_keras_serializable(package="npr_keras")
class AzimuthalSpectrum(_OfOneSize):
    """The mean of the logarithmic spectrum over circles around its centre.

    Grey, the two-dimensional Fourier transform, `20 ln |F|`, and its mean over the positions whose
    distance to the centre, which lies between four of them for even sides, has the same integer part;
    without the first circle and the last.

    The transform is two products with matrices: it runs wherever a network does.

    Args:
        side: Of the images, in pixels.
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, side, side, 3), pixels as they are, 0 to 255.

    Output shape:
        (B, radii): 179 for 256 x 256.

    Reference:
        Durall et al., "Unmasking DeepFakes with simple features", 2019, and "Watch your
        up-convolution", CVPR 2020.
    """

    def __init__(self, side=256, **kwargs):
        super().__init__(side, **kwargs)
        centred = np.arange(side) - (side - 1) / 2
        radius = np.hypot(*np.meshgrid(centred, centred, indexing="ij")).astype(int).ravel()
        circles = [np.flatnonzero(radius == r) for r in range(1, radius.max())]
        self._counts = np.array([len(circle) for circle in circles])
        # A row for each circle, as long as the longest; what is too much counts nothing.
        longest = self._counts.max()
        self._places = np.stack([np.resize(circle, longest) for circle in circles])
        self._known = np.arange(longest) < self._counts[:, None]

    def grey(self, inputs):
        """(B, side, side, 3) to whole grey levels, (B, side, side)."""
        x = self._checked(inputs)
        weights = ops.convert_to_tensor(np.array(_GREY) / 32768, x.dtype)
        return ops.floor(ops.sum(ops.round(x) * weights, axis=-1) + 0.5)

    def call(self, inputs):
        return ops.cast(self.spectrum(self.grey(inputs)), self.compute_dtype)

    def spectrum(self, x):
        """Grey images, (B, side, side), to the mean of each circle, (B, radii)."""
        n = self.side
        frequency = np.fft.fftshift(np.arange(n))
        angle = 2 * np.pi * (np.outer(frequency, np.arange(n)) % n) / n
        cos, sin = (ops.convert_to_tensor(f(angle), x.dtype) for f in (np.cos, np.sin))
        a, b = (ops.einsum("ij,bjk->bik", m, x) for m in (cos, sin))
        real = ops.einsum("bik,lk->bil", a, cos) - ops.einsum("bik,lk->bil", b, sin)
        imaginary = -ops.einsum("bik,lk->bil", a, sin) - ops.einsum("bik,lk->bil", b, cos)
        power = 10 * ops.log(ops.square(real + _TINY) + ops.square(imaginary))
        flat = ops.reshape(power, (-1, n * n))
        circles = ops.take(flat, self._places.ravel().astype("int32"), axis=1)
        circles = ops.reshape(circles, (-1, *self._places.shape))
        share = ops.convert_to_tensor(self._known / self._counts[:, None], x.dtype)
        return ops.sum(circles * share, axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], len(self._counts))
