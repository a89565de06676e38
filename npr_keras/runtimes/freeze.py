"""A model as a function of its input alone: TensorFlow's, for those that convert it."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from npr_keras.runtimes.exported import Artefact


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


def scoring_function(artefact: Artefact):
    """`pixels` to `logit` as a TensorFlow function with the weights inside.

    To `activation` too, where the detector can be run in tiles: a map whose mean is the logit.
    """
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8, name="pixels")
    detector, folded = artefact.detector, artefact.folded
    tiled = artefact.facts.tiling is not None
    outputs = [folded.output, detector.features_in(folded)] if tiled else [folded.output]
    frozen = freeze(keras.Model(folded.input, outputs))
    kernel, bias = head_weights(folded.get_layer(detector.head.name))

    @tf.function(input_signature=[spec])
    def score(pixels):
        logits, *features = frozen(tf.cast(pixels, tf.float32))
        found = {"logit": tf.reshape(logits, [-1])}
        if features:
            found["activation"] = tf.tensordot(features[0], kernel, 1) + bias
        return found

    return score, spec


def head_weights(dense) -> tuple[np.ndarray, np.ndarray]:
    """Of the last layer: what each of C features counts, (C,), and the bias, (1,)."""
    kernel, bias = (np.asarray(keras.ops.convert_to_numpy(v)) for v in (dense.kernel, dense.bias))
    return kernel[:, 0], bias
