"""Whatever a user names as a model, as a predictor."""

from __future__ import annotations

import os

from npr_keras.predict.keras_file import KerasPredictor


def open_predictor(model: str | os.PathLike) -> KerasPredictor:
    """A predictor for a `.keras` file, or for the folder of a run.

    Raises:
        CheckpointError: If there is no model there, or it cannot be read.
    """
    return KerasPredictor(model)
