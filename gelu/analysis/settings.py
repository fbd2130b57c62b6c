"""What decides which findings an analysis has."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AnalysisSettings:
    """seed: of every random step; fdr: the false-discovery rate of each family of tests;
    min_token_count: samples that a tested token has at least; n_clusters: None to choose; min_phi,
    top_per_token: which of the token-specific neurons the table keeps."""

    seed: int = 42
    fdr: float = 0.05
    min_token_count: int = 3
    n_clusters: int | None = None
    min_phi: float = 0.1
    top_per_token: int | None = 50
