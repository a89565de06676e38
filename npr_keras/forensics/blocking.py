"""Whether an image was a JPEG once, whatever its file is now.

JPEG compresses blocks of 8 x 8 pixels, each by itself, so steps at their edges are larger than the
steps around them: Fan and de Queiroz, "Identification of Bitmap Compression History: JPEG Detection
and Quantizer Estimation", IEEE Transactions on Image Processing 12(2), 2003. The trace survives saving
as PNG and cropping; resizing removes it.
"""

from __future__ import annotations

import numpy as np

THRESHOLD = 2.5  # of `blocking_strength`; see docs/predict.md for what it finds and misses
_BLOCK = 8
_SMALLEST = 64  # pixels a side
_AROUND = np.array([1, 1, 1, 0, 1, 1, 1]) / 6  # the edges that one is compared with
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def blocking_strength(pixels: np.ndarray) -> float:
    """How far the steps at one of the eight offsets of an 8 x 8 grid stand out from all others.

    Up-sampling by 2 or 4 favours several offsets alike, and does not count.

    Args:
        pixels: uint8 RGB, (H, W, 3).

    Returns:
        The lead of the strongest offset over the next, in standard errors, mean of rows and columns;
        0 where either has none, and for images too small to tell. Above `THRESHOLD`: a JPEG once.
    """
    luma = pixels.astype(np.float32) @ _LUMA
    if min(luma.shape) < _SMALLEST:
        return 0.0
    across, down = _lead(luma), _lead(luma.T)
    return (across + down) / 2 if min(across, down) > 0.5 else 0.0


def _lead(luma: np.ndarray) -> float:
    step = np.diff(luma, axis=1)
    excess = np.abs(step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2)  # over what content explains
    height = np.log(excess.mean(0) + 0.02)  # content scales it: compare by ratio
    height = height[3:-3] - np.convolve(height, _AROUND, "valid")
    spread = 1.4826 * np.median(np.abs(height - np.median(height))) + 1e-6
    scores = []
    for offset in range(_BLOCK):
        own = height[offset::_BLOCK]
        scores.append(np.median(own) / (1.2533 * spread / np.sqrt(len(own))))  # median's error
    second, first = np.sort(scores)[-2:]
    return float(first - max(0.0, second))
