"""Layers between pixels and the trunk: normalisation, and the representations of an image."""

import keras  # noqa: F401  first: what its import registers must not find this package half imported

from npr_keras.layers.normalise import Normalise
from npr_keras.layers.npr import NPR
from npr_keras.layers.rivals import HaarHH, HighPass

__all__ = ["NPR", "HaarHH", "HighPass", "Normalise"]
