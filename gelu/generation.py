"""Batched generation that records, for each token, the neurons active where it was predicted.

    plan = plan_completions(prompts)
    batches = plan_batches(prompts, plan, batch_size=64)
    generated = generate(model, prompts, batches, geometry, settings)

Prompts of several lengths share a batch by left padding. Each prompt is read once a batch and its
key-value cache handed to all its completions. No files are opened here.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gelu.hooks import GeluRecorder
from gelu.models import Geometry
from gelu.packed import PackedActivations
from gelu.prompts import Prompt
from gelu.sampling import draw_tokens, token_uniforms


@dataclass(frozen=True)
class Settings:
    """How tokens are drawn."""

    seed: int
    temperature: float
    top_k: int


@dataclass(frozen=True)
class Completion:
    """One completion to write.

    prompt_idx: its prompt. number: which completion of that row it is. stream: which completion of
    that text it is, counted on over rows with the same text. first_sample: its first sample_id.
    """

    prompt_idx: int
    number: int
    stream: int
    first_sample: int


@dataclass(frozen=True)
class Generated:
    """What was generated, one entry a sample, by sample_id."""

    output_ids: NDArray[np.int64]
    output_logprobs: NDArray[np.float64]
    activations: PackedActivations


def plan_completions(prompts: Sequence[Prompt]) -> list[Completion]:
    """Return the completions in order of their samples: prompt row, then completion."""
    plan: list[Completion] = []
    streams: Counter[str] = Counter()
    first_sample = 0
    for prompt_idx, prompt in enumerate(prompts):
        for number in range(prompt.n_samples):
            plan.append(Completion(prompt_idx, number, streams[prompt.text], first_sample))
            streams[prompt.text] += 1
            first_sample += prompt.n_new
    return plan


def plan_batches(
    prompts: Sequence[Prompt], plan: Sequence[Completion], batch_size: int
) -> list[list[Completion]]:
    """Cut the plan into batches whose rows end together and need little padding."""

    def shape(completion: Completion) -> tuple[int, int]:
        prompt = prompts[completion.prompt_idx]
        return prompt.n_new, len(prompt.token_ids)

    ordered = sorted(plan, key=shape)  # stable: completions of one prompt stay together
    return [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]


def default_batch_size(device: str, geometry: Geometry, n_positions: int) -> int:
    """Return a batch size that is fast on the device and keeps the key-value cache small.

    n_positions: the longest prompt with its new tokens. The cache is kept to 1 GB, or 8 GB on
    CUDA; on CPUs rows/s rises little beyond 64 rows.
    """
    largest, budget = (256, 8 << 30) if device == "cuda" else (64, 1 << 30)
    row_bytes = 2 * 4 * geometry.n_layer * geometry.n_embd * n_positions
    return max(1, min(largest, budget // row_bytes))


def generate(
    model: Any,
    prompts: Sequence[Prompt],
    batches: Sequence[Sequence[Completion]],
    geometry: Geometry,
    settings: Settings,
    progress: Callable[[int], object] = lambda rows: None,
) -> Generated:
    """Write every completion of `batches`; `progress` is told the rows of each step.

    Exactly `n_new` tokens are written a completion, the end-of-text token like any other.
    """
    n_samples = sum(prompts[row.prompt_idx].n_new for batch in batches for row in batch)
    output_ids = np.empty(n_samples, np.int64)
    logprobs = np.empty(n_samples, np.float64)
    bits = np.empty((n_samples, (geometry.n_neurons + 7) // 8), np.uint8)

    def keep(samples: NDArray[np.int64], step: "_Step") -> None:
        output_ids[samples] = step.ids.cpu().numpy()
        logprobs[samples] = step.logprobs.cpu().numpy()
        bits[samples] = np.packbits(step.active.cpu().numpy(), axis=1)
        progress(len(samples))

    for batch in batches:
        generate_batch(model, prompts, batch, settings, keep)
    return Generated(output_ids, logprobs, PackedActivations(bits, geometry.n_neurons))


@dataclass(frozen=True)
class _Step:
    """One drawn token a row: ids, log-probabilities (rows,), active neurons (rows, n_neurons)."""

    ids: torch.Tensor
    logprobs: torch.Tensor
    active: torch.Tensor


@torch.inference_mode()
def generate_batch(
    model: Any,
    prompts: Sequence[Prompt],
    batch: Sequence[Completion],
    settings: Settings,
    keep: Callable[[NDArray[np.int64], _Step], None],
) -> None:
    """Write one batch of completions, handing each step's tokens and neurons to `keep`."""
    n_new = np.array([prompts[row.prompt_idx].n_new for row in batch])
    first = np.array([row.first_sample for row in batch])
    uniforms = _uniforms(prompts, batch, settings.seed, int(n_new.max()))
    with GeluRecorder(model, positions=-1) as recorder:
        state = _read_prompts(model, prompts, batch)
        for step in range(int(n_new.max())):
            ids, logprobs = draw_tokens(
                state.logits, uniforms[:, step], settings.temperature, settings.top_k
            )
            active = recorder.take()[state.recorded_rows]
            keep(first + step, _Step(ids, logprobs, active))
            going_on = n_new > step + 1
            if not going_on.any():
                return
            if not going_on.all():
                ids = state.select(ids, going_on)
                first, n_new, uniforms = first[going_on], n_new[going_on], uniforms[going_on]
            state.advance(model, ids)


