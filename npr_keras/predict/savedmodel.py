"""A SavedModel as a predictor."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from npr_keras.data.arrays import as_batch
from npr_keras.errors import CheckpointError, MissingPackageError
from npr_keras.predict.facts import Exported, first_line, read_facts

FACTS = os.path.join("assets.extra", "npr_keras.json")  # inside a version's folder


class SavedModelPredictor(Exported):
    """Scores images with a SavedModel's signature `pixels`; needs TensorFlow, and not Keras.

    Args:
        path: A version's folder, or the one above it: then the newest version counts, as in
            TensorFlow Serving.
    """

    def __init__(self, path: str | os.PathLike):
        folder = version_folder(path)
        if folder is None:
            raise CheckpointError(f"No SavedModel in {os.fspath(path)}.")
        try:
            import tensorflow as tf
        except ImportError as error:
            raise MissingPackageError("A SavedModel needs pip install tensorflow") from error
        try:
            text = (folder / FACTS).read_text(encoding="utf-8")
        except OSError:
            text = None
        facts = read_facts(text, folder)
        self._tf = tf
        try:
            self._loaded = tf.saved_model.load(
                os.fspath(folder)
            )  # its functions live as long as it
            self._score = self._loaded.signatures["pixels"]
        # TensorFlow raises whatever its parsers meet.
        except Exception as error:
            raise CheckpointError(f"Cannot read the model {folder}: {first_line(error)}") from error
        super().__init__(folder, facts)

    def _parts(self) -> list[str]:
        return [os.path.join(self.path, "saved_model.pb")]

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores images of one size: uint8 (B, H, W, 3), see `as_batch`, to float32 logits, (B,)."""
        images = as_batch(images)
        return self._score(pixels=self._tf.constant(images))["logit"].numpy()

    def predict_encoded(self, images: list[bytes]) -> np.ndarray:
        """Scores encoded images of any size, as a server does: float32 logits, NaN for bad ones."""
        return self._loaded.signatures["serving_default"](self._tf.constant(images))[
            "logit"
        ].numpy()


def version_folder(path: str | os.PathLike) -> Path | None:
    """The folder of a SavedModel that a path means; None where there is none."""
    path = Path(path)
    if (path / "saved_model.pb").exists():
        return path
    if not path.is_dir():
        return None
    versions = [p for p in path.iterdir() if p.name.isdecimal() and (p / "saved_model.pb").exists()]
    return max(versions, key=lambda p: int(p.name), default=None)
