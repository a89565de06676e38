"""Fitting the last layer alone: features once, logistic regression, the weights into the head."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from npr_keras.atomic import replacing
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


_KEPT_AT_ONCE = 512  # features, in a file


class FeatureFolder:
    """Features of single images on disk, so that hours of them outlive an interruption.

    Args:
        path: The folder; made with its first file.
    """

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> dict[int, np.ndarray]:
        """Image numbers to features, (C,), float32."""
        found: dict[int, np.ndarray] = {}
        for file in sorted(self.path.glob("*.npz")):
            with np.load(file) as arrays:
                found |= dict(zip(arrays["numbers"].tolist(), arrays["features"], strict=True))
        return found

    def add(self, numbers: Sequence[int], features: Sequence[np.ndarray]) -> None:
        """Keeps the features of images, in a file of their own."""
        self.path.mkdir(parents=True, exist_ok=True)
        target = self.path / f"{min(numbers):08d}.npz"
        with replacing(target) as temporary, open(temporary, "wb") as file:
            np.savez(file, numbers=np.array(numbers), features=np.stack(features))


def features_of(
    detector: Detector, images: TrainingImages, kept: FeatureFolder, pipeline: str = "auto"
) -> tuple[np.ndarray, np.ndarray]:
    """What the last layer sees of each image that can be read.

    Args:
        detector: Any.
        images: See `fit_head`.
        kept: Where features are kept as they come; those that it has are not computed again.
        pipeline: See `npr_keras.data.pipeline.PIPELINES`.

    Returns:
        Image numbers, (n,), rising, and features, (n, C), float32.
    """
    known = kept.read()
    left = [i for i in range(len(images.records)) if i not in known]
    records = [images.records[i] for i in left]
    pixels = stream_pixels(records, detector.preprocessing, images.unreadable, pipeline)
    waiting: dict[int, np.ndarray] = {}
    for places, found in scored(Features(detector), pixels, images.config.batch_size):
        waiting |= {left[place]: one for place, one in zip(places, found, strict=True)}
        if len(waiting) >= _KEPT_AT_ONCE:
            kept.add(list(waiting), list(waiting.values()))
            known, waiting = known | waiting, {}
    if waiting:
        kept.add(list(waiting), list(waiting.values()))
    known |= waiting
    numbers = sorted(known)  # the same sums, whatever sizes came together
    return np.array(numbers, int), np.array([known[i] for i in numbers])


def fit_head(
    detector: Detector,
    images: TrainingImages,
    kept: FeatureFolder,
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
        kept: See `features_of`.
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
    numbers, found = features_of(detector, images, kept, pipeline)
    features = found.astype(np.float64)
    labels = np.array([images.records[i].label for i in numbers])
    if len(np.unique(labels)) < 2:
        raise DataError("Fitting takes real and generated images that can be read.")
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
