"""How large a method's detector is, and how fast here."""

from __future__ import annotations

import math

import keras
import numpy as np

from npr_keras.detectors import get_method
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.scoring.loop import images_per_second
from npr_keras.training.methods import detector_for

_IMAGES = 4


def measure_method(name: str) -> dict:
    """Parameters, and images a second, of an untrained detector.

    Args:
        name: One of `npr_keras.detectors.DETECTORS`.

    Returns:
        Dict: "parameters", "side" of the images in pixels, "images_per_second", the median of three
        rounds of four images.
    """
    keras.backend.clear_session()
    detector = detector_for(get_method(name))
    side = detector.side or detector.preprocessing.fixed_size or 256
    predictor = KerasPredictor(detector)
    pixels = np.random.default_rng(0).integers(0, 256, (_IMAGES, side, side, 3), np.uint8)
    count = sum(math.prod(weight.shape) for weight in detector.trainable_weights)
    rate = images_per_second(predictor, pixels)
    return {"parameters": count, "side": side, "images_per_second": rate}
