"""Neurons with known causes: the predictor reaches the entropy, and finds what decides them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from gelu.learning.activation_study import (
    ActivationStudy,
    load_predictor,
    study_activations,
    verdict,
)
from gelu.learning.network import log_loss_gradient
from gelu.learning.settings import ActivationSettings
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.samples.token_history import token_history
from tests.helpers import CountedBars
from tests.planted import LENGTH, N_TOKENS, binary_entropy, planted_samples, planted_tokens

PROMPTS = 160
SETTINGS = ActivationSettings(
    seed=1, held_out=0.25, history=3, width=32, token_width=16, epochs=15, batch_size=64
)
EACH = 4  # neurons of each cause


@contextmanager
def no_bars(description: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """Count no progress."""
    yield lambda n: None


def _probabilities(tokens: np.ndarray) -> np.ndarray:
    """Return the probability of activity, (samples, 4 * EACH): by the last token, by the one
    before, by the position, by nothing."""
    rng = np.random.default_rng(5)
    levels = np.array([0.1, 0.9])
    last = tokens[:, :-1].reshape(-1)
    before = np.roll(tokens, 1, axis=1)[:, :-1]
    before[:, 0] = 0
    place = np.tile(np.arange(LENGTH), len(tokens))
    by_token = levels[rng.integers(2, size=(N_TOKENS, EACH))]
    by_token[:2] = levels[:, None]
    by_second = by_token[::-1]
    by_place = np.where(place[:, None] < 7, 0.9, 0.1) * np.ones(EACH)
    nothing = np.full((len(last), EACH), 0.3)
    return np.concatenate(
        [by_token[last], by_second[before.reshape(-1)], by_place, nothing], axis=1
    )


@pytest.mark.parametrize("n_prompts", [5, 40])
@pytest.mark.parametrize("epochs", [1, 20])
def test_the_bars_end_at_their_totals(n_prompts: int, epochs: int) -> None:
    tokens = planted_tokens(n_prompts, seed=1)
    # Nothing to learn: the network stops early.
    active = np.random.default_rng(1).random((n_prompts * LENGTH, 8)) < 0.5
    samples, bars = planted_samples(tokens, active, n_layer=2), CountedBars()
    settings = replace(SETTINGS, epochs=epochs, least_steps=30)
    history = token_history(samples, None, SETTINGS.history, notes=Notes.of(samples))
    groups = samples.completions.prompts_of_samples()
    study_activations(samples, groups, history, settings, "cpu", bars)
    assert [name for name, *_ in bars.bars] == ["smoothing", "learning", "mixing", "testing"]
    assert all(done == total > 0 for _, total, done in bars.bars)


def _study(samples: Samples) -> ActivationStudy:
    history = token_history(samples, None, SETTINGS.history, notes=Notes.of(samples))
    groups = samples.completions.prompts_of_samples()
    return study_activations(samples, groups, history, SETTINGS, "cpu", no_bars)


@pytest.fixture(scope="module")
def planted() -> tuple[ActivationStudy, np.ndarray, Samples]:
    """Return the study of neurons with known causes, and the entropy of each neuron."""
    tokens = planted_tokens(PROMPTS, seed=0)
    p = _probabilities(tokens)
    active = np.random.default_rng(2).random(p.shape) < p
    samples = planted_samples(tokens, active, n_layer=4)
    return _study(samples), binary_entropy(p).mean(axis=0), samples


def test_the_learned_predictor_reaches_the_entropy(
    planted: tuple[ActivationStudy, np.ndarray, Samples],
) -> None:
    study, entropy, _ = planted
    loss = study.neurons["log_loss_bits_learned"].to_numpy().reshape(4, EACH).mean(axis=1)
    bound = entropy.reshape(4, EACH).mean(axis=1)
    assert loss == pytest.approx(bound, abs=0.06)


def test_counting_the_last_token_reaches_it_where_the_last_token_decides(
    planted: tuple[ActivationStudy, np.ndarray, Samples],
) -> None:
    study, entropy, _ = planted
    assert study.neurons["log_loss_bits_token"][:EACH].mean() == pytest.approx(
        entropy[:EACH].mean(), abs=0.04
    )
    # Where the one before decides, two tokens must be counted.
    second = study.neurons[EACH : 2 * EACH]
    assert (second["log_loss_bits_two_tokens"] < second["log_loss_bits_token"]).all()


def test_what_decides_a_neuron_is_found(
    planted: tuple[ActivationStudy, np.ndarray, Samples],
) -> None:
    study, _, _ = planted
    kinds = study.neurons["decided_by"].to_numpy().reshape(4, EACH)
    assert (kinds[0] == "token").all()
    assert set(kinds[1]) <= {"context", "mostly_token"} and "context" in kinds[1]
    assert (kinds[2] == "position").all()
    assert (kinds[3] == "unpredicted").all()


def test_the_report_says_where_no_baseline_is_beaten(
    planted: tuple[ActivationStudy, np.ndarray, Samples],
) -> None:
    study, _, _ = planted
    # Layer 2 hangs on the position, which no baseline sees; in layer 3 there is nothing to learn.
    row = study.layers[(study.layers["predictor"] == "learned") & (study.layers["layer"] == 2)]
    assert row["saved_low"].item() > 0.2
    assert "layer 3" in verdict(study.layers)


def test_the_verdict_names_layers_of_each_kind() -> None:
    rows = [("token", 0, 0.2, 0.0, 0.0), ("two_tokens", 0, 0.1, 0.0, 0.0)]
    rows += [("token", 1, 0.2, 0.0, 0.0), ("two_tokens", 1, 0.3, 0.0, 0.0)]

    def told(*saved: tuple[float, float]) -> str:
        learned = [("learned", layer, 0.1, *pair) for layer, pair in enumerate(saved)]
        columns = ["predictor", "layer", "log_loss_bits", "saved_bits", "saved_low"]
        return verdict(pd.DataFrame([*rows, *learned], columns=columns))

    assert "every baseline at every layer" in told((0.1, 0.05), (0.1, 0.01))
    unsure = told((0.1, 0.05), (0.1, -0.01))
    assert "better at layer 1, but" in unsure and "does not beat" not in unsure
    both = told((-0.1, -0.2), (0.1, -0.01))
    assert "at layer 0 (best: two_tokens)" in both and "better at layer 1, but" in both


def test_shuffled_activity_leaves_the_base_rate(
    planted: tuple[ActivationStudy, np.ndarray, Samples],
) -> None:
    samples = planted[2]
    order = np.random.default_rng(3).permutation(len(samples))
    active = samples.activations.rows(slice(None))[order]
    tokens = planted_tokens(PROMPTS, seed=0)
    study = _study(planted_samples(tokens, active, n_layer=4))
    whole = study.layers[study.layers["layer"] == "all"].set_index("predictor")["log_loss_bits"]
    for predictor in ("token", "two_tokens", "learned"):
        assert whole[predictor] == pytest.approx(whole["base_rate"], abs=0.01)
    assert set(study.neurons["decided_by"]) == {"unpredicted"}


def test_a_saved_predictor_predicts_the_same(
    planted: tuple[ActivationStudy, np.ndarray, Samples],
) -> None:
    predictor = planted[0].predictor
    loaded = load_predictor(predictor.description(), predictor.tensors())
    for token_ids in ([3], [1, 2, 3, 4, 5], [1, 999]):
        expected = predictor.probabilities(token_ids)
        assert (loaded.probabilities(token_ids) == expected).all()


def test_the_gradient_is_that_of_the_log_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 7, generator=generator, requires_grad=True)
    target = (torch.rand(5, 7, generator=generator) < 0.3).float()
    functional.binary_cross_entropy_with_logits(logits, target).backward()
    assert logits.grad is not None
    torch.testing.assert_close(log_loss_gradient(logits.detach(), target), logits.grad)
