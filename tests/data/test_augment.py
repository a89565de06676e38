import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from npr_keras.config import TrainingConfig
from npr_keras.data import perturb
from npr_keras.data.augment import EpochPlan, degrade, paired, plan_epoch, random_crop, spoil


def plan(count, seed=0, epoch=0, **recipe):
    return plan_epoch(count, epoch, TrainingConfig(seed=seed, **recipe))


def test_a_plan_is_a_function_of_seed_and_epoch():
    recipe = {"blur": 0.5, "jpeg": 0.5}
    one, same = plan(100, 7, 3, **recipe), plan(100, 7, 3, **recipe)
    for name in EpochPlan._fields:
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
        for other in (plan(100, 7, 4, **recipe), plan(100, 8, 3, **recipe)):
            assert not np.array_equal(getattr(one, name), getattr(other, name))


def test_what_is_drawn_first_does_not_depend_on_what_comes_after():
    """A recipe with compression sees the same crops as the one without: they pair."""
    plain, spoilt = plan(100), plan(100, blur=0.5, jpeg=1.0, jpeg_quality=(70, 80))
    for name in ("order", "row", "column", "flip"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(spoilt, name))
    assert not plain.blur.any() and not plain.jpeg.any()


def test_how_often_and_how_much():
    drawn = plan(10_000, blur=0.25, blur_sigma=(1.0, 2.0), jpeg=0.1, jpeg_quality=(60, 62))
    assert 0.235 < (drawn.blur > 0).mean() < 0.265
    assert 1 <= drawn.blur[drawn.blur > 0].min() < 1.01 and 1.99 < drawn.blur.max() <= 2
    assert 0.09 < (drawn.jpeg > 0).mean() < 0.11
    assert set(drawn.jpeg) == {0, 60, 61, 62}


def test_blur_comes_before_compression():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1.5))
    file = io.BytesIO()
    blurred.save(file, "JPEG", quality=40)  # Pillow's default is 4:2:0
    np.testing.assert_array_equal(degrade(pixels, 1.5, 40), np.asarray(Image.open(file)))
    np.testing.assert_array_equal(degrade(pixels, 1.5, 0), np.asarray(blurred))
    np.testing.assert_array_equal(degrade(pixels, 0.0, 0), pixels)


def test_the_shuffle_is_full():
    order = plan(10_000).order
    np.testing.assert_array_equal(np.sort(order), np.arange(10_000))
    # The mean distance that an image moves is n / 3 for a uniform permutation; a shuffle buffer
    # moves it by less.
    assert abs(np.abs(order - np.arange(10_000)).mean() / (10_000 / 3) - 1) < 0.03


def test_flip_probability():
    assert not plan(1000, flip=0.0).flip.any()
    assert plan(1000, flip=1.0).flip.all()
    assert 0.47 < plan(10_000).flip.mean() < 0.53


def test_every_offset_is_drawn():
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    drawn = plan(2000)
    corners = {
        tuple(random_crop(pixels, 5, row, column)[0, 0])
        for row, column in zip(drawn.row, drawn.column, strict=True)
    }
    assert corners == {tuple(pixels[i, j]) for i in range(4) for j in range(4)}


def test_pairs_stay_together_and_are_treated_alike():
    pairs = np.array([[0, 5], [3, 1], [2, -1], [4, 6]])
    alone = plan_epoch(4, 0, TrainingConfig(jpeg=0.5, blur=0.5))
    both = paired(alone, pairs)
    assert sorted(both.order) == list(range(7)) and both.order[-1] == 2
    for i in (0, 2, 4):
        assert (both.order[i : i + 2].tolist()) in pairs.tolist()
        for name in EpochPlan._fields[1:]:
            drawn = getattr(both, name)
            assert drawn[i] == drawn[i + 1]
            number = pairs.tolist().index(both.order[i : i + 2].tolist())
            assert drawn[i] == getattr(alone, name)[alone.order.tolist().index(number)]


@pytest.mark.parametrize(
    ("share", "options", "is_what"),
    [
        ("rotate", {}, lambda a, b: any(np.array_equal(np.rot90(a, k), b) for k in (1, 2, 3))),
        ("rescale", {"rescale_factor": (2, 2)}, lambda a, b: b.shape == (40, 60, 3)),
        (
            "noise",
            {"noise_sigma": (3, 3)},
            lambda a, b: 2 < np.std(b[5:9].astype(float) - a[5:9]) < 4,
        ),
        ("webp", {"webp_quality": (30, 30)}, lambda a, b: (b == perturb.webp(a, 30)).all()),
        ("cutout", {}, lambda a, b: ((b == 128).all(2) | (a == b).all(2)).all()),
        ("colour", {}, lambda a, b: abs(b.astype(float).mean() / a.mean() - 1) < 0.35),
    ],
)
def test_each_thing_that_happens_to_images(share, options, is_what):
    smooth = np.add.outer(np.arange(60, 80), np.arange(60, 90)).astype(np.uint8)
    pixels = np.stack([smooth, smooth // 2, 255 - smooth], -1)
    recipe = TrainingConfig(**{share: 0.5, **options})
    changed = 0
    for seed in range(200):
        found = spoil(pixels, 0.0, 0, seed, recipe)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, spoil(pixels, 0.0, 0, seed, recipe))
        if found.shape != pixels.shape or (found != pixels).any():
            changed += 1
            assert is_what(pixels, found)
    assert 80 <= changed <= 120


def test_all_of_it_in_order_and_of_a_part():
    """The compression is the last but the cut: what it leaves is still there."""
    pixels = np.random.default_rng(0).integers(0, 256, (500, 600, 3), np.uint8)
    recipe = TrainingConfig(crop=32, resize=None, noise=1.0)
    found = spoil(pixels, 1.0, 20, 5, recipe)
    assert found.shape == (96, 96, 3)  # three times the crop
    again = perturb.jpeg(found, 20)
    assert (
        np.abs(again.astype(int) - found).mean()
        < 0.6 * np.abs(perturb.jpeg(pixels[:96, :96], 20).astype(int) - pixels[:96, :96]).mean()
    )
    plain = TrainingConfig(jpeg=1.0)
    np.testing.assert_array_equal(spoil(pixels, 1.5, 40, 5, plain), degrade(pixels, 1.5, 40))
