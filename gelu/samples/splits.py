"""Honest splits and intervals: by prompt, never by sample.

    groups = prompt_groups(prompt_idx, prompt_texts)      # equal or prefix-equal texts are one
    held_out = split_prompts(groups, 0.2, seed)           # (n,) bool, no prompt on both sides
    low, high = interval(loss_sums, n_samples, "positive")     # both by group: over prompts

Tokens of one prompt resemble each other, in and between its completions. A predictor tested on
prompts that it has learned from is flattered, and an interval over tokens is too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from gelu.errors import UserError

VALIDATION_SHARE = 1 / 8
LEVEL = 0.95
# Below so many prompts, intervals over heavy-tailed losses hold the true value in 87 to 90 % of
# cases, from there on in more than 90 % (benchmarks/coverage.py).
ENOUGH_PROMPTS = 30

# What a quantity can be: any number; 0 or more; a share of trials, whose numbers are denominators.
Scale = Literal["any", "positive", "share"]


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


def interval(
    numerators: ArrayLike, denominators: ArrayLike, scale: Scale = "any", level: float = LEVEL
) -> tuple[Any, Any]:
    """Return the (low, high) ends of an interval of sum(numerators) / sum(denominators).

    numerators: (G,) or (G, k), sums over each prompt's samples, such as losses (or differences of
    losses of two predictors: an interval of a difference needs both on the same prompts);
    denominators: (G,), such as numbers of samples. A mean over samples is the ratio of the two.
    Returns two floats, or two arrays (k,); NaN with fewer than two prompts that have samples.

    The standard error is over prompts, linearised, with the correction for few and unequal prompts
    of Bell and McCaffrey (2002), and Student's t with their degrees of freedom. The ends are the
    values that lie so many standard errors from the estimate, where the variance is the same at all
    values (`any`), grows with the value (`positive`), or is that of a share, p (1 - p): the last is
    Wilson's interval (1927) with an effective number of trials (Korn and Graubard 1998).
    benchmarks/coverage.py measures how often such intervals hold the true value.
    """
    above = np.asarray(numerators, np.float64)
    below = np.asarray(denominators, np.float64)
    if np.count_nonzero(below) < 2:
        nothing = np.full(above.shape[1:], np.nan)
        return (nothing, nothing) if above.ndim > 1 else (float("nan"), float("nan"))
    estimate, variance, freedom = _over_prompts(above.reshape(len(below), -1), below)
    quantile = float(special.stdtrit(freedom, (1 + level) / 2))
    if scale == "any":
        reach = quantile * np.sqrt(variance)
        low, high = estimate - reach, estimate + reach
    else:
        curve = 1.0 if scale == "share" else 0.0
        unit = estimate * (1 - curve * estimate)  # the variance of one trial, up to a factor
        squared = quantile**2 * np.divide(variance, unit, out=np.zeros_like(unit), where=unit > 0)
        if scale == "share":
            # Where all is right or all wrong no spread is seen: each prompt counts as one trial.
            alone = float(special.ndtri((1 + level) / 2)) ** 2 / np.count_nonzero(below)
            squared = np.where(unit > 0, np.maximum(squared, quantile**2 / below.sum()), alone)
        low, high = _score_ends(estimate, squared, curve)
    return (low, high) if above.ndim > 1 else (float(low[0]), float(high[0]))


def _over_prompts(
    above: NDArray[np.float64], below: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return each column's ratio (k,), the variances of these (k,), and their degrees of freedom.

    above: (G, k); below: (G,), of which two or more are not 0. The degrees of freedom
    (Satterthwaite) are those where prompts differ from each other by the same variance, whatever
    their sizes: G - 1 for equal sizes, fewer where some prompts outweigh others.
    """
    total = below.sum()
    estimate = above.sum(axis=0) / total
    share = below / total
    residual = (above - below[:, None] * estimate) / total
    variance = (residual**2 / (1 - share)[:, None]).sum(axis=0)
    # The variance is a quadratic form in the prompts' means; its mean and its variance follow from
    # the traces of the form and of its square.
    weight, shift = share**2 / (1 - share), (share**2).sum() / 2 - share
    trace = (weight * (1 + 2 * shift)).sum()
    square = (weight**2 * (1 + 4 * shift)).sum()
    square += 2 * weight.sum() * (weight * shift**2).sum() + 2 * (weight * shift).sum() ** 2
    return estimate, variance, float(trace**2 / square)


def _score_ends(
    estimate: NDArray[np.float64], squared: NDArray[np.float64], curve: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where (estimate - x)^2 = squared * x (1 - curve x), the lesser and the larger x."""
    middle = (estimate + squared / 2) / (1 + curve * squared)
    reach = np.sqrt(np.maximum(middle**2 - estimate**2 / (1 + curve * squared), 0))
    return np.maximum(middle - reach, 0), np.minimum(middle + reach, 1 / curve if curve else np.inf)


def coverage_note(n_prompts: int, most: int | None = None) -> str:
    """Return in a sentence over how many prompts intervals are, and how far they can be trusted.

    most: the largest number, where intervals are over different numbers of prompts.
    """
    number = f"{n_prompts:,}" if most in (None, n_prompts) else f"{n_prompts:,} to {most:,}"
    sentence = f"95 % intervals are over {number} held-out prompts"
    if n_prompts >= ENOUGH_PROMPTS:
        return f"{sentence}."
    return (
        f"{sentence}: a rough guide. Over fewer than {ENOUGH_PROMPTS} prompts one in eight misses "
        "the true value where a few prompts are much unlike the others"
        + ("; over one there is none." if n_prompts < 2 else ".")
    )
