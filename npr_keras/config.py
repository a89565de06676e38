"""The settings that travel: frozen dataclasses, checked when made, JSON in and out.

Nothing heavy is imported here, so that the command line can use the defaults in its help texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from npr_keras.errors import ConfigError
from npr_keras.settings import Config, is_int, is_number

# ImageNet's channel statistics on [0, 1], which the official code normalises with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


MOST_SIDE = 1 << 15  # pixels; a file from elsewhere may say anything


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
                value is None or (is_int(value) and 2 <= value <= MOST_SIDE),
                step,
                f"None or an integer from 2 to {MOST_SIDE} (pixels)",
            )
        self._require(isinstance(self.name, str), "name", "a text")
        self._require(isinstance(self.even, bool), "even", "True or False")

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
class DetectorConfig(Config):
    """A detector's network, apart from its representation layer, which is passed to it.

    What is known about a trained one (pixels, calibration, robustness) is its `ModelProfile`.

    Args:
        blocks: Residual units in each stage of the trunk. The official detector keeps the first
            two stages of a ResNet-50: 3 and 4.
        width: Channels of the stem; stage `i` works on `width * 2**i` channels and gives four
            times as many.
        mean, std: Channel statistics that pixels are normalised with, on the range 0 to 1.
    """

    blocks: tuple[int, ...] = (3, 4)
    width: int = 64
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

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
                isinstance(value, tuple) and len(value) == 3 and all(map(is_number, value)),
                name,
                "three numbers, for R, G and B",
            )
        self._require(all(s > 0 for s in self.std), "std", "three numbers above 0")


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
        seed: Of the initial weights, of the images' order, and of what is done to them at random.
        precision: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.
        resize: Both sides before the crop, in pixels; None crops from the image as it is, tiled
            where it is smaller than the crop.
        crop: Side of the random crop, in pixels.
        flip: Probability of a horizontal flip.
        blur: Probability of a Gaussian blur before the crop.
        blur_sigma: Its least and its largest standard deviation, in pixels.
        jpeg: Probability of a JPEG compression before the crop, after the blur.
        jpeg_quality: Its least and its largest quality.
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
    blur: float = 0.0
    blur_sigma: tuple[float, float] = (0.0, 3.0)
    jpeg: float = 0.0
    jpeg_quality: tuple[int, int] = (30, 100)
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
        for name in ("flip", "blur", "jpeg", "max_unreadable"):
            self._require(
                is_number(getattr(self, name)) and 0 <= getattr(self, name) <= 1,
                name,
                "a number from 0 to 1",
            )
        self._require(
            is_int(self.seed) and 0 <= self.seed < 2**32, "seed", "an integer from 0 to 2**32 - 1"
        )
        for name, kind, called, least, most in (
            ("blur_sigma", is_number, "numbers", 0, 100),
            ("jpeg_quality", is_int, "integers", 1, 100),
        ):
            value = getattr(self, name)
            self._require(
                isinstance(value, tuple)
                and len(value) == 2
                and all(map(kind, value))
                and least <= value[0] <= value[1] <= most,
                name,
                f"two {called}, from {least} to {most}, the smaller one first",
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

    @property
    def scoring(self) -> Preprocessing:
        """How a detector trained like this makes its pixels: as its training images were made.

        Crops of images as they are: native pixels, the whole image. Resized ones: the official
        evaluation's resize.
        """
        return PROTOCOLS["native" if self.resize is None else "resize256"]

    def learning_rate_at(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0.

        The official code multiplies by 0.9 at the end of the epochs 10, 20, 30 and 40.
        """
        return self.learning_rate * self.decay ** (max(0, epoch - 1) // self.decay_every)
