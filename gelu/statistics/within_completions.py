"""How often a neuron would be active with a label that only shares its completions.

A label may be frequent in the completions in which a neuron is often active without the two ever
going together. So each completion has a share of active samples of its own. Where a neuron's
completions are alike, it is drawn towards the overall share (empirical Bayes with a beta prior:
Kleinman 1973, *Journal of the American Statistical Association* 68): a completion's own share rests
on few samples, among them those with the label, and comparing with it alone would hide most of what
is there. How unlike completions may be is the upper end of a 96 % interval of their intraclass
correlation (Searle 1971, *Linear Models*, from the F ratio), not the estimate; and only what the
prior is worth beyond a completion's own samples counts, so that persistent neurons, which make
completions unlike, are compared within them alone.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gelu.samples.completions import Completions

TAIL = 0.02


def shares_within(sums: NDArray[np.float32], completions: Completions) -> NDArray[np.float64]:
    """Return the share of samples in which each neuron is active in each completion, drawn towards
    its overall share, (C, neurons); sums: (C, neurons), its active samples."""
    lengths = completions.lengths.astype(np.float64)
    strength = np.maximum(prior_strength(sums.astype(np.float64), lengths) - lengths.mean(), 0)
    overall = sums.sum(axis=0, dtype=np.float64) / lengths.sum()
    return np.asarray((strength * overall + sums) / (strength + lengths[:, None]), np.float64)


def prior_strength(sums: NDArray[np.float64], lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for how many samples each neuron's overall share counts, (neurons,).

    sums: (C, neurons), active samples of each completion; lengths: (C,). It is 1/r - 1 for an
    intraclass correlation r; 0 for a single completion, of which nothing is known.
    """
    n_completions, sizes = len(lengths), lengths[:, None]
    if n_completions == 1:
        return np.zeros(sums.shape[1])
    n = lengths.sum()
    share, overall = sums / sizes, sums.sum(axis=0) / n
    between = (sizes * (share - overall) ** 2).sum(axis=0) / (n_completions - 1)
    within = (sizes * share * (1 - share)).sum(axis=0) / max(n - n_completions, 1)
    least = stats.chi2.ppf(TAIL, n_completions - 1) / (n_completions - 1)
    excess = np.maximum(between / np.maximum(within, 1e-12) / least - 1, 0)
    typical = (n - (lengths**2).sum() / n) / (n_completions - 1)
    correlation = np.clip(excess / (excess + typical), 1e-6, 1)
    return np.asarray(1 / correlation - 1)
