"""Records to pixels one after the other, several ahead, for scoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.ahead import load_ahead
from npr_keras.data.decode import decode, load, path_for_graph, preprocess
from npr_keras.data.pipeline import choose_pipeline, import_tensorflow, worker_count
from npr_keras.data.records import Record
from npr_keras.data.unreadable import Unreadable
from npr_keras.errors import UnreadableImageError
from npr_keras.visible import visible


def stream_pixels(
    records: Sequence[Record],
    protocol: Preprocessing,
    unreadable: Unreadable,
    pipeline: str = "auto",
    change: Callable[[np.ndarray, int], np.ndarray] | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Loads images one after the other, several ahead, for scoring.

    Args:
        records: What to load.
        protocol: How files become pixels.
        unreadable: Where images that cannot be read are reported; they are left out.
        pipeline: One of `PIPELINES`.
        change: What is done to each image between decoding and the protocol: from its pixels, uint8
            (H, W, 3), and its index to other pixels. By Pillow, whatever the pipeline.

    Yields:
        The record's index and its pixels, uint8 (H, W, 3), in order.
    """
    if not records:  # tf.data could not tell what they are
        return
    if choose_pipeline(pipeline) == "tf.data" and not change:
        yield from _stream_tf(records, protocol, unreadable)
    else:
        yield from _stream_pillow(records, protocol, unreadable, change)


def _stream_pillow(records, protocol, unreadable, change=None):
    def load_one(index):
        return index, _load_or_reason(records[index].path, protocol, change, index)

    workers = worker_count()
    for found in load_ahead(range(len(records)), load_one, workers, 2 * workers):
        if found is None:
            continue
        index, pixels = found
        if isinstance(pixels, str):
            unreadable.add(records[index].path, pixels)
        else:
            yield index, pixels


def _load_or_reason(path, protocol, change=None, index=0):
    try:
        if change is None:
            return load(path, protocol)
        pixels = decode(path)
    except UnreadableImageError as error:
        return str(error)
    try:
        pixels = change(pixels, index)
    except (OSError, ValueError) as error:  # larger than a format can be, say
        return f"Cannot use {visible(path)}: {error}"
    try:
        return preprocess(pixels, protocol)
    except UnreadableImageError as error:
        return f"Cannot use {visible(path)}: {error}"


def _stream_tf(records, protocol, unreadable):
    tf = import_tensorflow()
    from npr_keras.data import graph

    def load_image(index, path):
        return index, graph.preprocess(graph.decode(tf.io.read_file(path)), protocol)

    paths = [path_for_graph(record.path) for record in records]
    dataset = tf.data.Dataset.from_tensor_slices(paths).enumerate()
    dataset = dataset.map(load_image, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    dataset = dataset.ignore_errors().prefetch(tf.data.AUTOTUNE)
    expected = 0
    for index, pixels in dataset.as_numpy_iterator():
        yield from _mend(records, range(expected, index), protocol, unreadable)
        yield int(index), pixels
        expected = index + 1
    yield from _mend(records, range(expected, len(records)), protocol, unreadable)


def _mend(records, indices, protocol, unreadable):
    """What the graph passed over, by Pillow."""
    for index in indices:
        pixels = _load_or_reason(records[index].path, protocol)
        if isinstance(pixels, str):
            unreadable.add(records[index].path, pixels)
        else:
            yield int(index), pixels
