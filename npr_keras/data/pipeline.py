"""Which way images are loaded: `tf.data`, or Pillow and threads."""

from __future__ import annotations

import contextlib

import keras

from npr_keras.data.ahead import cores
from npr_keras.errors import ConfigError
from npr_keras.packages import is_installed, require

PIPELINES = ("auto", "tf.data", "pydataset")


def choose_pipeline(pipeline: str = "auto") -> str:
    """`"tf.data"` or `"pydataset"`; auto takes tf.data where TensorFlow is installed."""
    if pipeline not in PIPELINES:
        raise ConfigError(
            f"`pipeline` must be one of {', '.join(PIPELINES)}. Received: {pipeline!r}"
        )
    if pipeline == "tf.data":
        require("The tf.data pipeline (the other one is pydataset)", "tensorflow")
    if pipeline == "auto":
        return "tf.data" if is_installed("tensorflow") else "pydataset"
    return pipeline


def import_tensorflow():
    """TensorFlow for the input pipeline; on other backends it must leave the GPU alone."""
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        # RuntimeError: TensorFlow runs already, so this has been done or the user chose otherwise.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    return tf


def for_fit(batches, shape: tuple[int, ...], dtype: str):
    """What `keras.Model.fit` is given: on TensorFlow a `tf.data.Dataset` that loads two batches ahead.

    Keras would make one of a PyDataset, too, that loads as many ahead as half the memory holds.

    Args:
        batches: A `keras.utils.PyDataset`; anything else stays what it is.
        shape, dtype: Of one input.
    """
    if keras.backend.backend() != "tensorflow" or not isinstance(batches, keras.utils.PyDataset):
        return batches
    tf = import_tensorflow()

    def load(index):
        types = (tf.as_dtype(dtype), tf.float32)
        x, y = tf.numpy_function(lambda i: batches[int(i)], (index,), types)
        return tf.ensure_shape(x, [None, *shape]), tf.ensure_shape(y, [None, 1])

    count = len(batches)
    found = tf.data.Dataset.range(count).map(load, num_parallel_calls=1, deterministic=True)
    return found.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)


def worker_count() -> int:
    """Threads that load images: one a core."""
    return max(2, cores())
