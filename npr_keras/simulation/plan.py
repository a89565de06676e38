"""What a simulation is asked to make: settings that decide every pixel of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from npr_keras.errors import ConfigError
from npr_keras.settings import Config, Rule, choice, field_of, integer, is_int, number, required

UPSAMPLERS = ("nearest", "bilinear", "transposed", "subpixel")
# A control: the same networks at full resolution throughout. A detector that takes what they make
# for generated knows networks, or their training, and not the trace of up-sampling.
NO_UPSAMPLING = "none"
OPERATORS = (*UPSAMPLERS, NO_UPSAMPLING)
LAYOUTS = ("source", "set")
FORMAT = 1  # raised by whatever changes a pixel at the same settings
SIMULATION_FILE = "simulation.json"  # what a simulation's folder holds beside its pictures
# Two halves, so that what is judged comes from networks of other shapes than what was learned.
NETWORKS = ("x2k3t0", "x2k3t1", "x4k3t1", "x4k5t2")
OTHER_NETWORKS = ("x2k5t0", "x2k5t2", "x4k3t2", "x4k5t1")


def is_simulated(source) -> bool:
    """Whether all images of a `Source` were made by `npr-keras data simulate`, wherever they are named."""

    def is_made(start: Path) -> bool:
        return any((folder / SIMULATION_FILE).is_file() for folder in (start, *start.parents))

    folders = {
        Path(record.path).resolve().parent
        for record in source.train[:: max(1, len(source.train) // 64)]
    }
    return is_made(Path(source.root).resolve()) or (bool(folders) and all(map(is_made, folders)))


@dataclass(frozen=True)
class Network:
    """The shape of one generator, written `x4k3t1`.

    Attributes:
        stages: Up-sampling stages; each doubles the sides (`x4` is two of them).
        kernel: Side of the convolutions' kernels in the up-sampling stages (`k3`).
        tail: What follows the last of these: 0 nothing, 1 a convolution of that kernel, 2 a 1 x 1
            convolution, as ProGAN has it (`t1`).
    """

    stages: int
    kernel: int
    tail: int

    @property
    def reach(self) -> int:
        """How far from the edge, in pixels, zero padding shows in a picture, at most."""
        half = self.kernel // 2
        encoder = sum(3 * 2**stage for stage in range(self.stages))
        # A convolution before the doubling reaches twice as far; interpolation adds two pixels.
        decoder = sum(max(2 * half, half + 2) * 2**stage for stage in range(self.stages))
        return encoder + decoder + (half if self.tail == 1 else 0)


def parse_network(name: str) -> Network:
    """`"x4k3t1"` to a `Network`.

    Raises:
        ConfigError: If the name is not one of a network.
    """
    match = re.fullmatch(r"x([248])k([2-7])t([012])", name)
    if match is None:
        raise ConfigError(
            "A network is written like x4k3t1: x2, x4 or x8 for the up-sampling, k2 to k7 for the "
            f"kernel, t0 to t2 for the convolution at the end. Received: {name!r}"
        )
    scale, kernel, tail = map(int, match.groups())
    return Network({2: 1, 4: 2, 8: 3}[scale], kernel, tail)


_SIZE = Rule(
    lambda v: is_int(v) and 32 <= v <= 1024 and v % 8 == 0,
    "a multiple of 8 from 32 to 1024 (pixels)",
    "integer",
    32,
    1024,
)
_NETWORKS = Rule(
    lambda v: isinstance(v, tuple) and len(v) > 0 and len(set(v)) == len(v),
    "different names of networks, such as x2k3t0",
)


@dataclass(frozen=True)
class SimulationConfig(Config):
    """A simulated generator source, or a set to judge detectors on.

    Args:
        upsampler: What the generators up-sample by, one of `UPSAMPLERS`, or "none": a control.
        count: Number of photographs; each gives one real and one generated picture.
        size: Side of the pictures, in pixels, a multiple of 8.
        seed: Of photographs, weights and training.
        networks: The generators' shapes, see `Network`; the pictures are shared out among them.
        steps: Training steps of the generators.
        layout: `"source"` makes train/<network>/{0_real,1_fake} and val/..., `"set"` only
            <network>/{0_real,1_fake}.
        validation: Fraction of the photographs that goes to val, in a source.
        match_sharpness: Whether the sharper picture of each pair is softened until both have the
            same high-frequency energy: a control, see `npr_keras.simulation.sharpness`.
        photos: The folder the photographs come from; None for the embedded ones.
        jpeg: Quality of the embedded photographs' JPEG files, 1 to 95; None for lossless ones.

    Example:
        >>> SimulationConfig("nearest", count=40).validation_count
        5
    """

    upsampler: str = required(choice(*OPERATORS))
    count: int = field_of(
        360,
        integer(1, 10**6),
        "Photographs, to validate included; each gives one real and one generated picture.",
    )
    size: int = field_of(
        256,
        _SIZE,
        "Side of the pictures, in pixels, a multiple of 8. Other than 256: train --resize none.",
    )
    seed: int = field_of(1, integer(0, 2**32 - 1), "Of photographs and generators.")
    networks: tuple[str, ...] = field_of(NETWORKS, _NETWORKS)
    steps: int = field_of(400, integer(1, 10**6), "Training steps of the generators.")
    layout: str = field_of(
        "source",
        choice(*LAYOUTS),
        "source: train/ and val/, to train on; set: a sub-testset, its networks being classes.",
    )
    validation: float = field_of(0.125, number(0, 1, below=True))
    match_sharpness: bool = False
    photos: str | None = None
    jpeg: int | None = field_of(
        None, integer(1, 95, optional=True), "Quality of the embedded photographs' files."
    )

    def __post_init__(self):
        super().__post_init__()
        for name in self.networks:
            parse_network(name)
        self._require(
            self.count - self.validation_count >= len(self.networks),
            "count",
            f"large enough for one photograph a network ({len(self.networks)}) beside the "
            f"{self.validation_count} to validate",
        )

    @property
    def validation_count(self) -> int:
        """How many of the photographs go to val."""
        return round(self.count * self.validation) if self.layout == "source" else 0

    @property
    def margin(self) -> int:
        """Pixels around a picture that are made and thrown away, a multiple of 8.

        Padding shows at a network's edges, and a detector would learn to see it.
        """
        return 8 * -(-max(parse_network(name).reach for name in self.networks) // 8)
