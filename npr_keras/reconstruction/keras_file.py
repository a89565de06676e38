"""Keras models from images to images, such as `npr-keras data train-decoder` makes."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import keras
import numpy as np

from npr_keras.errors import CheckpointError
from npr_keras.limits import require_sane_archive
from npr_keras.reconstruction.base import Decoder


class KerasDecoder(Decoder):
    """A Keras model from (B, H, W, 3), values 0 to 255, to the same.

    Args:
        files: The .keras file. Its code is not trusted: layers are Keras' and ours alone.
    """

    multiple = 16

    def __init__(self, files: Sequence[str]):
        super().__init__(files)
        importlib.import_module(
            "npr_keras.reconstruction.families"
        )  # registers what ours are made of
        try:
            require_sane_archive(files[0])
            self.model = keras.saving.load_model(files[0], compile=False)
        except Exception as error:  # Keras raises of all kinds
            reason = str(error).partition("\n")[0]
            raise CheckpointError(f"Cannot read the decoder {files[0]}: {reason}") from error

    def reconstruct(self, pixels, random, noise=0.0):
        return np.asarray(self.model.predict_on_batch(pixels[None].astype(np.float32)))[0]
