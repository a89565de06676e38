"""What is to be reconstructed, and how. Light."""

from __future__ import annotations

from dataclasses import dataclass

from npr_keras.settings import (
    FLAG,
    Config,
    Rule,
    choice,
    field_of,
    integer,
    is_int,
    is_number,
    number,
    pair,
)

MIXES = ("none", "pixel", "dct")
_SIZE = Rule(
    lambda v: is_int(v) and 32 <= v <= 2048 and v % 8 == 0,
    "a multiple of 8 from 32 to 2048 (pixels)",
    "integer",
    32,
    2048,
)
_SHARE = number(0, 1)


@dataclass(frozen=True)
class ReconstructionConfig(Config):
    """Pairs of photographs and reconstructions.

    Args:
        count: Pairs of each decoder.
        size: Side of the pictures, in pixels.
        scale: Least and largest factor that photographs are shrunk by before they are cut, drawn
            evenly on a logarithmic scale; 1 leaves a photograph's own pixels as they are.
        latent_noise: Standard deviation of noise in what is decoded, as a share of its own.
        grid_offset: Whether a picture begins anywhere on the decoder's grid, as in cut pictures.
        keep_jpeg: Share of pairs that get the photograph's own JPEG quality once more, both alike;
            of a photograph without one, none.
        mix: "pixel": the reconstruction, mixed with a share of the photograph; "dct": a share of the
            coefficients of 8 x 8 blocks is the photograph's; "none".
        mix_share: Share of pairs that are mixed.
        blend: Share of pairs in which only a region is generated.
        validation: Share of the photographs that goes to val/.
        seed: Of all that is drawn at random.

    Reference:
        Dual Data Alignment, NeurIPS 2025 (JPEG in step, both mixes); AlignedForensics, ICLR 2025.
    """

    count: int = field_of(200, integer(1, 10**7), "Pairs of each decoder, to validate included.")
    size: int = field_of(256, _SIZE, "Side of the pictures, in pixels, a multiple of 8.")
    scale: tuple[float, float] = field_of(
        (0.25, 1.0), pair(is_number, "numbers", 0.01, 1), "How much photographs are shrunk."
    )
    latent_noise: float = field_of(0.0, _SHARE, "Noise in the latent, as a share of its spread.")
    grid_offset: bool = field_of(False, FLAG)
    keep_jpeg: float = field_of(
        0.0, _SHARE, "Share of pairs that get the photograph's JPEG quality once more."
    )
    mix: str = field_of("none", choice(*MIXES), "How some reconstructions take from photographs.")
    mix_share: float = field_of(0.2, _SHARE, "Share of pairs that are mixed.")
    blend: float = field_of(0.0, _SHARE, "Share of pairs in which only a region is generated.")
    validation: float = field_of(
        0.1, number(0, 1, below=True), "Share of the photographs for val/."
    )
    seed: int = field_of(1, integer(0, 2**32 - 1), "Of all that is drawn at random.")
