"""Honest splits and intervals: by prompt, never by sample.

    groups = prompt_groups(prompt_idx, prompt_texts)      # equal or prefix-equal texts are one
    held_out = split_prompts(groups, 0.2, seed)           # (n,) bool, no prompt on both sides
    low, high = interval(loss_sums, n_samples, seed)      # both by group: resampled prompts

Tokens of one prompt resemble each other, in and between its completions. A predictor tested on
prompts that it has learned from is flattered, and an interval from resampled tokens is too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gelu.cli import UserError

VALIDATION_SHARE = 1 / 8
DRAWS, LEVEL = 1000, 0.95


def prompt_groups(prompt_idx: ArrayLike, texts: Sequence[str] | None = None) -> NDArray[np.int64]:
    """Return a number 0..G-1 for each sample, equal for samples that must not be separated.

    prompt_idx: (n,), the prompt of each sample; texts: (n,), its text. Prompts of one text count as
    one, and so do prompts of which one begins with the other: what is written after the shorter one
    can be the longer one's text.
    """
    prompts = np.unique(np.asarray(prompt_idx), return_inverse=True)[1].reshape(-1)
    if texts is None or len(prompts) == 0:
        return prompts.astype(np.int64)
    text_of = _text_of_prompts(prompts, texts)
    roots = _shortest_beginnings(text_of)
    return np.unique(roots, return_inverse=True)[1][prompts].astype(np.int64)


def _text_of_prompts(prompts: NDArray[Any], texts: Sequence[str]) -> list[str]:
    first = np.unique(prompts, return_index=True)[1]
    return [str(texts[row]) for row in first]


def _shortest_beginnings(texts: list[str]) -> NDArray[np.int64]:
    """Return for each text the number of the shortest text that it begins with, (P,)."""
    roots = np.empty(len(texts), np.int64)
    root = None
    # In order, all texts that begin with another one stand right behind it.
    for number in sorted(range(len(texts)), key=lambda index: (texts[index], index)):
        if root is None or not texts[number].startswith(texts[root]):
            root = number
        roots[number] = root
    return roots


def split_prompts(groups: ArrayLike, share: float, seed: int) -> NDArray[np.bool_]:
    """Return which samples are held out, (n,) bool: all samples of a prompt, or none.

    groups: (n,), the prompt of each sample (see `prompt_groups`); share: of the prompts, rounded,
    but at least one is held out and at least one is not. Raises `UserError` for fewer than two.
    """
    numbers, codes = np.unique(np.asarray(groups), return_inverse=True)
    if len(numbers) < 2:
        raise UserError(
            f"the dataset has {len(numbers)} prompts; two with different texts are needed at "
            "least, to learn from one and test on the other"
        )
    n_held_out = min(max(1, round(share * len(numbers))), len(numbers) - 1)
    chosen = np.random.default_rng(seed).permutation(len(numbers))[:n_held_out]
    held_out: NDArray[np.bool_] = np.isin(codes.reshape(-1), chosen)
    return held_out


@dataclass(frozen=True)
class Parts:
    """Rows of the samples: learn and validate together are those of the training prompts.

    held_out_groups: (m,), the prompts 0..G-1 of the rows `held_out`.
    """

    learn: NDArray[np.int64]
    validate: NDArray[np.int64]
    held_out: NDArray[np.int64]
    held_out_groups: NDArray[np.int64]

    @property
    def training(self) -> NDArray[np.int64]:
        """The rows of all training prompts, ascending."""
        return np.sort(np.concatenate([self.learn, self.validate]))


def split_parts(groups: ArrayLike, share: float, seed: int) -> Parts:
    """Hold out `share` of the prompts to test on, and an eighth of the others to choose on.

    groups: (n,), see `prompt_groups`. What is chosen on the validation prompts is when to stop and
    how much to smooth. Raises `UserError` for fewer than three prompts.
    """
    codes = np.asarray(groups)
    n_groups = len(np.unique(codes))
    if n_groups < 3:
        raise UserError(
            f"the dataset has {n_groups} prompts of different texts; three are needed at least: to "
            "learn from, to choose on and to test on"
        )
    held_out = split_prompts(codes, min(share, (n_groups - 2) / n_groups), seed)
    training = np.flatnonzero(~held_out)
    validation = split_prompts(codes[training], VALIDATION_SHARE, seed + 1)
    rows = np.flatnonzero(held_out)
    numbers = np.unique(codes[rows], return_inverse=True)[1].reshape(-1)
    return Parts(training[~validation], training[validation], rows, numbers.astype(np.int64))


def sums_by_group(values: ArrayLike, groups: ArrayLike) -> NDArray[np.float64]:
    """Return the sums of values over each prompt's samples, (G,) or (G, k), in order of number.

    values: (n,) or (n, k); groups: (n,). Only prompts that `groups` names have a row.
    """
    numbers, codes = np.unique(np.asarray(groups), return_inverse=True)
    array = np.asarray(values, np.float64)
    sums = np.zeros((len(numbers), *array.shape[1:]))
    np.add.at(sums, codes.reshape(-1), array)
    return sums


def resampled_weights(n_groups: int, seed: int, draws: int = DRAWS) -> NDArray[np.float64]:
    """Return how often each prompt is in each bootstrap sample of prompts, (draws, G).

    Efron's bootstrap over clusters: prompts are drawn with replacement, each with all its samples.
    """
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=draws)
    return weights.astype(np.float64)


def interval(
    numerators: ArrayLike,
    denominators: ArrayLike,
    seed: int,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> tuple[Any, Any]:
    """Return the (low, high) percentiles of sum(numerators) / sum(denominators) over prompts.

    numerators: (G,) or (G, k), sums over each prompt's samples, such as losses (or differences of
    losses of two predictors: an interval of a difference needs both on the same prompts);
    denominators: (G,), such as numbers of samples. A mean over samples is the ratio of the two.
    Returns two floats, or two arrays (k,). With one prompt there is nothing to resample: NaN.
    """
    above = np.asarray(numerators, np.float64)
    below = np.asarray(denominators, np.float64)
    if len(below) < 2:
        nothing = np.full(above.shape[1:], np.nan)
        return (nothing, nothing) if above.ndim > 1 else (float("nan"), float("nan"))
    weights = resampled_weights(len(below), seed, draws)
    total = weights @ below
    ratios = (weights @ above) / (total[:, None] if above.ndim > 1 else total)
    tail = 50 * (1 - level)
    low, high = np.percentile(ratios, [tail, 100 - tail], axis=0)
    return (low, high) if above.ndim > 1 else (float(low), float(high))
