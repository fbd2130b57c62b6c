"""The table of the dataset: one row per generated token. Arrays in, a table out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.generation import Completion, Generated
from gelu.models import Geometry, decode_token
from gelu.prompts import Prompt


def dataset_table(
    prompts: Sequence[Prompt],
    plan: Sequence[Completion],
    generated: Generated,
    tokenizer: Any,
    geometry: Geometry,
) -> pd.DataFrame:
    """Return the dataset's table, columns as in the file contract, rows by sample_id."""
    lengths = np.array([prompts[row.prompt_idx].n_new for row in plan])
    prompt_idx = np.repeat([row.prompt_idx for row in plan], lengths)
    position = np.concatenate([np.arange(length) for length in lengths])
    prompt_tokens = np.array([len(prompt.token_ids) for prompt in prompts])
    last_ids = np.array([prompt.token_ids[-1] for prompt in prompts])
    context = np.where(position == 0, last_ids[prompt_idx], np.roll(generated.output_ids, 1))
    counts = generated.activations.layer_counts(geometry.n_layer)
    names = decode_each(tokenizer, np.concatenate([generated.output_ids, context]))
    return pd.DataFrame(
        {
            "sample_id": np.arange(len(position)),
            "prompt_sample_idx": np.repeat([row.number for row in plan], lengths),
            "token_position": position,
            "input_text": [prompts[index].text for index in prompt_idx],
            "output": names[: len(position)],
            "output_id": generated.output_ids,
            "number_of_active_neurons": counts.sum(axis=1),
            **{
                f"layer_{layer}_num_active_neurons": counts[:, layer]
                for layer in range(geometry.n_layer)
            },
            "prompt_idx": prompt_idx,
            "context_token": names[len(position) :],
            "context_token_id": context,
            "absolute_position": prompt_tokens[prompt_idx] - 1 + position,
            # Adding 0.0 turns -0.0 into 0.0.
            "output_logprob": generated.output_logprobs.round(6) + 0.0,
        }
    )


def decode_each(tokenizer: Any, token_ids: NDArray[np.int64]) -> list[str]:
    """Return each token's text by itself, decoding each distinct one once."""
    texts = {token: decode_token(tokenizer, token) for token in np.unique(token_ids).tolist()}
    return [texts[token_id] for token_id in token_ids.tolist()]
