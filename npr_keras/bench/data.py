"""Speed of loading training images, beside one thread's, and beside the network that they are for."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from npr_keras.bench.speed import keras_step
from npr_keras.config import TrainingConfig
from npr_keras.data.dataset import TrainingImages
from npr_keras.data.decode import decode, resize
from npr_keras.data.decoded import DecodedImages
from npr_keras.data.pipeline import worker_count
from npr_keras.data.records import Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.packages import is_installed
from npr_keras.simulation.photographs import embedded_photograph

ONE_THREAD = "one thread, decoding and resizing"
LIMIT = "as many threads as cores: the limit"
CACHE = "from decoded images (--cache)"
NETWORK = "the network, training"
_FILES = 24  # half JPEG of quality 90, half PNG
_SIDE = 512  # pixels
_BATCHES = 8  # an epoch


def measure_data(batch_size: int, size: int, rounds: int) -> dict[str, float]:
    """Images a second of each way to load training images, by the official recipe.

    The files are photographs of 512 x 512 pixels, half JPEG, half PNG, in the system's cache: what
    is measured is decoding, resizing to 256 and cropping, not the disk. All take turns; the median
    over the rounds counts.

    Args:
        batch_size: Images a batch.
        size: Side of the crop, in pixels, at most 256.
        rounds: How often.

    Returns:
        Dict from what is measured to images a second; of NETWORK, of a training step of the default
        detector on images that are ready in memory.
    """
    config = TrainingConfig(batch_size=batch_size, crop=size)
    with tempfile.TemporaryDirectory() as folder:
        paths = _write_files(Path(folder))
        count = batch_size * _BATCHES
        records = [Record(paths[i % _FILES], i % 2) for i in range(count)]
        unreadable = Unreadable(count, 0)
        plain = TrainingImages(records, config, unreadable)
        kept = DecodedImages(Path(folder, "cache"), records, config.resize)
        ways = {"threads, from files": (plain, "pydataset"),
                CACHE: (TrainingImages(records, config, unreadable, kept), "pydataset")}  # fmt: skip
        if is_installed("tensorflow"):
            ways = {"tf.data, from files": (plain, "tf.data"), **ways}
        pixels, labels = _batch(batch_size, size)
        network = keras_step("train", pixels, labels, config.precision)
        rates: dict[str, list[float]] = {name: [] for name in (ONE_THREAD, *ways, NETWORK)}
        network()
        for number in range(rounds):
            rates[ONE_THREAD].append(_one_thread(paths, config))
            for name, (images, pipeline) in ways.items():
                batches = images.batches(3 * number, 3 * number + 3, pipeline)
                rates[name].append(_rate(batches, batch_size))
            started = time.perf_counter()
            network()
            rates[NETWORK].append(batch_size / (time.perf_counter() - started))
    found = {name: statistics.median(values) for name, values in rates.items()}
    limit = {LIMIT: found[ONE_THREAD] * worker_count()}
    return {ONE_THREAD: found.pop(ONE_THREAD), **limit, **found}


def _write_files(folder: Path) -> list[str]:
    paths = []
    for i in range(_FILES):
        image = Image.fromarray(embedded_photograph(7, i, _SIDE))
        path = folder / (f"{i}.jpg" if i % 2 else f"{i}.png")
        image.save(path, quality=90)
        paths.append(str(path))
    return paths


def _batch(batch_size, size):
    pixels = np.random.default_rng(0).integers(0, 256, (batch_size, size, size, 3), np.uint8)
    return pixels, (np.arange(batch_size) % 2).astype("float32")


def _one_thread(paths, config) -> float:
    started = time.perf_counter()
    for path in paths:
        resize(decode(path), config.resize)
    return len(paths) / (time.perf_counter() - started)


def _rate(batches: Any, batch_size: int) -> float:
    """Of the second of three epochs: before it batches are loaded ahead, and behind it, too."""
    found = (
        map(batches.__getitem__, range(len(batches)))
        if isinstance(batches, keras.utils.PyDataset)
        else iter(batches)
    )
    for _ in range(_BATCHES):
        next(found)
    started = time.perf_counter()
    for _ in range(_BATCHES):
        next(found)
    return _BATCHES * batch_size / (time.perf_counter() - started)
