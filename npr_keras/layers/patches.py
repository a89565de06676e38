"""From the logits of patches to the image's."""

from __future__ import annotations

import keras
from keras import ops


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
