"""A model as a function of its input alone: TensorFlow's, for those that convert it."""

from __future__ import annotations

import keras
import tensorflow as tf


def freeze(model: keras.Model):
    """A function from float32 pixels, (B, H, W, 3), to the list of the model's outputs.

    The weights are constants in it. A data set's function cannot see a session's variables: TF
    Serving would call every image of an unfixed size invalid. Converters want no variables either,
    and constants fold.
    """
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    pixels = tf.TensorSpec([None, None, None, 3], tf.float32, name="pixels")
    function = tf.function(lambda pixels: model(pixels, training=False))
    return convert_variables_to_constants_v2(function.get_concrete_function(pixels))


def scoring_function(folded: keras.Model):
    """`pixels` to `logit` as a TensorFlow function with the weights inside."""
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8, name="pixels")
    frozen = freeze(folded)

    @tf.function(input_signature=[spec])
    def score(pixels):
        (logits,) = frozen(tf.cast(pixels, tf.float32))
        return {"logit": tf.reshape(logits, [-1])}

    return score, spec
