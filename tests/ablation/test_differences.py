"""Intervals of differences: against an independent computation, and by how often they hold."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import average_precision_score

from npr_keras.ablation.differences import (
    paired_difference,
    spread,
    weighted_average_precision,
)
from npr_keras.errors import ConfigError


def scores(random, seeds, sets, images, gain, of_seeds, of_images):
    """Two variants' logits: the same images and seeds, one with a larger margin."""
    labels, ours, theirs = [], [[] for _ in range(seeds)], [[] for _ in range(seeds)]
    a, b = random.normal(0, of_seeds, (2, seeds))
    for _ in range(sets):
        y = np.arange(images) % 2
        sign, hard = 2 * y - 1, random.normal(0, 1, images)
        own = random.normal(0, of_images, images)
        labels.append(y)
        for s in range(seeds):
            noise = random.normal(0, 0.5, (2, images))
            ours[s].append(sign * (1 + gain + a[s]) + hard + own + noise[0])
            theirs[s].append(sign * (1 + b[s]) + hard + noise[1])
    return labels, ours, theirs


def true_difference(gain, of_seeds, of_images):
    """Of accuracy, over all seeds and images there could be."""
    first = norm.cdf((1 + gain) / np.sqrt(1 + of_images**2 + 0.25 + of_seeds**2))
    return first - norm.cdf(1 / np.sqrt(1 + 0.25 + of_seeds**2))


@pytest.mark.parametrize(
    "case",
    [(3, 4, 80, 0.2, 0.15, 0.3), (5, 2, 100, 0.0, 0.05, 0.5), (3, 1, 200, 0.1, 0.0, 0.3)],
    ids=["seeds and images", "images above all", "seeds alike"],
)
def test_the_interval_holds(case):
    """In 93 to 97 % of 1,000 repetitions, as 95 % intervals have to."""
    true = true_difference(*case[3:])
    held = 0
    for repetition in range(1000):
        random = np.random.default_rng([11, repetition, case[0], case[2]])
        found = paired_difference(*scores(random, *case), repetitions=100, seed=repetition)
        held += found.low <= true <= found.high
    assert 930 <= held <= 970


def test_the_mean_by_hand(random):
    """The difference itself, by scikit-learn and NumPy."""
    labels, ours, theirs = scores(random, 3, 2, 60, 0.3, 0.1, 0.3)
    for name, figure in (
        ("accuracy", lambda y, z: np.mean((z > 0) == (y == 1))),
        ("average_precision", average_precision_score),
    ):
        by_hand = [
            np.mean([figure(y, o[k]) - figure(y, t[k]) for k, y in enumerate(labels)])
            for o, t in zip(ours, theirs, strict=True)
        ]
        found = paired_difference(labels, ours, theirs, name, repetitions=50)
        assert found.mean == pytest.approx(np.mean(by_hand), abs=1e-12)
        assert found.low < found.mean < found.high
        assert found.seeds == 3


def test_the_interval_where_only_seeds_count(random):
    """With no uncertainty of images it is the t-interval of the seeds' differences."""
    from scipy import stats

    y = np.arange(40) % 2
    right = np.where(y == 1, 1.0, -1.0)
    wrong = [right.copy() for _ in range(4)]
    for s, count in enumerate((4, 8, 6, 10)):
        for label in (0, 1):  # any resample of a class where all are alike is the same
            wrong[s][np.flatnonzero(y == label)[: count // 2]] *= -1
    values = np.array([-4, -8, -6, -10]) / 40
    found = paired_difference([y], [[w] for w in wrong], [[right]] * 4, repetitions=300)
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert found.mean == pytest.approx(values.mean())
    # Images add to it; they never take away.
    assert found.high - found.low >= (high - low) * 0.7


def test_nothing_differs(random):
    labels, ours, _ = scores(random, 3, 2, 40, 0.3, 0.1, 0.3)
    found = paired_difference(labels, ours, ours, "average_precision", repetitions=50)
    assert (found.mean, found.low, found.high) == (0, 0, 0)
    assert not found.is_real


def test_one_seed_has_the_images_alone(random):
    labels, ours, theirs = scores(random, 1, 2, 60, 0.3, 0.1, 0.3)
    found = paired_difference(labels, ours, theirs, repetitions=200)
    assert np.isfinite([found.low, found.high]).all()
    assert found.seeds == 1


def test_unreadable_images_are_left_out(random):
    labels, ours, theirs = scores(random, 2, 1, 40, 0.3, 0.1, 0.3)
    whole = paired_difference(
        [labels[0][2:]], [[o[0][2:]] for o in ours], [[t[0][2:]] for t in theirs]
    )
    for group in (ours, theirs):
        for seed in group:
            seed[0][:2] = np.nan
    assert paired_difference(labels, ours, theirs).mean == pytest.approx(whole.mean)


def test_weighted_average_precision_is_scikit_learns(random):
    for _ in range(20):
        y = random.integers(0, 2, 50)
        z = np.round(random.normal(size=50), 1)  # with ties
        w = random.integers(0, 4, 50).astype(float)
        expected = average_precision_score(y, z, sample_weight=w)
        assert weighted_average_precision(y == 1, w, z) == pytest.approx(expected, abs=1e-12)


def test_wrong_arguments(random):
    labels, ours, theirs = scores(random, 2, 2, 10, 0.3, 0.1, 0.3)
    with pytest.raises(ConfigError, match="`figure` must be one of"):
        paired_difference(labels, ours, theirs, "f1")
    with pytest.raises(ConfigError, match="must pair"):
        paired_difference(labels, ours, theirs[:1])


def test_spread():
    assert spread([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert spread({5: 4.0})[0] == 4.0 and np.isnan(spread({5: 4.0})[1])
