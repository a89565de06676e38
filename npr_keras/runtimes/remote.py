"""A server as a predictor."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from PIL import Image

from npr_keras.client.client import Client
from npr_keras.config import Preprocessing
from npr_keras.data.arrays import as_batch
from npr_keras.errors import CheckpointError, ServingError
from npr_keras.runtimes.exported import read_facts

# Values in a request, at most: one byte each in gRPC, four characters in JSON.
_GRPC_VALUES, _REST_VALUES = 48 << 20, 12 << 20
_AT_ONCE = 8  # encoded images in a request


class ServedPredictor:
    """Scores images with a model that a server has; images are prepared here, by its protocol.

    The version that is served at first is asked to the end.

    Args:
        url: See `npr_keras.Client`.
    """

    def __init__(self, url: str):
        self.path = url
        try:
            self._client = Client(url).pinned()
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
        """Scores images of one size: uint8 (B, H, W, 3), see `as_batch`, to float32 logits, (B,)."""
        images = as_batch(images)
        if is_kept(self.preprocessing, images.shape[1:3]):
            answers = list(self._client.score(map(png_of, images), _AT_ONCE))
            refused = next((answer.error for answer in answers if not answer.valid), None)
            if refused is not None:
                raise CheckpointError(f"{self.path} gives no score: {refused or 'unknown error'}")
            return np.array([answer.logit for answer in answers], np.float32)
        at_once = max(1, (_REST_VALUES if self._is_rest else _GRPC_VALUES) // images[0].size)
        logits = [
            self._client.predict({"pixels": images[i : i + at_once]}, "pixels")["logit"]
            for i in range(0, len(images), at_once)
        ]
        return np.concatenate(logits).astype(np.float32)


def is_kept(protocol: Preprocessing, shape: tuple[int, int]) -> bool:
    """Whether the server's own preprocessing leaves prepared pixels as they are.

    Then they travel as PNG: losslessly, a tenth of their size, and TensorFlow Serving does not refuse a
    batch for its images' sizes, as it does with numbers.
    """
    return (
        (not protocol.resize or shape == (protocol.resize, protocol.resize))
        and (not protocol.tile or min(shape) >= protocol.tile)
        and (not protocol.crop or max(shape) <= protocol.crop)
        and (not protocol.even or all(side % 2 == 0 for side in shape))
    )


def png_of(pixels: np.ndarray) -> bytes:
    """The pixels as a PNG file: lossless, and quickly written."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
