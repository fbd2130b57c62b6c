"""The table of the dataset: one row per generated token. Arrays in, tables out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.generation.batches import Plan
from gelu.generation.prompts import Prompt
from gelu.model.tokenizer import decode_token


class DatasetTable:
    """Makes the dataset's table completion by completion, columns as in the file contract.

    A token's text is decoded once.
    """

    def __init__(self, prompts: Sequence[Prompt], plan: Plan, tokenizer: Any) -> None:
        self._plan, self._tokenizer = plan, tokenizer
        self._texts = np.array([prompt.text for prompt in prompts], dtype=object)
        self._n_tokens = np.array([len(prompt.token_ids) for prompt in prompts])
        self._last_ids = np.array([prompt.token_ids[-1] for prompt in prompts])
        self._names: dict[int, str] = {}

    def rows(
        self,
        completions: NDArray[np.int64],
        first_sample: int,
        records: NDArray[Any],
        counts: NDArray[np.int64],
    ) -> pd.DataFrame:
        """Return the rows of whole completions, one after another, by sample_id.

        records: `gelu.artifacts.records`, a sample each. counts: active neurons, (samples,
        n_layer).
        """
        lengths = self._plan.n_new[completions]
        prompt_idx = np.repeat(self._plan.prompt_idx[completions], lengths)
        position = np.arange(len(records)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        output = records["id"]
        context = np.where(position == 0, self._last_ids[prompt_idx], np.roll(output, 1))
        n_layer = counts.shape[1]
        return pd.DataFrame(
            {
                "sample_id": np.arange(first_sample, first_sample + len(records)),
                "prompt_sample_idx": np.repeat(self._plan.number[completions], lengths),
                "token_position": position,
                "input_text": self._texts[prompt_idx],
                "output": self._decoded(output),
                "output_id": output,
                "number_of_active_neurons": counts.sum(axis=1),
                **{
                    f"layer_{layer}_num_active_neurons": counts[:, layer]
                    for layer in range(n_layer)
                },
                "prompt_idx": prompt_idx,
                "context_token": self._decoded(context),
                "context_token_id": context,
                "absolute_position": self._n_tokens[prompt_idx] - 1 + position,
                # Adding 0.0 turns -0.0 into 0.0.
                "output_logprob": records["logprob"].round(6) + 0.0,
            }
        )

    def _decoded(self, token_ids: NDArray[np.int64]) -> list[str]:
        """Return each token's text by itself."""
        for token in set(token_ids.tolist()) - self._names.keys():
            self._names[token] = decode_token(self._tokenizer, token)
        return [self._names[token] for token in token_ids.tolist()]
