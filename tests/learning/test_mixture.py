"""Counts and network mixed: weights against scikit-learn, few prompts against counting."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from gelu.learning.activation_study import (
    COUNTED_BITS,
    COUNTED_TOKENS,
    MIXTURE,
    STRENGTHS,
    ActivationStudy,
    Counted,
    load_predictor,
    study_activations,
)
from gelu.learning.backoff import Contexts, backed_off
from gelu.learning.mixture import fit_weights
from gelu.learning.prediction import Strengths, mixture_rows
from gelu.learning.settings import ActivationSettings
from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.samples.token_history import token_history
from tests.learning.test_activations import no_bars
from tests.planted import LENGTH, planted_samples

N_KINDS, PROMPTS, NEURONS = 40, 24, 24
SETTINGS = ActivationSettings(
    seed=3, held_out=0.25, history=3, width=32, token_width=16, epochs=4, least_steps=60
)


def _few_prompts(seed: int) -> Samples:
    """Return few samples whose neurons hang on the last token alone, of many kinds of token."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(N_KINDS, size=(PROMPTS, LENGTH + 1))
    rates = rng.choice([0.03, 0.5, 0.97], size=(N_KINDS, NEURONS))
    active = rng.random((PROMPTS * LENGTH, NEURONS)) < rates[tokens[:, :-1].reshape(-1)]
    return planted_samples(tokens, active, n_layer=2)


def _study(samples: Samples) -> ActivationStudy:
    first = samples.table.drop_duplicates("input_text").set_index("input_text")["context_token_id"]
    history = token_history(
        samples, lambda text: [int(first[text])], SETTINGS.history, notes=Notes.of(samples)
    )
    groups = samples.completions.prompts_of_samples()
    return study_activations(samples, groups, history, SETTINGS, "cpu", no_bars)


@pytest.fixture(scope="module")
def few() -> tuple[Samples, ActivationStudy]:
    """Return few samples where counting is best, and their study."""
    samples = _few_prompts(0)
    return samples, _study(samples)


def test_weights_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(3, 20000)).astype(np.float32)
    base = np.zeros(20000, np.float32)
    truth = np.array([0.9, 0.4, 0.1])
    active = rng.random(20000) < 1 / (1 + np.exp(-truth @ steps))
    expected = LogisticRegression(C=np.inf, fit_intercept=False).fit(steps.T, active)
    found = fit_weights(base, list(steps), active)
    assert found == pytest.approx(expected.coef_[0], abs=1e-3)


def test_a_weight_that_would_be_negative_is_left_out_and_the_others_fitted_anew() -> None:
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(3, 5000)).astype(np.float32)
    steps[2] = 0
    active = rng.random(5000) < 1 / (1 + np.exp(-(0.8 * steps[0] - 0.5 * steps[1])))
    found = fit_weights(np.zeros(5000, np.float32), list(steps), active)
    alone = fit_weights(np.zeros(5000, np.float32), [steps[0]], active)
    assert found[1] == 0 and found[2] == pytest.approx(0, abs=1e-3)
    assert found[0] == pytest.approx(alone[0], abs=1e-3)


@pytest.mark.parametrize("seed", [0, 1])
def test_on_few_prompts_the_learned_predictor_is_no_worse_than_counting(seed: int) -> None:
    layers = _study(_few_prompts(seed)).layers
    loss = layers[layers["layer"] == "all"].set_index("predictor")["log_loss_bits"]
    assert loss["learned"] <= min(loss[["base_rate", "token", "two_tokens"]]) + 0.005
    assert loss["learned_token_only"] <= loss["token"] + 0.005


def test_rates_for_a_text_are_those_of_the_counts() -> None:
    rng = np.random.default_rng(2)
    history, active = rng.integers(-1, 4, (60, 2)), rng.random((60, 20)) < 0.4
    strengths = Strengths(np.array([0.5, 4.0], np.float32), np.array([2.0, 1.0], np.float32))
    counted = Counted(PackedActivations.from_bool(active), history)
    by_layer = tuple(np.repeat(each, 10) for each in (strengths.token, strengths.pair))
    for asked in ([0, 1], [3, -1], [77, 2]):
        both = np.concatenate([history, [asked]])
        seen = np.concatenate([active, active[:1]])
        rows = np.arange(60), np.array([60])
        expected = backed_off(seen, Contexts.of(both), *rows, (by_layer[0], by_layer[1]))
        found = counted.rates(np.array(asked), strengths)
        for name in ("base", "token", "pair"):
            assert (getattr(found, name) == getattr(expected, name)).all(), (name, asked)


def test_a_saved_predictor_says_what_was_tested(few: tuple[Samples, ActivationStudy]) -> None:
    samples, study = few
    loaded = load_predictor(study.predictor.description(), study.predictor.tensors())
    tokens = samples.table["context_token_id"].to_numpy()
    loss = []
    for row in study.parts.held_out:
        beginning = row - row % LENGTH
        p = loaded.probabilities(tokens[beginning : row + 1].tolist())
        active = samples.activations.rows(np.array([row]))[0]
        loss.append(-np.log2(np.where(active, p, 1 - p)))
    expected = study.neurons["log_loss_bits_learned"].to_numpy()
    assert np.mean(loss, axis=0) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (MIXTURE, torch.full((2, 3), torch.nan)),
        (MIXTURE, torch.zeros(2, 4)),
        (MIXTURE, torch.full((2, 3), -1.0)),
        (STRENGTHS, torch.zeros(2, 2)),
        (COUNTED_BITS, torch.zeros(0, 3, dtype=torch.uint8)),
        (COUNTED_BITS, torch.tensor(1, dtype=torch.uint8)),
        (COUNTED_TOKENS, torch.full((PROMPTS * LENGTH, 2), -3)),
        (COUNTED_TOKENS, torch.full((PROMPTS * LENGTH, 2), 2**62)),
        (COUNTED_TOKENS, torch.zeros(3, 2, dtype=torch.int64)),
    ],
)
def test_damaged_counts_are_refused(
    few: tuple[Samples, ActivationStudy], name: str, change: torch.Tensor
) -> None:
    predictor = few[1].predictor
    with pytest.raises(ValueError, match=name):
        load_predictor(predictor.description(), predictor.tensors() | {name: change})


def test_of_many_rows_an_even_choice_is_mixed() -> None:
    validate = np.arange(100, 5100)
    assert mixture_rows(validate, 16) is validate
    rows = mixture_rows(validate, 1 << 14)
    assert len(rows) == 64 and rows[0] == 100 and rows[-1] == 5099
    assert np.ptp(np.diff(rows)) <= 1


def test_a_study_is_the_same_each_time(few: tuple[Samples, ActivationStudy]) -> None:
    again = _study(few[0])
    for name, tensor in few[1].predictor.tensors().items():
        assert torch.equal(tensor, again.predictor.tensors()[name]), name
