"""Intervals of differences: against an independent computation, and by how often they hold."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import accuracy_score, average_precision_score

from npr_keras.data.records import Record
from npr_keras.errors import ConfigError
from npr_keras.evaluation.differences import (
    FIGURES,
    Resampled,
    difference_on_images,
    mean_of_defined,
    paired_difference,
    resample,
    spread,
    weighted_figures,
)
from npr_keras.evaluation.evaluate import SetResult, metrics_of


def difference(labels, ours, theirs, figure="accuracy", groups=None, repetitions=100, seed=0):
    """From logits to the interval, as `ablation_result` goes."""
    runs = ([resample(labels, z, groups, repetitions, seed) for z in g] for g in (ours, theirs))
    return paired_difference(*([run[figure] for run in group] for group in runs))


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [(3, 4, 80, 0.2, 0.15, 0.3), (5, 2, 100, 0.0, 0.05, 0.5), (3, 1, 200, 0.1, 0.0, 0.3)],
    ids=["seeds and images", "images above all", "seeds alike"],
)
def test_the_interval_holds(case):
    """In 93 to 97 % of 1,000 repetitions, as 95 % intervals have to, of accuracy and of AP."""
    found = {figure: [] for figure in FIGURES}
    for repetition in range(1000):
        random = np.random.default_rng([11, repetition, case[0], case[2]])
        labels, *groups = scores(random, *case)
        runs = [[resample(labels, z, None, 100, repetition) for z in group] for group in groups]
        for figure in FIGURES:
            pairs = ([run[figure] for run in group] for group in runs)
            found[figure].append(paired_difference(*pairs))
    # AP's expectation is taken from the repetitions: their mean is far surer than one interval.
    true = {
        "accuracy": true_difference(*case[3:]),
        "average_precision": np.mean([one.mean for one in found["average_precision"]]),
    }
    for figure, ones in found.items():
        assert 930 <= sum(one.low <= true[figure] <= one.high for one in ones) <= 970, figure


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_sets_that_share_their_images(known):
    """Where groups say so the interval holds; as if they were independent it does not."""
    case = (5, 1, 80, 0.2, 0.0, 1.5)
    true, held = true_difference(*case[3:]), 0
    groups = [np.arange(80)] * 4 if known else None
    for repetition in range(500):
        random = np.random.default_rng([12, repetition])
        labels, ours, theirs = scores(random, *case)
        four = [[[run[0]] * 4 for run in group] for group in (ours, theirs)]
        found = difference(labels * 4, *four, groups=groups, seed=repetition)
        held += found.low <= true <= found.high
    assert 0.93 <= held / 500 <= 0.975 if known else held / 500 < 0.9, held


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
        found = difference(labels, ours, theirs, name)
        assert found.mean == pytest.approx(np.mean(by_hand), abs=1e-12)
        assert found.low < found.mean < found.high
        assert found.seeds == 3
        np.testing.assert_allclose(found.of_seeds, by_hand, atol=1e-12)


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
    found = difference([y], [[w] for w in wrong], [[right]] * 4, repetitions=300)
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert found.mean == pytest.approx(values.mean())
    # Images add to it; they never take away.
    assert found.high - found.low >= (high - low) * (1 - 1e-9)


def of_values(values, spread_of_images=0.0):
    """Runs with these figures, and resamples around them, the same for all."""
    around = spread_of_images * np.random.default_rng(0).normal(size=200)
    return [Resampled(value, value + around) for value in values]


def test_what_counts_as_shown():
    nothing = of_values([0.0] * 3)
    assert paired_difference(of_values([0.10, 0.11, 0.12]), nothing).is_real
    assert paired_difference(of_values([-0.10, -0.11, -0.12]), nothing).is_real
    assert not paired_difference(of_values([0.10, -0.11, 0.12]), nothing).is_real
    # Images that are in all seeds make it as unsure as seeds do.
    assert not paired_difference(of_values([0.10, 0.11, 0.12], 0.1), nothing).is_real
    # One seed shows nothing, however far it lies; NaN neither.
    alone = paired_difference(of_values([0.9]), of_values([0.0]))
    assert alone.mean == 0.9 and np.isnan([alone.low, alone.high]).all() and not alone.is_real
    undefined = paired_difference(of_values([np.nan] * 2), of_values([0.0] * 2))
    assert np.isnan([undefined.mean, undefined.low, undefined.high]).all()
    assert not undefined.is_real


def test_nothing_differs(random):
    labels, ours, _ = scores(random, 3, 2, 40, 0.3, 0.1, 0.3)
    found = difference(labels, ours, ours, "average_precision")
    assert (found.mean, found.low, found.high) == (0, 0, 0)
    assert not found.is_real


def test_the_spread_of_resamples_is_that_of_a_stratified_mean(random):
    labels, ours, theirs = scores(random, 1, 1, 400, 0.3, 0.1, 0.3)
    found = [resample(labels, z[0], repetitions=4000)["accuracy"].values for z in (ours, theirs)]
    right = [((z[0][0] > 0) == (labels[0] == 1)).astype(float) for z in (ours, theirs)]
    apart = right[0] - right[1]
    variance = np.mean([apart[labels[0] == k].var() / 200 for k in (0, 1)]) / 2
    assert (found[0] - found[1]).std() == pytest.approx(np.sqrt(variance), rel=0.05)


def test_classes_keep_their_weight(random):
    """All photographs right, no generated picture: 0.5 on any resample."""
    y = np.arange(50) % 2
    found = resample([y], [np.full(50, -1.0)])["accuracy"]
    assert found.value == 0.5
    np.testing.assert_allclose(found.values, 0.5, atol=1e-12)


def test_what_belongs_together_is_drawn_together(random):
    """The same images twice: as uncertain as once. Apart: the half of the variance."""
    labels, ours, _ = scores(random, 1, 1, 300, 0.0, 0.0, 0.0)
    twice = (labels * 2, ours[0] * 2)
    once = resample(labels, ours[0], repetitions=2000)
    together = resample(*twice, [np.arange(300)] * 2, repetitions=2000)
    apart = resample(*twice, repetitions=2000)
    for figure in FIGURES:
        np.testing.assert_allclose(together[figure].values, once[figure].values, atol=1e-12)
        assert apart[figure].values.var() == pytest.approx(once[figure].values.var() / 2, rel=0.2)


def test_unreadable_images_are_left_out(random):
    labels, ours, theirs = scores(random, 2, 1, 40, 0.3, 0.1, 0.3)
    whole = difference([labels[0][2:]], [[o[0][2:]] for o in ours], [[t[0][2:]] for t in theirs])
    for group in (ours, theirs):
        for seed in group:
            seed[0][:2] = np.nan
    assert difference(labels, ours, theirs).mean == pytest.approx(whole.mean)
    # One readable generated image is enough for every resample.
    few = np.array([1.0, -2.0, -1.0, 0.5, np.nan])
    found = resample([np.array([1, 0, 0, 0, 1])], [few])
    assert all(np.isfinite(one.values).all() for one in found.values())


def test_sets_where_a_figure_is_not_defined(random):
    """AP needs both classes; a set without either has neither figure."""
    labels, ours, _ = scores(random, 1, 1, 40, 0.3, 0.1, 0.3)
    alone = resample(labels, ours[0])
    fakes, none = np.ones(8, int), np.zeros(0, int)
    found = resample([*labels, fakes, none], [*ours[0], np.ones(8), np.zeros(0)])
    assert found["average_precision"].value == alone["average_precision"].value
    assert found["accuracy"].value == pytest.approx((alone["accuracy"].value + 1) / 2)
    assert np.isnan(resample([fakes], [np.ones(8)])["average_precision"].value)
    np.testing.assert_array_equal(mean_of_defined([[1, np.nan], [3, np.nan]]), [2, np.nan])


def test_weighted_figures_are_scikit_learns(random):
    for _ in range(20):
        y = random.integers(0, 2, 50)
        z = np.round(random.normal(size=50), 1)  # with ties
        w = random.exponential(size=(3, 50))
        found = weighted_figures(y, z, w)
        for i, own in enumerate(w):
            for label in (0, 1):
                own[y == label] /= own[y == label].mean()
            ap = average_precision_score(y, z, sample_weight=own)
            assert found["average_precision"][i] == pytest.approx(ap, abs=1e-12)
            accuracy = accuracy_score(y, z > 0, sample_weight=own)
            assert found["accuracy"][i] == pytest.approx(accuracy, abs=1e-12)


def test_many_images_go_in_parts(random, monkeypatch):
    from npr_keras.evaluation import differences

    labels, ours, _ = scores(random, 1, 2, 40, 0.3, 0.1, 0.3)
    whole = resample(labels, ours[0], repetitions=30)
    monkeypatch.setattr(differences, "_AT_ONCE", 500)
    parts = resample(labels, ours[0], repetitions=30)
    for figure in FIGURES:
        np.testing.assert_allclose(parts[figure].values, whole[figure].values, atol=1e-12)


def test_wrong_arguments(random):
    labels, ours, theirs = scores(random, 2, 2, 10, 0.3, 0.1, 0.3)
    with pytest.raises(ConfigError, match="as many as its labels"):
        resample(labels, ours[0][:1])
    with pytest.raises(ConfigError, match="must pair"):
        difference(labels, ours, theirs[:1])


def test_spread():
    assert spread([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert spread([4.0])[0] == 4.0 and np.isnan(spread([4.0])[1])


def test_two_detectors_on_the_same_images(random):
    """Against resampling by hand: the same detector differs by nothing, a better one by its gain."""
    records = [Record(f"{i}.png", i % 2) for i in range(200)]
    labels = np.arange(200) % 2
    logits = (2 * labels - 1) + random.normal(0, 1.5, 200)
    better = logits + 0.7 * (2 * labels - 1)

    def results(some):
        some = np.asarray(some, np.float32)
        return [SetResult("one", tuple(records), some, metrics_of(records, some), {})]

    same = difference_on_images(results(logits), results(logits))
    assert same == dict.fromkeys(FIGURES, (0.0, 0.0, 0.0))
    found = difference_on_images(results(better), results(logits))
    gain = np.mean((better > 0) == labels) - np.mean((logits > 0) == labels)
    assert found["accuracy"][0] == pytest.approx(gain)
    drawn = random.integers(0, 200, (4000, 200))
    steps = ((better > 0) == labels).astype(float) - ((logits > 0) == labels)
    by_hand = np.quantile(steps[drawn].mean(1), (0.025, 0.975))
    np.testing.assert_allclose(found["accuracy"][1:], by_hand, atol=0.015)
    broken = better.copy()
    broken[:5] = np.nan  # counts for neither
    less = difference_on_images(results(broken), results(logits))["accuracy"][0]
    assert less == pytest.approx(steps[5:].mean())
