"""Large images in tiles: the score of the whole, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from npr_keras.limits import TILE

# A network takes some 300 bytes for a pixel: 2 million at once are 0.6 GB.
MOST_WHOLE = 1 << 21


def is_tiled(shape: tuple[int, ...], tiling: tuple[int, int] | None) -> bool:
    """Whether images of a shape, (B, H, W, 3), are scored in tiles."""
    return tiling is not None and shape[1] * shape[2] > MOST_WHOLE


def logits_in_tiles(
    activation: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    tiling: tuple[int, int],
    tile: int = TILE,
) -> np.ndarray:
    """Logits of large images, each the mean of its activation map, which is made tile by tile.

    Equal to the whole image's score up to the rounding of sums, see `npr_keras.models.reach`.

    Args:
        activation: From uint8 (1, h, w, 3) to a map of logits, (h', w').
        images: uint8, (B, H, W, 3).
        tiling: Stride and halo in pixels, as `reach` says.
        tile: Pixels a side, a multiple of the stride.

    Returns:
        float32, (B,).
    """
    return np.array([_in_tiles(activation, image, tiling, tile) for image in images], np.float32)


def _in_tiles(activation, image: np.ndarray, tiling: tuple[int, int], tile: int) -> float:
    total, count = 0.0, 0
    for rows, kept_rows in _spans(image.shape[0], tiling, tile):
        for columns, kept_columns in _spans(image.shape[1], tiling, tile):
            found = activation(image[None, rows, columns])[kept_rows, kept_columns]
            total += float(found.sum(dtype=np.float64))
            count += found.size
    return total / count


def _spans(length: int, tiling: tuple[int, int], tile: int) -> Iterator[tuple[slice, slice]]:
    """Along one side: pixels that are looked at, and the features of them that are kept."""
    stride, halo = tiling
    for begin in range(0, length, tile):
        end = min(length, begin + tile)
        first = max(0, begin - halo)
        skipped, kept = (begin - first) // stride, -(-(end - begin) // stride)
        yield slice(first, min(length, end + halo)), slice(skipped, skipped + kept)
