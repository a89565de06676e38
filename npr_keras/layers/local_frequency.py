"""What frequencies there are around each place: F3Net's second branch."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from npr_keras.layers.dct import dct_matrix
from npr_keras.layers.precision import as_float

_WINDOW, _STRIDE, _MARGIN, _BANDS = 10, 2, 4, 6
_GREY = (0.299, 0.587, 0.114)


@keras.saving.register_keras_serializable(package="npr_keras")
class LocalFrequencies(keras.layers.Layer):
    """The mean logarithm of a window's DCT coefficients in six bands, with learned masks.

    Windows of 10 x 10 pixels, every second pixel, zeros beyond the edge. The constants, 122.5 among
    them, are those of the public re-implementation, whose author says of this branch that something
    is wrong with it; there is no official code.

    Args:
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, H, W, 3), from -1 to 1.

    Output shape:
        (B, (H - 2) // 2 + 1, (W - 2) // 2 + 1, 6).

    Reference:
        Qian et al., "Thinking in frequency: face forgery detection by mining frequency-aware clues",
        ECCV 2020, local frequency statistics.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False

    def build(self, input_shape):
        self.masks = self.add_weight(
            name="masks",
            shape=(_BANDS, _WINDOW, _WINDOW),
            initializer=keras.initializers.RandomNormal(stddev=0.1),
        )

    def call(self, inputs):
        x = as_float(inputs)
        grey = ops.sum(x * ops.convert_to_tensor(_GREY, x.dtype), axis=-1, keepdims=True)
        margins = ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0))
        grey = ops.pad((grey + 1) * 122.5, margins)
        dct = dct_matrix(_WINDOW)
        kernel = np.einsum("ui,vj->ijuv", dct, dct).reshape(_WINDOW, _WINDOW, 1, -1)
        kernel = ops.convert_to_tensor(kernel, x.dtype)
        found = ops.conv(grey, kernel, _STRIDE, "valid", data_format="channels_last")
        found = ops.log(ops.abs(found) + 1e-15) / np.log(10)
        total = np.add.outer(np.arange(_WINDOW), np.arange(_WINDOW))
        width = 2 * _WINDOW / _BANDS
        edges = [(i * width, (i + 1) * width) for i in range(_BANDS)]
        inside = np.array([(total >= low) & (total <= high) for low, high in edges], float)
        learned = ops.cast(2 * ops.sigmoid(self.masks) - 1, x.dtype)
        weights = ops.convert_to_tensor(inside, x.dtype) + learned
        weights = weights / ops.convert_to_tensor(inside.sum((1, 2), keepdims=True), x.dtype)
        weights = ops.transpose(ops.reshape(weights, (_BANDS, -1)))
        return ops.cast(ops.matmul(found, weights), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        sides = [None if n is None else (n + 2 * _MARGIN - _WINDOW) // _STRIDE + 1
                 for n in input_shape[1:3]]  # fmt: skip
        return (input_shape[0], *sides, _BANDS)
