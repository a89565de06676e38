"""Predictors: anything that scores images behind one small interface.

A predictor has `predict(images)`, from uint8 (B, H, W, 3) to float32 logits (B,); `preprocessing`,
the protocol its images are made by; `profile`, what is known about it (a `ModelProfile`); and
`identity`, what tells it from all others. `open_predictor` makes one of whatever a user names.

Keras is imported with `KerasPredictor` alone: other models start without it.
"""

from npr_keras.predict.open import open_predictor

__all__ = ["KerasPredictor", "open_predictor"]


def __getattr__(name):
    if name != "KerasPredictor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from npr_keras.predict.keras_file import KerasPredictor

    return KerasPredictor
