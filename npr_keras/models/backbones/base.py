"""What all backbones share, and making one by its name."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import keras

from npr_keras.config import IMAGENET_MEAN, IMAGENET_STD
from npr_keras.errors import ConfigError
from npr_keras.models.batch_norm import BatchNorm
from npr_keras.settings import Config
from npr_keras.tables import BACKBONES, load_code

# What PyTorch calls a batch normalisation's variables, and how the axes of kernels lie.
_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
_KINDS = {
    keras.layers.DepthwiseConv2D: "depthwise",
    keras.layers.Conv2D: "conv",
    keras.layers.Dense: "dense",
}
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class Backbone(Config):
    """The middle of a detector: settings, and the network that they describe.

    A subclass is a frozen dataclass of plain values, with `build`. Layer names are its own affair:
    who folds, exports or explains a detector asks it.

    Attributes:
        mean, std: Channel statistics that pixels are normalised with before the representation, on
            the range 0 to 1.
        pool_name, head_name: What the pooling and the last dense layer behind it are called.
        stem: Names of a one-pixel padding and the 3 x 3 convolution of stride 2 behind it, where
            these are the first that a representation meets, so that it can fold into them; else None.
        pooling: How positions become one logit: "mean", of the features before the last layer; or
            "probability": each has a logit of its own, and the image's is that of the mean of their
            probabilities.
        side: The only side of an image, in pixels, that it takes; None for any.
        head_l2: The last layer's penalty: so many times the sum of its squared weights.
        at_once: How many images it scores at once, at most, for want of memory; None for any number.
        head_starts: Its weight and bias before training; None for PyTorch's random ones.
    """

    mean: Any = IMAGENET_MEAN
    std: Any = IMAGENET_STD
    pool_name: ClassVar[str] = "pool"
    head_name: Any = "head"
    stem: Any = None
    pooling: Any = "mean"
    side: Any = None
    head_l2: ClassVar[float] = 0.0
    head_starts: Any = None
    at_once: ClassVar[int | None] = None

    def build(self, x):
        """The network.

        Args:
            x: Symbolic representation, (B, H, W, C), channels last.

        Returns:
            Symbolic features: of each position, (B, h, w, C), or (B, C, h, w) where
            `fast_data_format` is channels first; or of the whole image, (B, C).
        """
        raise NotImplementedError

    def describe(self) -> str:
        """What it is, on a line of a model card."""
        fields = ", ".join(f"{k}={v}" for k, v in self.to_dict().items())
        return f"{type(self).__name__}({fields})"

    def official_name(self, name: str) -> str:
        """What an official checkpoint calls a layer."""
        return name.replace("-", ".")

    def official_parameters(self, layer) -> dict[str, tuple[Any, str]]:
        """A layer's official parameter names, to its variables and the kind of their axes."""
        prefix = self.official_name(layer.name)
        if isinstance(layer, BatchNorm):
            return {f"{prefix}.{k}": (getattr(layer, v), "vector") for k, v in _NORM.items()}
        kind = next((kind for of, kind in _KINDS.items() if isinstance(layer, of)), None)
        if not kind:
            return {}
        bias = {f"{prefix}.bias": (layer.bias, "vector")} if layer.use_bias else {}
        return {f"{prefix}.weight": (layer.kernel, kind), **bias}

    def official_position(self, name: str):
        """Sorts layers' names as an official checkpoint lists them; by default as they are."""
        return 0


def channels_axis() -> int:
    """Of features, see `fast_data_format`."""
    return 1 if fast_data_format() == "channels_first" else -1


def to_fast_format(x, name: str = "channels_first"):
    """A representation, channels last, in the memory layout of features."""
    if fast_data_format() == "channels_first":
        return keras.layers.Permute((3, 1, 2), name=name)(x)
    return x


def fast_data_format() -> str:
    """The memory layout of features. torch transposes around every layer in channels_last."""
    return "channels_first" if keras.backend.backend() == "torch" else "channels_last"


def make_backbone(backbone: str = "resnet", **fields) -> Backbone:
    """A backbone by its name.

    Args:
        backbone: One of `npr_keras.tables.BACKBONES`.
        **fields: Its settings; lists stand for tuples, as in JSON.

    Raises:
        ConfigError: If there is no such backbone, or it has no such settings.
    """
    if backbone not in BACKBONES:
        raise ConfigError(
            f"The backbone must be one of {', '.join(BACKBONES)}. Received: {backbone!r}"
        )
    return load_code(BACKBONES[backbone]).from_dict(fields)


def described(backbone: Backbone) -> dict:
    """The arguments of `make_backbone` that make it, plain values."""
    for name, code in BACKBONES.items():
        if code == f"{type(backbone).__module__}:{type(backbone).__name__}":
            return {"backbone": name, **dataclasses.asdict(backbone)}  # type: ignore[call-overload]
    raise ConfigError(
        f"{type(backbone).__name__} is not in the table of backbones: add a row to npr_keras.tables."
    )
