"""Writing completions while recording, for each token, the neurons active where it was predicted.

    rows = [Row(prompt, stream) for stream in range(prompt.n_samples)]
    for step in generate(model, rows, settings):
        step.rows, step.number, step.records

Prompts of several lengths share a batch by left padding. Each distinct prompt is read once and its
keys and values handed to all its completions. No files are opened here.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gelu.artifacts.records import record_type
from gelu.generation.host_copy import HostCopy
from gelu.generation.prompts import Prompt
from gelu.generation.sampling import draw_tokens, token_uniforms
from gelu.model.gpt2 import GPT2, KeyValueCache
from gelu.model.hooks import GeluRecorder
from gelu.model.recording import after_last_token
from gelu.neurons import Geometry

# Tokens of prompts read at once: more would be no faster and take more memory.
TOKENS_AT_ONCE = 4096


@dataclass(frozen=True)
class SamplingSettings:
    """How tokens are drawn."""

    seed: int
    temperature: float
    top_k: int


@dataclass(frozen=True)
class Row:
    """One completion to write; stream: which completion of that text it is, 0-based."""

    prompt: Prompt
    stream: int


@dataclass(frozen=True)
class Step:
    """One token of some rows. records: `record_type`, one for each of `rows`."""

    rows: NDArray[np.int64]
    number: int
    records: NDArray[Any]


class NotFiniteError(ArithmeticError):
    """The model yields something that is no number."""

    def __init__(self, row: int, step: int, layer: int | None) -> None:
        where = "the logits" if layer is None else f"layer {layer}"
        super().__init__(f"{where}, row {row}, step {step}")
        self.row, self.step, self.where = row, step, where


def default_batch_size(device: str, geometry: Geometry, n_positions: int) -> int:
    """Return a batch size that is fast on the device and keeps the key-value cache small.

    n_positions: the longest prompt with its new tokens. The cache is kept to 1 GB, or 8 GB on
    CUDA; on CPUs rows/s rises little beyond 64 rows.
    """
    largest, budget = (256, 8 << 30) if device == "cuda" else (64, 1 << 30)
    row_bytes = 2 * 4 * geometry.n_layer * geometry.n_embd * n_positions
    return max(1, min(largest, budget // row_bytes))


def generate(
    model: GPT2, rows: Sequence[Row], settings: SamplingSettings, recording: bool = True
) -> Iterator[Step]:
    """Write one batch of completions together; yield each step's tokens and neurons.

    Exactly `n_new` tokens are written a row, the end-of-text token like any other. recording: off
    to measure what it costs; no neuron is then active. Raises `NotFiniteError` where the model's
    logits are no numbers.
    """
    written = np.zeros((len(rows), max(row.prompt.n_new for row in rows)), np.int64)
    for step in _steps(model, rows, settings, recording):
        bad = step.rows[~np.isfinite(step.records["logprob"])]
        if len(bad):
            context = [*rows[bad[0]].prompt.token_ids, *written[bad[0], : step.number].tolist()]
            raise NotFiniteError(int(bad[0]), step.number, _first_layer_not_finite(model, context))
        written[step.rows, step.number] = step.records["id"]
        yield step


@torch.inference_mode()
def _steps(
    model: GPT2, rows: Sequence[Row], settings: SamplingSettings, recording: bool
) -> Iterator[Step]:
    model.pack()
    n_new = np.array([row.prompt.n_new for row in rows])
    going_on = np.arange(len(rows))
    uniforms = _uniforms(rows, settings.seed, int(n_new.max()), model.device)
    host_copy = HostCopy(model.device, record_type(model.architecture.geometry.n_neurons))
    with GeluRecorder(model, positions=-1) if recording else nullcontext() as recorder:
        batch = _read_prompts(model, rows, recorder)
        for number in range(int(n_new.max())):
            ids, logprobs = draw_tokens(
                batch.logits, uniforms[:, number], settings.temperature, settings.top_k
            )
            # NaN and infinity show in what is drawn; -infinity, which gives no chance, only here.
            logprobs = logprobs + 0 * batch.logits.amin(dim=-1).to(logprobs)
            for tag, records in host_copy.put((going_on, number), ids, logprobs, batch.active):
                yield Step(tag[0], tag[1], records)
            staying = n_new[going_on] > number + 1
            if not staying.any():
                break
            if not staying.all():
                index = torch.as_tensor(np.flatnonzero(staying), device=ids.device)
                batch.keep(index)
                ids, uniforms, going_on = ids[index], uniforms[index], going_on[staying]
            batch.advance(model, ids, recorder)
        for tag, records in host_copy.rest():
            yield Step(tag[0], tag[1], records)


def _uniforms(rows: Sequence[Row], seed: int, n: int, device: torch.device) -> torch.Tensor:
    numbers = np.stack([token_uniforms(seed, row.prompt.text, row.stream, n) for row in rows])
    # Apple's GPUs have no float64; tokens are drawn on the host there.
    return torch.from_numpy(numbers).to("cpu" if device.type == "mps" else device)


def _first_layer_not_finite(model: GPT2, token_ids: Sequence[int]) -> int | None:
    """Return the first layer whose neurons are no numbers after these tokens, None for none."""
    geometry = model.architecture.geometry
    values, _ = after_last_token(model, token_ids, keep="value")
    finite = values.view(geometry.n_layer, geometry.d_mlp).isfinite().all(dim=1)
    return None if bool(finite.all()) else int((~finite).nonzero()[0])


@dataclass
class _Batch:
    """A batch between two forwards.

    logits: (rows, vocabulary) after the newest token. active: (rows, n_neurons) bool at it, None
    where nothing is recorded. lengths: each row's tokens so far, which is the next one's position.
    mask: (rows, positions of the cache) bool, which are no padding, or None where nothing is.
    """

    logits: torch.Tensor
    active: torch.Tensor | None
    cache: KeyValueCache
    lengths: torch.Tensor
    mask: torch.Tensor | None

    def keep(self, index: torch.Tensor) -> None:
        """Drop all rows but these."""
        index = index.to(self.lengths.device)
        self.cache = self.cache.select(index)
        self.lengths = self.lengths[index]
        self.mask = None if self.mask is None else self.mask[index]

    def advance(self, model: GPT2, ids: torch.Tensor, recorder: GeluRecorder | None) -> None:
        """Let the model read each row's newest token, ids: (rows,)."""
        ids = ids.to(model.device)
        mask = self.mask
        if mask is not None:
            mask = mask[:, None, None, : self.cache.length + 1]
        self.logits = model(ids[:, None], self.cache, self.lengths[:, None], mask)
        self.active = None if recorder is None else recorder.take()
        self.lengths = self.lengths + 1


