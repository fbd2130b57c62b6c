"""What is to be written: the completions of a CSV, and the batches they are made in.

    plan = make_plan(prompts, batch_size=64)
    for batch in range(plan.n_batches):
        plan.completions(batch)                 # which completions it holds

Batches depend on the prompts and the batch size alone, so any process can make any of them. All
columns are arrays: two million completions take 100 MB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gelu.generation.prompts import Prompt


@dataclass(frozen=True)
class Plan:
    """Completions in order of their samples: prompt row, then completion; arrays of that length.

    prompt_idx: its prompt. number: which completion of that row it is. stream: which completion of
    that text it is, counted on over rows with the same text. n_new: its tokens. order: the
    completions batch by batch, `batch_size` to each but the last.
    """

    prompt_idx: NDArray[np.int64]
    number: NDArray[np.int64]
    stream: NDArray[np.int64]
    n_new: NDArray[np.int64]
    order: NDArray[np.int64]
    batch_size: int

    def __len__(self) -> int:
        return len(self.prompt_idx)

    @property
    def n_samples(self) -> int:
        """Number of tokens in all."""
        return int(self.n_new.sum())

    @property
    def n_batches(self) -> int:
        """Number of batches."""
        return -(-len(self) // self.batch_size)

    def completions(self, batch: int) -> NDArray[np.int64]:
        """Return the completions of one batch, in its order."""
        return self.order[batch * self.batch_size : (batch + 1) * self.batch_size]

    def n_rows(self, batch: int) -> int:
        """Return the number of tokens of one batch."""
        return int(self.n_new[self.completions(batch)].sum())

    @cached_property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each completion's batch, and its first row there, rows counted completion by completion.

        Both (completions,).
        """
        batch, first = np.empty_like(self.order), np.empty_like(self.order)
        batch[self.order] = np.arange(len(self)) // self.batch_size
        rows = self.n_new[self.order]
        before = np.cumsum(rows) - rows
        starts = before[:: self.batch_size]
        first[self.order] = before - starts[batch[self.order]]
        return batch, first


def make_plan(prompts: Sequence[Prompt], batch_size: int) -> Plan:
    """Cut the prompts' completions into batches whose rows end together and need little padding."""
    n_samples = np.array([prompt.n_samples for prompt in prompts])
    prompt_idx = np.repeat(np.arange(len(prompts)), n_samples)
    number = np.arange(len(prompt_idx)) - np.repeat(np.cumsum(n_samples) - n_samples, n_samples)
    n_new = np.array([prompt.n_new for prompt in prompts])[prompt_idx]
    n_tokens = np.array([len(prompt.token_ids) for prompt in prompts])[prompt_idx]
    # Stable: completions of one prompt stay together.
    order = np.lexsort((n_tokens, n_new))
    stream = number + np.array(_earlier_completions(prompts))[prompt_idx]
    return Plan(prompt_idx, number, stream, n_new, order, batch_size)


def _earlier_completions(prompts: Sequence[Prompt]) -> list[int]:
    """Return for each row how many completions rows above it ask for of the same text."""
    seen: dict[str, int] = {}
    earlier = []
    for prompt in prompts:
        earlier.append(seen.get(prompt.text, 0))
        seen[prompt.text] = earlier[-1] + prompt.n_samples
    return earlier
