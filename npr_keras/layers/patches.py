"""Patches of an image, and from their logits to the image's."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from npr_keras.errors import ConfigError


@keras.saving.register_keras_serializable(package="npr_keras")
class Patches(keras.layers.Layer):
    """Patches at fixed places, as images of their own.

    Args:
        places: Top and left of each, in pixels.
        side: Of each, in pixels.
        **kwargs: The arguments every Keras layer takes.

    Input shape:
        (B, H, W, C).

    Output shape:
        (B * patches, side, side, C), an image's patches one behind the other.
    """

    def __init__(self, places: Sequence[Sequence[int]], side: int, **kwargs):
        super().__init__(**kwargs)
        if not places:
            raise ConfigError("Patches: `places` must hold at least one (top, left).")
        self.places = [(int(top), int(left)) for top, left in places]
        self.side = side

    def call(self, inputs):
        side = self.side
        found = [inputs[:, top : top + side, left : left + side] for top, left in self.places]
        return ops.reshape(ops.stack(found, axis=1), (-1, side, side, inputs.shape[-1]))

    def compute_output_shape(self, input_shape):
        return (None, self.side, self.side, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "places": self.places, "side": self.side}


@keras.saving.register_keras_serializable(package="npr_keras")
class SurestPatch(keras.layers.Layer):
    """One score of an image's patches, of which each has two logits: real, generated.

    Where any patch is rather generated, the largest logit for that; else the largest logit for real,
    negative.

    Args:
        patches: How many an image has.
        **kwargs: The arguments every Keras layer takes.

    Input shape:
        (B * patches, 2).

    Output shape:
        (B, 1).

    Reference:
        Mandelli et al., ICIP 2022.
    """

    def __init__(self, patches: int, **kwargs):
        super().__init__(**kwargs)
        self.patches = patches

    def call(self, inputs):
        real, generated = ops.split(ops.reshape(inputs, (-1, self.patches, 2)), 2, axis=2)
        found = ops.any(generated > real, axis=1)
        return ops.where(found, ops.max(generated, axis=1), -ops.max(real, axis=1))

    def compute_output_shape(self, input_shape):
        return (None, 1)

    def get_config(self):
        return {**super().get_config(), "patches": self.patches}


@keras.saving.register_keras_serializable(package="npr_keras")
class MeanProbability(keras.layers.Layer):
    """The logit of the mean of the patches' probabilities.

    Taken in logarithms, so that a patch which is sure does not become an infinity.

    Args:
        **kwargs: The arguments every Keras layer takes.

    Input shape:
        (B, h, w, 1): a logit for each patch.

    Output shape:
        (B, 1).

    Reference:
        Chai et al., ECCV 2020: the mean of the softmax over patches, their default.
    """

    def call(self, inputs):
        patches = ops.shape(inputs)[1] * ops.shape(inputs)[2]
        x = ops.reshape(inputs, (-1, patches))
        generated = ops.logsumexp(ops.log_sigmoid(x), axis=1, keepdims=True)
        return generated - ops.logsumexp(ops.log_sigmoid(-x), axis=1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1)
