"""The settings that travel: frozen dataclasses, checked when made, JSON in and out.

Nothing heavy is imported here, so that the command line can use the defaults in its help texts.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from npr_keras.errors import ConfigError

# ImageNet's channel statistics on [0, 1], which the official code normalises with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Config:
    """What all settings share: a plain dict out, and a checked one in."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values only, ready for `json.dump`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]):
        """The inverse of `to_dict`; a key that is not a field raises ConfigError."""
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(
                f"{cls.__name__}: unknown field {', '.join(unknown)}. Known: {', '.join(sorted(known))}"
            )
        # JSON has no tuples; every sequence in these settings is one.
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def _require(self, condition: bool, name: str, expected: str) -> None:
        if not condition:
            raise ConfigError(
                f"{type(self).__name__}: `{name}` must be {expected}. "
                f"Received: {name}={getattr(self, name)!r}"
            )


@dataclass(frozen=True)
class Preprocessing(Config):
    """What happens to an image's pixels between the file and the detector.

    The steps run in the order of the fields; a step that is None is left out.

    Args:
        name: How tables and command lines call it.
        resize: Both sides become this many pixels: Pillow's bilinear filter, antialiased, the
            aspect ratio not kept, horizontal pass first.
        tile: The image is repeated until both sides are at least this many pixels (GenImage).
        crop: The centre of at most this many pixels a side is kept. A side that is shorter stays
            as it is: padding would put an edge into the NPR map that the image does not have.
        even: An odd side loses its last row or column.
    """

    name: str
    resize: int | None = None
    tile: int | None = None
    crop: int | None = None
    even: bool = False

    def __post_init__(self):
        for step in ("resize", "tile", "crop"):
            value = getattr(self, step)
            self._require(
                value is None or (is_int(value) and value >= 2),
                step,
                "None or an integer of at least 2 (pixels)",
            )

    @property
    def fixed_size(self) -> int | None:
        """The side of every image that comes out, or None where it depends on the image."""
        if self.resize:
            return min(self.resize, self.crop) if self.crop else self.resize
        return self.crop if self.crop and self.tile and self.tile >= self.crop else None


# Section 3 of the protocol: what each suite, and each phase of the official code, does to pixels.
PROTOCOLS: dict[str, Preprocessing] = {
    p.name: p
    for p in (
        Preprocessing("resize256", resize=256),
        Preprocessing("resize256_centercrop224", resize=256, crop=224),
        Preprocessing("native", even=True),
        Preprocessing("centercrop", crop=224, even=True),
        Preprocessing("tile", tile=224, crop=224),
    )
}


def get_protocol(name: str) -> Preprocessing:
    """The protocol of that name; raises ConfigError, with the known names, where there is none."""
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise ConfigError(
            f"Unknown protocol. Known: {', '.join(PROTOCOLS)}. Received: {name!r}"
        ) from None


@dataclass(frozen=True)
class Calibration(Config):
    """What a detector's logits mean: found by `npr-keras calibrate`, stored with the detector.

    Args:
        temperature, shift: The probability of being generated is
            `sigmoid((logit - shift) / temperature)`, real and generated images being equally many
            (Platt 1999; Guo et al., ICML 2017, with a shift).
        threshold: Logits above it are called generated.
        images: How many images it was found on; 0 for a detector that was never calibrated.
        false_positive_rate: The rate that the threshold was chosen for, from real images alone;
            None where it was not.
        confidence: With which it is not exceeded; None likewise.
        protocol: The name of how these images became pixels.
    """

    temperature: float = 1.0
    shift: float = 0.0
    threshold: float = 0.0
    images: int = 0
    false_positive_rate: float | None = None
    confidence: float | None = None
    protocol: str = ""

    def __post_init__(self):
        self._require(
            is_number(self.temperature) and self.temperature > 0, "temperature", "a number above 0"
        )
        for name in ("shift", "threshold"):
            self._require(is_number(getattr(self, name)), name, "a number (a logit)")
        self._require(is_int(self.images) and self.images >= 0, "images", "a count")
        for name in ("false_positive_rate", "confidence"):
            value = getattr(self, name)
            self._require(
                value is None or (is_number(value) and 0 < value < 1), name, "None or a fraction"
            )

    def probability(self, logit: float) -> float:
        """The calibrated probability of being generated."""
        scaled = (logit - self.shift) / self.temperature
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, scaled))))  # exp overflows beyond 709


@dataclass(frozen=True)
class Condition(Config):
    """How a detector does on images that went through something, see `npr-keras robustness`.

    Args:
        kind: What they went through: "none", "jpeg", "webp", "resize", "blur" or "noise".
        amount: How much of it: JPEG or WebP quality, factor, or standard deviation.
        real_accuracy, fake_accuracy: Fractions of real images called real, and of generated ones
            called generated, at the detector's threshold.
        average_precision: Of the two.
        images: How many images that is from, real and generated together.
        protocol: The name of how they became pixels, after what they went through.
    """

    kind: str
    amount: float
    real_accuracy: float
    fake_accuracy: float
    average_precision: float
    images: int
    protocol: str


