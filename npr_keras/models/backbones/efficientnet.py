"""EfficientNet: the network of self-blended images and of GANDetection."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from keras import initializers, layers

from npr_keras.models.backbones.base import (
    Backbone,
    channels_axis,
    fast_data_format,
    to_fast_format,
)
from npr_keras.models.batch_norm import BatchNorm
from npr_keras.settings import field_of, integer, number

# EfficientNet-B0's stages: repeats, kernel, stride, expansion, channels (Tan and Le, Table 1).
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class EfficientNet(Backbone):
    """Inverted residual blocks with squeeze and excitation; B4 by default.

    Layers are called as in the `efficientnet_pytorch` checkpoints, dashes standing for their dots, and
    without the underscores that all of those begin with. Those networks were padded for one size of image, `nominal`, whatever size comes in, and so is
    this one: at other sizes the edges would differ otherwise.

    Args:
        width: What B0's channels are multiplied with, then rounded to multiples of 8.
        depth: What its repeats are multiplied with, then rounded up.
        nominal: Side, in pixels, that strided convolutions are padded for.
        drop: Share of blocks that are left out in training, growing to this with depth.

    Reference:
        Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML
        2019.
    """

    width: float = field_of(1.4, number(0, above=True), "Factor on the channels.")
    depth: float = field_of(1.8, number(0, above=True), "Factor on the repeats.")
    nominal: int = field_of(380, integer(8), "Side of the images that it is padded for, in pixels.")
    drop: float = field_of(0.2, number(0, 1, below=True), "Share of blocks left out in training.")

    mean: Any = (0.0, 0.0, 0.0)
    std: Any = (1.0, 1.0, 1.0)
    head_name: Any = "fc"

    def channels(self, wanted: int) -> int:
        """Channels, scaled: a multiple of 8, never less than 90 % of what was asked for."""
        scaled = wanted * self.width
        rounded = max(8, int(scaled + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * scaled else rounded

    def build(self, x):
        return self.network(to_fast_format(x))

    def network(self, x, prefix: str = ""):
        """The network, of features in `fast_data_format()`; `prefix` stands before layers' names."""
        side = self.nominal
        x = _strided(x, self.channels(32), 3, 2, side, f"{prefix}conv_stem")
        x = _active(_norm(x, f"{prefix}bn0"), f"{prefix}bn0-swish")
        side = -(-side // 2)
        blocks = [
            (kernel, stride if first else 1, expansion, self.channels(width))
            for repeats, kernel, stride, expansion, width in _STAGES
            for first in (i == 0 for i in range(math.ceil(repeats * self.depth)))
        ]
        for i, (kernel, stride, expansion, width) in enumerate(blocks):
            rate = self.drop * i / len(blocks)
            x = _block(x, kernel, stride, expansion, width, side, rate, f"{prefix}blocks-{i}-")
            side = -(-side // stride)
        x = _conv(x, self.channels(1280), f"{prefix}conv_head")
        return _active(_norm(x, f"{prefix}bn1"), f"{prefix}bn1-swish")

    def official_name(self, name: str) -> str:
        return ".".join(part if part.isdigit() else f"_{part}" for part in name.split("-"))

    def describe(self) -> str:
        return f"EfficientNet, width {self.width:g}, depth {self.depth:g}"


def _block(x, kernel, stride, expansion, width, side, rate, name):
    """Widened, filtered by channels, weighed by what is in the whole image, narrowed again."""
    axis = channels_axis()
    skip, channels = x, x.shape[axis]
    if expansion > 1:
        x = _norm(_conv(x, expansion * channels, f"{name}expand_conv"), f"{name}bn0")
        x = _active(x, f"{name}bn0-swish")
    x = _strided(x, None, kernel, stride, side, f"{name}depthwise_conv")
    x = _active(_norm(x, f"{name}bn1"), f"{name}bn1-swish")
    seen = layers.GlobalAveragePooling2D(
        data_format=fast_data_format(), keepdims=True, name=f"{name}se_mean"
    )(x)
    seen = _conv(seen, max(1, channels // 4), f"{name}se_reduce", True)
    seen = _active(seen, f"{name}se_swish")
    seen = _conv(seen, x.shape[axis], f"{name}se_expand", True)
    seen = layers.Activation("sigmoid", name=f"{name}se_sigmoid")(seen)
    x = layers.Multiply(name=f"{name}se")([x, seen])
    x = _norm(_conv(x, width, f"{name}project_conv"), f"{name}bn2")
    if stride == 1 and width == channels:
        if rate:
            x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
        x = layers.Add(name=f"{name}add")([x, skip])
    return x


def _strided(x, filters, kernel, stride, side, name):
    """A convolution, by channels where `filters` is None, as wide as its padding leaves it."""
    options = {
        "strides": stride,
        "use_bias": False,
        "data_format": fast_data_format(),
        "padding": "same" if stride == 1 else "valid",
        "name": name,
    }
    if stride > 1:
        needed = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        widths = (needed // 2, needed - needed // 2)
        x = layers.ZeroPadding2D((widths, widths), fast_data_format(), name=f"{name}-pad")(x)
    if filters is None:
        return layers.DepthwiseConv2D(kernel, depthwise_initializer=_spread(), **options)(x)
    return layers.Conv2D(filters, kernel, kernel_initializer=_spread(), **options)(x)


def _conv(x, filters, name, bias=False):
    return layers.Conv2D(
        filters,
        1,
        use_bias=bias,
        data_format=fast_data_format(),
        kernel_initializer=_spread(),
        name=name,
    )(x)


def _spread():
    """He's, by what goes out: EfficientNet's own."""
    return initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def _norm(x, name):
    return BatchNorm(axis=channels_axis(), momentum=0.99, epsilon=1e-3, name=name)(x)


def _active(x, name):
    """SiLU, of two operations: TensorFlow's own has a gradient that a SavedModel cannot hold."""
    gate = layers.Activation("sigmoid", name=f"{name}-sigmoid")(x)
    return layers.Multiply(name=name)([x, gate])
