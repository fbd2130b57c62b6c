"""Drawing: keyed streams of uniform numbers and the inverse CDF."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gelu.generation.sampling import draw_tokens, token_uniforms


def draw(
    logits: torch.Tensor, u: list[float], temperature: float = 1.0, top_k: int = 0
) -> tuple[list[int], list[float]]:
    ids, logprobs = draw_tokens(logits, torch.tensor(u, dtype=torch.float64), temperature, top_k)
    return ids.tolist(), logprobs.tolist()


def test_a_stream_does_not_depend_on_its_length_but_on_seed_text_and_number() -> None:
    long = token_uniforms(1, "text", 0, 50)
    assert np.array_equal(token_uniforms(1, "text", 0, 7), long[:7])
    others = [(2, "text", 0), (1, "text ", 0), (1, "text", 1)]
    for seed, text, number in others:
        assert not np.isin(token_uniforms(seed, text, number, 50), long).any()


def test_seed_and_number_do_not_run_into_each_other() -> None:
    assert not np.array_equal(token_uniforms(1, "x", 11, 3), token_uniforms(11, "x", 1, 3))
    assert not np.array_equal(token_uniforms(1, "1 x", 1, 3), token_uniforms(1, "x", 1, 3))


def test_streams_are_uniform() -> None:
    numbers = np.concatenate([token_uniforms(0, "a", n, 100) for n in range(100)])
    counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
    chi_square = ((counts - 500) ** 2 / 500).sum()
    assert chi_square < 43.8  # the 99.9 % point of chi-square with 19 degrees of freedom
    assert numbers.min() >= 0 and numbers.max() < 1


def test_inverse_cdf_by_hand() -> None:
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    for u, token in [(0.0, 0), (0.099, 0), (0.101, 1), (0.299, 1), (0.301, 2), (0.61, 3)]:
        ids, logprobs = draw(logits, [u])
        assert ids == [token]
        assert logprobs[0] == pytest.approx(np.log([0.1, 0.2, 0.3, 0.4][token]), abs=1e-6)


def test_temperature_scales_the_logits() -> None:
    logits = torch.tensor([[0.0, 1.0]])
    first = 1 / (1 + np.exp(1 / 0.5))
    assert draw(logits, [first - 1e-4], temperature=0.5)[0] == [0]
    ids, logprobs = draw(logits, [first + 1e-4], temperature=0.5)
    assert ids == [1] and logprobs[0] == pytest.approx(np.log(1 - first), abs=1e-6)


def test_zero_temperature_takes_the_likeliest_with_certainty() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 3.0, 1.0]])
    assert draw(logits, [0.9, 0.9], temperature=0) == ([1, 0], [0.0, 0.0])


def test_top_k_keeps_exactly_k_also_among_equals() -> None:
    logits = torch.zeros(1, 6)
    drawn = [draw(logits, [u], top_k=3) for u in np.linspace(0, 0.999, 40)]
    assert len({ids[0] for ids, _ in drawn}) == 3
    assert all(logprobs[0] == pytest.approx(np.log(1 / 3)) for _, logprobs in drawn)
    assert draw(torch.tensor([[1.0, 9.0, 2.0]]), [0.5], top_k=1) == ([1], [0.0])
    assert draw(torch.tensor([[1.0, 1.0]]), [0.7], top_k=5)[0] == [1]


@given(
    st.lists(st.floats(-30, 30, width=32) | st.just(-np.inf), min_size=1, max_size=30).filter(
        lambda row: max(row) > -np.inf
    ),
    st.sampled_from([0.0, 0.5, 1 - 2**-53]) | st.floats(0, 1, exclude_max=True),
    st.sampled_from([1e-30, 0.3, 1.0, 50.0]),
)
def test_a_token_without_probability_is_never_drawn(
    row: list[float], u: float, temperature: float
) -> None:
    (token,), (logprob,) = draw(torch.tensor([row]), [u], temperature)
    scaled = (np.array(row, np.float64) - max(row)) / temperature
    expected = scaled[token] - np.log(np.exp(scaled).sum())
    assert logprob == pytest.approx(expected, abs=1e-4)
    assert logprob > -np.inf


def test_logits_that_are_no_numbers_show_in_the_log_probability() -> None:
    for value in (np.nan, np.inf):
        for temperature in (0.0, 1.0):
            (token,), (logprob,) = draw(torch.tensor([[0.0, value]]), [0.5], temperature)
            assert np.isnan(logprob) and token in (0, 1)


@given(st.integers(1, 1500), st.integers(0, 2**31), st.floats(0, 1, exclude_max=True))
def test_large_vocabularies_are_inverted_like_small_ones(n: int, seed: int, u: float) -> None:
    row = torch.randn(1, n, generator=torch.Generator().manual_seed(seed)) * 3
    (token,), (logprob,) = draw(row, [u])
    probabilities = row[0].double().softmax(-1).numpy()
    assert logprob == pytest.approx(np.log(probabilities[token]), abs=1e-5)
    cdf = probabilities.cumsum()
    assert cdf[token] > u - 1e-6 and cdf[token] - probabilities[token] <= u + 1e-6
