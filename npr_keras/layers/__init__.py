"""Layers between pixels and the trunk: normalisation, and the representations of an image."""

from npr_keras.layers.normalise import Normalise
from npr_keras.layers.npr import NPR
from npr_keras.layers.rivals import HaarHH, HighPass

__all__ = ["NPR", "HaarHH", "HighPass", "Normalise"]
