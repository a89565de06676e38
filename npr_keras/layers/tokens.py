"""What a vision transformer is made of beside dense layers and normalisation."""

from __future__ import annotations

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="npr_keras")
class Tokens(keras.layers.Layer):
    """Puts a learned token before the patches, and adds each place's learned position.

    Input shape:
        (B, n, W).

    Output shape:
        (B, n + 1, W).
    """

    def build(self, input_shape):
        _, count, width = input_shape
        start = keras.initializers.RandomNormal(stddev=width**-0.5)
        self.token = self.add_weight(name="token", shape=(width,), initializer=start)
        self.position = self.add_weight(
            name="position", shape=(count + 1, width), initializer=start
        )

    def call(self, inputs):
        token = ops.broadcast_to(self.token, (ops.shape(inputs)[0], 1, inputs.shape[-1]))
        return ops.concatenate([token, inputs], axis=1) + self.position

    def compute_output_shape(self, input_shape):
        batch, count, width = input_shape
        return (batch, count + 1, width)


@keras.saving.register_keras_serializable(package="npr_keras")
class Attention(keras.layers.Layer):
    """Scaled dot-product attention over queries, keys and values that lie beside each other.

    It has no weights: the projections before and behind it are dense layers.

    Args:
        heads: How many; the width is shared out among them.
        **kwargs: The arguments every Keras layer takes.

    Input shape:
        (B, n, 3 W).

    Output shape:
        (B, n, W).
    """

    def __init__(self, heads=1, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def call(self, inputs):
        count, width = inputs.shape[1], inputs.shape[2] // 3
        size = width // self.heads
        parts = ops.reshape(inputs, (-1, count, 3, self.heads, size))
        query, key, value = (ops.transpose(parts[:, :, i], (0, 2, 1, 3)) for i in range(3))
        scores = ops.matmul(query / math.sqrt(size), ops.transpose(key, (0, 1, 3, 2)))
        mixed = ops.matmul(ops.softmax(scores, axis=-1), value)
        return ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, count, width))

    def compute_output_shape(self, input_shape):
        batch, count, width = input_shape
        return (batch, count, width // 3)

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable(package="npr_keras")
class QuickGELU(keras.layers.Layer):
    """`x sigmoid(1.702 x)`: CLIP's activation."""

    def call(self, inputs):
        return inputs * ops.sigmoid(1.702 * inputs)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="npr_keras")
class FirstToken(keras.layers.Layer):
    """The first token: (B, n, W) to (B, W)."""

    def call(self, inputs):
        return inputs[:, 0]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[2])
