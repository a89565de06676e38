"""Neighbouring Pixel Relationships on Keras 3: train, judge and use detectors of generated images.

The names below are imported on first use, so that `import npr_keras` stays light and a backend can
still be chosen after it (Keras reads KERAS_BACKEND when it is first imported).
"""

from __future__ import annotations

import importlib

import wrapt

__version__ = "0.1.0"

_PUBLIC = {
    "NPR": "npr_keras.layers",
    "Detector": "npr_keras.models",
    "DetectorConfig": "npr_keras.config",
    "KerasPredictor": "npr_keras.predict",
    "PROTOCOLS": "npr_keras.config",
    "SimulationConfig": "npr_keras.simulation.plan",
    "Preprocessing": "npr_keras.config",
    "TrainingConfig": "npr_keras.config",
    "evaluate": "npr_keras.evaluation.evaluate",
    "find_sets": "npr_keras.data.folder",
    "find_source": "npr_keras.data.folder",
    "ModelProfile": "npr_keras.profile",
    "load_detector": "npr_keras.models",
    "open_predictor": "npr_keras.predict",
    "load_image": "npr_keras.data.decode",
    "save_detector": "npr_keras.models",
    "score": "npr_keras.predict.score_images",
    "simulate": "npr_keras.simulation.simulate",
    "train": "npr_keras.training",
}
_RENAMED = {"load_image": "load"}

__all__ = ["__version__", *_PUBLIC]


@wrapt.when_imported("keras")
def _register(keras):
    """Keras finds our classes by name once they are registered, and that is by being imported."""
    importlib.import_module("npr_keras.registered")


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'npr_keras' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), _RENAMED.get(name, name))


def __dir__():
    return sorted(__all__)
