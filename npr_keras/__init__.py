"""Neighbouring Pixel Relationships on Keras 3: train, evaluate and use detectors of generated images.

The names below are imported on first use, so that `import npr_keras` stays light and a backend can
still be chosen after it (Keras reads KERAS_BACKEND when it is first imported).
"""

from __future__ import annotations

import importlib
import os

import wrapt

__version__ = "0.1.0"

_PUBLIC = {
    "Client": "npr_keras.client.client:Client",
    "Detector": "npr_keras.models.detector:Detector",
    "KerasPredictor": "npr_keras.runtimes.keras_file:KerasPredictor",
    "ModelProfile": "npr_keras.profile:ModelProfile",
    "NPR": "npr_keras.layers.npr:NPR",
    "PROTOCOLS": "npr_keras.config:PROTOCOLS",
    "Prediction": "npr_keras.verdict:Prediction",
    "Preprocessing": "npr_keras.config:Preprocessing",
    "ResNet": "npr_keras.models.backbones.resnet:ResNet",
    "SimulationConfig": "npr_keras.simulation.plan:SimulationConfig",
    "TrainingConfig": "npr_keras.config:TrainingConfig",
    "calibrate": "npr_keras.evaluation.calibration:calibrate",
    "evaluate": "npr_keras.evaluation.evaluate:evaluate",
    "explain": "npr_keras.explanation.maps:explain",
    "export": "npr_keras.exporting.export:export_detector",
    "find_sets": "npr_keras.data.folder:find_sets",
    "find_source": "npr_keras.data.folder:find_source",
    "load_detector": "npr_keras.models.files:load_detector",
    "load_image": "npr_keras.data.decode:load",
    "measure_robustness": "npr_keras.evaluation.robustness:measure_robustness",
    "open_predictor": "npr_keras.runtimes.open:open_predictor",
    "save_detector": "npr_keras.models.files:save_detector",
    "score": "npr_keras.scoring.score_images:score",
    "score_files": "npr_keras.scoring.files:score_files",
    "simulate": "npr_keras.simulation.simulate:simulate",
    "train": "npr_keras.training.gradient:train",
}

__all__ = ["__version__", *_PUBLIC]


@wrapt.when_imported("keras")
def _register(keras):
    """Keras finds our classes by name once they are registered, and that is by being imported."""
    importlib.import_module("npr_keras.registered")


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'npr_keras' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__():
    return sorted(__all__)


# Rows that others add to `npr_keras.tables`; light modules, as nothing is imported before it is used.
for _plugin in filter(None, os.environ.get("NPR_PLUGINS", "").split(",")):
    try:
        importlib.import_module(_plugin.strip())
    except ImportError as _error:
        raise ImportError(
            f"NPR_PLUGINS names {_plugin.strip()}, which cannot be imported: {_error}. Expected modules "
            "on Python's path, with commas between them."
        ) from _error
