import numpy as np

from npr_keras.data.augment import plan_epoch, random_crop


def test_a_plan_is_a_function_of_seed_and_epoch():
    one, same = plan_epoch(100, 7, 3, 0.5), plan_epoch(100, 7, 3, 0.5)
    for name in ("order", "row", "column", "flip"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
        assert not np.array_equal(getattr(one, name), getattr(plan_epoch(100, 7, 4, 0.5), name))
        assert not np.array_equal(getattr(one, name), getattr(plan_epoch(100, 8, 3, 0.5), name))


def test_the_shuffle_is_full():
    order = plan_epoch(10_000, 0, 0, 0.5).order
    np.testing.assert_array_equal(np.sort(order), np.arange(10_000))
    # The mean distance that an image moves is n / 3 for a uniform permutation; a shuffle buffer
    # moves it by less.
    assert abs(np.abs(order - np.arange(10_000)).mean() / (10_000 / 3) - 1) < 0.03


def test_flip_probability():
    assert not plan_epoch(1000, 0, 0, 0.0).flip.any()
    assert plan_epoch(1000, 0, 0, 1.0).flip.all()
    assert 0.47 < plan_epoch(10_000, 0, 0, 0.5).flip.mean() < 0.53


def test_every_offset_is_drawn():
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    plan = plan_epoch(2000, 0, 0, 0.5)
    corners = {
        tuple(random_crop(pixels, 5, row, column)[0, 0])
        for row, column in zip(plan.row, plan.column, strict=True)
    }
    assert corners == {tuple(pixels[i, j]) for i in range(4) for j in range(4)}
