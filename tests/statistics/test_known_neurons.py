"""Models whose neurons are set by hand: what is planted is found, and nothing else.

The datasets are made by what `generate_activation_dataset.py` calls, in this process: so many of
them would otherwise spend their time importing torch.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gelu.artifacts import DATASET, MATRIX, Artifacts, read_activations, read_dataset
from gelu.generation.run import GenerationOptions, Sharing, make_dataset, prepare_run, read_inputs
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples, arrange
from gelu.samples.notes import Notes
from gelu.statistics.importance import importance_table
from gelu.statistics.position_specific import position_specific_neurons
from gelu.statistics.prompt_comparison import compare_prompts
from gelu.statistics.token_specific import token_specific_neurons
from tests.hand_set import (
    NextToken,
    Rule,
    always,
    independent,
    never,
    on_every_other_position,
    on_positions,
    on_token,
    persistent,
    random_mixture,
    save_hand_set_gpt2,
)
from tests.helpers import write_prompts

FDR = 0.05
SEEDS = range(20)
TEXTS = ["".join(letters) for n in (2, 3) for letters in product("xyz", repeat=n)]
PROMPTS = [(text, 30, 2) for text in TEXTS[:24]]


def dataset_options(seed: int) -> GenerationOptions:
    return GenerationOptions(
        seed=seed,
        temperature=1.0,
        top_k=0,
        batch_size=None,
        edges="none",
        top_edges=1,
        device="cpu",
        dtype="float32",
        formats=("csv", "npz"),
    )


def generated(
    folder: Path,
    layers: Sequence[Sequence[Rule]],
    next_token: NextToken,
    prompts: Sequence[tuple[str, int, int]] = tuple(PROMPTS),
    seed: int = 42,
) -> Samples:
    """Return the samples of a hand-set model's dataset."""
    model, export = folder / "hand_set", folder / "dataset"
    if not model.exists():
        save_hand_set_gpt2(model, layers, next_token)
    csv = write_prompts(folder / "prompts.csv", *prompts)
    inputs, options = read_inputs(csv, str(model)), dataset_options(seed)
    export.mkdir(exist_ok=True)
    files = Artifacts(export, "hand_set")
    make_dataset(files, prepare_run(inputs, options), options, Sharing(overwrite=True))
    geometry = Geometry(len(layers), 0, len(layers[0]), 0)
    _, activations = read_activations(files.path(MATRIX), geometry.n_neurons)
    return arrange(read_dataset(files.path(DATASET)), activations, geometry)


def mixtures(count: int, seed: int) -> list[Rule]:
    rng = np.random.default_rng(seed)
    return [random_mixture(rng, bias=float(bias)) for bias in rng.uniform(-1, 1, count)]


def information(samples: Samples) -> np.ndarray:
    table = importance_table(samples, 0, notes=Notes.of(samples)).sort_values("neuron_id")
    return table["mi_position_bits"].to_numpy()


