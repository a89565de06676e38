"""The diagonal detail of the Haar wavelet."""

from __future__ import annotations

import keras
from keras import ops

from npr_keras.layers.precision import as_float


@keras.saving.register_keras_serializable(package="npr_keras")
class HaarHH(keras.layers.Layer):
    """The diagonal detail of one level of the Haar wavelet: one number for each 2 x 2 block.

        (a - b - c + d) / 2   of the block   a b
                                             c d

    Of a block's three differences the one that neither its rows nor its columns show. Rows and
    columns that do not fill a block are dropped at the bottom and on the right. Computed in the
    dtype of the input, and only then cast to the layer's compute dtype.

    Args:
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, H, W, C), both sides at least 2 and perhaps unknown.

    Output shape:
        (B, H // 2, W // 2, C).

    Reference:
        Mallat, "A theory for multiresolution signal decomposition", IEEE TPAMI 1989.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False

    def call(self, inputs):
        x = as_float(inputs)
        x = x[:, :-1:2] - x[:, 1::2]
        x = x[:, :, :-1:2] - x[:, :, 1::2]
        return ops.cast(x / 2, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(side and side // 2 for side in (height, width)), channels)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)
