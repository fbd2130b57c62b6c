"""Scores of predicted neurons against scikit-learn, and back-off against counting by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from gelu.learning.backoff import Contexts, backed_off, base_rate
from gelu.learning.scores import (
    log_loss_bits,
    logit,
    rank_scores,
    reliability,
    score_counts,
)


def _predictions(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    # On the grid of 1/32, in the middle of a step, so that binning loses nothing.
    logits = (np.round(rng.normal(0, 2, (n, 3)) * 32) + 0.5) / 32
    active = rng.random((n, 3)) < 1 / (1 + np.exp(-logits))
    return logits, active


def test_scores_are_those_of_scikit_learn() -> None:
    logits, active = _predictions()
    ranks = rank_scores(score_counts(logits, active))
    loss = log_loss_bits(logits, active).mean(axis=0)
    for neuron in range(3):
        truth, score = active[:, neuron], logits[:, neuron]
        assert ranks.auc[neuron] == pytest.approx(roc_auc_score(truth, score))
        expected = average_precision_score(truth, score)
        assert ranks.average_precision[neuron] == pytest.approx(expected)
        probability = 1 / (1 + np.exp(-score))
        assert loss[neuron] == pytest.approx(log_loss(truth, probability) / np.log(2))


def test_true_probabilities_are_calibrated_and_bold_ones_are_not() -> None:
    logits, active = _predictions(20000)
    assert reliability(score_counts(logits, active)).error().max() < 0.02
    assert reliability(score_counts(3 * logits, active)).error().min() > 0.05


def test_a_neuron_without_both_outcomes_has_no_ranking() -> None:
    active = np.array([[True, False]] * 5)
    ranks = rank_scores(score_counts(np.zeros((5, 2)), active))
    assert np.isnan(ranks.auc).all() and np.isnan(ranks.average_precision).all()


def test_certain_predictions_have_a_finite_loss() -> None:
    loss = log_loss_bits(logit(np.array([1.0, 0.0])), np.array([False, True]))
    assert np.isfinite(loss).all() and (loss > 20).all()


def test_back_off_counts_as_by_hand() -> None:
    history = np.array([[1, 0], [1, 0], [1, 2], [3, 0], [1, 2]])
    active = np.array([[True], [True], [False], [False], [True]])
    rates = backed_off(active, Contexts.of(history), np.arange(4), np.array([4, 3]), (2.0, 1.0))
    base = 2.5 / 5
    token = [(2 + 2 * base) / 5, (0 + 2 * base) / 3]
    assert rates.base == pytest.approx([base])
    assert rates.token[:, 0] == pytest.approx(token)
    assert rates.pair[:, 0] == pytest.approx([(0 + token[0]) / 2, (0 + token[1]) / 2])
    assert base_rate(active[:4]) == pytest.approx([base])


def test_a_context_never_seen_falls_back() -> None:
    history = np.array([[1, 0], [2, 0], [9, 9]])
    active = np.array([[True], [False], [False]])
    rates = backed_off(active, Contexts.of(history), np.arange(2), np.array([2]), (1.0, 1.0))
    assert rates.token[0, 0] == rates.pair[0, 0] == pytest.approx(0.5)