# Layer 0: neurons 0 to 5; layer 1: neurons 20 to 25; then mixtures.
PLANTED_POSITIONS = {20: (5, 12), 21: (20, 21), 22: (15, 30), 23: (3, 7)}
EVERY_OTHER, ALWAYS, NEVER = 24, 4, 5
FOLLOWS = {
    "a": {"b": 1.0},
    "b": {"c": 0.4, "d": 0.3, "e": 0.3},
    "c": {"a": 0.5, "d": 0.5},
    "d": {"e": 0.5, "c": 0.5},
    "e": {"a": 0.4, "c": 0.3, "f": 0.3},
    "f": {"d": 1.0},
    **{letter: {"a": 0.3, "c": 0.3, "d": 0.4} for letter in "xyz"},
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Neurons for the tokens a, c, d or e, and f, for positions, always, never, and mixtures."""
    first = [on_token("a"), on_token("c"), on_token("de"), on_token("f"), always(), never()]
    second = [on_positions(*bounds) for bounds in PLANTED_POSITIONS.values()]
    second += [on_every_other_position(), always()]
    layers = [first + mixtures(14, 1), second + mixtures(14, 2)]
    return generated(tmp_path_factory.mktemp("planted"), layers, FOLLOWS)


def test_planted_token_neurons_are_found_with_token_and_role(planted: Samples) -> None:
    table = token_specific_neurons(planted, 3, FDR, notes=Notes.of(planted)).table
    expected = [("context", "a", 0), ("context", "c", 1), ("context", "f", 3), ("output", "b", 0)]
    for role, token, neuron in expected:
        rows = table[(table["role"] == role) & (table["token"] == token)]
        best = rows.iloc[0]
        assert best["neuron_id"] == neuron
        assert (best["precision"], best["recall"]) == (1.0, 1.0)
        assert best["phi"] == pytest.approx(1.0)
        others = rows["phi"].iloc[1:]
        assert (others < best["phi"]).all()


def test_a_neuron_of_two_tokens_is_found_for_both_with_full_recall(planted: Samples) -> None:
    table = token_specific_neurons(planted, 3, FDR, notes=Notes.of(planted)).table
    rows = table[(table["role"] == "context") & (table["neuron_id"] == 2)]
    assert set(rows["token"]) == {"d", "e"}
    assert (rows["recall"] == 1).all()
    assert rows["precision"].sum() == pytest.approx(1.0)


def test_planted_position_neurons_are_found_with_their_ranges(planted: Samples) -> None:
    table = position_specific_neurons(
        planted, information(planted), FDR, notes=Notes.of(planted)
    ).table
    rows = table.set_index("neuron_id")
    positions = planted.positions()
    assert positions is not None
    for neuron, (start, end) in PLANTED_POSITIONS.items():
        row = rows.loc[neuron]
        assert (row["range_start"], row["range_end"]) == (start, end)
        assert (row["frequency_inside"], row["frequency_outside"]) == (1.0, 0.0)
    assert EVERY_OTHER in rows.index
    assert rows["mi_bits"].to_dict()[EVERY_OTHER] > 0.9


def test_neither_dead_nor_always_on_neurons_are_ever_specific(planted: Samples) -> None:
    table = importance_table(planted, 0, notes=Notes.of(planted))
    kinds = table.set_index("neuron_id")["kind"]
    assert kinds[[ALWAYS, 25]].tolist() == ["always_on", "always_on"]
    assert kinds[NEVER] == "dead"
    last_selective = np.flatnonzero(table["kind"] == "selective").max()
    assert last_selective < np.flatnonzero(table["kind"] != "selective").min()
    constant = set(kinds.index[kinds != "selective"])
    comparison = compare_prompts(planted, 0.5, 0, notes=Notes.of(planted))
    for found in (
        token_specific_neurons(planted, 1, 0.5, notes=Notes.of(planted)).table,
        position_specific_neurons(
            planted, information(planted), 0.5, notes=Notes.of(planted)
        ).table,
        comparison.consistent.table,
    ):
        assert not constant & set(found["neuron_id"])


def test_outputs_drawn_independently_of_all_neurons_are_specific_to_none(tmp_path: Path) -> None:
    # Context tokens are drawn independently, too, so a neuron may be specific to one of those.
    tokens = [on_token(letter) for letter in "abcdef"]
    layers = [tokens + mixtures(24, 3), mixtures(30, 4)]
    runs = []
    for seed in SEEDS:
        samples = generated(tmp_path, layers, independent("abcdefgh"), PROMPTS, seed)
        table = token_specific_neurons(samples, 3, FDR, notes=Notes.of(samples)).table
        runs.append(bool((table["role"] == "output").any()))
        assert {"a", "b"} <= set(table.loc[table["role"] == "context", "token"])
    assert np.mean(runs) <= FDR


def relabelled(samples: Samples, columns: Sequence[str], rng: np.random.Generator) -> Samples:
    """Return the samples with these columns dealt out anew within each completion."""
    table = samples.table.copy()
    groups = samples.completions.of_samples()
    order = np.lexsort((rng.random(len(table)), groups))
    for column in columns:
        table[column] = table[column].to_numpy()[order]
    return Samples(
        table, samples.activations, samples.geometry, samples.completions, samples.prompt_ids
    )


def test_shuffled_tokens_and_positions_are_found_in_no_more_runs_than_allowed(
    planted: Samples,
) -> None:
    names = ["output", "output_id", "context_token", "context_token_id", "absolute_position"]
    by_token, by_position = [], []
    for seed in SEEDS:
        samples = relabelled(planted, names, np.random.default_rng(seed))
        by_token.append(
            len(token_specific_neurons(samples, 3, FDR, notes=Notes.of(samples)).table) > 0
        )
        found = position_specific_neurons(
            samples, information(samples), FDR, notes=Notes.of(samples)
        ).table
        by_position.append(len(found) > 0)
    assert np.mean(by_token) <= FDR
    assert np.mean(by_position) <= FDR


def shifted(samples: Samples, rng: np.random.Generator) -> Samples:
    """Return the samples with each completion's activity turned in a circle: runs stay."""
    bits = samples.activations.bits[samples.completions.shifted_rows(rng)]
    activations = PackedActivations(bits, samples.activations.n_neurons)
    return Samples(
        samples.table, activations, samples.geometry, samples.completions, samples.prompt_ids
    )


def test_tokens_that_persist_are_not_mistaken_for_a_cause(tmp_path: Path) -> None:
    layers = [[on_token(letter) for letter in "abcdef"] + mixtures(30, 5)]
    samples = generated(tmp_path, layers, persistent("abcdefgh", stay=0.85))
    assert len(token_specific_neurons(samples, 3, FDR, notes=Notes.of(samples)).table) > 6
    runs = [
        len(
            token_specific_neurons(
                shifted(samples, np.random.default_rng(seed)), 3, FDR, notes=Notes()
            ).table
        )
        for seed in SEEDS
    ]
    assert np.mean(np.array(runs) > 0) <= FDR


def test_a_prompt_effect_through_a_token_of_one_prompt_is_found(tmp_path: Path) -> None:
    # After q come q and r, which no other prompt ever reaches; a neuron fires on each.
    letters = {letter: dict.fromkeys("abcd", 0.25) for letter in "abcdxy"}
    blocks = {**letters, "q": {"q": 0.5, "r": 0.5}, "r": {"q": 0.5, "r": 0.5}}
    layers = [[on_token("q"), on_token("r"), on_token("abcd"), *mixtures(9, 6)]]
    prompts = [("xx", 12, 6), ("xy", 12, 6), ("yq", 12, 6)]
    result = compare_prompts(generated(tmp_path, layers, blocks, prompts), FDR, 0, notes=Notes())
    assert result.test is not None
    assert result.test.p_value < 0.01
    found = result.consistent.table.query("passes == 1")
    assert {0, 1} <= set(found.loc[found["prompt_idx"] == 2, "neuron_id"])
    rows = found[found["neuron_id"].isin([0, 1])]
    assert (rows["frequency_this_prompt"] == 1).all()
    assert (rows["frequency_other_prompts"] == 0).all()


def test_without_a_prompt_effect_the_p_values_are_uniform(tmp_path: Path) -> None:
    from scipy.stats import kstest

    # All prompts have the same length and last token, and attention writes nothing.
    layers = [[on_token(letter) for letter in "abcdefgh"] + mixtures(24, 7)]
    prompts = [(f"{letter}x", 4, 200) for letter in "abcde"]
    samples = generated(tmp_path, layers, independent("abcdefgh"), prompts)
    p_values = []
    for part in range(40):
        p_values.append(_p_value_of(samples, range(5 * part, 5 * part + 5)))
    assert kstest(p_values, "uniform").pvalue > 0.01


def _p_value_of(samples: Samples, numbers: range) -> float:
    """Return the p-value for the completions of these numbers alone."""
    rows = samples.table["prompt_sample_idx"].isin(numbers).to_numpy()
    table: pd.DataFrame = samples.table[rows].reset_index(drop=True)
    activations = PackedActivations(samples.activations.bits[rows], samples.activations.n_neurons)
    result = compare_prompts(
        arrange(table, activations, samples.geometry), FDR, numbers.start, notes=Notes()
    ).test
    assert result is not None
    return result.p_value
