"""How large a method's detector is, and how fast here."""

from __future__ import annotations

import math
import time

import keras
import numpy as np

from npr_keras.detectors import get_method
from npr_keras.runtimes.keras_file import KerasPredictor
from npr_keras.training.methods import detector_for

_IMAGES, _ROUNDS = 4, 3


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
    predictor.predict(pixels)  # the first one plans
    seconds = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        predictor.predict(pixels)
        seconds.append(time.perf_counter() - begun)
    count = sum(math.prod(weight.shape) for weight in detector.trainable_weights)
    rate = _IMAGES / float(np.median(seconds))
    return {"parameters": count, "side": side, "images_per_second": rate}
