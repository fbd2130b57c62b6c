"""The models set by hand, through the dataset script: neurons and tokens are what was asked for."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tests.hand_set import (
    LETTERS,
    MODEL,
    Rule,
    always,
    cycle,
    expected_active,
    generate_hand_set,
    independent,
    inverse,
    never,
    on_every_other_position,
    on_positions,
    on_token,
    on_token_and_positions,
    on_token_or_positions,
    persistent,
    random_mixture,
    save_hand_set_gpt2,
)


def some_layers(seed: int = 0) -> list[list[Rule]]:
    rng = np.random.default_rng(seed)
    first = [
        *(on_token("a"), on_token("bd"), on_positions(3, 9), on_every_other_position(1)),
        *(always(), never(), on_token_and_positions("ac", 5, 30)),
        *(on_token_or_positions("c", 0, 4), inverse(on_token("a"))),
    ]
    n_random = 60
    return [
        [*first, *(random_mixture(rng) for _ in range(n_random - len(first)))],
        [random_mixture(rng, bias=-1.0) for _ in range(n_random)],
        [random_mixture(rng, position_scale=0.0) for _ in range(n_random)],
    ]


def read(folder: Path) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    table = pd.read_csv(folder / f"{MODEL}_activation_dataset.csv", keep_default_na=False)
    with np.load(folder / f"{MODEL}_activation_matrix.npz") as archive:
        return table, archive["matrix"]


# Four kinds of next tokens in one model, since letters of one kind never lead to another.
PROBABILITIES = {"h": 0.5, "i": 0.3, "x": 0.2}
NEXT_TOKEN = {
    **persistent("abcd", stay=0.9),
    **cycle("efg"),
    **{letter: independent(PROBABILITIES)[letter] for letter in PROBABILITIES},
}
PROMPTS = [
    *(("a", 50, 30), ("bcd", 50, 30), ("abcd", 20, 10)),
    *(("e", 30, 2), ("gf", 98, 1)),
    *(("h", 40, 50), ("zx", 40, 50)),
    ("z", 1, 400),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    folder = tmp_path_factory.mktemp("hand_set")
    return read(generate_hand_set(folder, some_layers(), NEXT_TOKEN, PROMPTS))


def test_every_neuron_is_active_exactly_where_its_rule_says(
    written: tuple[pd.DataFrame, NDArray[np.bool_]],
) -> None:
    table, matrix = written
    token, position = table["context_token"], table["absolute_position"]
    assert np.array_equal(matrix, expected_active(some_layers(), token, position))
    # The same for the rules with a name, said in other words.
    in_words = [
        token == "a",
        token.isin(["b", "d"]),
        (position >= 3) & (position <= 8),
        position % 2 == 1,
        position >= 0,
        position < 0,
        token.isin(["a", "c"]) & (position >= 5) & (position <= 29),
        (token == "c") | (position <= 3),
        token != "a",
    ]
    assert np.array_equal(matrix[:, : len(in_words)], np.array(in_words).T)
    shares = matrix.reshape(len(table), 3, -1)[:, :, 9:].mean(axis=(0, 2))
    assert 0.4 < shares[0] < 0.6 and 0.15 < shares[1] < 0.4


def test_a_persistent_chain_stays_as_often_as_asked(
    written: tuple[pd.DataFrame, NDArray[np.bool_]],
) -> None:
    rows = written[0][written[0]["context_token"].isin(list("abcd"))]
    stays = rows["context_token"] == rows["output"]
    assert set(rows["output"]) == set("abcd")
    assert stays.mean() == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / len(rows)))
    assert np.allclose(rows["output_logprob"], np.log(np.where(stays, 0.9, 0.1 / 3)), atol=1e-5)
    left = Counter(zip(rows["context_token"][~stays], rows["output"][~stays], strict=True))
    assert len(left) == 12 and max(left.values()) < 3 * min(left.values())


def test_a_cycle_makes_a_context_neuron_tell_the_output(
    written: tuple[pd.DataFrame, NDArray[np.bool_]],
) -> None:
    table = written[0]
    rows = table[table["context_token"].isin(list("efg"))]
    assert np.array_equal(rows["context_token"] == "e", rows["output"] == "f")
    assert "".join(table["output"][table["prompt_idx"] == 4][:6]) == "gefgef"
    assert (rows["output_logprob"] == 0).all()
    assert table["absolute_position"].max() == 98


def test_independent_tokens_have_the_given_probabilities(
    written: tuple[pd.DataFrame, NDArray[np.bool_]],
) -> None:
    rows = written[0][written[0]["context_token"].isin(list(PROBABILITIES))]
    assert set(rows["output"]) == set(PROBABILITIES)
    for _, group in rows.groupby("context_token"):
        for letter, probability in PROBABILITIES.items():
            deviation = np.sqrt(probability * (1 - probability) / len(group))
            share = (group["output"] == letter).mean()
            assert share == pytest.approx(probability, abs=4 * deviation)
    expected = np.log(rows["output"].map(PROBABILITIES))
    assert np.allclose(rows["output_logprob"], expected, atol=1e-5)
    assert independent("aab") == {key: {"a": 0.5, "b": 0.5} for key in LETTERS}


def test_a_letter_without_a_row_is_followed_by_any_that_has_one(
    written: tuple[pd.DataFrame, NDArray[np.bool_]],
) -> None:
    rows = written[0][written[0]["context_token"] == "z"]
    assert set(rows["output"]) == set(NEXT_TOKEN)
    assert np.allclose(rows["output_logprob"], np.log(1 / len(NEXT_TOKEN)), atol=1e-5)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as many neurons"):
        save_hand_set_gpt2(tmp_path, [[always()], []], cycle("ab"))
    with pytest.raises(ValueError, match="after 'a'"):
        save_hand_set_gpt2(tmp_path, [[always()]], {"a": {"b": 0.9}})
    with pytest.raises(ValueError, match="no distribution"):
        save_hand_set_gpt2(tmp_path, [[always()]], {LETTERS[0]: {"B": 1.0}})
