"""Information in bits against scikit-learn's, and the importance of neurons set by hand."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import _expected_mutual_info_fast

from gelu.samples.notes import Notes
from gelu.statistics.importance import importance_table, layer_table
from gelu.statistics.information import expected_mutual_information, mutual_information
from tests.statistics_helpers import arranged, contract_columns, samples_of, table_of


def entropy(labels: NDArray[Any]) -> float:
    share = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(share * np.log2(share)).sum())


def reference_expectation(n_active: int, n_label: NDArray[np.int64]) -> float:
    """Return the expected information in bits as scikit-learn has it."""
    n = int(n_label.sum())
    # Only the margins count: each label's samples, and the active ones.
    active, label = np.arange(n) < n_active, np.repeat(np.arange(len(n_label)), n_label)
    cells = np.stack(
        [np.bincount(label[active == kind], minlength=len(n_label)) for kind in (0, 1)]
    )
    contingency = scipy.sparse.csr_matrix(cells.astype(np.int64))
    expected = _expected_mutual_info_fast.expected_mutual_information
    return float(expected(contingency, n)) / np.log(2)


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_information_is_scikit_learns(n: int, n_labels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.unique(rng.integers(0, n_labels, n), return_inverse=True)[1]
    active = rng.random((n, 5)) < rng.random(5)
    active[:, 0] = codes == 0
    n_label = np.bincount(codes)
    both = (codes == np.arange(len(n_label))[:, None]).astype(int) @ active
    found = mutual_information(both, n_label, active.sum(axis=0))
    expected = [mutual_info_score(codes, active[:, neuron]) / np.log(2) for neuron in range(5)]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert found[0] == pytest.approx(entropy(active[:, 0]), abs=1e-9)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=8), st.data())
def test_expected_information_is_scikit_learns(sizes: list[int], data: st.DataObject) -> None:
    n_label = np.array(sizes)
    counts = st.integers(1, int(n_label.sum()) - 1)
    n_active = np.array(data.draw(st.lists(counts, min_size=1, max_size=5)))
    found = expected_mutual_information(n_active, n_label)
    expected = [reference_expectation(int(count), n_label) for count in n_active]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_expected_information_of_many_samples_leaves_out_no_tail() -> None:
    n_label, n_active = np.array([5_000, 1_500, 300, 20, 1]), np.array([1, 40, 900, 3_410, 6_800])
    found = expected_mutual_information(n_active, n_label)
    expected = [reference_expectation(int(count), n_label) for count in n_active]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_constant_neurons_have_no_information() -> None:
    n_label, constant = np.array([3, 4]), np.array([0, 7])
    assert expected_mutual_information(constant, n_label).tolist() == [0, 0]
    both = np.stack([constant * 0, n_label], axis=1)
    assert mutual_information(both, n_label, constant).tolist() == [0, 0]


def test_between_the_counts_worked_out_it_is_interpolated(monkeypatch: pytest.MonkeyPatch) -> None:
    n_label, counts = np.array([900, 300, 200, 80, 15, 3, 2]), np.arange(1, 1_500)
    exact = expected_mutual_information(counts, n_label)
    monkeypatch.setattr("gelu.statistics.information.MOST_EXACT_COUNTS", 64)
    interpolated = expected_mutual_information(counts, n_label)
    assert (interpolated != exact).any()
    np.testing.assert_allclose(interpolated, exact, rtol=1e-3)


def hand_made() -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """40 completions of 10 tokens; neurons: dead, always on, copy of token 1, one sample, noise."""
    rng = np.random.default_rng(0)
    outputs = rng.integers(0, 4, 400)
    active = np.zeros((400, 8), bool)
    active[:, [1, 6]] = True
    active[:, 2] = outputs == 1
    active[17, 3] = True
    active[:, 4] = rng.random(400) < 0.5
    active[:, 5] = np.repeat(np.arange(40) // 10 == 1, 10)
    return outputs, active


def test_kinds_order_and_importance() -> None:
    outputs, active = hand_made()
    lengths, prompts = [10] * 40, np.repeat(range(4), 10).tolist()
    table = importance_table(
        samples_of(lengths, prompts, outputs.tolist(), active), 0, notes=Notes()
    )
    assert list(table.columns) == contract_columns("important_neurons")
    assert table["kind"].tolist() == ["selective"] * 4 + ["always_on"] * 2 + ["dead"] * 2
    assert set(table["neuron_id"].tolist()[:2]) == {2, 5}
    assert table["neuron_id"].tolist()[4:] == [1, 6, 0, 7]
    rows = table.set_index("neuron_id").loc[list(range(8))]
    sizes = np.bincount(outputs)
    assert rows["activation_count"].tolist() == active.sum(axis=0).tolist()
    assert rows["activation_frequency"].tolist() == active.mean(axis=0).tolist()
    expected = entropy(active[:, 2]) - reference_expectation(int(sizes[1]), sizes)
    assert rows["importance"][2] == rows["mi_output_bits"][2] == pytest.approx(expected)
    assert rows["entropy_bits"][2] == pytest.approx(entropy(active[:, 2]))
    # Neuron 5 tells the first of four prompts: all its bits, but for what shuffles leave.
    assert rows["importance"][5] == rows["mi_prompt_bits"][5]
    assert entropy(active[:, 5]) - 0.15 < rows["mi_prompt_bits"][5] < entropy(active[:, 5])
    information = [name for name in table.columns if name.startswith("mi_")]
    assert (table[information] >= 0).all(axis=None)
    selective = table[table["kind"] == "selective"]
    assert selective["importance"].tolist() == selective[information].max(axis=1).tolist()
    assert (table["importance"][4:] == 0).all()
    # One sample tells next to nothing, and still stands before neurons that are always on.
    assert rows["importance"][3] < 0.02


def test_a_selective_neuron_without_information_outranks_one_that_is_always_on() -> None:
    # One prompt, one completion, every token another: labels tell no more than chance.
    active = np.array([[1, 0], [1, 1], [1, 0], [1, 0]], bool)
    table = importance_table(samples_of([4], [0], [0, 1, 2, 3], active), 0, notes=Notes())
    assert table["neuron_id"].tolist() == [1, 0] and table["importance"].tolist() == [0, 0]


def test_the_context_and_the_position_of_a_neuron() -> None:
    outputs, _ = hand_made()
    table = table_of([10] * 40, np.repeat(range(4), 10).tolist(), outputs.tolist())
    active = np.stack([table["context_token_id"] == 2, table["token_position"] < 5], axis=1)
    found = importance_table(arranged(table, active), 0, notes=Notes()).set_index("neuron_id")
    for neuron, column, label in [(0, "context", "context_token_id"), (1, "position", None)]:
        codes = table[label or "token_position"]
        sizes = np.unique(codes, return_counts=True)[1]
        chance = reference_expectation(int(active[:, neuron].sum()), sizes)
        bits = entropy(active[:, neuron]) - chance
        assert found[f"mi_{column}_bits"][neuron] == pytest.approx(bits)
        assert found["importance"][neuron] == pytest.approx(bits)


def test_what_the_table_cannot_tell_is_missing_and_named() -> None:
    outputs, active = hand_made()
    table = table_of([10] * 40, list(range(40)), outputs.tolist())
    table = table.drop(columns=["context_token", "context_token_id", "absolute_position"])
    samples = arranged(table, active)
    notes = Notes.of(samples)
    found = importance_table(samples, 0, notes=notes)
    assert list(found.columns) == contract_columns("important_neurons")
    for column in ("mi_context_bits", "mi_prompt_bits", "mi_position_bits"):
        assert found[column].isna().all()
    assert found["mi_output_bits"].notna().all() and found["importance"].notna().all()
    assert notes.skipped["context tokens"] == "the dataset CSV has no column context_token"
    assert notes.skipped["positions"] == "the dataset CSV has no column absolute_position"
    assert "one completion of each prompt" in notes.skipped["mi_prompt_bits"]


def test_prompt_information_needs_two_prompts() -> None:
    outputs, active = hand_made()
    samples = samples_of([10] * 40, [0] * 40, outputs.tolist(), active)
    notes = Notes.of(samples)
    assert importance_table(samples, 0, notes=notes)["mi_prompt_bits"].isna().all()
    assert "one prompt" in notes.skipped["mi_prompt_bits"]


def test_a_neuron_on_through_some_completions_says_nothing_about_the_prompt() -> None:
    # On all through random completions: each sample seems to tell the prompt, completions do not.
    rng = np.random.default_rng(0)
    active = np.repeat(rng.random((40, 200)) < 0.3, 10, axis=0)
    prompts = np.repeat(range(8), 5)
    samples = samples_of([10] * 40, prompts.tolist(), [0] * 400, active)
    table = importance_table(samples, 0, notes=Notes.of(samples))
    naive = np.mean(
        [
            mutual_info_score(np.repeat(prompts, 10), active[:, neuron]) / np.log(2)
            - reference_expectation(int(active[:, neuron].sum()), np.full(8, 50))
            for neuron in range(10)
        ]
    )
    assert naive > 0.08 and table["mi_prompt_bits"].mean() < 0.4 * naive


def test_the_same_seed_gives_the_same_table_and_blocks_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outputs, active = hand_made()
    lengths, prompts = [10] * 40, np.repeat(range(4), 10).tolist()
    samples = samples_of(lengths, prompts, outputs.tolist(), np.tile(active, (1, 3)))
    table = importance_table(samples, 3, notes=Notes.of(samples))
    monkeypatch.setattr("gelu.packed.BLOCK_BYTES", 1)
    assert importance_table(samples, 3, notes=Notes.of(samples)).equals(table)


def test_layers_are_summed_up() -> None:
    outputs, active = hand_made()
    table = table_of([10] * 40, np.repeat(range(4), 10).tolist(), outputs.tolist())
    # Layer 0: dead, always on; 1: the token's and one sample's; 3: always on, dead.
    samples = arranged(table, active, n_layer=4)
    neurons = importance_table(samples, 0, notes=Notes.of(samples))
    layers = layer_table(neurons, samples.geometry)
    assert layers["layer"].tolist() == [0, 1, 2, 3]
    assert layers["n_dead"].tolist() == layers["n_always_on"].tolist() == [1, 0, 0, 1]
    assert layers["n_selective"].tolist() == [0, 2, 2, 0]
    frequency = active.mean(axis=0).reshape(4, 2).mean(axis=1)
    assert layers["mean_activity"].tolist() == pytest.approx(frequency.tolist())
    assert layers["mean_importance_bits"].isna().tolist() == [True, False, False, True]
    importance = neurons.set_index("neuron_id")["importance"]
    assert layers["mean_importance_bits"][1] == pytest.approx((importance[2] + importance[3]) / 2)
