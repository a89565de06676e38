"""Neighbouring pixel relationships of an image and of smaller copies of it."""

from __future__ import annotations

import keras
from keras import ops

from npr_keras.errors import ConfigError
from npr_keras.layers.precision import as_float


@keras.saving.register_keras_serializable(package="npr_keras")
class NPRPyramid(keras.layers.Layer):
    """NPR (l = 2, w_1, no factor) at several scales, a block's three differences in channels.

    Scale s is the image after s times a 2 x 2 mean. Compression takes the finest differences away
    first; what a generator leaves among means of pixels stays longer. Nothing of NPR is lost: the
    fourth difference of a block, that of its own reference pixel, is always 0. The coarser scales
    are repeated until all have the size of the finest.

    Args:
        scales: How many.
        **kwargs: The arguments every Keras layer takes, `name` and `dtype`.

    Input shape:
        (B, H, W, C), both sides at least 2^scales; what does not fill a block of 2^scales is dropped.

    Output shape:
        (B, H / 2, W / 2, 3 C scales).

    Reference:
        NPR: Tan et al., CVPR 2024, Eq. 4. The scales are ours.
    """

    def __init__(self, scales=3, **kwargs):
        super().__init__(**kwargs)
        if isinstance(scales, bool) or not isinstance(scales, int) or not 1 <= scales <= 6:
            raise ConfigError(
                f"NPRPyramid: `scales` must be an integer from 1 to 6. Received: scales={scales!r}"
            )
        self.scales = scales
        self.autocast = False

    @property
    def least(self) -> int:
        """Side of the smallest image, in pixels."""
        return 2**self.scales

    def call(self, inputs):
        x = as_float(inputs)
        block = 2**self.scales
        height, width = (ops.shape(x)[axis] // block * block for axis in (1, 2))
        x = x[:, :height, :width]
        found = []
        for scale in range(self.scales):
            corner, *others = (x[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
            differences = ops.concatenate([other - corner for other in others], axis=-1)
            for axis in (1, 2):
                differences = ops.repeat(differences, 2**scale, axis=axis)
            found.append(differences)
            x = (corner + others[0] + others[1] + others[2]) / 4
        return ops.cast(ops.concatenate(found, axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        block = 2**self.scales
        sides = [n and n // block * block // 2 for n in input_shape[1:3]]
        channels = input_shape[-1] and 3 * self.scales * input_shape[-1]
        return (input_shape[0], *sides, channels)

    def get_config(self):
        return {**super().get_config(), "scales": self.scales}
