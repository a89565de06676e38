"""The one number for sharpness, and the control that takes it away."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score

from npr_keras.simulation.photographs import embedded_photograph
from npr_keras.simulation.sharpness import (
    match_sharpness,
    sharpness,
    sharpness_average_precision,
)


def test_sharpness_is_the_laplacians_energy(random):
    pixels = random.integers(0, 256, (17, 23, 3), np.uint8)
    laplacian = np.stack(
        [ndimage.laplace(pixels[..., i].astype(float))[1:-1, 1:-1] for i in range(3)]
    )
    assert sharpness(pixels) == pytest.approx(np.mean(laplacian**2), rel=1e-5)
    assert sharpness(np.full((8, 8, 3), 9, np.uint8)) == 0


def test_matching_softens_the_sharper_one_alone(random):
    photo = embedded_photograph(0, 0, 96)
    noisy = np.clip(photo + random.normal(0, 12, photo.shape), 0, 255).astype(np.uint8)
    assert sharpness(noisy) > 1.3 * sharpness(photo)
    softened, same = match_sharpness(noisy, photo)
    assert same is photo
    assert sharpness(softened) == pytest.approx(sharpness(photo), rel=0.02)
    assert np.abs(softened.astype(int) - noisy).mean() < 12
    same, again = match_sharpness(photo, noisy)  # the other way round
    assert same is photo
    assert np.array_equal(again, softened)


def test_average_precision_takes_the_better_direction(random):
    real, generated = random.normal(2, 1, 50).tolist(), random.normal(0, 1, 50).tolist()
    labels, scores = [0] * 50 + [1] * 50, np.array(real + generated)
    best = max(average_precision_score(labels, s) for s in (scores, -scores))
    assert best > 0.8
    assert sharpness_average_precision(real, generated) == pytest.approx(best)
