"""Pixels from 0 to 255 to what a network trained on ImageNet statistics expects."""

from __future__ import annotations

import keras
from keras import ops

from npr_keras.config import IMAGENET_MEAN, IMAGENET_STD
from npr_keras.errors import ConfigError
from npr_keras.layers.precision import at_least_float32


@keras.saving.register_keras_serializable(package="npr_keras")
class Normalise(keras.layers.Layer):
    """`(x / 255 - mean) / std` for each channel, rounded as the official code rounds it.

    The same three operations in float32 in the same order: NPR subtracts the results from each
    other, so a rounding error here is large there. (`keras.layers.Rescaling` multiplies by 1/255
    and `keras.layers.Normalization` divides by the root of a square.)

    Args:
        mean, std: Three numbers for R, G and B, on the range 0 to 1.
        **kwargs: The arguments every Keras layer takes.

    Input shape:
        (B, H, W, 3), 0 to 255, any dtype.

    Output shape:
        The same, in the layer's compute dtype.
    """

    def __init__(self, mean=IMAGENET_MEAN, std=IMAGENET_STD, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("mean", mean), ("std", std)):
            if len(value) != 3:
                raise ConfigError(
                    f"Normalise: `{name}` must be three numbers, for R, G and B. "
                    f"Received: {name}={value!r}"
                )
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.autocast = False

    def call(self, inputs):
        dtype = at_least_float32(self.compute_dtype)
        x = ops.cast(inputs, dtype)
        mean = ops.convert_to_tensor(self.mean, dtype)
        std = ops.convert_to_tensor(self.std, dtype)
        return ops.cast((x / 255.0 - mean) / std, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "std": self.std}
