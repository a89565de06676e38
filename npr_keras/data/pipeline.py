"""Which way images are loaded: `tf.data`, or Pillow and threads."""

from __future__ import annotations

import contextlib
import os

import keras

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


def worker_count() -> int:
    """Threads that load images: one a core."""
    return max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)
