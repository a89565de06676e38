"""What a JPEG file's header tells of how it was compressed."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

# ITU-T T.81 (JPEG), Annex K, tables K.1 and K.2, which the Independent JPEG Group's library scales.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMINANCE = np.full((8, 8), 99)
_CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}  # Pillow's numbers


def estimate_quality(tables: Mapping[int, Sequence[int]]) -> int | None:
    """The quality from 1 to 100 whose quantisation tables of libjpeg come nearest to these.

    Exact for files of libjpeg, and so of Pillow, OpenCV and most tools; cameras and Photoshop have
    tables of their own, of which this tells the libjpeg quality that is about as coarse.

    Args:
        tables: As Pillow's `image.quantization`: 64 numbers a table, row by row.

    Returns:
        The quality; None where there is no table of 64 numbers.
    """
    given = [np.asarray(table) for _, table in sorted(tables.items())][:2]
    if not given or any(table.shape != (64,) for table in given):
        return None
    known = _scaled_tables()[:, : len(given)].astype(float)
    # Steps count by their ratio: 1 against 2 halves the precision, 100 against 101 does nothing.
    distance = np.abs(np.log(known / np.maximum(1, np.stack(given)))).sum(axis=(1, 2))
    return 100 - int(np.argmin(distance[::-1]))  # of equal ones the highest


@functools.cache
def _scaled_tables() -> np.ndarray:
    """libjpeg's tables of the qualities 1 to 100: (100, 2, 64)."""
    base = np.stack([_LUMINANCE.ravel(), _CHROMINANCE.ravel()])
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((base * scale[:, None, None] + 50) // 100, 1, 255)


def subsampling(image) -> str | None:
    """`"4:4:4"`, `"4:2:2"` or `"4:2:0"` of an open Pillow JPEG; None for others, and for grey."""
    from PIL import JpegImagePlugin

    return SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(image))
