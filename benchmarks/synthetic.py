"""Datasets of any size without a model: tokens and neurons that persist as real ones do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LENGTH, VOCABULARY = 50, 2000
NEURONS_AT_A_TIME = 512


def write_synthetic_dataset(
    folder: Path,
    n_samples: int,
    geometry: Any,
    seed: int = 0,
    change: Callable[[Any], None] = lambda activations: None,
    completions: int = 10,
) -> Any:
    """Write the CSV, the .npz and the frequency table of `n_samples`; return their `Artifacts`.

    Completions of 50 tokens, so many of them to a prompt; tokens by Zipf's law, a fifth of them
    repeated from the one before. A third of the neurons is active on a random set of tokens, a
    third stays on or off for ten tokens on average, a third is independent noise; one in fifty is
    dead or always on.
    change: is given the packed activations to change their bits before they are written.
    """
    from gelu.artifacts import DATASET, Artifacts, write_table

    rng = np.random.default_rng(seed)
    tokens = _tokens(n_samples, rng)
    activations = _activations(tokens, geometry, rng)
    change(activations)
    files = Artifacts(folder, "synthetic")
    write_table(files.path(DATASET), _table(tokens, activations, geometry, completions))
    with files.matrix_writer(geometry.n_neurons, range(n_samples)) as add:
        for start, block in activations.blocks():
            add(range(start, start + len(block)), block)
    files.write_frequency(activations.counts(), n_samples, geometry)
    return files


def _tokens(n_samples: int, rng: Any) -> Any:
    weights = 1 / np.arange(1, VOCABULARY + 1)
    tokens = rng.choice(VOCABULARY, n_samples, p=weights / weights.sum())
    repeated = np.flatnonzero(rng.random(n_samples) < 0.2)
    repeated = repeated[repeated % LENGTH > 0]
    tokens[repeated] = tokens[repeated - 1]
    return tokens


def _activations(tokens: Any, geometry: Any, rng: Any) -> Any:
    from gelu.packed import PackedActivations

    parts = []
    for start in range(0, geometry.n_neurons, NEURONS_AT_A_TIME):
        width = min(NEURONS_AT_A_TIME, geometry.n_neurons - start)
        parts.append(np.packbits(_block(tokens, width, rng), axis=1))
    return PackedActivations(np.concatenate(parts, axis=1), geometry.n_neurons)


def _block(tokens: Any, width: int, rng: Any) -> Any:
    context = np.roll(tokens, 1)
    frequency = rng.beta(0.5, 2, width)
    noise = rng.random((len(tokens), width), np.float32) < frequency
    by_token = (rng.random((VOCABULARY, width), np.float32) < frequency)[context]
    # A state drawn anew every ten tokens on average, carried on in between.
    drawn = rng.random(len(tokens)) < 0.1
    drawn[::LENGTH] = True
    persistent = noise[np.maximum.accumulate(np.where(drawn, np.arange(len(tokens)), 0))]
    kind = np.arange(width) % 3
    active = np.where(kind == 0, by_token, np.where(kind == 1, persistent, noise))
    active[:, ::100], active[:, 50::100] = False, True
    return active


def _table(tokens: Any, activations: Any, geometry: Any, completions: int) -> Any:
    import pandas as pd

    ids = np.arange(len(tokens))
    completion = ids // LENGTH
    context = np.roll(tokens, 1)
    counts = activations.layer_counts(geometry.n_layer)
    prompts = completion // completions
    return pd.DataFrame(
        {
            "sample_id": ids,
            "prompt_sample_idx": completion % completions,
            "token_position": ids % LENGTH,
            "input_text": [f"prompt {prompt}." for prompt in prompts],
            "output": [f" t{token}" for token in tokens],
            "output_id": tokens,
            "number_of_active_neurons": counts.sum(axis=1),
            **{f"layer_{x}_num_active_neurons": counts[:, x] for x in range(geometry.n_layer)},
            "prompt_idx": prompts,
            "context_token": [f" t{token}" for token in context],
            "context_token_id": context,
            "absolute_position": ids % LENGTH + 5,
        }
    )
