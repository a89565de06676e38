"""Fitting the last layer alone: features once, logistic regression, the weights into the head."""

from __future__ import annotations

import time
from collections.abc import Sequence

import keras
import numpy as np

from npr_keras.data.arrays import as_batch
from npr_keras.data.dataset import TrainingImages
from npr_keras.data.stream import stream_pixels
from npr_keras.errors import DataError
from npr_keras.models import Detector
from npr_keras.scoring.loop import scored


class Features:
    """A detector up to its last layer: what the loop takes for a predictor.

    Args:
        detector: The detector.
    """

    def __init__(self, detector: Detector):
        self._model = keras.Model(detector.input, detector.head.input)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Images of one size, uint8 (B, H, W, 3), to features, float32 (B, C)."""
        return np.asarray(self._model.predict_on_batch(as_batch(images)), np.float32)


def fit_head(
    detector: Detector,
    images: TrainingImages,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    pipeline: str = "auto",
) -> None:
    """Fits the last layer by logistic regression; the rest of the detector stays as it is.

    Features are standardised for the fit, and that is folded into the weights. Both labels weigh
    alike, and scikit-learn's default penalty (L2, C = 1) holds where features are many.

    Args:
        detector: Changed in its head.
        images: What to train on, as the detector makes its pixels when it scores; its batch size
            counts, its crops and flips do not.
        callbacks: Told of one epoch.
        pipeline: See `npr_keras.data.pipeline.PIPELINES`.

    Raises:
        DataError: If a label is missing among the images that can be read.
    """
    from sklearn.linear_model import LogisticRegression

    told = keras.callbacks.CallbackList(list(callbacks), model=detector, epochs=1, steps=1)
    told.on_train_begin()
    told.on_epoch_begin(0)
    begun = time.perf_counter()
    pixels = stream_pixels(images.records, detector.preprocessing, images.unreadable, pipeline)
    places: list[int] = []
    parts = []
    for indices, found in scored(Features(detector), pixels, images.config.batch_size):
        places += indices
        parts.append(found)
    labels = np.array([images.records[i].label for i in places])
    if len(np.unique(labels)) < 2:
        raise DataError("Fitting takes real and generated images that can be read.")
    order = np.argsort(places)  # the same sums, whatever sizes came together
    features, labels = np.concatenate(parts)[order].astype(np.float64), labels[order]
    mean, std = features.mean(0), features.std(0)
    std[std == 0] = 1.0
    fit = LogisticRegression(max_iter=1000, class_weight="balanced")
    fit.fit((features - mean) / std, labels)
    kernel = fit.coef_[0] / std
    bias = float(fit.intercept_[0] - kernel @ mean)
    detector.head.set_weights([kernel[:, None].astype(np.float32), np.array([bias], np.float32)])
    logits = features @ kernel + bias
    loss = float(np.mean(np.logaddexp(0, np.where(labels == 1, -logits, logits))))
    accuracy = float(np.mean((logits > 0) == (labels == 1)))
    logs = {"loss": loss, "accuracy": accuracy, "seconds": time.perf_counter() - begun}
    told.on_train_batch_end(0, logs)
    told.on_epoch_end(0, logs)
    told.on_train_end()
