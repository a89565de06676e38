"""The last layer once more, with weights that are never negative: evidence counts for generated alone."""

from __future__ import annotations

import keras
import numpy as np

from npr_keras.data.arrays import as_batch
from npr_keras.data.dataset import TrainingImages
from npr_keras.errors import ConfigError, DataError
from npr_keras.models import Detector

_PENALTY = 1e-4  # of the squared weights, beside the mean loss


def require_positive(detector: Detector, images: TrainingImages) -> None:
    """Raises ConfigError, before anything is trained, where the last layer sees negative values."""
    seen = keras.Model(detector.input, detector.head.input)
    pixels, _ = images.batches(0, 1, "pydataset")[0]
    _require(np.asarray(seen.predict_on_batch(as_batch(pixels))))


def _require(features: np.ndarray) -> None:
    if features.min() < 0:
        raise ConfigError(
            "--stay-positive takes a detector whose last layer sees what a ReLU leaves. Received one that "
            f"sees {features.min():.3g}"
        )


def stay_positive(detector: Detector, images: TrainingImages) -> None:
    """Fits the last layer anew, all weights at least 0; the rest of the detector stays as it is.

    A detector may learn what photographs have, such as a sensor's noise or a format's trace, and call
    everything without it generated. With weights of one sign on what a ReLU leaves, nothing in an
    image can speak for a photograph: only what generators leave is counted. By L-BFGS-B, on the images
    as the epoch behind the last one would meet them.

    Args:
        detector: Trained; what its last layer sees comes out of a ReLU.
        images: What it was trained on.

    Raises:
        ConfigError: If what the last layer sees can be negative.
        DataError: If a label is missing among the images that can be read.

    Reference:
        Rajan and Lee, "Stay-Positive: A case for ignoring real image features in fake image detection",
        ICML 2025.
    """
    from scipy.optimize import minimize

    seen = keras.Model(detector.input, detector.head.input)
    epoch = images.config.epochs
    batches = images.batches(epoch, epoch + 1, "pydataset")
    found, labels = [], []
    for i in range(len(images)):
        pixels, answers = batches[i]
        found.append(np.asarray(seen.predict_on_batch(as_batch(pixels)), np.float64))
        labels.append(answers[:, 0])
    features, generated = np.concatenate(found), np.concatenate(labels) == 1
    _require(features)
    if len(np.unique(generated)) < 2:
        raise DataError("--stay-positive takes real and generated images that can be read.")
    scale = np.maximum(features.std(0), 1e-6)
    features = features / scale
    signs = np.where(generated, 1.0, -1.0)
    # Both labels weigh alike.
    weights = np.where(generated, 0.5 / generated.mean(), 0.5 / (~generated).mean())

    def loss(x):
        margins = signs * (features @ x[:-1] + x[-1])
        slope = -signs * weights * _sigmoid(-margins) / len(signs)
        value = np.mean(weights * np.logaddexp(0, -margins)) + _PENALTY / 2 * x[:-1] @ x[:-1]
        return value, np.append(slope @ features + _PENALTY * x[:-1], slope.sum())

    count = features.shape[1]
    bounds = [(0, None)] * count + [(None, None)]
    fitted = minimize(loss, np.zeros(count + 1), jac=True, method="L-BFGS-B", bounds=bounds)
    kernel, bias = fitted.x[:-1] / scale, fitted.x[-1]
    detector.head.set_weights([kernel[:, None].astype(np.float32), np.array([bias], np.float32)])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))
