"""Samples whose neurons and tokens are planted, so that the best log-loss is known."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples, arrange

N_TOKENS, LENGTH = 8, 20


def planted_tokens(n_prompts: int, seed: int) -> NDArray[np.int64]:
    """Return a chain of tokens for each prompt, (n_prompts, LENGTH + 1): the context, and so on.

    Each token is followed by the next one in a circle with probability 0.7, else by any.
    """
    rng = np.random.default_rng(seed)
    tokens = rng.integers(N_TOKENS, size=(n_prompts, LENGTH + 1))
    for place in range(1, LENGTH + 1):
        goes_on = rng.random(n_prompts) < 0.7
        following = (tokens[:, place - 1] + 1) % N_TOKENS
        tokens[:, place] = np.where(goes_on, following, tokens[:, place])
    return tokens


def next_token_entropy() -> float:
    """Return the entropy in bits of the next token of `planted_tokens`, given the last one."""
    other = 0.3 / N_TOKENS
    p = np.array([0.7 + other] + [other] * (N_TOKENS - 1))
    return float(-(p * np.log2(p)).sum())


def planted_samples(tokens: NDArray[np.int64], active: NDArray[np.bool_], n_layer: int) -> Samples:
    """Return the samples of a completion a prompt; active: (prompts * LENGTH, n_neurons)."""
    n_prompts = len(tokens)
    context, output = tokens[:, :-1].reshape(-1), tokens[:, 1:].reshape(-1)
    place = np.tile(np.arange(LENGTH), n_prompts)
    prompt = np.repeat(np.arange(n_prompts), LENGTH)
    table = pd.DataFrame(
        {
            "sample_id": np.arange(len(context)),
            "prompt_sample_idx": 0,
            "token_position": place,
            "input_text": [f"<{number}>" for number in prompt],
            "output": [f"t{token}" for token in output],
            "output_id": output,
            "prompt_idx": prompt,
            "context_token": [f"t{token}" for token in context],
            "context_token_id": context,
            "absolute_position": place,
            "output_logprob": -1.0,
        }
    )
    geometry = Geometry(n_layer, 0, active.shape[1] // n_layer, 0, N_TOKENS)
    return arrange(table, PackedActivations.from_bool(active), geometry)


def binary_entropy(p: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the entropy of being active with probability p, in bits."""
    entropy: NDArray[np.floating] = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return entropy
