"""Predictors: anything that scores images behind one small interface.

A predictor has `predict(images)`, from uint8 (B, H, W, 3) to float32 logits (B,), and
`preprocessing`, the protocol its images are made by.
"""

from npr_keras.predict.keras_file import KerasPredictor
from npr_keras.predict.open import open_predictor

__all__ = ["KerasPredictor", "open_predictor"]
