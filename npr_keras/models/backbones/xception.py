"""An Xception, cut off after any block: Patchfor's, whose positions each give a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import initializers, layers

from npr_keras.layers.edges import LowestPadding
from npr_keras.models.backbones.base import (
    Backbone,
    channels_axis,
    fast_data_format,
    to_fast_format,
)
from npr_keras.models.batch_norm import BatchNorm
from npr_keras.settings import FLAG, POSITIVE_INTEGERS, field_of, integer


@dataclass(frozen=True)
class Xception(Backbone):
    """The entry flow of an Xception; each position is a patch with a score of its own.

    The image's probability is the mean of its patches' probabilities. Layers are called as in the
    official checkpoint, dashes standing for its dots.

    Args:
        widths: Channels of each block. (128, 256) is Patchfor's default, cut off after block 2: a
            receptive field of 43 pixels, every 8 pixels.
        middle: Blocks of the middle flow behind them, 8 in a whole Xception.
        first_stride: Of the first convolution, 1 where the representation is half as large already.
        exit: Whether the rest of it follows; then positions are averaged before the last layer.

    Reference:
        Chai et al., "What makes fake images detectable? Understanding properties that generalize",
        ECCV 2020; Chollet, "Xception", CVPR 2017.
    """

    widths: tuple[int, ...] = field_of((128, 256), POSITIVE_INTEGERS, "Channels of each block.")

    middle: int = field_of(0, integer(0), "Blocks behind them, of the last one's channels.")
    exit: bool = field_of(
        False, FLAG, "Whether the rest of the network follows, up to 2048 channels."
    )

    first_stride: int = field_of(2, integer(1), "Of the first convolution.")

    mean: Any = (0.5, 0.5, 0.5)
    std: Any = (0.5, 0.5, 0.5)

    @property
    def head_name(self) -> str:  # type: ignore[override]
        return "last_linear" if self.exit else "convout"

    @property
    def pooling(self) -> str:  # type: ignore[override]
        return "mean" if self.exit else "probability"

    def build(self, x):
        x = to_fast_format(x)
        x = _relu(_norm(_conv(x, 32, 3, self.first_stride, "conv1"), "bn1"), "relu1")
        x = _relu(_norm(_conv(x, 64, 3, 1, "conv2"), "bn2"), "relu2")
        for i, width in enumerate(self.widths, start=1):
            x = _block(x, (width, width), i > 1, f"block{i}")
        for i in range(len(self.widths) + 1, len(self.widths) + 1 + self.middle):
            x = _middle(x, self.widths[-1], f"block{i}")
        if self.exit:
            last = len(self.widths) + self.middle + 1
            x = _block(x, (self.widths[-1], 1024), True, f"block{last}")
            for i, width in ((3, 1536), (4, 2048)):
                x = _relu(_norm(_separable(x, width, f"conv{i}"), f"bn{i}"), f"relu{i}")
        return x

    def describe(self) -> str:
        blocks = len(self.widths) + self.middle + self.exit
        return f"Xception, {blocks} blocks" + ("" if self.exit else ", each position for itself")


def _small():
    """Xavier's normal distribution with a gain of 0.02: what the official training begins with."""
    return initializers.VarianceScaling(0.02**2, "fan_avg", "untruncated_normal")


def _conv(x, filters, kernel, strides, name):
    return layers.Conv2D(
        filters,
        kernel,
        strides,
        use_bias=False,
        data_format=fast_data_format(),
        kernel_initializer=_small(),
        name=name,
    )(x)


def _norm(x, name):
    return BatchNorm(axis=channels_axis(), momentum=0.9, epsilon=1e-5, name=name)(x)


def _relu(x, name):
    return layers.ReLU(name=name)(x)


def _separable(x, filters, name):
    x = layers.DepthwiseConv2D(
        3,
        padding="same",
        use_bias=False,
        data_format=fast_data_format(),
        depthwise_initializer=_small(),
        name=f"{name}-conv1",
    )(x)
    return _conv(x, filters, 1, 1, f"{name}-pointwise")


def _middle(x, width, name):
    """Three separable convolutions beside the identity."""
    skip = x
    for i in range(3):
        x = _separable(_relu(x, f"{name}-rep-{3 * i}"), width, f"{name}-rep-{3 * i + 1}")
        x = _norm(x, f"{name}-rep-{3 * i + 2}")
    return layers.Add(name=f"{name}-add")([x, skip])


def _block(x, widths, begins_with_relu: bool, name):
    """Two separable convolutions and a max-pool, beside a strided projection."""
    skip = _norm(_conv(x, widths[-1], 1, 2, f"{name}-skip"), f"{name}-skipbn")
    place = 0
    for width in widths:
        if begins_with_relu or place:
            x = _relu(x, f"{name}-rep-{place}")
            place += 1
        x = _separable(x, width, f"{name}-rep-{place}")
        x = _norm(x, f"{name}-rep-{place + 1}")
        place += 2
    data_format = fast_data_format()
    # Nothing beyond the edge is a maximum, and zeros would be one of what is negative there.
    x = LowestPadding(data_format, name=f"{name}-rep-{place}-pad")(x)
    x = layers.MaxPooling2D(3, 2, data_format=data_format, name=f"{name}-rep-{place}")(x)
    return layers.Add(name=f"{name}-add")([x, skip])
