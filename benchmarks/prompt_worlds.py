"""Datasets whose truth about prompts is known, without a model, for `false_findings_prompts.py`.

    samples, truth = WORLDS["copying"](rng, Shape(12, 5, 40))

truth: (prompts, neurons), whether the neuron is active at more tokens under the prompt, on average
over all completions that could be drawn, than under the others; all False where prompts do nothing.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples, arrange

LETTERS, PROMPT_LENGTH = 8, 6
BACK = (1, 2, 3, 5)
FREQUENT_TO_RARE = np.array([0.4, 0.2, 0.1, 0.1, 0.08, 0.06, 0.04, 0.02])
NEURONS = 300


class Shape(NamedTuple):
    """So many prompts, completions of each, tokens of a completion."""

    prompts: int
    completions: int
    tokens: int

    def __str__(self) -> str:
        return " x ".join(map(str, self))


World = Callable[[Any, Shape], tuple[Samples, Any]]


def independent(rng: Any, shape: Shape) -> tuple[Samples, Any]:
    """Every neuron at every token by chance."""
    rate = rng.beta(0.5, 2, NEURONS)
    return _without_effect(rng, shape, np.tile(rate, (shape.prompts * shape.completions, 1)))


def busy_completions(rng: Any, shape: Shape) -> tuple[Samples, Any]:
    """Neurons that are busy throughout some completions, and all together in some."""
    size = (shape.prompts * shape.completions, NEURONS)
    logit = rng.normal(-2, 1.5, NEURONS) + 2 * rng.normal(size=size) + rng.normal(size=size)[:, :1]
    return _without_effect(rng, shape, 1 / (1 + np.exp(-logit)), stay=0.8)


def rare_and_busy(rng: Any, shape: Shape) -> tuple[Samples, Any]:
    """Half of the neurons active at a token in a hundred, half at nearly all; runs of tokens."""
    rate = np.where(np.arange(NEURONS) % 2, rng.uniform(0.002, 0.03, NEURONS), 0.0)
    rate += np.where(np.arange(NEURONS) % 2, 0.0, rng.uniform(0.5, 0.95, NEURONS))
    rates = np.tile(rate, (shape.prompts * shape.completions, 1))
    return _without_effect(rng, shape, rates, stay=0.5)


def copying(rng: Any, shape: Shape) -> tuple[Samples, Any]:
    """Neurons that read the token 1, 2, 3 or 5 back; tokens drawn independently, frequent and rare;
    all prompts of the same tokens, so that none has an effect."""
    prompts = np.tile(rng.integers(0, LETTERS, PROMPT_LENGTH), (shape.prompts, 1))
    samples, truth = _copying(rng, shape, prompts)
    return samples, np.zeros_like(truth)


def copying_from_prompts(rng: Any, shape: Shape) -> tuple[Samples, Any]:
    """The same with prompts of different tokens, which the neurons read at first."""
    return _copying(rng, shape, rng.integers(0, LETTERS, (shape.prompts, PROMPT_LENGTH)))


def _copying(rng: Any, shape: Shape, prompts: Any) -> tuple[Samples, Any]:
    n = shape.prompts * shape.completions
    outputs = rng.choice(LETTERS, (n, shape.tokens), p=FREQUENT_TO_RARE)
    text = np.concatenate([np.repeat(prompts, shape.completions, axis=0), outputs], axis=1)
    active = np.empty((n, shape.tokens, NEURONS), bool)
    expected = np.empty((shape.prompts, NEURONS))
    for neuron, back in enumerate(rng.choice(BACK, NEURONS)):
        on = rng.normal(size=LETTERS) + rng.uniform(-1.2, 1) > 0
        start = PROMPT_LENGTH - back
        active[:, :, neuron] = on[text[:, start : start + shape.tokens]]
        # What differs between prompts is how many of their last tokens the neuron is active at.
        expected[:, neuron] = on[prompts[:, start:]].sum(axis=1)
    lengths = np.full(n, shape.tokens)
    of_prompt = np.repeat(np.arange(shape.prompts), shape.completions)
    samples = _samples(lengths, of_prompt, outputs.ravel(), active.reshape(-1, NEURONS))
    return samples, _more_than_others(expected)


def planted(rng: Any, shape: Shape, low: float, high: float) -> tuple[Samples, Any]:
    """A tenth of the neurons belongs to a prompt, active there at `high`, elsewhere at `low`."""
    truth = np.zeros((shape.prompts, NEURONS), bool)
    own = np.arange(0, NEURONS, 10)
    truth[rng.integers(shape.prompts, size=len(own)), own] = True
    rate = rng.beta(0.5, 2, NEURONS)
    rate[own] = low
    rates = np.where(truth, high, rate)
    of_completions = np.repeat(rates, shape.completions, axis=0)
    return _without_effect(rng, shape, of_completions, stay=0.3)[0], truth


def planted_strong(rng: Any, shape: Shape) -> tuple[Samples, Any]:
    """A tenth of the neurons active at 40 % of the tokens of one prompt, at 2 % elsewhere."""
    return planted(rng, shape, 0.02, 0.4)


def planted_weak(rng: Any, shape: Shape) -> tuple[Samples, Any]:
    """A tenth of the neurons active at 30 % of the tokens of one prompt, at 10 % elsewhere."""
    return planted(rng, shape, 0.1, 0.3)


def one_unlike_all(rng: Any, shape: Shape) -> tuple[Samples, Any]:
    """The first prompt has rates of its own in every neuron; the others' are alike."""
    rates = np.tile(rng.beta(0.5, 2, NEURONS), (shape.prompts, 1))
    rates[0] = rng.beta(0.5, 2, NEURONS)
    of_completions = np.repeat(rates, shape.completions, axis=0)
    return _without_effect(rng, shape, of_completions, stay=0.3)[0], _more_than_others(rates)


