"""What a pixel's neighbours' median leaves of it: FerretNet's map."""

from __future__ import annotations

import keras
from keras import ops

from npr_keras.layers.precision import as_float


@keras.saving.register_keras_serializable(package="npr_keras")
class MedianResidual(keras.layers.Layer):
    """A pixel less the median of its 3 x 3 window, in which it stands as 0.

    The zero takes part, and so do the zeros beyond the edge: both are mid-grey after normalisation.
    The median of nine is that of three: the largest of the rows' least, the median of their medians,
    the least of their largest. Minima and maxima alone, so that it runs wherever a network does.

    Args:
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, H, W, C), normalised pixels.

    Output shape:
        The same.

    Reference:
        FerretNet, NeurIPS 2025: local pixel dependencies by a median with the centre masked.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False

    @property
    def local(self) -> tuple[int, int]:
        """Side of the blocks that it looks at one by one, and pixels around them; see `reach`."""
        return 1, 1

    def call(self, inputs):
        x = as_float(inputs)
        around = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        rows = [around[:, 0:-2], around[:, 1:-1], around[:, 2:]]
        nine = [[row[:, :, 0:-2], row[:, :, 1:-1], row[:, :, 2:]] for row in rows]
        nine[1][1] = ops.zeros_like(x)
        lows, mids, highs = zip(*(_sorted(*three) for three in nine), strict=True)
        _, median, _ = _sorted(_sorted(*lows)[2], _sorted(*mids)[1], _sorted(*highs)[0])
        return ops.cast(x - median, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


def _sorted(a, b, c):
    """Three tensors, place by place in order."""
    low, high = ops.minimum(a, b), ops.maximum(a, b)
    return ops.minimum(low, c), ops.maximum(low, ops.minimum(high, c)), ops.maximum(high, c)
