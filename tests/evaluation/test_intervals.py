"""Bootstrap intervals against scikit-learn on resamples that are written out."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from npr_keras.evaluation.intervals import bootstrap_intervals, weighted_average_precision


def scores(random, n, shift=1.0):
    labels = random.integers(0, 2, n)
    labels[:2] = 0, 1
    return labels, np.round(random.normal(labels * shift, 1), 1)  # with ties


def test_weighted_average_precision_is_that_of_the_written_out_sample(random):
    for _ in range(50):
        labels, logits = scores(random, 40)
        counts = random.integers(0, 4, 40)
        counts[:2] = 1
        written = np.repeat(np.arange(40), counts)
        expected = average_precision_score(labels[written], logits[written])
        order = np.argsort(-logits, kind="stable")
        last = np.r_[np.diff(logits[order]) != 0, True]
        ours = weighted_average_precision(counts[order], labels[order] == 1, last)
        assert ours == pytest.approx(expected)


def test_intervals_are_those_of_a_plain_loop(random):
    labels, logits = scores(random, 120)
    ours = bootstrap_intervals(labels, logits, repetitions=2000)
    accuracies, precisions = [], []
    for _ in range(2000):
        parts = [np.flatnonzero(labels == k) for k in (0, 1)]
        drawn = np.concatenate([random.choice(part, len(part)) for part in parts])
        accuracies.append(np.mean((logits[drawn] > 0) == labels[drawn]))
        precisions.append(average_precision_score(labels[drawn], logits[drawn]))
    for name, values in (("accuracy", accuracies), ("average_precision", precisions)):
        assert ours[name] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.012)


def test_intervals_cover_the_truth(random):
    # The accuracy of a threshold between two normals one apart on either side is known.
    truth = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
    inside = 0
    for i in range(200):
        labels = np.repeat([0, 1], 100)
        logits = random.normal(labels * 2 - 1, 1)
        low, high = bootstrap_intervals(labels, logits, 300, seed=i)["accuracy"]
        inside += low <= truth <= high
    assert 0.88 <= inside / 200 <= 0.99


def test_what_is_not_defined(random):
    only_real = bootstrap_intervals(np.zeros(9), random.normal(size=9), 50)
    assert not any(map(math.isnan, only_real["accuracy"]))
    assert all(map(math.isnan, only_real["average_precision"]))
    assert all(map(math.isnan, bootstrap_intervals(np.zeros(0), np.zeros(0))["accuracy"]))
    perfect = bootstrap_intervals(np.array([0, 1]), np.array([-1.0, 1.0]), 50)
    assert perfect == {"accuracy": (1.0, 1.0), "average_precision": (1.0, 1.0)}


def test_repeatable(random):
    labels, logits = scores(random, 60)
    first, again = (bootstrap_intervals(labels, logits, 100, seed=3) for _ in range(2))
    assert first == again
