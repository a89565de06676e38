"""Spectra of windows, and the correlation of frequencies that up-sampling ties together: the formulas.

`xp` is what computes them: `keras.ops` in a layer (`npr_keras.layers.periodogram`, `cyclic`), or NumPy
where nothing else is needed (`npr_keras.runtimes.light`). Both know these functions by the same names.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Luma, and what blue and red differ from it by.
_COLOURS = np.array([[0.299, 0.587, 0.114], [-0.299, -0.587, 0.886], [0.701, -0.587, -0.114]])
FLOOR = 0.1  # of a power, below what rounding to whole levels leaves
# How far apart two frequencies are, vertically and horizontally, as a share of the sampling rate.
SHIFTS = ((1, 2, 0), (0, 2, 1), (1, 2, 1), (1, 4, 0), (0, 4, 1), (1, 8, 0), (0, 8, 1))
CORRELATED = 2  # of the three colours: luma, and what blue differs from it by
_NOISE = 0.04  # of a coherence, about what 25 windows of noise have


def windows(x, n: int, xp: Any):
    """Windows, half overlapping, of each colour, each less its mean.

    Args:
        x: float (B, H, W, 3), from 0 to 255.
        n: Their side in pixels.
        xp: See above.

    Returns:
        (B * 3 * windows, n, n), horizontal by vertical place, and how many windows an image has.
    """
    half = n // 2
    x = xp.matmul(x, _constant(_COLOURS.T, x, xp))
    rows, columns = (xp.shape(x)[axis] // half for axis in (1, 2))
    x = xp.transpose(x[:, : rows * half, : columns * half], (0, 3, 1, 2))
    x = xp.reshape(x, (-1, rows, half, columns * half))  # (B * 3, rows, n / 2, W)
    x = xp.concatenate([x[:, :-1], x[:, 1:]], axis=2)
    x = xp.reshape(xp.transpose(x, (0, 1, 3, 2)), (-1, columns, half, n))
    x = xp.concatenate([x[:, :-1], x[:, 1:]], axis=2)
    x = xp.reshape(x, (-1, n, n))
    return x - xp.mean(x, axis=(1, 2), keepdims=True), (rows - 1) * (columns - 1)


def periodogram(x, n: int, xp: Any):
    """The log of the mean power of each frequency, and the mean of its log: Welch's method.

    Args:
        x, n, xp: As for `windows`.

    Returns:
        (B, n / 2 + 1, n / 2 + 1, 6), by vertical and horizontal frequency.
    """
    bins = n // 2 + 1
    x, count = windows(x, n, xp)
    hann = np.hanning(n + 2)[1:-1]
    angle = 2 * np.pi * np.outer(np.arange(n), np.arange(bins)) / n
    cos, sin = (_constant(f(angle) * hann[:, None], x, xp) for f in (np.cos, np.sin))
    # Vertical, then horizontal: of the four products, both signs of a frequency are made.
    parts = []
    for one in (cos, sin):
        y = xp.transpose(xp.matmul(x, one), (0, 2, 1))
        parts += [xp.matmul(y, cos), xp.matmul(y, sin)]
    cc, cs, sc, ss = parts
    power = xp.stack(
        [xp.square(cc - ss) + xp.square(sc + cs), xp.square(cc + ss) + xp.square(sc - cs)], 1
    )
    power = xp.reshape(power, (-1, 3, count, 2, bins, bins))
    mean = xp.log(xp.mean(power, axis=2) + FLOOR)
    log = xp.mean(xp.log(power + FLOOR), axis=2)
    found = xp.mean(xp.stack([mean, log], axis=2), axis=3)  # (B, 3, 2, bins, bins)
    return xp.transpose(xp.reshape(found, (-1, 6, bins, bins)), (0, 2, 3, 1))


def cyclic(x, n: int, xp: Any):
    """The same two of all frequencies, then the coherence of those half, a quarter, an eighth apart.

    Args:
        x, n, xp: As for `windows`.

    Returns:
        (B, 6 * (n / 2 + 1)^2 + 14 * (n / 4)^2).
    """
    bins = n // 2 + 1
    x, count = windows(x, n, xp)
    angle = 2 * np.pi * np.outer(np.arange(n), np.arange(n)) / n
    hann = np.hanning(n + 2)[1:-1, None]
    cos, sin = (_constant(f(angle) * hann, x, xp) for f in (np.cos, np.sin))
    vertical_cos, vertical_sin = (xp.transpose(xp.matmul(x, one), (0, 2, 1)) for one in (cos, sin))
    shape = (-1, 3, count, n, n)
    real = xp.reshape(xp.matmul(vertical_cos, cos) - xp.matmul(vertical_sin, sin), shape)
    imaginary = xp.reshape(-xp.matmul(vertical_sin, cos) - xp.matmul(vertical_cos, sin), shape)
    power = xp.square(real) + xp.square(imaginary)
    mean = xp.mean(power, axis=2)  # (B, 3, n, n)
    # Rows from the middle on say the same again: the image is real.
    log = xp.mean(xp.log(power[..., :bins, :] + FLOOR), axis=2)
    planes = xp.stack([_folded(xp.log(mean[..., :bins, :] + FLOOR), xp)[..., :bins],
                       _folded(log, xp)[..., :bins]], axis=2)  # fmt: skip
    found = [xp.reshape(planes, (-1, 6 * bins * bins))]
    real, imaginary, mean = (value[:, :CORRELATED] for value in (real, imaginary, mean))
    rate = 1.0 / _as_float(count, x, xp)
    for vertical, parts, horizontal in SHIFTS:
        shift = (vertical * n // parts, horizontal * n // parts)
        found.append(_coherence(real, imaginary, mean, shift, rate, xp))
    return xp.concatenate(found, axis=-1)


def _coherence(real, imaginary, mean, shift, rate, xp):
    """Of frequencies so far apart: (B, planes)."""
    half = real.shape[-1] // 4
    rows = 2 * half
    other_real, other_imaginary, other_mean = (
        _rolled(value, shift, xp)[..., :rows, :] for value in (real, imaginary, mean)
    )
    real, imaginary, mean = (value[..., :rows, :] for value in (real, imaginary, mean))
    product = xp.mean(real * other_real + imaginary * other_imaginary, axis=2)
    across = xp.mean(imaginary * other_real - real * other_imaginary, axis=2)
    power = (mean + FLOOR) * (other_mean + FLOOR)
    coherence = _folded((xp.square(product) + xp.square(across)) / power, xp)
    coherence = coherence[..., : 2 * half]
    coherence = xp.log(xp.maximum(coherence - rate, 0.0) + _NOISE)
    coherence = xp.reshape(coherence, (-1, CORRELATED, half, 2, half, 2))
    return xp.reshape(xp.mean(coherence, axis=(3, 5)), (-1, CORRELATED * half * half))


def _rolled(x, shift, xp):
    """The last two axes, each by so many places."""
    for axis, by in zip((-2, -1), shift, strict=True):
        x = xp.roll(x, by, axis) if by else x
    return x


def _folded(x, xp):
    """The mean of both signs of the horizontal frequency, (..., n, n)."""
    back = xp.concatenate([x[..., :1], xp.flip(x[..., 1:], axis=-1)], axis=-1)
    return (x + back) / 2


def _constant(value, like, xp):
    return value.astype(like.dtype) if xp is np else xp.convert_to_tensor(value, like.dtype)


def _as_float(value, like, xp):
    return like.dtype.type(value) if xp is np else xp.cast(value, like.dtype)
