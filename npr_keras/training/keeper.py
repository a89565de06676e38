"""What happens before and after every epoch of a training."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import keras
import numpy as np

from npr_keras.data.dataset import TrainingImages
from npr_keras.data.records import Record
from npr_keras.errors import RunError
from npr_keras.evaluation.evaluate import metrics_of
from npr_keras.models import Detector
from npr_keras.training.run_folder import RunFolder


class EpochKeeper(keras.callbacks.Callback):
    """Before an epoch: its learning rate. After it: validation, history, checkpoint.

    Args:
        run: Where they are kept.
        detector: What is kept; what is fitted may be a part of it.
        images: What it is trained on.

    Attributes:
        labels: Validation images, with their labels.
        judge: Gives their logits; None without any.
    """

    def __init__(self, run: RunFolder, detector: Detector, images: TrainingImages):
        super().__init__()
        self.run = run
        self.detector = detector
        self.images = images
        self.labels: Sequence[Record] = ()
        self.judge: Callable[[], np.ndarray] | None = None
        self.spent = run.trained_seconds()
        self.is_warm = False

    def on_epoch_begin(self, epoch, logs=None):
        self.detector.optimizer.learning_rate = self.images.config.learning_rate_at(epoch)
        self.started = time.perf_counter()
        self.steps = 0
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if not self.steps:  # not before: Keras draws, too, when it first builds the step
            _seed(self.detector, self.images.config.seed, self.epoch)

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if not self.is_warm:  # the first step builds the graph
            self.spent -= time.perf_counter() - self.started
            self.is_warm = True
        minutes = self.images.config.minutes
        if minutes and self.spent + time.perf_counter() - self.started >= 60 * minutes:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.started
        self.spent += seconds
        seen = min(self.steps * self.images.config.batch_size, len(self.images.records))
        weights = self.detector.get_weights()
        if not (np.isfinite(logs["loss"]) and all(np.isfinite(w).all() for w in weights)):
            raise RunError(
                f"Training diverged in epoch {epoch + 1}: the loss is {logs['loss']:.4g}, and loss or "
                "weights are no longer finite. The checkpoint of the epoch before is kept. "
                "A lower --lr, or --precision float32, may help."
            )
        row = {
            "epoch": epoch + 1,
            "learning_rate": self.images.config.learning_rate_at(epoch),
            "loss": float(logs["loss"]),
            "accuracy": float(logs["accuracy"]),
            **self._validate(),
            "images_per_second": seen / seconds,
            "seconds": time.perf_counter() - self.started,
            **({"trained_seconds": self.spent} if self.images.config.minutes else {}),
        }
        self.run.save_epoch(self.detector, row)
        logs.update(row)

    def _validate(self):
        if self.judge is None:
            return {}
        metrics = metrics_of(self.labels, self.judge())
        return {
            "val_accuracy": metrics.accuracy,
            "val_average_precision": metrics.average_precision,
        }


def _seed(model: keras.Model, seed: int, epoch: int) -> None:
    """Begins dropout's draws anew: files do not keep where they were, and a run may go on anywhere."""
    states = [v for v in model.variables if v.path.endswith("seed_generator_state")]
    for i, state in enumerate(states):
        drawn = np.random.default_rng([seed, epoch, i]).integers(2**32, size=2, dtype=np.uint32)
        state.assign(drawn)
    if keras.backend.backend() == "torch":  # where dropout without a seed of its own asks torch
        keras.utils.set_random_seed(int(np.random.default_rng([seed, epoch]).integers(2**32)))
