"""The pieces of the trunk: convolution, normalisation and the residual unit.

Strided 3x3 convolutions and the max-pool get one pixel of padding on every side, as in PyTorch.
Keras' own `"same"` pads an even side (0, 1) there, which moves every feature by half a block.
"""

from __future__ import annotations

from keras import initializers, layers

from npr_keras.models.batch_norm import BatchNorm

BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_MOMENTUM = 0.9  # of the old statistics; PyTorch counts the other way round, 0.1


def conv(x, filters, kernel_size, strides, data_format, name):
    """A convolution without bias, Kaiming-normal initialised over the fan out.

    Args:
        x: Symbolic images or features, (B, H, W, C), or (B, C, H, W).
        filters, kernel_size, strides: Integers.
        data_format: `"channels_last"` or `"channels_first"`.
        name: The layer's name.

    Returns:
        Symbolic features; height and width divided by `strides`, rounded up.
    """
    padding = "same"
    if strides > 1 and kernel_size > 1:
        x = layers.ZeroPadding2D(kernel_size // 2, data_format=data_format, name=f"{name}_pad")(x)
        padding = "valid"
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        use_bias=False,
        data_format=data_format,
        kernel_initializer=initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
        name=name,
    )(x)


def batch_norm(x, data_format, name):
    """Batch normalisation over the channels with PyTorch's constants."""
    return BatchNorm(
        axis=-1 if data_format == "channels_last" else 1,
        momentum=BATCH_NORM_MOMENTUM,
        epsilon=BATCH_NORM_EPSILON,
        name=name,
    )(x)


def stem(x, filters, data_format):
    """3x3/2 convolution, normalisation, ReLU, 3x3/2 max-pool: a quarter of the size.

    Layer names are the official checkpoint's, here as everywhere in the trunk.
    """
    x = conv(x, filters, 3, 2, data_format, "conv1")
    x = batch_norm(x, data_format, "bn1")
    x = layers.ReLU(name="stem")(x)
    # Zero padding equals the official -inf padding: nothing is negative after the ReLU.
    x = layers.ZeroPadding2D(1, data_format=data_format, name="maxpool_pad")(x)
    return layers.MaxPooling2D(3, 2, data_format=data_format, name="maxpool")(x)


def bottleneck(x, filters, strides, project, data_format, name):
    """ResNet's bottleneck unit, the stride on its 3x3 convolution.

    Args:
        x: Symbolic features.
        filters: Channels inside; four times as many come out.
        strides: Of the 3x3 convolution and of the projection.
        project: Whether the shortcut is a 1x1 convolution (the first unit of a stage).
        data_format: `"channels_last"` or `"channels_first"`.
        name: Prefix of the layers' names, such as `"layer1_0"`.

    Returns:
        Symbolic features with `4 * filters` channels.
    """
    shortcut = x
    if project:
        shortcut = conv(x, 4 * filters, 1, strides, data_format, f"{name}_downsample_0")
        shortcut = batch_norm(shortcut, data_format, f"{name}_downsample_1")
    for i, (channels, kernel_size, stride) in enumerate(
        [(filters, 1, 1), (filters, 3, strides), (4 * filters, 1, 1)], start=1
    ):
        x = conv(x, channels, kernel_size, stride, data_format, f"{name}_conv{i}")
        x = batch_norm(x, data_format, f"{name}_bn{i}")
        if i < 3:
            x = layers.ReLU(name=f"{name}_relu{i}")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu3")(x)
