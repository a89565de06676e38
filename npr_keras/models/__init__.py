"""The detector, its files, and the official checkpoints it exchanges weights with."""

import keras  # noqa: F401  first: what its import registers must not find this package half imported

from npr_keras.models.detector import Detector
from npr_keras.models.files import MODEL_FILE, load_detector, save_detector

__all__ = ["MODEL_FILE", "Detector", "load_detector", "save_detector"]
