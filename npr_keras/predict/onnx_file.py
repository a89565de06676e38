"""An ONNX file as a predictor, by ONNX Runtime."""

from __future__ import annotations

import os

import numpy as np

from npr_keras.data.arrays import as_batch
from npr_keras.errors import CheckpointError, MissingPackageError
from npr_keras.predict.facts import KEY, Exported, read_facts


class ONNXPredictor(Exported):
    """Scores images with ONNX Runtime, on the CPU; neither Keras nor TensorFlow is needed.

    Args:
        path: A `.onnx` file that `npr-keras export` wrote.
    """

    def __init__(self, path: str | os.PathLike):
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingPackageError('ONNX files need pip install "npr-keras[onnx]"') from error
        try:
            self._session = onnxruntime.InferenceSession(
                os.fspath(path), providers=["CPUExecutionProvider"]
            )
        # ONNX Runtime raises classes of its own for what its parser meets.
        except Exception as error:
            raise CheckpointError(f"Cannot read the model {os.fspath(path)}: {error}") from error
        known = self._session.get_modelmeta().custom_metadata_map
        super().__init__(path, read_facts(known.get(KEY), path))

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores images of one size: uint8 (B, H, W, 3), see `as_batch`, to float32 logits, (B,)."""
        images = as_batch(images)
        (logits,) = self._session.run(["logit"], {"pixels": images})
        return logits
