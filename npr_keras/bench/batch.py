"""Many images in one run: whether time grows with their number alone, and memory not at all."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from npr_keras.scoring.files import score_files
from npr_keras.simulation.photographs import embedded_photograph

PARTS = 10
_FILES = 50


def measure_batch(
    predictor, count: int, size: int, progress: Callable[[int], None] | None = None
) -> dict[str, list[float]]:
    """Scores files as `predict` does, and looks at the clock and at its memory at every tenth.

    Args:
        predictor: See `npr_keras.open_predictor`.
        count: How many, of 50 files of several sizes, JPEG and PNG, in turn.
        size: Side of the largest, in pixels.
        progress: Called with how many are done since the last call.

    Returns:
        Dict: "images_per_second" of each tenth, and "megabytes" of resident memory behind it.
    """
    rates: list[float] = []
    memory: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        files = _write(Path(folder), size)
        names = (files[i % len(files)] for i in range(count))
        begun, done = time.perf_counter(), 0
        for number, one in enumerate(score_files(predictor, names, predictor.preprocessing), 1):
            if one.error:
                raise RuntimeError(one.error)
            if progress:
                progress(1)
            if number * PARTS // count > len(rates):
                now = time.perf_counter()
                rates.append((number - done) / (now - begun))
                memory.append(_resident())
                begun, done = now, number
    return {"images_per_second": rates, "megabytes": memory}


def _write(folder: Path, size: int) -> list[str]:
    paths = []
    for i in range(_FILES):
        pixels = embedded_photograph(7, i, size)
        side = size * (8 - i % 4) // 8
        path = folder / (f"{i}.jpg" if i % 2 else f"{i}.png")
        Image.fromarray(np.ascontiguousarray(pixels[:side, :size])).save(path, quality=90)
        paths.append(str(path))
    return paths


def _resident() -> float:
    """MB of this process that are in memory now; NaN where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
