import io

import numpy as np
import pytest
from PIL import Image

from npr_keras.forensics.jpeg import estimate_quality, subsampling


@pytest.fixture(scope="module")
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))


@pytest.mark.parametrize("colours", ["4:4:4", "4:2:0"])
def test_quality_of_pillows_files(picture, colours):
    for quality in range(1, 101):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality, subsampling=colours)
        with Image.open(file) as image:
            estimate = estimate_quality(image.quantization)
            assert subsampling(image) == colours
        # Below quality 3 all steps are at their limit of 255.
        assert estimate == quality or quality < 3


def test_grey_files(picture):
    file = io.BytesIO()
    picture.convert("L").save(file, "JPEG", quality=83)
    with Image.open(file) as image:
        assert estimate_quality(image.quantization) == 83
        assert subsampling(image) is None


def test_tables_of_other_programs(picture):
    """Steps half as coarse again as quality 80's are about those of quality 70."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    with Image.open(file) as image:
        tables = {k: [round(1.5 * step) for step in v] for k, v in image.quantization.items()}
    assert estimate_quality(tables) == pytest.approx(70, abs=1)
    assert estimate_quality({}) is None
    assert estimate_quality({0: [1, 2, 3]}) is None
