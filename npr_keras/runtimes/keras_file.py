"""A Keras detector as a predictor."""

from __future__ import annotations

import os

import keras
import numpy as np

from npr_keras.config import Preprocessing
from npr_keras.data.arrays import as_batch
from npr_keras.errors import ConfigError
from npr_keras.models import Detector, load_detector
from npr_keras.models.backbones.base import fast_data_format
from npr_keras.models.files import file_digest
from npr_keras.profile import ModelProfile
from npr_keras.runtimes.tiles import is_tiled, logits_in_tiles

_SHAPES = 64


class KerasPredictor:
    """Scores images with a detector in this process.

    Args:
        detector: A `Detector`, or the path of a `.keras` file or of a folder that holds one.

    Attributes:
        identity: SHA-256 of the file; None for a detector that was passed as such.
        path: Where it is; "" likewise.

    Example:
        >>> predictor = KerasPredictor("saved_models/npr")
        >>> predictor.predict(np.zeros((2, 64, 64, 3), np.uint8)).dtype
        dtype('float32')
    """

    def __init__(self, detector: Detector | str | os.PathLike):
        self.identity: str | None = None
        self.path = ""
        self._positions: keras.Model | None = None
        self._shapes: set = set()
        if not isinstance(detector, Detector):
            path, detector = detector, load_detector(detector)
            self.identity = file_digest(path)
            self.path = os.fspath(path)
        self.detector = detector

    @property
    def preprocessing(self) -> Preprocessing:
        """How image files become this predictor's input."""
        return self.detector.preprocessing

    @property
    def profile(self) -> ModelProfile:
        """What is known about it."""
        return self.detector.profile

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores images of one size: uint8 (B, H, W, 3), see `as_batch`, to float32 logits, (B,).

        Raises:
            ConfigError: If the detector takes images of one size alone, and these have another.
        """
        images = as_batch(images)
        side = self.detector.side
        if side and images.shape[1:3] != (side, side):
            raise ConfigError(
                f"This detector takes {side} x {side} pixels alone. Received: {images.shape[2]} x "
                f"{images.shape[1]}. Its own pixels are {self.preprocessing.name}."
            )
        if min(images.shape[1:3]) < self.detector.least:
            raise ConfigError(
                f"This detector takes images of at least {self.detector.least} pixels a side. Received: "
                f"{images.shape[2]} x {images.shape[1]}. Its own pixels are {self.preprocessing.name}."
            )
        tiling = self.detector.tiling
        if tiling and is_tiled(images.shape, tiling):
            return logits_in_tiles(self._activation, images, tiling)
        if keras.backend.backend() == "jax":
            self._forget(images.shape)
        most = self.detector.backbone.at_once or len(images)
        parts = [
            self.detector.predict_on_batch(images[i : i + most])
            for i in range(0, len(images), most)
        ]
        return np.concatenate([np.asarray(part, np.float32)[:, 0] for part in parts])

    def _activation(self, image: np.ndarray) -> np.ndarray:
        """The map of one image, (1, h, w, 3), whose mean is its logit: (h', w')."""
        if self._positions is None:
            features = self.detector.features_in(self.detector)
            self._positions = keras.Model(self.detector.input, features)
        features = np.asarray(self._positions.predict_on_batch(image), np.float32)[0]
        if fast_data_format() == "channels_first":
            features = features.transpose(1, 2, 0)
        dense = self.detector.head
        kernel, bias = (
            np.asarray(keras.ops.convert_to_numpy(v), np.float32)
            for v in (dense.kernel, dense.bias)
        )
        return (features @ kernel)[:, :, 0] + bias

    def _forget(self, shape) -> None:
        """JAX compiles for every shape and keeps it: after so many, all of it goes."""
        self._shapes.add(shape)
        if len(self._shapes) > _SHAPES:
            import jax

            jax.clear_caches()
            self._shapes = {shape}