def _read_prompts(model: GPT2, rows: Sequence[Row], recorder: GeluRecorder | None) -> _Batch:
    """Read each distinct prompt once and spread the result over its completions."""
    distinct = list(dict.fromkeys(row.prompt.token_ids for row in rows))
    place = {token_ids: index for index, token_ids in enumerate(distinct)}
    of_row = np.array([place[row.prompt.token_ids] for row in rows])
    lengths = np.array([len(token_ids) for token_ids in distinct])
    longest, n_new = int(lengths.max()), max(row.prompt.n_new for row in rows)
    cache = KeyValueCache.of(model, len(rows), longest + n_new)
    cache.clear(longest - int(lengths.min()))
    logits: list[torch.Tensor] = []
    active: list[torch.Tensor] = []
    for first, last in _portions(lengths):
        width = int(lengths[first:last].max())
        small = KeyValueCache.of(model, last - first, width)
        logits.append(_read(model, distinct[first:last], width, small))
        if recorder is not None:
            active.append(recorder.take())
        wanted = np.flatnonzero((of_row >= first) & (of_row < last))
        cache.take_over(small, of_row[wanted] - first, wanted, longest - width)
    cache.length = longest
    index = torch.as_tensor(of_row, device=model.device)
    padding = torch.as_tensor(longest - lengths, device=model.device)[index]
    columns = torch.arange(longest + n_new, device=model.device)
    return _Batch(
        logits=torch.cat(logits)[index],
        active=torch.cat(active)[index] if active else None,
        cache=cache,
        lengths=longest - padding,
        mask=columns >= padding[:, None] if (lengths < longest).any() else None,
    )


def _portions(lengths: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cut prompts of these lengths into runs [first, last) that are read at once."""
    first = 0
    for last in range(1, len(lengths) + 1):
        too_many = last < len(lengths) and (
            (last + 1 - first) * int(lengths[first : last + 1].max()) > TOKENS_AT_ONCE
        )
        if too_many or last == len(lengths):
            yield first, last
            first = last


def _read(
    model: GPT2, prompts: Sequence[Sequence[int]], width: int, cache: KeyValueCache
) -> torch.Tensor:
    """Read prompts padded on the left to `width`; return the logits after them."""
    ids = torch.zeros(len(prompts), width, dtype=torch.int64)
    for row, token_ids in enumerate(prompts):
        ids[row, width - len(token_ids) :] = torch.tensor(token_ids)
    padding = torch.tensor([width - len(token_ids) for token_ids in prompts])
    columns = torch.arange(width)
    positions = (columns - padding[:, None]).clamp(min=0)
    mask = None
    if bool(padding.any()):
        # Padding reads itself: a row of attention without any key would be no number.
        there = (columns >= padding[:, None])[:, None, :] | (columns == columns[:, None])
        mask = (there & (columns <= columns[:, None]))[:, None].to(model.device)
    return model(ids.to(model.device), cache, positions.to(model.device), mask)
