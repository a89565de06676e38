"""Makes the pictures of the documentation: `make pictures`. Everything in them is simulated here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from npr_keras.data.decode import decode
from npr_keras.layers import NPR
from npr_keras.simulation.builtin import make_simulated

IMAGES = Path(__file__).parent / "images"
SIDE, TIMES, GAP = 64, 4, 8  # pixels of a piece, enlargement, pixels between pieces
LEVELS = 10  # the map's colours end at this many grey levels, to either side


def npr_picture(pixels: np.ndarray) -> np.ndarray:
    """The NPR map, uint8: no difference is mid-grey, 10 levels up white, 10 down black."""
    layer = NPR(window=2, reference=1, scale=1.0)
    differences = np.asarray(layer(pixels[None].astype(np.float32)))[0]
    return np.clip(127.5 * (1 + differences / LEVELS), 0, 255).astype(np.uint8)


def npr_figure(real: np.ndarray, fake: np.ndarray) -> Image.Image:
    """A row: photograph, its NPR map, the generated copy, its NPR map."""
    enlarged, head = SIDE * TIMES, 28
    pieces = {
        "photograph": real,
        "its NPR map": npr_picture(real),
        "generated": fake,
        f"its NPR map (black to white: ±{LEVELS} levels)": npr_picture(fake),
    }
    width = len(pieces) * (enlarged + GAP) + GAP
    figure = Image.new("RGB", (width, head + enlarged + GAP), "white")
    draw = ImageDraw.Draw(figure)
    for i, (text, pixels) in enumerate(pieces.items()):
        left = GAP + i * (enlarged + GAP)
        draw.text((left, 6), text, "black", ImageFont.load_default(14 if i < 3 else 13))
        piece = Image.fromarray(pixels).resize((enlarged, enlarged), Image.Resampling.NEAREST)
        figure.paste(piece, (left, head))
    return figure


def main() -> None:
    """Writes docs/images/npr.png."""
    folder, _ = make_simulated("source")
    network, name, row, column = "x2k3t1", "00009.png", 60, 60
    real, fake = (
        decode(folder / "train" / network / label / name)[row : row + SIDE, column : column + SIDE]
        for label in ("0_real", "1_fake")
    )
    IMAGES.mkdir(exist_ok=True)
    npr_figure(real, fake).save(IMAGES / "npr.png", optimize=True)


if __name__ == "__main__":
    main()
