"""Layers between pixels and the backbone: normalisation, and the representations of an image."""

import keras  # noqa: F401  first: what its import registers must not find this package half imported

from npr_keras.layers.haar import HaarHH
from npr_keras.layers.high_pass import HighPass
from npr_keras.layers.normalise import Normalise
from npr_keras.layers.npr import NPR

__all__ = ["NPR", "HaarHH", "HighPass", "Normalise"]
