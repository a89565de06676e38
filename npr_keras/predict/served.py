"""A server as a predictor."""

from __future__ import annotations

import hashlib

import numpy as np

from npr_keras.errors import CheckpointError, ServingError
from npr_keras.predict.facts import read_facts
from npr_keras.serving.client import Client

# Values in a request, at most: one byte each in gRPC, four characters in JSON.
_GRPC_VALUES, _REST_VALUES = 48 << 20, 12 << 20


class ServedPredictor:
    """Scores images with a model that a server has; images are prepared here, by its protocol.

    The version that is served at first is asked to the end.

    Args:
        url: See `npr_keras.serving.Client`.
    """

    def __init__(self, url: str):
        self.path = url
        try:
            self._client = _pinned(url)
            text = self._client.facts()
        except ServingError as error:
            raise CheckpointError(f"Cannot ask the server what it serves: {error}") from error
        self.facts = read_facts(text, url)
        self._is_rest = not self._client.address.is_grpc
        self.profile = self.facts.profile
        self.preprocessing = self.profile.preprocessing
        # Scores that were kept are of what was served then: of the same facts.
        self.identity = hashlib.sha256(text.encode()).hexdigest()

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores images of one size: uint8 (B, H, W, 3) to float32 logits, (B,)."""
        at_once = max(1, (_REST_VALUES if self._is_rest else _GRPC_VALUES) // images[0].size)
        logits = [
            self._client.predict({"pixels": images[i : i + at_once]}, "pixels")["logit"]
            for i in range(0, len(images), at_once)
        ]
        return np.concatenate(logits).astype(np.float32)


def _pinned(url: str) -> Client:
    """A client of the version that is served now: a set is judged by one, whatever comes after."""
    client = Client(url)
    if client.address.version is not None or client.address.label:
        return client
    available = [v for v, state in client.status().items() if state == "AVAILABLE"]
    client.close()
    return Client(f"{url.rstrip('/')}/versions/{max(available)}") if available else Client(url)
