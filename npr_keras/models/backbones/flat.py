"""No network at all: every value of the representation is a feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import layers

from npr_keras.models.backbones.base import Backbone
from npr_keras.settings import field_of, integer


@dataclass(frozen=True)
class Flat(Backbone):
    """All values of a representation of one size, for a linear classifier.

    Args:
        side: Of the representation.

    Reference:
        Frank et al., ICML 2020: ridge regression on the coefficients.
    """

    side: int = field_of(256, integer(8), "Of the representation.")

    mean: Any = (0.0, 0.0, 0.0)
    std: Any = (1 / 255, 1 / 255, 1 / 255)  # pixels as they are
    head_l2 = 0.01

    def build(self, x):
        return layers.Reshape((self.side * self.side * x.shape[-1],), name="flat")(x)

    def describe(self) -> str:
        return f"none: {self.side} x {self.side} values and a linear classifier"
