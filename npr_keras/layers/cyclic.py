"""Spectra, and the correlation of frequencies that up-sampling ties together."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from npr_keras.layers.periodogram import FLOOR, Periodogram

# How far apart two frequencies are, vertically and horizontally, as a share of the sampling rate.
_SHIFTS = ((1, 2, 0), (0, 2, 1), (1, 2, 1), (1, 4, 0), (0, 4, 1), (1, 8, 0), (0, 8, 1))
_COLOURS = 2  # of the three: luma, and what blue differs from it by
_NOISE = 0.04  # of a coherence, about what 25 windows of noise have


@keras.saving.register_keras_serializable(package="npr_keras")
class CyclicSpectrum(Periodogram):
    """`Periodogram`, and the cyclic coherence of frequencies half, a quarter and an eighth apart.

    An up-sampling by two treats even and odd pixels differently: its variance repeats every two
    pixels. In the spectrum, frequencies that lie half the sampling rate apart are then correlated,
    wherever the image's content is; by four and eight, those a quarter and an eighth apart. That
    is what NPR's blocks of 2 x 2 show in single differences, averaged over the image, and
    recompression leaves more of it. Coherence is the squared correlation, from 0 to 1: it does not
    depend on contrast, nor on where the grid begins.

    Coherence is averaged over 2 x 2 frequencies, less what independent noise has in as many windows;
    so images of all sizes have the same range.

    Args:
        side: As for `Periodogram`, a multiple of 8.
        **kwargs: The arguments every Keras layer takes.

    Input shape:
        (B, H, W, 3), RGB from 0 to 255, both sides at least `side`.

    Output shape:
        (B, n): the periodogram's values, then 14 planes of (side / 4)^2 coherences.

    Reference:
        Gardner, "Cyclostationarity: Half a century of research", 2006; resampling's periodic
        correlation: Popescu and Farid, 2005.
    """

    @property
    def found_shape(self):
        bins, planes = self.window // 2 + 1, len(_SHIFTS) * _COLOURS
        return (6 * bins * bins + planes * (self.window // 4) ** 2,)

    def spectra(self, inputs):
        """Before they are standardised: (B, n)."""
        n, bins = self.window, self.window // 2 + 1
        x, windows = self.windows(inputs)
        angle = 2 * np.pi * np.outer(np.arange(n), np.arange(n)) / n
        hann = np.hanning(n + 2)[1:-1, None]
        cos, sin = (ops.convert_to_tensor(f(angle) * hann, x.dtype) for f in (np.cos, np.sin))
        vertical_cos, vertical_sin = (
            ops.transpose(ops.matmul(x, one), (0, 2, 1)) for one in (cos, sin)
        )
        shape = (-1, 3, windows, n, n)
        real = ops.reshape(ops.matmul(vertical_cos, cos) - ops.matmul(vertical_sin, sin), shape)
        imaginary = ops.reshape(
            -ops.matmul(vertical_sin, cos) - ops.matmul(vertical_cos, sin), shape
        )
        power = ops.square(real) + ops.square(imaginary)
        mean = ops.mean(power, axis=2)  # (B, 3, n, n)
        log = ops.mean(ops.log(power + FLOOR), axis=2)
        planes = ops.stack([_folded(ops.log(mean + FLOOR), n)[..., :bins, :bins],
                            _folded(log, n)[..., :bins, :bins]], axis=2)  # fmt: skip
        found = [ops.reshape(planes, (-1, 6 * bins * bins))]
        real, imaginary, mean = (value[:, :_COLOURS] for value in (real, imaginary, mean))
        rate = 1.0 / ops.cast(windows, x.dtype)
        for vertical, parts, horizontal in _SHIFTS:
            shift = (vertical * n // parts, horizontal * n // parts)
            found.append(self._coherence(real, imaginary, mean, shift, rate))
        return ops.concatenate(found, axis=-1)

    def _coherence(self, real, imaginary, mean, shift, rate):
        """Of frequencies so far apart: (B, planes)."""
        n, half = self.window, self.window // 4
        other_real, other_imaginary = (_rolled(value, shift) for value in (real, imaginary))
        product = ops.mean(real * other_real + imaginary * other_imaginary, axis=2)
        across = ops.mean(imaginary * other_real - real * other_imaginary, axis=2)
        power = (mean + FLOOR) * (_rolled(mean, shift) + FLOOR)
        coherence = _folded((ops.square(product) + ops.square(across)) / power, n)
        coherence = coherence[..., : 2 * half, : 2 * half]
        coherence = ops.log(ops.maximum(coherence - rate, 0.0) + _NOISE)
        coherence = ops.reshape(coherence, (-1, _COLOURS, half, 2, half, 2))
        return ops.reshape(ops.mean(coherence, axis=(3, 5)), (-1, _COLOURS * half * half))


def _rolled(x, shift):
    """The last two axes, each by so many places."""
    for axis, by in zip((-2, -1), shift, strict=True):
        x = ops.roll(x, by, axis) if by else x
    return x


def _folded(x, n):
    """The mean of both signs of the horizontal frequency, (..., n, n)."""
    back = ops.concatenate([x[..., :1], ops.flip(x[..., 1:], axis=-1)], axis=-1)
    return (x + back) / 2
