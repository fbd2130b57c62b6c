"""Fisher's exact test (1922) of many 2 x 2 tables of label and activity, one-sided."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special


def fisher_p_value(
    n_both: NDArray[np.int64],
    n_label: NDArray[np.int64],
    n_active: NDArray[np.int64],
    n_samples: int,
) -> NDArray[np.float64]:
    """Return Fisher's exact p-value that label and activity go together, one-sided, (tests,).

    The hypergeometric tail, summed term by term from the ratio of neighbouring ones; for millions
    of tests that is some fifty times as fast as `scipy.stats.hypergeom.sf`, with which it agrees.
    """
    rarer = n_both * n_samples <= n_label * n_active
    # Below the mean the other tail is summed: that fewer of the label's samples are active.
    table = Margins(
        np.where(rarer, n_label - n_both + 1, n_both),
        n_label,
        np.where(rarer, n_samples - n_active, n_active),
        n_samples,
    )
    tail = table.upper_tail()
    return np.where(rarer, 1 - np.where(n_both > 0, tail, 0.0), tail)


@dataclass(frozen=True)
class Margins:
    """2 x 2 tables of label and activity: samples with both, with the label, active, in all."""

    n_both: NDArray[np.int64]
    n_label: NDArray[np.int64]
    n_active: NDArray[np.int64]
    n_samples: int

    def upper_tail(self) -> NDArray[np.float64]:
        """Return the probability of so many in both or more; of impossible tables 0."""
        log_factorial = special.gammaln(np.arange(self.n_samples + 1) + 1.0)
        possible = self.n_both <= np.minimum(self.n_label, self.n_active)
        result = np.zeros(len(self.n_both))
        left = np.flatnonzero(possible)
        table = Margins(self.n_both[left], self.n_label[left], self.n_active[left], self.n_samples)
        total, term, going = np.ones(len(left)), np.ones(len(left)), np.arange(len(left))
        step = 0
        while len(going):
            term = term * table.ratio_to_next(going, step)
            total[going] += term
            # Above the mean the terms fall ever faster.
            more = term > total[going] * 1e-17
            going, term = going[more], term[more]
            step += 1
        result[left] = np.minimum(total * np.exp(table.log_probability(log_factorial)), 1.0)
        return result

    def log_probability(self, log_factorial: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the natural log of the hypergeometric probability of each table."""
        both, label, active, n = self.n_both, self.n_label, self.n_active, self.n_samples
        return np.asarray(
            (log_factorial[label] + log_factorial[n - label])
            + (log_factorial[active] + log_factorial[n - active] - log_factorial[n])
            - log_factorial[both]
            - log_factorial[label - both]
            - log_factorial[active - both]
            - log_factorial[n - label - active + both]
        )

    def ratio_to_next(self, tests: NDArray[np.int64], step: int) -> NDArray[np.float64]:
        """Return how much likelier `step + 1` more in both are than `step` more, (tests,)."""
        both, label, active = self.n_both[tests] + step, self.n_label[tests], self.n_active[tests]
        neither = self.n_samples - label - active + both
        above = (label - both).astype(np.float64) * (active - both)
        return above / ((both + 1.0) * (neither + 1.0))


def least_fisher_p_value(
    n_label: NDArray[np.int64], n_active: NDArray[np.int64], n_samples: int
) -> NDArray[np.float64]:
    """Return the p-value of the largest overlap that the sizes allow, (tests,): none is smaller."""
    return fisher_p_value(np.minimum(n_label, n_active), n_label, n_active, n_samples)
