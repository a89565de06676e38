"""Batch normalisation with each backend's fused kernel, and PyTorch's running statistics."""

from __future__ import annotations

import keras
from keras import ops

from npr_keras.layers.precision import at_least_float32


@keras.saving.register_keras_serializable(package="npr_keras")
class BatchNorm(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` for images, faster, and as the official code updates it.

    Two differences to the parent, which builds, stores and configures the layer:

    * The running variance takes the unbiased estimate of the batch, `n / (n - 1)` times the
      variance that normalises, as PyTorch does.
    * TensorFlow and torch use their fused kernels. The parent composes the same result of half a
      dozen operations, and each of them reads all features once.

    Args:
        axis: The channels' axis: -1 or 3 for channels last, 1 for channels first.
        momentum, epsilon: As the parent's. PyTorch's `momentum=0.1` is 0.9 here.
        **kwargs: The arguments every Keras layer takes.

    Input shape:
        (B, H, W, C) or (B, C, H, W), any float dtype.

    Output shape:
        The same, in the layer's compute dtype.
    """

    def call(self, inputs, training=None, mask=None):
        x = ops.cast(inputs, self.compute_dtype)
        fused = _KERNELS.get(keras.backend.backend(), _composed)
        # TensorFlow's kernel knows no float64, which only checks of the arithmetic use.
        normalise = _composed if self.compute_dtype == "float64" else fused
        y, mean, variance = normalise(x, self, bool(training and self.trainable))
        if mean is not None:
            for running, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                running.assign(running * self.momentum + batch * (1.0 - self.momentum))
        return ops.cast(y, self.compute_dtype)


def _tensorflow(x, layer, training):
    import tensorflow as tf

    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=layer.gamma.value,
        offset=layer.beta.value,
        mean=[] if training else layer.moving_mean.value,
        variance=[] if training else layer.moving_variance.value,
        epsilon=layer.epsilon,
        data_format="NCHW" if layer.axis == 1 else "NHWC",
        is_training=training,
    )
    return (y, mean, variance) if training else (y, None, None)  # its variance is unbiased


def _torch(x, layer, training):
    import torch

    channels_last = layer.axis != 1
    if channels_last:
        x = x.permute(0, 3, 1, 2)
    # The kernel updates the running statistics itself, in place.
    y = torch.nn.functional.batch_norm(
        x,
        layer.moving_mean.value,
        layer.moving_variance.value,
        layer.gamma.value,
        layer.beta.value,
        training=training,
        momentum=1.0 - layer.momentum,
        eps=layer.epsilon,
    )
    return (y.permute(0, 2, 3, 1) if channels_last else y), None, None


def _composed(x, layer, training):
    x = ops.cast(x, at_least_float32(keras.backend.standardize_dtype(x.dtype)))
    axis = layer.axis % 4
    mean, variance = layer.moving_mean, layer.moving_variance
    if training:
        mean, variance = ops.moments(x, [a for a in range(4) if a != axis])
    y = ops.batch_normalization(
        x, mean, variance, axis, layer.beta, layer.gamma, epsilon=layer.epsilon
    )
    if not training:
        return y, None, None
    count = ops.cast(ops.size(x) // x.shape[axis], variance.dtype)
    return y, mean, variance * count / ops.maximum(count - 1, 1)


_KERNELS = {"tensorflow": _tensorflow, "torch": _torch}
