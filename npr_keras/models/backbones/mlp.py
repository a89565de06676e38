"""A perceptron: a map of one size, each place with weights of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import layers

from npr_keras.models.backbones.base import Backbone
from npr_keras.settings import POSITIVE_INTEGERS, field_of, number


@dataclass(frozen=True)
class MLP(Backbone):
    """Dense layers on a map that has the same size for every image, such as a spectrum.

    Args:
        hidden: Units of each layer.
        dropout: Share of units that are left out in training, in front of each layer.
    """

    hidden: tuple[int, ...] = field_of((64,), POSITIVE_INTEGERS, "Units of each layer.")
    dropout: float = field_of(0.2, number(0, 1, below=True), "Share of units left out in training.")

    mean: Any = (0.0, 0.0, 0.0)
    std: Any = (1 / 255, 1 / 255, 1 / 255)  # pixels as they are

    def build(self, x):
        x = layers.Flatten(data_format="channels_last", name="flat")(x)
        for i, units in enumerate(self.hidden):
            x = layers.Dropout(self.dropout, name=f"dropout-{i}")(x)
            x = layers.Dense(units, activation="relu", name=f"dense-{i}")(x)
        return x

    def describe(self) -> str:
        return f"perceptron of {' + '.join(map(str, self.hidden))} units"
