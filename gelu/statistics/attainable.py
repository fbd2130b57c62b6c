"""What a family of tests could find at all: the smallest p-values that its design allows.

A p-value of a permutation test is never below one in the number of ways to deal. Where even that is
too large for the number of tests, an empty table says nothing about the data, and a reader is told.
"""

import math
from collections.abc import Callable, Sequence

MOST_NEEDED = 1_000


def fewest_together(smallest_p: float, n_tests: int, fdr: float) -> int:
    """Return how many of `n_tests` must have the smallest p-value for any of them to pass.

    By Benjamini and Hochberg: k tests pass together where p * n_tests / k is `fdr` at most.
    """
    return max(1, math.ceil(smallest_p * n_tests / fdr - 1e-9))


def completions_needed(n_prompts: int, n_tests: int, fdr: float) -> int | None:
    """Return how many completions each of the prompts needs for one test alone to pass.

    None where no number up to `MOST_NEEDED` is enough, as with one prompt.
    """
    needed = range(2, MOST_NEEDED + 1)
    enough = (k for k in needed if math.comb(n_prompts * k, k) * fdr >= n_tests)
    return next(enough, None) if n_prompts > 1 else None


def partitions(sizes: Sequence[int]) -> float:
    """Return in how many ways completions can be dealt to prompts that get so many each.

    Prompts of one size are not told apart: exchanging theirs changes no similarity within prompts.
    Infinity where the number is too large for a float.
    """
    log = math.lgamma(sum(sizes) + 1) - sum(math.lgamma(size + 1) for size in sizes)
    log -= sum(math.lgamma(sizes.count(size) + 1) for size in set(sizes))
    return math.exp(log) if log < 700 else math.inf


def attainable_tests(n_below: Callable[[float], int], fdr: float) -> tuple[float, int]:
    """Return (how small a test's least p-value has to be, number of tests for which it is).

    Counts are whole, so a test of few samples has a least p-value, whatever the data. Those that
    could never pass need not be counted: with K the smallest number for which K tests or fewer have
    a least p-value up to fdr / K, these alone are tested (Tarone 1990, *Biometrics* 46; Gilbert
    2005, *Applied Statistics* 54). n_below: how many tests have a least
    p-value up to the given one; it must not depend on what the tests find.
    """
    low, high = 1, max(1, n_below(fdr))
    while low < high:
        middle = (low + high) // 2
        if n_below(fdr / middle) <= middle:
            high = middle
        else:
            low = middle + 1
    return fdr / low, n_below(fdr / low)
