"""What pixels can say: texture, clipping, and the trace of JPEG's blocks in other formats."""

import io

import numpy as np
import pytest
from PIL import Image

from npr_keras.forensics.blocking import THRESHOLD, blocking_strength
from npr_keras.forensics.evidence import weigh
from npr_keras.forensics.history import read_history
from npr_keras.simulation.photographs import embedded_photograph


def compressed(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=2)
    return np.array(Image.open(file).convert("RGB"))


def test_by_hand():
    seen = np.full((4, 6, 3), 9, np.uint8)
    seen[1, 1, 2] = 8  # one of six blocks
    seen[3] = 255  # six of 24 pixels, in the other three blocks of which the rows differ
    found = weigh(np.zeros((50, 40, 3), np.uint8), seen)
    assert (found.width, found.height, found.side) == (40, 50, 40)
    assert found.texture == pytest.approx(4 / 6)
    assert found.clipped == pytest.approx(6 / 24)


def test_odd_sides_and_flat_images():
    found = weigh(np.zeros((5, 7, 3), np.uint8), np.zeros((5, 7, 3), np.uint8))
    assert (found.texture, found.clipped) == (0, 1)
    first, second = found.missing()
    assert first.startswith("hardly any texture: 0 %") and second.startswith("clipped: 100 %")
    doubled = np.arange(48, dtype=np.uint8).reshape(4, 4, 3).repeat(2, 0).repeat(2, 1)
    assert weigh(doubled, doubled).texture == 0  # equal within every block: NPR sees nothing
    photograph = embedded_photograph(7, 0, 128)
    assert weigh(photograph, photograph).missing() == []


def test_blocks_of_jpeg_are_found_in_png(tmp_path):
    """Wherever the grid lies; and not in what was never compressed."""
    photographs = [embedded_photograph(7, i, 256) for i in range(12)]
    plain = [blocking_strength(p) for p in photographs]
    assert sum(s > THRESHOLD for s in plain) <= 1
    for crop in (0, 3):
        strengths = [blocking_strength(compressed(p, 50)[crop:, crop:]) for p in photographs]
        assert sum(s > THRESHOLD for s in strengths) >= 10
    pixels = compressed(photographs[0], 40)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_history(tmp_path / "a.png", pixels)
    assert found.was_jpeg and not found.lossy
    again = read_history((tmp_path / "a.png").read_bytes(), pixels)
    assert again == found
    Image.fromarray(photographs[0]).save(tmp_path / "a.jpg", quality=40)
    assert not read_history(tmp_path / "a.jpg", pixels).was_jpeg  # it is one, and says so


def test_too_small_to_tell(random):
    assert blocking_strength(random.integers(0, 256, (63, 200, 3), np.uint8)) == 0