def unequal_lengths(rng: Any, shape: Shape) -> tuple[Samples, Any]:
    """Every other prompt has completions a quarter as long, each of those also one to three off."""
    of_prompt = np.repeat(np.arange(shape.prompts), shape.completions)
    lengths = np.where(of_prompt % 2, shape.tokens, shape.tokens // 4)
    lengths = lengths + rng.integers(1, 4, len(lengths))
    rate = np.repeat(rng.beta(0.5, 1, NEURONS)[None], lengths.sum(), axis=0)
    outputs = rng.integers(0, LETTERS, lengths.sum())
    samples = _samples(lengths, of_prompt, outputs, rng.random(rate.shape) < rate)
    return samples, np.zeros((shape.prompts, NEURONS), bool)


def rows_of_equal_text(rng: Any, shape: Shape) -> tuple[Samples, Any]:
    """Every prompt stands in two rows with its text; a tenth of the neurons belongs to one."""
    samples, truth = planted_strong(rng, Shape(shape.prompts, 2 * shape.completions, shape.tokens))
    table = samples.table.copy()
    second = table["prompt_sample_idx"] >= shape.completions
    table["prompt_idx"] = 2 * table["prompt_idx"] + second
    table["prompt_sample_idx"] -= shape.completions * second
    both = np.zeros((2 * shape.prompts, NEURONS), bool)
    both[::2] = truth
    return arrange(table, samples.activations, samples.geometry), both


WORLDS: dict[str, World] = {
    "independent": independent,
    "busy completions": busy_completions,
    "rare and busy": rare_and_busy,
    "copying": copying,
    "unequal lengths": unequal_lengths,
    "copying from prompts": copying_from_prompts,
    "planted, strong": planted_strong,
    "planted, weak": planted_weak,
    "one unlike all": one_unlike_all,
    "rows of equal text": rows_of_equal_text,
}
WITHOUT_EFFECT = tuple(WORLDS)[:5]


def _more_than_others(expected: Any) -> Any:
    others = (expected.sum(axis=0) - expected) / max(1, len(expected) - 1)
    return expected > others + 1e-9


def _without_effect(rng: Any, shape: Shape, rates: Any, stay: float = 0.0) -> tuple[Samples, Any]:
    """Draw activity at `rates` (completions, neurons) that stays as it is with a chance `stay`."""
    cells = (len(rates), shape.tokens, NEURONS)
    active = rng.random(cells, np.float32) < rates[:, None, :]
    stays = rng.random(cells, np.float32) < stay
    for place in range(1, shape.tokens):
        active[:, place] = np.where(stays[:, place], active[:, place - 1], active[:, place])
    lengths = np.full(len(rates), shape.tokens)
    outputs = rng.choice(LETTERS, lengths.sum(), p=FREQUENT_TO_RARE)
    of_prompt = np.repeat(np.arange(shape.prompts), shape.completions)
    samples = _samples(lengths, of_prompt, outputs, active.reshape(-1, NEURONS))
    return samples, np.zeros((shape.prompts, NEURONS), bool)


def _samples(lengths: Any, of_prompt: Any, outputs: Any, active: Any) -> Samples:
    numbers = pd.Series(of_prompt).groupby(of_prompt).cumcount().to_numpy()
    prompt = np.repeat(of_prompt, lengths)
    table = pd.DataFrame(
        {
            "sample_id": np.arange(len(outputs)),
            "prompt_sample_idx": np.repeat(numbers, lengths),
            "token_position": np.concatenate([np.arange(length) for length in lengths]),
            "input_text": [f"prompt {number}" for number in prompt],
            "output": [f"t{token}" for token in outputs],
            "output_id": outputs,
            "prompt_idx": prompt,
        }
    )
    geometry = Geometry(1, 0, active.shape[1], 0)
    return arrange(table, PackedActivations.from_bool(active), geometry)
