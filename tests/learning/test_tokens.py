"""The next token: baselines by hand, planted readouts, shuffled labels, the direct path."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from gelu.learning.ceiling import Written, model_ranks, sampled_bounds
from gelu.learning.components import (
    fit_penalised,
    principal_components,
    project,
    surprise_bits,
)
from gelu.learning.direct_path import compare_weights, direct_path
from gelu.learning.readout import (
    MOST_COST,
    Fitting,
    Readout,
    Start,
    carry,
    fit_readout,
    fit_to_few,
    kept_inputs,
    mean_loss,
    penalised_cost,
    subset,
)
from gelu.learning.settings import NextTokenSettings
from gelu.learning.token_study import (
    NextTokenStudy,
    clearly_positive,
    study_next_token,
    summarise_next_token_study,
)
from gelu.learning.tokens import Before, Classes, TokenModel, score_distributions
from gelu.model.loading import load_model
from gelu.model.source import find_model
from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.samples.token_history import token_history
from tests.helpers import CountedBars
from tests.planted import N_TOKENS, next_token_entropy, planted_samples, planted_tokens

PROMPTS, NOISE = 240, 16
SETTINGS = NextTokenSettings(
    seed=1, held_out=0.25, epochs=15, max_classes=100, min_token_count=10, rank=32, hidden=16
)


@contextmanager
def no_bars(description: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """Count no progress."""
    yield lambda n: None


@pytest.mark.parametrize("n_prompts", [5, 40, 120])
@pytest.mark.parametrize("epochs", [1, 4, 15])
@pytest.mark.parametrize("rank", [4, 64])
def test_the_bar_ends_at_its_total(n_prompts: int, epochs: int, rank: int) -> None:
    tokens = planted_tokens(n_prompts, seed=3)
    n_samples = n_prompts * (tokens.shape[1] - 1)
    # Noise tells nothing, so that readouts stop early; some of them have full weights.
    active = np.random.default_rng(0).random((n_samples, 24)) < 0.3
    samples, bars = planted_samples(tokens, active, n_layer=2), CountedBars()
    settings = replace(SETTINGS, epochs=epochs, rank=rank, hidden=4)
    groups = samples.completions.prompts_of_samples()
    study_next_token(
        samples,
        groups,
        token_history(samples, None, 2, notes=Notes.of(samples)),
        settings,
        N_TOKENS,
        None,
        bars,
        notes=Notes.of(samples),
    )
    ((_, total, done),) = bars.bars
    assert done == total > 0


def _study(
    samples: Samples, settings: NextTokenSettings = SETTINGS, notes: Notes | None = None
) -> NextTokenStudy:
    notes = notes or Notes.of(samples)
    history = token_history(samples, None, 2, notes=notes)
    groups = samples.completions.prompts_of_samples()
    return study_next_token(
        samples, groups, history, settings, N_TOKENS, None, no_bars, notes=notes
    )


def _samples(shuffled: bool = False) -> Samples:
    """Return samples of two layers: noise, and noise with a neuron for each context token."""
    rng = np.random.default_rng(7)
    tokens = planted_tokens(PROMPTS, seed=3)
    context = tokens[:, :-1].reshape(-1)
    if shuffled:
        context = rng.permutation(context)
    noise = rng.random((len(context), 2 * NOISE - N_TOKENS)) < 0.2
    deciding = context[:, None] == np.arange(N_TOKENS)
    return planted_samples(tokens, np.concatenate([noise, deciding], axis=1), n_layer=2)


@pytest.fixture(scope="module")
def planted() -> NextTokenStudy:
    """Return the study of neurons that each fire on one context token."""
    return _study(_samples())


def _bits(study: NextTokenStudy) -> dict[tuple[str, str], float]:
    keys = zip(study.scores["predictor"], study.scores["neurons"], strict=True)
    return dict(zip(keys, study.scores["cross_entropy_bits"], strict=True))


def test_the_readout_reaches_the_entropy(planted: NextTokenStudy) -> None:
    bits = _bits(planted)
    for key in (("linear", "all"), ("linear", "layer 1"), ("bigram", "none")):
        assert bits[key] == pytest.approx(next_token_entropy(), abs=0.12), key
    assert bits["linear", "layer 0"] == pytest.approx(bits["unigram", "none"], abs=0.05)
    assert bits["unigram", "none"] == pytest.approx(3, abs=0.02)


def test_the_best_neurons_are_those_that_decide(planted: NextTokenStudy) -> None:
    deciding = set(range(2 * NOISE - N_TOKENS, 2 * NOISE))
    assert deciding <= set(planted.chosen[10].tolist())


def test_the_neuron_that_speaks_for_a_token_is_found(planted: NextTokenStudy) -> None:
    best = planted.carriers.drop_duplicates("token_id")
    # Token t follows token t - 1, whose neuron is the one for t.
    first = 2 * NOISE - N_TOKENS
    expected = {token: first + (token - 1) % N_TOKENS for token in range(N_TOKENS)}
    assert dict(zip(best["token_id"], best["neuron_id"], strict=True)) == expected


def test_weights_of_few_dimensions_find_the_same(planted: NextTokenStudy) -> None:
    # Eight tokens' log-odds have seven dimensions; the 32 neurons have gains of their own.
    study = _study(_samples(), replace(SETTINGS, rank=7))
    bits, full = _bits(study), _bits(planted)
    assert bits["linear", "all"] == pytest.approx(full["linear", "all"], abs=0.1)
    found, expected = (s.carriers.drop_duplicates("token_id") for s in (study, planted))
    assert found["neuron_id"].tolist() == expected["neuron_id"].tolist()
    deciding = set(range(2 * NOISE - N_TOKENS, 2 * NOISE))
    assert deciding <= set(study.chosen[10].tolist())


def test_one_layer_and_rare_tokens_leave_out_what_they_cannot_tell() -> None:
    tokens = planted_tokens(PROMPTS, seed=3)
    active = tokens[:, :-1].reshape(-1)[:, None] == np.arange(N_TOKENS)
    samples = planted_samples(tokens, active, n_layer=1)
    notes = Notes.of(samples)
    study = _study(samples, replace(SETTINGS, epochs=1, min_token_count=10**6), notes)
    assert set(study.scores["neurons"]) == {"none", "all", "model"}
    assert len(study.carriers) == 0 and study.direct is None
    assert "fewer than two tokens" in notes.skipped["neurons that carry a token"]


def test_without_the_model_its_accuracy_is_unknown_and_its_surprise_is_not(
    planted: NextTokenStudy,
) -> None:
    row = planted.scores[planted.scores["predictor"] == "model"].iloc[0]
    assert row["cross_entropy_bits"] == pytest.approx(1 / np.log(2))
    assert np.isnan(row["top1"]) and planted.direct is None


def test_a_layer_with_one_usable_neuron_has_no_correlation_in_the_document(
    planted: NextTokenStudy,
) -> None:
    weights = np.random.default_rng(0).normal(size=(3, 4))
    direct = compare_weights(weights, weights, np.array([0, 0, 1]), seed=0)
    samples = _samples()
    notes = Notes.of(samples)
    study = replace(planted, direct=direct)
    summary = summarise_next_token_study(study, samples, SETTINGS, notes)
    first, second = summary["direct_path"]
    assert first["correlation"] == pytest.approx(1) and second["correlation"] is None
    assert json.loads(json.dumps(summary, allow_nan=False))["scores"]["model"]["top1"] is None


def test_neurons_of_shuffled_samples_hold_no_more_than_the_unigram() -> None:
    bits = _bits(_study(_samples(shuffled=True), replace(SETTINGS, epochs=4)))
    for key, value in bits.items():
        if key[0] in ("linear", "hidden_layer"):
            assert value == pytest.approx(bits["unigram", "none"], abs=0.05), key


def test_token_models_count_as_by_hand() -> None:
    history = np.array([[0, 1], [0, 1], [0, 2], [1, 0]])
    targets = np.array([2, 2, 1, 0])
    before = Before.of(history, targets)
    model = TokenModel.count(before, np.arange(3), 3, (1.0, 2.0))
    found = model.distributions(before, np.array([0]))
    counts = np.array([0, 1, 2]) + 0.5 * 3 / 6
    unigram = counts / counts.sum()
    bigram = (np.array([0, 1, 2]) + unigram) / 4
    assert found["bigram"][0] == pytest.approx(bigram)
    assert found["trigram"][0] == pytest.approx((np.array([0, 0, 2]) + 2 * bigram) / 4)
    assert found["trigram"].sum() == pytest.approx(1)
    surprise, scores = model.surprise(before, np.arange(4)), model.score(before, np.arange(4))
    for order, values in surprise.items():
        assert values == pytest.approx(scores[order].surprise)


def test_ranks_count_what_is_likelier_and_equal_ones_before() -> None:
    scores = score_distributions(np.array([[0.2, 0.5, 0.2, 0.1]] * 3), np.array([1, 2, 0]))
    assert scores.rank.tolist() == [0, 2, 1]
    assert scores.surprise == pytest.approx(-np.log2([0.5, 0.2, 0.2]))


def test_classes_score_like_the_distribution_that_they_stand_for() -> None:
    rng = np.random.default_rng(0)
    unigram = rng.dirichlet(np.ones(6))
    groups = np.arange(8)
    classes = Classes.choose(np.array([1, 1, 4, 4, 4, 2, 2, 0]), groups, unigram, most=2)
    assert classes.ids.tolist() == [1, 4]
    alone = Classes.choose(np.arange(6), np.arange(6), unigram, most=2)
    assert len(alone.ids) == 0 and alone.encode(np.array([3, 5])).tolist() == [0, 0]
    over = rng.dirichlet(np.ones(3), size=6)
    whole = over[:, 2:] * classes.others
    whole[:, classes.ids] = over[:, :2]
    assert whole.sum(axis=1) == pytest.approx(1)
    targets = np.arange(6)
    found, expected = classes.score(np.log(over), targets), score_distributions(whole, targets)
    assert found.surprise == pytest.approx(expected.surprise)
    assert found.rank.tolist() == expected.rank.tolist()


def test_bounds_of_the_ceiling_hold_what_they_bound() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(10, 0.3), size=20000)
    drawn = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1).clip(max=9)
    bounds = sampled_bounds(np.log(p[np.arange(len(p)), drawn]))
    entropy = -(p * np.log2(np.maximum(p, 1e-300))).sum(axis=1).mean()
    assert bounds.cross_entropy == pytest.approx(entropy, abs=0.03)
    assert bounds.top1_least < p.max(axis=1).mean() < bounds.top1_most


def test_the_models_own_ranks_are_those_of_its_logits() -> None:
    model = load_model(find_model("gpt2-demo"), "cpu")
    rng = np.random.default_rng(0)
    written = [
        Written(rng.integers(2000, size=n + 1), np.arange(2, n), rng.integers(2000, size=n - 2))
        for n in (9, 4)
    ]
    expected = []
    for part in written:
        for place, target in zip(part.places, part.targets, strict=True):
            with torch.inference_mode():
                logits = model(torch.from_numpy(part.tokens[None, : place + 1]))[0]
            expected.append(int((logits > logits[int(target)]).sum()))
    assert model_ranks(model, written).tolist() == expected


def test_the_direct_path_is_found_and_chance_is_not() -> None:
    rng = np.random.default_rng(0)
    w_out, scale = rng.normal(size=(60, 12)), rng.normal(1, 0.2, 12)
    unembedding = rng.normal(size=(40, 12))
    direct = direct_path(w_out, scale, unembedding)
    layers = np.repeat([0, 1], 30)
    readout = direct + rng.normal(0, direct.std(), direct.shape)
    readout[30:] = rng.normal(size=(30, 40))
    readout[5] = 0
    table = compare_weights(readout, direct, layers, seed=0, draws=200)
    found, chance = ({name: float(x) for name, x in row.items()} for _, row in table.iterrows())
    assert found["correlation"] == pytest.approx(0.7, abs=0.07)
    assert found["n_neurons"] == 29
    assert max(found["p_neurons"], found["p_tokens"]) < 0.01
    assert min(chance["p_neurons"], chance["p_tokens"]) > 0.01
    assert abs(chance["correlation"]) < 4 * chance["null_neurons_sd"]


def test_the_direct_path_knows_what_the_final_norm_takes_off() -> None:
    rng = np.random.default_rng(1)
    w_out, scale, unembedding = rng.normal(size=(3, 6)), rng.random(6), rng.normal(size=(5, 6))
    expected = np.array([[((w - w.mean()) * scale * u).sum() for u in unembedding] for w in w_out])
    expected -= expected.mean(axis=1, keepdims=True)
    assert direct_path(w_out, scale, unembedding) == pytest.approx(expected, abs=1e-5)


def test_inputs_are_dropped_as_often_as_asked_and_keep_their_mean() -> None:
    kept = kept_inputs((400, 500), 0.25, np.random.default_rng(0)).numpy()
    assert set(np.unique(kept)) == {0, np.float32(4 / 3)}
    assert abs((kept == 0).mean() - 0.25) < 0.005
    again = kept_inputs((400, 500), 0.25, np.random.default_rng(0)).numpy()
    assert (again == kept).all()


def test_the_readouts_logits_are_those_of_its_formula() -> None:
    rng = np.random.default_rng(1)
    means, varies = rng.random(6), np.array([1, 1, 0, 1, 1, 1])
    fitting = Fitting(seed=3, rank=4)
    tensors = [torch.from_numpy(np.asarray(x, np.float32)) for x in (means, varies)]
    readout = Readout(tensors[0], torch.full((5,), 0.2), fitting, tensors[1])
    assert readout.gain is not None
    with torch.no_grad():
        for parameter in (readout.gain, readout.first, readout.second):
            parameter.copy_(torch.from_numpy(rng.normal(size=tuple(parameter.shape))))
    gain, first, second = (
        x.detach().numpy() for x in (readout.gain, readout.first, readout.second)
    )
    active = rng.random((7, 6)) < 0.5
    expected = ((active - means) * varies * gain) @ first @ second + np.log(0.2)
    readout.eval()
    logits = readout(torch.from_numpy(active.astype(np.float32))).detach().numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


WHOLE_BYTES = (range(8, 16), range(16, 27), range(27))


@pytest.mark.parametrize("neurons", [*WHOLE_BYTES, range(3, 11), range(8, 16, 2), [5, 21], []])
def test_a_subset_holds_its_neurons_and_copies_no_range_of_whole_bytes(
    neurons: Sequence[int],
) -> None:
    active = np.random.default_rng(2).random((50, 27)) < 0.3
    packed = PackedActivations(np.packbits(active, axis=1), 27)
    part = subset(packed, np.array(neurons, np.int64))
    rows = np.array([3, 49, 0])
    np.testing.assert_array_equal(part.rows(rows), active[rows][:, list(neurons)])
    assert np.shares_memory(part.bits, packed.bits) == (neurons in WHOLE_BYTES)


def _part_and_whole() -> tuple[PackedActivations, PackedActivations, np.ndarray, np.ndarray]:
    """Return samples with and without noise beside the neurons that decide, and which decide."""
    rng = np.random.default_rng(5)
    classes = rng.integers(0, 4, 400)
    active = rng.random((400, 24)) < 0.3
    deciding = np.array([2, 9, 17, 20])
    active[:, deciding] = classes[:, None] == np.arange(4)
    whole = PackedActivations(np.packbits(active, axis=1), 24)
    return subset(whole, deciding), whole, deciding, classes


@pytest.mark.parametrize("rank", [3, 32])
def test_a_readout_starts_from_that_of_a_part_and_ends_no_worse(rank: int) -> None:
    part, whole, deciding, classes = _part_and_whole()
    learn, validate = np.arange(300), np.arange(300, 400)
    fitting = Fitting(seed=1, rank=rank, least_steps=40)

    def fit(activations: PackedActivations, start: Start | None = None) -> Readout:
        prior = np.full(4, 0.25)
        rows = (learn, validate, fitting)
        readout, loss = fit_readout(activations, classes, prior, *rows, lambda n: None, start)
        assert loss == mean_loss(readout, activations, classes, validate)
        return readout

    smaller = fit(part)
    larger = Readout(torch.rand(24), torch.full((4,), 0.25), fitting, torch.ones(24))
    larger.means[deciding] = smaller.means
    larger.begin_with(Start(smaller, deciding, np.arange(4)))
    np.testing.assert_allclose(
        larger.log_probabilities(whole, validate),
        smaller.log_probabilities(part, validate),
        rtol=1e-4,
        atol=1e-4,
    )
    further = fit(whole, Start(smaller, deciding, np.arange(4)))
    before = mean_loss(smaller, part, classes, validate)
    assert mean_loss(further, whole, classes, validate) <= before + 1e-6
    # And back: without the noise it starts where the larger one stands for these neurons.
    again = fit(part, Start(further, np.arange(4), deciding))
    assert mean_loss(again, part, classes, validate) <= before + 0.01


def test_a_readout_does_not_start_from_one_of_other_matrices() -> None:
    def readout(n_neurons: int) -> Readout:
        ones = torch.ones(n_neurons)
        return Readout(ones / 2, torch.full((3,), 1 / 3), Fitting(seed=1, rank=6), ones)

    with pytest.raises(ValueError, match="as many matrices"):
        readout(9).begin_with(Start(readout(4), np.arange(4), np.arange(4)))


def _few_samples(n: int, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return activity of 400 neurons, far more than n samples can tell apart, and 12 classes."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(n, 10))
    classes = (causes @ rng.normal(size=(10, 12)) + rng.gumbel(size=(n, 12))).argmax(axis=1)
    active = causes @ rng.normal(size=(10, 400)) / 3 + rng.normal(size=(n, 400)) > 0.5
    return active, classes


def test_a_penalised_fit_is_that_of_scikit_learn() -> None:
    active, classes = _few_samples(300, 0)
    inputs = torch.from_numpy(active[:, :30].astype(np.float32))
    prior = np.full(12, 1 / 12)
    found = fit_penalised(inputs, classes, prior, 2.0, least_gain=1e-9)
    expected = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-8, max_iter=1000)
    columns = np.column_stack([active[:, :30], np.ones(300)])
    expected.fit(columns, classes)
    probabilities = expected.predict_proba(columns)
    logits = inputs.numpy() @ found[:-1] + found[-1]
    ours = np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])
    assert np.abs(ours - probabilities).max() < 2e-3
    assert surprise_bits(found, inputs, classes, prior) == pytest.approx(
        -np.log2(probabilities[np.arange(300), classes]).sum(), rel=1e-3
    )


def test_principal_components_are_those_of_scikit_learn() -> None:
    active, _ = _few_samples(200, 1)
    rows = np.arange(20, 180)
    packed = PackedActivations.from_bool(active)
    means = torch.from_numpy(active[rows].mean(axis=0)).float()
    directions = principal_components(packed, rows, means, 8, seed=0)
    expected = PCA(8, svd_solver="full").fit(active[rows].astype(np.float64))
    inputs = project(packed, rows, means, directions).numpy()
    assert inputs.var(axis=0, ddof=1) == pytest.approx(expected.explained_variance_, rel=1e-2)
    assert (directions.T @ directions).numpy() == pytest.approx(np.eye(8), abs=1e-4)


@pytest.mark.parametrize("n_neurons", [400, 100])
def test_with_few_samples_the_readout_is_as_good_as_a_penalised_regression(n_neurons: int) -> None:
    active, classes = _few_samples(1200, 2)
    active = active[:, :n_neurons]
    learn, validate, held_out = np.split(np.arange(1200), [300, 400])
    training = np.concatenate([learn, validate])
    losses = {}
    for c in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0):
        model = LogisticRegression(C=c, max_iter=500).fit(active[learn], classes[learn])
        losses[c] = log_loss(classes[validate], model.predict_proba(active[validate]))
    model = LogisticRegression(C=min(losses, key=lambda c: losses[c]), max_iter=500)
    model.fit(active[training], classes[training])
    expected = log_loss(classes[held_out], model.predict_proba(active[held_out])) / np.log(2)
    packed, prior = PackedActivations.from_bool(active), np.bincount(classes[training]) / 400
    fitting = Fitting(seed=1, rank=200)
    few = fit_to_few(packed, classes, prior, learn, validate, fitting)
    assert few is not None
    assert mean_loss(few.readout, packed, classes, held_out) <= expected + 0.05
    assert mean_loss(few.learned, packed, classes, validate) == pytest.approx(few.loss, abs=1e-3)


def test_a_difference_is_clear_from_one_standard_error_over_prompts_on() -> None:
    groups = np.repeat(np.arange(4), 5)
    values = np.repeat([1.0, 2.0, 3.0, 6.0], 5)
    error = np.std([1, 2, 3, 6], ddof=1) / 2
    for shift in (0.01, -0.01):
        shifted = values - 3 + error + shift
        assert clearly_positive(shifted, groups) == (shift > 0)
    assert not clearly_positive(values, np.zeros(20, np.int64))


def test_few_samples_take_the_penalised_fit() -> None:
    tokens = planted_tokens(20, seed=3)
    context = tokens[:, :-1].reshape(-1)
    active = np.random.default_rng(7).random((len(context), 2 * NOISE)) < 0.2
    active[:, NOISE:][:, :N_TOKENS] = context[:, None] == np.arange(N_TOKENS)
    study = _study(planted_samples(tokens, active, n_layer=2))
    readouts = study.scores[study.scores["predictor"] == "linear"]
    assert set(readouts["fitted"]) <= {"penalised", "stochastic"}
    assert readouts.loc[readouts["neurons"] == "all", "fitted"].tolist() == ["penalised"]
    assert study.scores.loc[study.scores["predictor"] == "bigram", "fitted"].isna().all()
    best = readouts.set_index("neurons")["cross_entropy_bits"]
    assert best["all"] < best["layer 0"] and best["all"] < 2.4


def test_what_costs_too_much_is_not_tried() -> None:
    assert penalised_cost(1024, 300, 2500, Fitting(seed=1)) < MOST_COST
    assert penalised_cost(1024, 2000, 30000, Fitting(seed=1, epochs=6)) > MOST_COST
    packed = PackedActivations(np.zeros((9, 128), np.uint8), 1024)
    rows, prior = np.arange(9), np.full(10**5, 1e-5)
    fitting = Fitting(seed=1, rank=1, least_steps=1, epochs=1)
    classes = np.zeros(9, np.int64)
    assert fit_to_few(packed, classes, prior, rows, rows, fitting) is None


def test_a_penalised_readout_is_carried_over_to_other_neurons_as_it_is() -> None:
    active, classes = _few_samples(200, 3)
    rows, prior = np.arange(200), np.full(12, 1 / 12)
    packed = PackedActivations.from_bool(active)
    part = subset(packed, np.arange(100, 200))
    few = fit_to_few(part, classes, prior, rows[:150], rows[150:], Fitting(seed=1, rank=16))
    assert few is not None
    start = Start(few.readout, np.arange(100, 200), np.arange(100))
    whole = carry(start, 400, prior, Fitting(seed=1, rank=16))
    np.testing.assert_allclose(
        whole.log_probabilities(packed, rows), few.readout.log_probabilities(part, rows), atol=1e-4
    )
