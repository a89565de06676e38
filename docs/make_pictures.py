"""Makes the pictures of the documentation: `make pictures`. Everything in them is simulated here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from npr_keras.data.decode import decode
from npr_keras.layers import NPR
from npr_keras.simulation.named import make_simulated

IMAGES = Path(__file__).parent / "images"
SIDE, TIMES, GAP = 64, 5, 12  # pixels of a piece, enlargement, pixels between pieces
LEVELS = 24  # the map's colours end at this many grey levels, to either side


def npr_picture(pixels: np.ndarray) -> np.ndarray:
    """The NPR map, uint8: no difference is mid-grey, +-24 levels black and white."""
    layer = NPR(window=2, reference=1, scale=1.0)
    differences = np.asarray(layer(pixels[None].astype(np.float32)))[0]
    return np.clip(127.5 * (1 + differences / LEVELS), 0, 255).astype(np.uint8)


def npr_figure(real: np.ndarray, fake: np.ndarray) -> Image.Image:
    """Two rows, photograph and generated; the picture on the left, its NPR map on the right."""
    enlarged = SIDE * TIMES
    head, label = 30, 120
    figure = Image.new("RGB", (label + 2 * (enlarged + GAP), head + 2 * (enlarged + GAP)), "white")
    draw = ImageDraw.Draw(figure)
    font = ImageFont.load_default(17)
    for column, text in enumerate(("pixels", f"NPR map (grey: 0, white: +{LEVELS} levels)")):
        draw.text((label + column * (enlarged + GAP), 5), text, "black", font)
    for row, (text, pixels) in enumerate((("photograph", real), ("generated", fake))):
        top = head + row * (enlarged + GAP)
        draw.text((8, top + enlarged // 2 - 10), text, "black", font)
        for column, picture in enumerate((pixels, npr_picture(pixels))):
            piece = Image.fromarray(picture).resize((enlarged, enlarged), Image.Resampling.NEAREST)
            figure.paste(piece, (label + column * (enlarged + GAP), top))
    return figure


def main() -> None:
    """Writes docs/images/npr.png."""
    folder, _ = make_simulated("source")
    network, name, row, column = "x2k3t0", "00004.png", 96, 96
    real, fake = (
        decode(folder / "train" / network / label / name)[row : row + SIDE, column : column + SIDE]
        for label in ("0_real", "1_fake")
    )
    IMAGES.mkdir(exist_ok=True)
    npr_figure(real, fake).save(IMAGES / "npr.png", optimize=True)


if __name__ == "__main__":
    main()
