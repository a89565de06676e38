"""Second differences: the high-pass filter of steganalysis."""

from __future__ import annotations

import keras
from keras import ops

from npr_keras.layers.precision import as_float


@keras.saving.register_keras_serializable(package="npr_keras")
class HighPass(keras.layers.Layer):
    """Second differences along rows and along columns: the square 3 x 3 filter of steganalysis.

        [-1  2 -1]
        [ 2 -4  2] / 4
        [-1  2 -1]

    What its eight neighbours predict of a pixel, less the pixel. Every pixel has its own neighbours
    here, where NPR has blocks. Computed in the dtype of the input, and only then cast to the layer's
    compute dtype.

    Args:
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, H, W, C), both sides at least 3 and perhaps unknown.

    Output shape:
        (B, H - 2, W - 2, C): the outermost pixels have no neighbours on one side.

    Reference:
        Ker and Böhme, "Revisiting weighted stego-image steganalysis", SPIE 2008; Fridrich and
        Kodovský, "Rich models for steganalysis of digital images", IEEE TIFS 2012, "SQUARE 3x3".
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False

    def call(self, inputs):
        x = as_float(inputs)
        x = x[:, 2:] - 2 * x[:, 1:-1] + x[:, :-2]
        x = x[:, :, 2:] - 2 * x[:, :, 1:-1] + x[:, :, :-2]
        return ops.cast(x / -4, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(side and side - 2 for side in (height, width)), channels)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)
