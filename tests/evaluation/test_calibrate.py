import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import beta, norm

from npr_keras.errors import CalibrationError
from npr_keras.evaluation.calibrate import (
    binomial_interval,
    expected_calibration_error,
    fit_probability,
    images_needed,
    reliability,
    threshold_at_rate,
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_temperature_and_shift_are_the_best(random):
    """Against a direct minimisation of the likelihood with Platt's targets."""
    labels = np.repeat([0, 1], [120, 60])
    logits = random.normal(np.where(labels == 1, 4, -1), 3)

    def loss(parameters):
        temperature, shift = np.exp(parameters[0]), parameters[1]
        p = np.clip(sigmoid((logits - shift) / temperature), 1e-12, 1 - 1e-12)
        target = np.where(labels == 1, 61 / 62, 1 / 122)
        weight = np.where(labels == 1, 1 / 60, 1 / 120)
        return -(weight * (target * np.log(p) + (1 - target) * np.log(1 - p))).sum()

    best = minimize(loss, [0, 0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}).x
    temperature, shift = fit_probability(labels, logits)
    assert temperature == pytest.approx(np.exp(best[0]), rel=1e-3)
    assert shift == pytest.approx(best[1], abs=1e-3)


def test_known_temperature_is_found_again(random):
    """Labels drawn with probability sigmoid((z - 1.5) / 2.5)."""
    logits = random.normal(1.5, 6, 40_000)
    labels = (random.random(40_000) < sigmoid((logits - 1.5) / 2.5)).astype(int)
    temperature, shift = fit_probability(labels, logits)
    assert temperature == pytest.approx(2.5, rel=0.05)
    assert shift == pytest.approx(1.5, abs=0.1)
    rows = reliability(labels, sigmoid((logits - shift) / temperature))
    assert expected_calibration_error(rows) < 0.01
    assert expected_calibration_error(reliability(labels, sigmoid(logits))) > 0.03


def test_unequal_counts_weigh_alike(random):
    """What is fitted for equally many of both is judged so too."""
    labels = np.repeat([0, 1], [18_000, 2_000])
    logits = random.normal(np.where(labels == 1, 1, -1), 1)  # the true probability is sigmoid(2 z)
    temperature, shift = fit_probability(labels, logits)
    assert temperature == pytest.approx(0.5, abs=0.03)
    assert shift == pytest.approx(0, abs=0.05)
    probabilities = sigmoid((logits - shift) / temperature)
    assert expected_calibration_error(reliability(labels, probabilities, balanced=True)) < 0.02
    assert expected_calibration_error(reliability(labels, probabilities)) > 0.15


def test_separated_labels_do_not_run_away():
    temperature, shift = fit_probability([0] * 20 + [1] * 20, np.r_[-3 * np.ones(20), np.ones(20)])
    assert 0.1 < temperature < 5
    assert shift == pytest.approx(-1, abs=0.01)


def test_what_cannot_be_calibrated():
    with pytest.raises(CalibrationError, match="Received: 3 real, 0 generated"):
        fit_probability([0, 0, 0], [1.0, 2.0, 3.0])
    with pytest.raises(CalibrationError, match="real ones score higher"):
        fit_probability([0, 0, 1, 1], [3.0, 2.0, -1.0, -2.0])


@pytest.mark.parametrize(("rate", "count"), [(0.01, 299), (0.01, 1000), (0.05, 200)])
def test_the_promised_rate_is_kept_in_95_of_100(rate, count):
    """1000 sets of images: the true rate above each threshold is known, the scores being normal."""
    random = np.random.default_rng(count)
    kept = 0
    for _ in range(1000):
        found = threshold_at_rate(random.normal(size=count), rate)
        kept += norm.sf(found.threshold) <= rate
    assert kept >= 950 - 3 * np.sqrt(1000 * 0.95 * 0.05)  # that it is 95 % is checked exactly below


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("count", [60, 299, 1000, 5000])
def test_the_rank_is_the_lowest_that_keeps_it(rate, count):
    scores = np.arange(count, dtype=float)
    if count < images_needed(rate):
        with pytest.raises(CalibrationError, match=f"it takes {images_needed(rate):,}"):
            threshold_at_rate(scores, rate)
        return
    above = threshold_at_rate(scores, rate).above
    # The rate above the largest score but k is distributed as Beta(k + 1, n - k).
    assert beta.cdf(rate, above + 1, count - above) >= 0.95
    assert beta.cdf(rate, above + 2, count - above - 1) < 0.95


def test_needed_images_and_ties():
    assert images_needed(0.01) == 299
    assert images_needed(0.05) == 59
    found = threshold_at_rate(np.r_[np.zeros(500), np.ones(5)], 0.05)
    assert found.above / found.images <= 0.05
    with pytest.raises(CalibrationError, match=r"With 100 images, --fpr 0\.03 can be"):
        threshold_at_rate(np.arange(100.0), 0.01)
    with pytest.raises(CalibrationError, match="from 0 real images"):
        threshold_at_rate([], 0.01)


def test_exact_interval():
    # Clopper and Pearson by the quantiles of the beta distribution.
    assert binomial_interval(3, 50) == pytest.approx(
        (beta.ppf(0.025, 3, 48), beta.ppf(0.975, 4, 47))
    )
    assert binomial_interval(0, 20)[0] == 0


def test_reliability_by_hand():
    rows = reliability([0, 1, 1, 0], [0.05, 0.08, 0.95, 1.0])
    assert [r.images for r in rows] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert rows[0].generated == 0.5
    assert rows[9].probability == pytest.approx(0.975)
    error = (2 * abs(0.065 - 0.5) + 2 * abs(0.975 - 0.5)) / 4
    assert expected_calibration_error(rows) == pytest.approx(error)
    assert np.isnan(expected_calibration_error(reliability([], [])))
