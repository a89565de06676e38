"""The detector that comes with the package, by NumPy alone: it answers before Keras would be imported."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from typing import Any

import numpy as np

from npr_keras import spectra
from npr_keras.config import Preprocessing
from npr_keras.data.arrays import as_batch
from npr_keras.errors import ConfigError, NPRKerasError
from npr_keras.limits import require_sane_archive
from npr_keras.profile import ModelProfile

# Of a representation's class in a file: its formula, and its group of variables.
_FORMULAS = {
    "CyclicSpectrum": (spectra.cyclic, "cyclic_spectrum"),
    "Periodogram": (spectra.periodogram, "periodogram"),
}


# What readers of zip, JSON and HDF5 meet in a damaged file.
_ODD = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RuntimeError,
        zipfile.BadZipFile, zlib.error, NPRKerasError)  # fmt: skip


class LightPredictor:
    """Scores images with a spectrum and dense layers, as `KerasPredictor` does, without Keras.

    Args:
        path: The `.keras` file.
        config: Of the detector in it.
        weights: The spectrum's mean and variance, then each layer's kernel and bias.
    """

    def __init__(self, path: str, config: dict, weights: list[np.ndarray]):
        self.path = path
        with open(path, "rb") as file:
            self.identity = hashlib.file_digest(file, "sha256").hexdigest()
        self.profile = ModelProfile.from_dict(config["profile"])
        representation = config["representation"]
        self._formula, _ = _FORMULAS[representation["class_name"]]
        self._side = representation["config"]["side"]
        mean, variance, *self._layers = weights
        self._mean, self._std = mean, np.sqrt(np.maximum(variance, np.float32(1e-6)))
        self._shift, self._scale = (
            np.array(config["backbone"][k], np.float32) for k in ("mean", "std")
        )

    @property
    def preprocessing(self) -> Preprocessing:
        """How image files become this predictor's input."""
        return self.profile.preprocessing

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Scores images of one size: uint8 (B, H, W, 3), see `as_batch`, to float32 logits, (B,).

        Raises:
            ConfigError: If they are smaller than a window of the spectrum.
        """
        images = as_batch(images)
        if min(images.shape[1:3]) < self._side:
            raise ConfigError(
                f"This detector takes images of at least {self._side} pixels a side. Received: "
                f"{images.shape[2]} x {images.shape[1]}. Its own pixels are {self.preprocessing.name}."
            )
        return np.array([self._logit(image[None]) for image in images], np.float32)

    def _logit(self, image: np.ndarray) -> np.float32:
        x = image.astype(np.float32)
        x = (x / np.float32(255) - self._shift) / self._scale
        x = (
            self._formula(x, self._side, np).reshape(1, *self._mean.shape) - self._mean
        ) / self._std
        x = x.reshape(1, -1)
        *hidden, (kernel, bias) = zip(self._layers[::2], self._layers[1::2], strict=True)
        for weights, shift in hidden:
            x = np.maximum(x @ weights + shift, 0)
        return (x @ kernel + bias)[0, 0]


def open_light(path: str | os.PathLike) -> LightPredictor | None:
    """The predictor of a `.keras` file; None where it holds something that needs Keras, or nothing."""
    path = os.fspath(path)
    if not zipfile.is_zipfile(path):
        return None
    try:
        require_sane_archive(path)
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            if not _is_light(config):
                return None
            file = io.BytesIO(archive.read("model.weights.h5"))
        return LightPredictor(path, config["config"], _weights(file, config["config"]))
    # Whatever is odd about it, Keras' own reader says better.
    except _ODD:
        return None


def _is_light(config: dict) -> bool:
    inner: dict[str, Any] = config["config"]
    return (
        config["class_name"] == "Detector"
        and inner["representation"]["class_name"] in _FORMULAS
        and inner["backbone"]["backbone"] == "mlp"
        and inner.get("dtype") is None
        and not inner.get("quantized")
    )


def _weights(file, config: dict) -> list[np.ndarray]:
    """As Keras names them: a layer's class, and its number where there are several."""
    import h5py

    _, group = _FORMULAS[config["representation"]["class_name"]]
    count = len(config["backbone"]["hidden"]) + 1
    names = [group, "dense", *(f"dense_{i}" for i in range(1, count))]
    with h5py.File(file, "r") as stored:
        return [
            np.asarray(stored[f"layers/{name}/vars/{i}"], np.float32)
            for name in names
            for i in (0, 1)
        ]
