"""A ResNet of bottlenecks, cut off after any stage: NPR's trunk.

Strided 3x3 convolutions and the max-pool get one pixel of padding on every side, as in PyTorch.
Keras' own `"same"` pads an even side (0, 1) there, which moves every feature by half a block.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import initializers, layers

from npr_keras.config import IMAGENET_MEAN, IMAGENET_STD
from npr_keras.models.backbones.base import Backbone, fast_data_format, to_fast_format
from npr_keras.models.batch_norm import BatchNorm
from npr_keras.models.relu import ReLU
from npr_keras.settings import POSITIVE_INTEGERS, Rule, channels, field_of, integer

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


def stem(x, filters, kernel, data_format):
    """3x3/2 (or 7x7/2) convolution, normalisation, ReLU, 3x3/2 max-pool: a quarter of the size.

    Layer names are the official checkpoint's, here as everywhere in the trunk.
    """
    x = conv(x, filters, kernel, 2, data_format, "conv1")
    x = batch_norm(x, data_format, "bn1")
    x = ReLU(name="stem")(x)
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
    for i, (filters_out, kernel_size, stride) in enumerate(
        [(filters, 1, 1), (filters, 3, strides), (4 * filters, 1, 1)], start=1
    ):
        x = conv(x, filters_out, kernel_size, stride, data_format, f"{name}_conv{i}")
        x = batch_norm(x, data_format, f"{name}_bn{i}")
        if i < 3:
            x = ReLU(name=f"{name}_relu{i}")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return ReLU(name=f"{name}_relu3")(x)


@dataclass(frozen=True)
class ResNet(Backbone):
    """The first stages of a ResNet, with layers called as in the official checkpoint.

    Args:
        blocks: Residual units in each stage. The official NPR detector keeps the first two stages of
            a ResNet-50: 3 and 4.
        width: Channels of the stem; stage `i` works on `width * 2**i` channels and gives four
            times as many.
        mean, std: Channel statistics that pixels are normalised with, on the range 0 to 1.
        kernel: Side of the stem's convolution: NPR's 3, or a ResNet-50's 7.

    Reference:
        He et al., "Deep residual learning for image recognition", CVPR 2016, with the stride on the
        3x3 convolution; Tan et al., CVPR 2024, section 3.3.

    Example:
        >>> ResNet(width=16).describe()
        '3 + 4 bottlenecks, width 16'
    """

    blocks: tuple[int, ...] = field_of((3, 4), POSITIVE_INTEGERS, "Units of each stage.")
    width: int = field_of(64, integer(1), "Channels of the stem.")
    mean: tuple[float, ...] = field_of(IMAGENET_MEAN, channels(), "Subtracted from pixels.")
    std: tuple[float, ...] = field_of(IMAGENET_STD, channels(above=0), "Pixels' divisor.")

    kernel: int = field_of(3, Rule(lambda v: v in (3, 7), "3 or 7"), "Of the stem.")

    @property
    def head_name(self) -> str:
        return "fc1" if self.kernel == 3 else "fc"

    @property
    def stem(self) -> tuple[str, str] | None:
        return ("conv1_pad", "conv1") if self.kernel == 3 else None

    def build(self, x):
        data_format = fast_data_format()
        x = stem(to_fast_format(x), self.width, self.kernel, data_format)
        for stage, units in enumerate(self.blocks):
            for unit in range(units):
                x = bottleneck(
                    x,
                    filters=self.width * 2**stage,
                    strides=2 if stage > 0 and unit == 0 else 1,
                    project=unit == 0,
                    data_format=data_format,
                    name=f"layer{stage + 1}_{unit}",
                )
        return x

    def describe(self) -> str:
        return f"{' + '.join(map(str, self.blocks))} bottlenecks, width {self.width}"

    def official_name(self, name: str) -> str:
        return name.replace("_", ".")

    def official_position(self, name: str):
        """As the official module lists them: a unit's shortcut after its convolutions."""
        stage, _, rest = name.partition("_")
        if not stage.startswith("layer"):
            return (0 if stage in ("conv1", "bn1") else 2, stage != "conv1", "", "")
        unit, _, part = rest.partition("_")
        index = "".join(filter(str.isdigit, part))
        return (1, stage, int(unit), (part.startswith("downsample"), index, part.startswith("bn")))
