"""Small datasets whose truth is known, for the statistics: no model, no files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples, arrange
from gelu.samples.completions import Completions

BEFORE = 3  # tokens of every prompt, so a completion's first token stands at this position

CONTRACT = {
    "token_clusters": "sample_id,x,y,cluster,output,input_text,prompt_idx,prompt_sample_idx,"
    "token_position",
    "important_neurons": "neuron_id,layer,dimension,kind,activation_count,activation_frequency,"
    "entropy_bits,mi_output_bits,mi_context_bits,mi_prompt_bits,mi_position_bits,importance",
    "token_specific_neurons": "role,token,token_id,neuron_id,layer,dimension,n_token,n_active,"
    "n_both,precision,recall,phi,log_odds,p_value,q_value,direction,n_prompts",
    "position_specific_neurons": "neuron_id,layer,dimension,mi_bits,p_value,q_value,range_start,"
    "range_end,frequency_inside,frequency_outside",
    "sample_similarities": "prompt_idx,input_text,sample_a,sample_b,jaccard,intersection,union",
    "consistent_neurons": "prompt_idx,input_text,neuron_id,layer,dimension,n_samples,"
    "frequency_this_prompt,frequency_other_prompts,q_value,passes,p_value,"
    "token_share_this_prompt,token_share_other_prompts",
    "token_across_prompts": "token,token_id,n_prompts,n_samples,jaccard_same_token_other_prompt,"
    "jaccard_same_prompt_other_token,p_value,q_value",
}


def contract_columns(name: str) -> list[str]:
    """Return the columns that users of the table `name` are promised."""
    return CONTRACT[name].split(",")


def table_of(
    lengths: Sequence[int], prompts: Sequence[int], outputs: Sequence[int]
) -> pd.DataFrame:
    """Return a dataset's table, completion by completion; outputs: a token id for each sample.

    The context token is the output before it, and at first one that only prompts have.
    """
    sizes, of_prompt = np.asarray(lengths), np.asarray(prompts)
    ids = np.asarray(outputs)
    places = np.concatenate([np.arange(size) for size in sizes])
    numbers = [int((of_prompt[:c] == prompt).sum()) for c, prompt in enumerate(of_prompt)]
    context = np.where(places == 0, 999, np.roll(ids, 1))
    return pd.DataFrame(
        {
            "sample_id": np.arange(len(ids)),
            "input_text": [f"prompt {prompt}" for prompt in np.repeat(of_prompt, sizes)],
            "prompt_sample_idx": np.repeat(numbers, sizes),
            "token_position": places,
            "output": [f"t{token}" for token in ids],
            "prompt_idx": np.repeat(of_prompt, sizes),
            "output_id": ids,
            "context_token": [f"t{token}" for token in context],
            "context_token_id": context,
            "absolute_position": places + BEFORE,
        }
    )


def arranged(table: pd.DataFrame, active: NDArray[np.bool_], n_layer: int = 1) -> Samples:
    """Return the samples of a table and its rows' activity (n, neurons)."""
    geometry = Geometry(n_layer, 4, active.shape[1] // n_layer, 64)
    return arrange(table, PackedActivations.from_bool(active), geometry)


def samples_of(
    lengths: Sequence[int],
    prompts: Sequence[int],
    outputs: Sequence[int],
    active: NDArray[np.bool_],
) -> Samples:
    """Return the samples of `table_of`'s table."""
    return arranged(table_of(lengths, prompts, outputs), active)


def equal_lengths(n_prompts: int, n_completions: int, length: int) -> Completions:
    """Return so many completions of each prompt, all of one length."""
    prompts = np.repeat(np.arange(n_prompts), n_completions)
    return Completions(np.full(len(prompts), length), prompts)


def persistent_tokens(
    rng: np.random.Generator, shape: tuple[int, int], stay: float, weights: NDArray[Any]
) -> NDArray[np.int64]:
    """Return tokens (completions, length) that stay as they are with a chance of `stay`.

    weights: (completions, tokens), those of a new token; need not add up to 1.
    """
    borders = (weights / weights.sum(axis=1, keepdims=True)).cumsum(axis=1)
    # Rounding may leave the last border below 1.
    new = (rng.random((*shape, 1)) > borders[:, None, :-1]).sum(axis=2)
    return _staying(new, rng.random(shape) < stay)


def persistent_activity(
    rng: np.random.Generator, shape: tuple[int, int], stay: float, frequency: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return activity (samples, neurons) that stays as it is with a chance of `stay`.

    frequency: (completions, neurons), how often a neuron is active anew.
    """
    cells = (*shape, frequency.shape[1])
    new = rng.random(cells) < frequency[:, None, :]
    return _staying(new, rng.random(cells) < stay).reshape(-1, frequency.shape[1])


def _staying(new: NDArray[Any], stays: NDArray[np.bool_]) -> NDArray[Any]:
    """Take over the value at the place before, along axis 1, wherever it `stays`."""
    for place in range(1, new.shape[1]):
        new[:, place] = np.where(stays[:, place], new[:, place - 1], new[:, place])
    return new
