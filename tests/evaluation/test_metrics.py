import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from npr_keras.evaluation.metrics import auc, average_precision, compute_metrics

# Few distinct scores, so that ties across labels are common.
CASES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-6, 6).map(lambda i: i / 3)), min_size=2, max_size=60
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(CASES)
def test_equal_scikit_learn(case):
    labels, scores = map(np.array, zip(*case, strict=True))
    figures = compute_metrics(labels, scores)
    predicted = scores > 0
    assert figures.accuracy == pytest.approx(sklearn_metrics.accuracy_score(labels, predicted))
    if len(set(labels)) == 1:
        assert math.isnan(figures.average_precision)
        assert math.isnan(figures.auc)
        assert math.isnan(figures.balanced_accuracy)
        return
    assert figures.average_precision == pytest.approx(
        sklearn_metrics.average_precision_score(labels, scores)
    )
    assert figures.auc == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores))
    assert figures.balanced_accuracy == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(labels, predicted)
    )
    assert figures.real_accuracy == pytest.approx(
        sklearn_metrics.recall_score(labels, predicted, pos_label=0)
    )
    assert figures.fake_accuracy == pytest.approx(sklearn_metrics.recall_score(labels, predicted))
    assert (figures.real, figures.fake) == ((labels == 0).sum(), (labels == 1).sum())


def test_probability_one_half_counts_as_real():
    assert compute_metrics([0, 1], [0.0, 0.0]).accuracy == 0.5
    assert compute_metrics([0, 1], [0.0, 0.0]).real_accuracy == 1


def test_a_million_scores():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 1_000_000)
    scores = labels + random.normal(size=1_000_000)
    assert average_precision(labels, scores) == pytest.approx(
        sklearn_metrics.average_precision_score(labels, scores)
    )
    assert auc(labels, scores) == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores))


def test_no_images_at_all():
    assert math.isnan(compute_metrics([], []).accuracy)
