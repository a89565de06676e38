"""How images become pixels, and how a detector is trained: settings that travel with it.

Nothing heavy is imported here, so that the command line can use the defaults in its help texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from npr_keras.errors import ConfigError
from npr_keras.settings import (
    FLAG,
    TEXT,
    Config,
    choice,
    field_of,
    integer,
    is_int,
    is_number,
    number,
    pair,
    required,
)

# ImageNet's channel statistics on [0, 1], which the official code normalises with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


MOST_SIDE = 1 << 15  # pixels; a file from elsewhere may say anything
_SIDE = integer(2, MOST_SIDE, optional=True)


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

    Example:
        >>> Preprocessing("small", resize=128, crop=112).fixed_size
        112
    """

    name: str = required(TEXT)
    resize: int | None = field_of(None, _SIDE)
    tile: int | None = field_of(None, _SIDE)
    crop: int | None = field_of(None, _SIDE)
    even: bool = field_of(False, FLAG)

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
        Preprocessing("resize380", resize=380),
        Preprocessing("native", even=True),
        Preprocessing("centercrop", crop=224, even=True),
        Preprocessing("centercrop256", crop=256, even=True),
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


PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
_SHARE = number(0, 1)


@dataclass(frozen=True)
class TrainingConfig(Config):
    """The recipe. The defaults are the official one (protocol, section 4).

    Args:
        epochs: Passes over the training images.
        minutes: Of training after which it ends, wherever it is in an epoch, validation not counted;
            None for no such end. What comes out depends on the machine then.
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

    Example:
        >>> TrainingConfig(epochs=5, jpeg=0.1).scoring.name
        'resize256'
    """

    epochs: int = field_of(50, integer(1), "Passes over the images.")
    minutes: float | None = field_of(
        None,
        number(0, above=True, optional=True),
        "Of training, after which it ends before its epochs do; none: no such end.",
    )
    batch_size: int = field_of(32, integer(1), "Images a step.")
    learning_rate: float = field_of(2e-4, number(0, 1, above=True), "Adam's step size.")
    decay: float = field_of(
        0.9, number(0, 1, above=True), "What the step size is multiplied with, each time."
    )
    decay_every: int = field_of(10, integer(1), "Epochs from one time to the next.")
    beta_1: float = field_of(0.9, number(0, 1, below=True), "Adam's decay of the mean.")
    beta_2: float = field_of(0.999, number(0, 1, below=True), "Adam's decay of the square.")
    epsilon: float = field_of(1e-8, number(0, above=True), "Adam's guard against zero.")
    seed: int = field_of(100, integer(0, 2**32 - 1), "Of weights, order, crops and so on.")
    precision: str = field_of("float32", choice(*PRECISIONS), "Mixed: for GPUs.")
    resize: int | None = field_of(
        256,
        integer(2, optional=True),
        "Both sides before the crop, in pixels; none: as the images are.",
    )
    crop: int = field_of(224, integer(2), "Side of the random crop, in pixels.")
    flip: float = field_of(0.5, _SHARE, "Probability that an image is mirrored.")
    blur: float = field_of(0.0, _SHARE, "Probability that it is blurred.")
    blur_sigma: tuple[float, float] = field_of(
        (0.0, 3.0), pair(is_number, "numbers", 0, 100), "How much, in pixels."
    )
    jpeg: float = field_of(0.0, _SHARE, "Probability of JPEG recompression.")
    jpeg_quality: tuple[int, int] = field_of(
        (30, 100), pair(is_int, "integers", 1, 100), "Its quality."
    )
    max_unreadable: float = field_of(0.01, _SHARE, "Share of images that may be unreadable.")

    def __post_init__(self):
        super().__post_init__()
        self._require(
            self.resize is None or self.resize >= self.crop,
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
