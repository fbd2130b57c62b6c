"""Datasets whose truth about tokens and positions is known, for `false_findings_tokens.py`.

    world = draw_world(rng, Shape(12, 5, 40), shared=0.8)
    world.samples, world.detectors, world.positions

Tokens are drawn independently and uniformly, or completions take over a part of a text of their
prompt, place by place (`shared`: with that chance), as completions of one prompt do. Neurons that
know nothing about a token or a position: those that read a token a few back, or any of the last
few, those that stay as they are, those that are busy under a prompt or in a completion, and chance.
Where completions share a text these read another one, shared in the same way and drawn apart, so
that no token of the dataset tells what they do.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.prompt_worlds import Shape
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples, arrange

LETTERS = 20
LEAST_LENGTH, MOST_LENGTH = 6, 12  # of a prompt, in tokens
BACK = (1, 2, 3, 5)
OF_A_KIND = 20
DETECTORS, RECALLS, NOISE = 8, (1.0, 0.6), 0.02
RANGES = 6


class Detector(NamedTuple):
    """A neuron active at a share `recall` of a token's samples and hardly elsewhere."""

    role: str
    token: int
    neuron: int
    recall: float


class Range(NamedTuple):
    """A neuron active at these positions and nowhere else."""

    neuron: int
    start: int
    end: int


class World(NamedTuple):
    """A dataset and all that is true of it; every other neuron knows nothing."""

    samples: Samples
    detectors: list[Detector]
    positions: list[Range]


class _Text:
    """The tokens of a dataset's prompts and completions."""

    def __init__(self, rng: Any, shape: Shape, lengths: Any, shared: float) -> None:
        self.shape, self.lengths = shape, lengths
        self.completions = []
        for length in lengths:
            whole = rng.integers(LETTERS, size=length + shape.tokens)
            for _ in range(shape.completions):
                own = rng.integers(LETTERS, size=shape.tokens)
                taken = rng.random(shape.tokens) < shared
                text = whole.copy()
                text[length:] = np.where(taken, whole[length:], own)
                self.completions.append(text)

    def back(self, distance: int) -> Any:
        """Return the token so many before the context token, of each sample; -1: the output."""
        starts = np.repeat(self.lengths, self.shape.completions) - 1 - distance
        rows = zip(self.completions, starts, strict=True)
        return np.concatenate([text[start : start + self.shape.tokens] for text, start in rows])


def draw_world(rng: Any, shape: Shape, shared: float = 0.0) -> World:
    """Draw a dataset; shared: with which chance a token is that of its prompt's text."""
    lengths = rng.integers(LEAST_LENGTH, MOST_LENGTH + 1, shape.prompts)
    text = _Text(rng, shape, lengths, shared)
    size = (shape.prompts * shape.completions, shape.tokens)
    position = np.repeat(lengths, shape.completions)[:, None] - 1 + np.arange(shape.tokens)
    columns = [*_readers(rng, shape, lengths, shared, text), *_without_text(rng, shape)]
    detectors = []
    for number, recall in enumerate(RECALLS * DETECTORS):
        role = ("output", "context")[number // 2 % 2]
        token = int(rng.integers(LETTERS))
        present = text.back(-1 if role == "output" else 0) == token
        detectors.append(Detector(role, token, len(columns), recall))
        columns.append(rng.random(present.shape) < np.where(present, recall, NOISE))
    ranges = []
    # Where all prompts have samples: the range is then known exactly.
    first, end = int(lengths.max()) - 1, int(lengths.min()) - 1 + shape.tokens
    for _ in range(RANGES):
        start, stop = np.sort(rng.choice(np.arange(first, end + 1), 2, replace=False))
        ranges.append(Range(len(columns), int(start), int(stop)))
        columns.append(((position >= start) & (position < stop)).ravel())
    active = np.stack(columns, axis=1)
    table = _table(shape, size, text, position.ravel())
    geometry = Geometry(1, 0, active.shape[1], 0)
    samples = arrange(table, PackedActivations.from_bool(active), geometry)
    return World(samples, detectors, ranges)


def _readers(rng: Any, shape: Shape, lengths: Any, shared: float, text: _Text) -> Iterator[Any]:
    """Yield neurons that read earlier tokens: one of them, or any of the last few."""
    for back in BACK:
        for _ in range(OF_A_KIND):
            read = text if shared == 0 else _Text(rng, shape, lengths, shared)
            letters = rng.choice(LETTERS, rng.integers(1, LETTERS // 2), replace=False)
            yield np.isin(read.back(back), letters)
    for _ in range(OF_A_KIND):
        read = text if shared == 0 else _Text(rng, shape, lengths, shared)
        letters = rng.choice(LETTERS, 2, replace=False)
        last = range(1, int(rng.integers(3, LEAST_LENGTH)))
        yield np.any([np.isin(read.back(back), letters) for back in last], axis=0)


def _without_text(rng: Any, shape: Shape) -> Iterator[Any]:
    """Yield neurons that stay as they are, are busy under some prompts or in some completions, or
    are active by chance."""
    n = shape.prompts * shape.completions
    for _ in range(OF_A_KIND):
        active = rng.random((n, shape.tokens)) < rng.uniform(0.05, 0.6)
        stays = rng.random(active.shape) < 0.9
        for place in range(1, shape.tokens):
            active[:, place] = np.where(stays[:, place], active[:, place - 1], active[:, place])
        yield active.ravel()
        of_prompt = np.repeat(rng.beta(0.5, 1, shape.prompts), shape.completions)
        for rate in (of_prompt, rng.beta(0.5, 1, n), np.full(n, rng.uniform(0.01, 0.7))):
            yield (rng.random((n, shape.tokens)) < rate[:, None]).ravel()


def _table(shape: Shape, size: tuple[int, int], text: _Text, position: Any) -> pd.DataFrame:
    n, outputs, contexts = size[0] * size[1], text.back(-1), text.back(0)
    prompt = np.repeat(np.arange(shape.prompts), shape.completions * shape.tokens)
    number = np.tile(np.repeat(np.arange(shape.completions), shape.tokens), shape.prompts)
    return pd.DataFrame(
        {
            "sample_id": np.arange(n),
            "prompt_sample_idx": number,
            "token_position": np.tile(np.arange(shape.tokens), size[0]),
            "absolute_position": position,
            "input_text": [f"prompt {each}" for each in prompt],
            "output": [f"t{token}" for token in outputs],
            "output_id": outputs,
            "context_token": [f"t{token}" for token in contexts],
            "context_token_id": contexts,
            "prompt_idx": prompt,
        }
    )