@dataclass(frozen=True)
class DetectorConfig(Config):
    """What a detector is, apart from its representation layer, which is passed to it.

    Args:
        blocks: Residual units in each stage of the trunk. The official detector keeps the first
            two stages of a ResNet-50: 3 and 4.
        width: Channels of the stem; stage `i` works on `width * 2**i` channels and gives four
            times as many.
        mean, std: Channel statistics that pixels are normalised with, on the range 0 to 1.
        preprocessing: How images become pixels when this detector scores them.
        calibration: What its logits mean.
        robustness: How it does on images that were recompressed, resized and so on, as far as
            that was measured.
    """

    blocks: tuple[int, ...] = (3, 4)
    width: int = 64
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    preprocessing: Preprocessing = PROTOCOLS["resize256"]
    calibration: Calibration = Calibration()
    robustness: tuple[Condition, ...] = ()

    def __post_init__(self):
        self._require(
            isinstance(self.blocks, tuple)
            and len(self.blocks) > 0
            and all(is_int(n) and n > 0 for n in self.blocks),
            "blocks",
            "a tuple of positive integers, one for each stage",
        )
        self._require(is_int(self.width) and self.width > 0, "width", "a positive integer")
        for name in ("mean", "std"):
            value = getattr(self, name)
            self._require(
                isinstance(value, tuple) and len(value) == 3, name, "three numbers, for R, G and B"
            )
        self._require(all(s > 0 for s in self.std), "std", "three numbers above 0")

    @classmethod
    def from_dict(cls, values):
        values = dict(values)
        if isinstance(values.get("preprocessing"), Mapping):
            values["preprocessing"] = Preprocessing.from_dict(values["preprocessing"])
        if isinstance(values.get("calibration"), Mapping):
            values["calibration"] = Calibration.from_dict(values["calibration"])
        values["robustness"] = tuple(
            Condition.from_dict(c) if isinstance(c, Mapping) else c
            for c in values.get("robustness", ())
        )
        return super().from_dict(values)


PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class TrainingConfig(Config):
    """The recipe. The defaults are the official one (protocol, section 4).

    Args:
        epochs: Passes over the training images.
        batch_size: Images a step.
        learning_rate: Adam's step size in the first epoch.
        decay: Factor on the learning rate after every tenth epoch, `decay_every`, counted from 0
            and leaving out epoch 0: it first falls after epoch 10.
        beta_1, beta_2, epsilon: Adam's other constants (PyTorch's defaults).
        seed: Of the initial weights, the order of the images, the crops and the flips.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.
        resize: Both sides before the crop, in pixels; None crops from the image as it is, tiled
            where it is smaller than the crop.
        crop: Side of the random crop, in pixels.
        flip: Probability of a horizontal flip.
        max_unreadable: Fraction of the images that may be unreadable before training stops.
    """

    epochs: int = 50
    batch_size: int = 32
    learning_rate: float = 2e-4
    decay: float = 0.9
    decay_every: int = 10
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    seed: int = 100
    precision: str = "float32"
    resize: int | None = 256
    crop: int = 224
    flip: float = 0.5
    max_unreadable: float = 0.01

    def __post_init__(self):
        for name in ("epochs", "batch_size", "decay_every"):
            value = getattr(self, name)
            self._require(is_int(value) and value > 0, name, "a positive integer")
        for name in ("learning_rate", "epsilon", "decay"):
            self._require(
                is_number(getattr(self, name)) and getattr(self, name) > 0,
                name,
                "a number above 0",
            )
        for name in ("beta_1", "beta_2"):
            self._require(0 <= getattr(self, name) < 1, name, "a number from 0 to below 1")
        for name in ("flip", "max_unreadable"):
            self._require(
                is_number(getattr(self, name)) and 0 <= getattr(self, name) <= 1,
                name,
                "a number from 0 to 1",
            )
        self._require(
            is_int(self.seed) and 0 <= self.seed < 2**32, "seed", "an integer from 0 to 2**32 - 1"
        )
        self._require(self.precision in PRECISIONS, "precision", f"one of {', '.join(PRECISIONS)}")
        self._require(
            is_int(self.crop) and self.crop >= 2, "crop", "an integer of at least 2 (pixels)"
        )
        self._require(
            self.resize is None or (is_int(self.resize) and self.resize >= self.crop),
            "resize",
            f"None or an integer of at least the crop's {self.crop} pixels",
        )

    def learning_rate_at(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0.

        The official code multiplies by 0.9 at the end of the epochs 10, 20, 30 and 40.
        """
        return self.learning_rate * self.decay ** (max(0, epoch - 1) // self.decay_every)
