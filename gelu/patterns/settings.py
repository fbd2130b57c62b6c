"""What decides which patterns are found; neither NumPy nor SciPy is needed to say so.

A value out of bounds is a `UserError`.
"""

from dataclasses import dataclass

from gelu.limits import COUNT, FDR, NULL_DRAWS, PATTERNS, SEED, settle


@dataclass(frozen=True)
class SearchSettings:
    """seed: of the halves, subsamples and permutations; fdr: the false-discovery rate;
    max_patterns: how many are sought in each half; null_draws: how many permuted data sets are
    searched."""

    seed: int = 42
    fdr: float = 0.05
    max_patterns: int = 100
    null_draws: int = 3

    def __post_init__(self) -> None:
        settle(self, seed=SEED, fdr=FDR, max_patterns=PATTERNS, null_draws=NULL_DRAWS)


@dataclass(frozen=True)
class PatternSettings:
    """search: how patterns are sought; min_token_count: samples a tested token has at least."""

    search: SearchSettings = SearchSettings()
    min_token_count: int = 5

    def __post_init__(self) -> None:
        settle(self, min_token_count=COUNT)
