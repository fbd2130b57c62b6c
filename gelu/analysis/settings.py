"""What decides which findings an analysis has."""

from dataclasses import dataclass

from gelu.limits import CLUSTERS, COUNT, FDR, SEED, optional, settle, unit_interval


@dataclass(frozen=True)
class AnalysisSettings:
    """seed: of every random step; fdr: the false-discovery rate of each family of tests;
    min_token_count: samples that a tested token has at least; clusters: None to choose; min_phi,
    top_per_token: which of the token-specific neurons the table keeps, None for all of a token.

    Raises `UserError` for a value out of bounds."""

    seed: int = 42
    fdr: float = 0.05
    min_token_count: int = 3
    clusters: int | None = None
    min_phi: float = 0.1
    top_per_token: int | None = 50

    def __post_init__(self) -> None:
        settle(
            self,
            seed=SEED,
            fdr=FDR,
            min_token_count=COUNT,
            clusters=optional(CLUSTERS),
            min_phi=unit_interval,
            top_per_token=optional(COUNT),
        )
