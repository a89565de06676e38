"""Whether an image was resized since it was taken or made.

Interpolated pixels are weighted means of their neighbours, with weights that repeat: so does the
variance of the second derivative, at a frequency that tells the factor. Gallagher, "Detection of
Linear and Cubic Interpolation in JPEG Compressed Images", Canadian Conference on Computer and Robot
Vision, 2005; the trace of enlarging is plain, that of shrinking faint.
"""

from __future__ import annotations

import numpy as np

THRESHOLD = 7.0  # of `resampling_strength`; see docs/predict.md for what it finds and misses
_SMALLEST = 64  # pixels a side that a spectrum needs
_NEIGHBOURS = 12  # bins on either side that a peak has to stand out from


def resampling_strength(pixels: np.ndarray) -> float:
    """How far the strongest trace of interpolation stands out; above `THRESHOLD` it is one.

    Frequencies that other things leave are passed over: half the sampling rate (colour mosaics of
    cameras, and doubling in generators, which is the detector's business) and the multiples of an
    eighth (JPEG's blocks).

    Args:
        pixels: uint8 RGB, (H, W, 3).

    Returns:
        The largest ratio of a spectral peak to its surroundings, over rows and columns; 0 for
        images too small to tell.
    """
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return max(_strength(luma), _strength(luma.T))


def _strength(luma: np.ndarray) -> float:
    if min(luma.shape) < _SMALLEST:
        return 0.0
    second = np.abs(2 * luma[:, 1:-1] - luma[:, :-2] - luma[:, 2:])
    signal = second.mean(0)
    # Content varies slowly along the axis, and by its ratio: take that out first.
    signal = np.log(signal + 0.05)
    kernel = np.ones(9) / 9
    signal = signal[4:-4] - np.convolve(signal, kernel, "valid")
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    frequency = np.arange(len(spectrum)) / len(signal)
    usable = (frequency > 0.08) & (frequency < 0.485)
    for eighth in (0.125, 0.25, 0.375):
        usable &= np.abs(frequency - eighth) > 2.5 / len(signal)
    peaks = np.zeros(len(spectrum))
    for i in np.flatnonzero(usable):
        low, high = max(0, i - _NEIGHBOURS), min(len(spectrum), i + _NEIGHBOURS + 1)
        around = np.r_[spectrum[low : max(low, i - 1)], spectrum[i + 2 : high]]
        peaks[i] = spectrum[i] / (np.median(around) + 1e-9)
    return float(peaks.max())
