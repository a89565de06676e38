"""Edges as PyTorch's max-pool pads them."""

from __future__ import annotations

import keras
from keras import ops

_LOWEST = -3.0e38  # of float32; infinities become NaN where a converter multiplies them by 0


@keras.saving.register_keras_serializable(package="npr_keras")
class LowestPadding(keras.layers.Layer):
    """One pixel more on each side, which is never a maximum.

    Args:
        data_format: "channels_last" or "channels_first".
        **kwargs: The arguments every Keras layer takes.

    Input shape:
        (B, H, W, C), or (B, C, H, W).

    Output shape:
        The same, both sides longer by 2.
    """

    def __init__(self, data_format="channels_last", **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format

    def _axes(self):
        return (1, 2) if self.data_format == "channels_last" else (2, 3)

    def call(self, inputs):
        widths = [[1, 1] if axis in self._axes() else [0, 0] for axis in range(4)]
        return ops.pad(inputs, widths, constant_values=_LOWEST)

    def compute_output_shape(self, input_shape):
        return tuple(
            side and side + 2 if axis in self._axes() else side
            for axis, side in enumerate(input_shape)
        )

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}
