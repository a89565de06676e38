"""What stands in for a model where its scores have to be known."""

import numpy as np

from npr_keras.config import PROTOCOLS
from npr_keras.profile import ModelProfile


class Brightness:
    """A predictor whose logit anybody can compute from the file: mean level, less a threshold."""

    preprocessing = PROTOCOLS["resize256"]
    profile = ModelProfile(PROTOCOLS["resize256"])

    def __init__(self, threshold=127, identity="brightness"):
        self.threshold = threshold
        self.identity = f"{identity} {threshold}"

    def predict(self, images):
        assert images.dtype == np.uint8
        return images.mean((1, 2, 3), dtype=np.float64).astype(np.float32) - self.threshold
