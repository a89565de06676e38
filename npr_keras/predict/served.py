"""A server as a predictor."""

from __future__ import annotations

import hashlib

import numpy as np

from npr_keras.errors import CheckpointError, ServingError
from npr_keras.predict.facts import read_facts
from npr_keras.serving.client import Client


class ServedPredictor:
    """Scores images with a model that a server has; images are prepared here, by its protocol.

    Args:
        url: See `npr_keras.serving.Client`.
    """

    def __init__(self, url: str):
        self.path = url
        self._client = Client(url)
        try:
            text = self._client.facts()
        except ServingError as error:
            raise CheckpointError(f"Cannot ask the server what it serves: {error}") from error
        self.facts = read_facts(text, url)
        self.preprocessing = self.facts.preprocessing
        self.calibration = self.facts.calibration
        self.robustness = self.facts.robustness
        # Scores that were kept are of what was served then: of the same facts.
        self.identity = hashlib.sha256(text.encode()).hexdigest()

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores images of one size: uint8 (B, H, W, 3) to float32 logits, (B,)."""
        outputs = self._client.predict({"pixels": images}, "pixels")
        return outputs["logit"].astype(np.float32)
