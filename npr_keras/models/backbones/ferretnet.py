"""FerretNet: depthwise convolutions of two dilations, for maps of local dependencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from keras import layers

from npr_keras.models.backbones.base import (
    CLIP_MEAN,
    CLIP_STD,
    Backbone,
    channels_axis,
    fast_data_format,
    to_fast_format,
)
from npr_keras.models.batch_norm import BatchNorm
from npr_keras.models.relu import ReLU
from npr_keras.settings import POSITIVE_INTEGERS, field_of, integer


@dataclass(frozen=True)
class FerretNet(Backbone):
    """Two convolutions, then stages of residual units that look at 3 x 3 and at 5 x 5 pixels.

    Layers are called as in the official checkpoint, dashes standing for its dots.

    Args:
        width: Channels behind the second convolution; each stage doubles them.
        blocks: Residual units in each stage; the first of each has stride 2. (2, 2) is FerretNet-S.
        dropout: In front of the last layer, in training.

    Reference:
        FerretNet, NeurIPS 2025.
    """

    width: int = field_of(32, integer(2), "Channels behind the second convolution.")
    blocks: tuple[int, ...] = field_of((2, 2), POSITIVE_INTEGERS, "Units of each stage.")

    mean: Any = CLIP_MEAN
    std: Any = CLIP_STD
    head_name = "logit-1"
    dropout: ClassVar[float] = 0.2

    def build(self, x):
        x = to_fast_format(x)
        x = _unit(x, self.width // 2, 1, "cbr1")
        x = _unit(x, self.width, 2, "cbr2")
        width = self.width
        for stage, units in enumerate(self.blocks):
            width *= 2
            for unit in range(units):
                x = _residual(x, width, 2 if unit == 0 else 1, f"feature-{stage}-{unit}")
        return _conv(x, width, 1, 1, f"feature-{len(self.blocks)}")

    def describe(self) -> str:
        return f"FerretNet of {' + '.join(map(str, self.blocks))} units, width {self.width}"


def _conv(x, filters, kernel, strides, name, bias=False):
    data_format = fast_data_format()
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, data_format=data_format, name=f"{name}-pad")(x)
    return layers.Conv2D(
        filters, kernel, strides, use_bias=bias, data_format=data_format, name=name
    )(x)


def _norm(x, name):
    return BatchNorm(axis=channels_axis(), momentum=0.9, epsilon=1e-5, name=name)(x)


def _unit(x, filters, strides, name):
    x = _norm(_conv(x, filters, 3, strides, f"{name}-0"), f"{name}-1")
    return ReLU(name=f"{name}-relu")(x)


def _depthwise(x, filters, strides, dilation, name):
    """A 3 x 3 convolution of each channel. A stride and a dilation do not go together in Keras: what
    the stride leaves out is left out afterwards."""
    data_format = fast_data_format()
    channels = x.shape[channels_axis()]
    x = layers.ZeroPadding2D(dilation, data_format=data_format, name=f"{name}-pad")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides if dilation == 1 else 1,
        depth_multiplier=filters // channels,
        dilation_rate=dilation,
        use_bias=False,
        data_format=data_format,
        name=name,
    )(x)
    if dilation > 1 and strides > 1:
        pool = layers.MaxPooling2D(1, strides, data_format=data_format, name=f"{name}-stride")
        x = pool(x)
    return x


def _residual(x, filters, strides, name):
    shortcut = x
    if strides > 1:
        shortcut = _conv(x, filters, 1, strides, f"{name}-shortcut-0", bias=True)
        shortcut = _norm(shortcut, f"{name}-shortcut-1")
    near = _depthwise(x, filters, strides, 1, f"{name}-layers-0-conv1")
    far = _depthwise(x, filters, strides, 2, f"{name}-layers-0-conv2")
    x = layers.Add(name=f"{name}-sum")([near, far])
    x = _norm(_conv(x, filters, 1, 1, f"{name}-layers-0-conv3"), f"{name}-layers-1")
    x = ReLU(name=f"{name}-layers-2")(x)
    x = _depthwise(x, filters, 1, 1, f"{name}-layers-3-depth_wise")
    x = _norm(_conv(x, filters, 1, 1, f"{name}-layers-3-point_wise"), f"{name}-layers-4")
    x = layers.Add(name=f"{name}-add")([shortcut, x])
    return ReLU(name=f"{name}-relu")(x)