def _uniforms(
    prompts: Sequence[Prompt], batch: Sequence[Completion], seed: int, n: int
) -> NDArray[np.float64]:
    return np.stack(
        [token_uniforms(seed, prompts[row.prompt_idx].text, row.stream, n) for row in batch]
    )


@dataclass
class _State:
    """A batch between two forwards.

    logits: (rows, vocabulary) of the newest position. lengths: each row's tokens so far, which is
    the next token's position. mask: (rows, positions) or None where nothing is padded.
    recorded_rows: which recorded row each row's neurons are in.
    """

    logits: torch.Tensor
    cache: Any
    lengths: torch.Tensor
    mask: torch.Tensor | None
    recorded_rows: torch.Tensor | slice

    def select(self, ids: torch.Tensor, going_on: NDArray[np.bool_]) -> torch.Tensor:
        """Drop the rows that are done; return the ids of the others."""
        index = torch.as_tensor(np.flatnonzero(going_on), device=self.logits.device)
        self.cache.batch_select_indices(index)
        self.lengths = self.lengths[index]
        self.mask = None if self.mask is None else self.mask[index]
        return ids.to(index.device)[index]

    def advance(self, model: Any, ids: torch.Tensor) -> None:
        """Let the model read each row's newest token."""
        ids = ids.to(self.logits.device)
        if self.mask is not None:
            self.mask = torch.cat([self.mask, self.mask.new_ones(len(ids), 1)], dim=1)
        output = model(
            input_ids=ids[:, None],
            attention_mask=self.mask,
            position_ids=self.lengths[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.lengths = self.lengths + 1
        self.logits = output.logits[:, -1]
        self.recorded_rows = slice(None)


def _read_prompts(model: Any, prompts: Sequence[Prompt], batch: Sequence[Completion]) -> _State:
    """Read each distinct prompt of the batch once and spread the result over its completions."""
    distinct = list(dict.fromkeys(prompts[row.prompt_idx].token_ids for row in batch))
    place = {token_ids: row for row, token_ids in enumerate(distinct)}
    rows = torch.tensor([place[prompts[row.prompt_idx].token_ids] for row in batch])
    rows = rows.to(model.device)
    ids, mask = pad_left(distinct, model.device)
    padded = not bool(mask.all())
    output = model(
        input_ids=ids,
        attention_mask=mask if padded else None,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
        use_cache=True,
        logits_to_keep=1,
    )
    output.past_key_values.batch_select_indices(rows)
    return _State(
        logits=output.logits[rows, -1],
        cache=output.past_key_values,
        lengths=mask.sum(dim=1)[rows],
        mask=mask[rows] if padded else None,
        recorded_rows=rows,
    )


def pad_left(
    token_ids: Sequence[Sequence[int]], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (ids, mask), each (rows, longest) int64: mask is 0 on the padding, ids 0 too."""
    longest = max(map(len, token_ids))
    ids = torch.zeros(len(token_ids), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(token_ids):
        ids[row, longest - len(tokens) :] = torch.tensor(tokens)
        mask[row, longest - len(tokens) :] = 1
    return ids.to(device), mask.to(device)
