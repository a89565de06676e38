import io

import numpy as np
import pytest
from PIL import Image

from npr_keras.data.perturb import perturb
from npr_keras.errors import ConfigError
from npr_keras.tables import PERTURBATIONS, standard_conditions


@pytest.fixture
def pixels(random):
    return random.integers(40, 200, (50, 60, 3), np.uint8)


def test_each_does_what_it_says(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=70, subsampling=2)
    np.testing.assert_array_equal(
        perturb(pixels, "jpeg", 70), np.asarray(Image.open(file).convert("RGB"))
    )
    assert perturb(pixels, "resize", 0.5).shape == (25, 30, 3)
    assert perturb(pixels, "resize", 0.01).shape == (2, 2, 3)
    added = perturb(pixels, "noise", 3).astype(int) - pixels
    assert added.std() == pytest.approx(3, rel=0.05)
    assert abs(added.mean()) < 0.2
    assert perturb(pixels, "blur", 1).std() < 0.5 * pixels.std()
    assert perturb(pixels, "none", 0) is pixels
    assert (perturb(pixels, "webp", 75) != pixels).mean() > 0.5


def test_the_same_every_time(pixels):
    for kind, amount in standard_conditions():
        once, again = (perturb(pixels, kind, amount, seed=5) for _ in range(2))
        np.testing.assert_array_equal(once, again)
        assert once.dtype == np.uint8
    assert (perturb(pixels, "noise", 3, 1) != perturb(pixels, "noise", 3, 2)).any()


def test_unknown_kinds(pixels):
    assert {kind for kind, _ in standard_conditions()} == set(PERTURBATIONS)
    with pytest.raises(ConfigError, match="Received: 'rotate'"):
        perturb(pixels, "rotate", 1)
