"""The metric that training reports."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable(package="npr_keras")
def accuracy(labels, logits):
    """Whether each logit is on its label's side of 0: (B, 1), (B, 1) -> (B, 1)."""
    return keras.ops.cast((logits > 0) == (labels > 0.5), "float32")
