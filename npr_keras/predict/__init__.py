"""Predictors: anything that scores images behind one small interface.

A predictor has `predict(images)`, from uint8 (B, H, W, 3) to float32 logits (B,); `preprocessing`,
the protocol its images are made by; `profile`, what is known about it (a `ModelProfile`); and
`identity`, what tells it from all others. `open_predictor` makes one of whatever a user names.

Keras is imported with `KerasPredictor` alone: other models start without it.
"""

import importlib

from npr_keras.predict.open import open_predictor

_LAZY = {
    "KerasPredictor": "npr_keras.predict.keras_file",
    "score_files": "npr_keras.predict.files",
    "served_predictions": "npr_keras.predict.served",
}

__all__ = ["open_predictor", *_LAZY]


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
