"""Counts and a network together: log-odds in which each adds, by layer, as much as it is worth.

    base, steps = mixed_steps("learned", rates, network_logits)     # (w,), k arrays (m, w)
    weights = fit_weights(base, steps, active)                      # (k,), flat arrays in
    logits = mixtures.logits("learned", layers, rates, network_logits)

Stacking (Wolpert 1992) with weights of 0 or more (Breiman 1996): logistic regression of activity on
the log-odds that the last token adds to the base rate, the one before adds to that, and the network
adds to the base rate. Weights of 1, 1, 0 are the back-off counts, of 0, 0, 1 the network, so the
mixture can do as well as the better of them, and on few prompts, where the two err differently,
does better than both. The weights are fitted to validation prompts, which neither has learned from.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gelu.learning.backoff import Rates
from gelu.learning.scores import log_loss_bits, logit

# What is mixed: the counts that see no more than the network is shown.
COUNTS_OF: dict[str, tuple[str, ...]] = {
    "learned": ("token", "pair"),
    "learned_token_only": ("token",),
    "learned_position_only": (),
}
# Three weights need no more than so many values; rows beyond are passed over evenly.
MOST_VALUES = 1 << 20
NEWTON_STEPS, HALVINGS, LEAST_GAIN = 12, 6, 1e-6

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Mixtures:
    """weights: by predictor, (n_layer, k): of the counts in `COUNTS_OF`, then of the network."""

    weights: dict[str, Floats]

    def logits(
        self, predictor: str, layers: NDArray[np.int64], rates: Rates, network: Floats
    ) -> Floats:
        """Return the mixed log-odds of some neurons, (m, w); layers: (w,), of each neuron."""
        base, steps = mixed_steps(predictor, rates, network)
        weights = self.weights[predictor][layers]
        total = np.broadcast_to(base, network.shape).copy()
        for number, step in enumerate(steps):
            total += weights[:, number] * step
        return total


def mixed_steps(predictor: str, rates: Rates, network: Floats) -> tuple[Floats, list[Floats]]:
    """Return the base rate's log-odds, (w,), and what each predictor adds, k arrays (m, w).

    network: (m, w), its log-odds with as much shown as `predictor` says.
    """
    base = logit(rates.base).astype(np.float32)
    steps, below = [], base
    for name in COUNTS_OF[predictor]:
        above = logit(rates.token if name == "token" else rates.pair).astype(np.float32)
        steps.append(above - below)
        below = above
    return base, [*steps, network - base]


def fit_weights(base: Floats, steps: list[Floats], active: NDArray[np.bool_]) -> Floats:
    """Return the weights of 0 or more with the least log-loss, (k,).

    base: (c,); steps: k arrays (c,); active: (c,). By Newton's method; a weight that would be
    negative is set to 0 and the others are fitted again.
    """
    kept = list(range(len(steps)))
    weights = np.zeros(len(steps), np.float32)
    while kept:
        found = _newton(base, [steps[number] for number in kept], active)
        if (found >= 0).all():
            weights[kept] = found
            break
        kept.remove(kept[int(np.argmin(found))])
    return weights


def _newton(base: Floats, steps: list[Floats], active: NDArray[np.bool_]) -> NDArray[np.float64]:
    x = np.stack(steps)
    weights, least = np.zeros(len(x)), _loss(np.zeros(len(x)), base, x, active)
    for _ in range(NEWTON_STEPS):
        rate = 1 / (1 + np.exp(-(base + weights.astype(np.float32) @ x)))
        slope = x @ (rate - active).astype(np.float32) / len(base)
        curvature = (x * (rate * (1 - rate)).astype(np.float32)) @ x.T / len(base)
        # What never adds anything has no curvature, and stays at 0.
        step = np.linalg.solve(curvature + 1e-6 * np.eye(len(x)), slope)
        # Far from the minimum a whole step can go too far.
        tried = [weights - step / 2**halvings for halvings in range(HALVINGS)]
        better = (each for each in tried if _loss(each, base, x, active) < least - LEAST_GAIN)
        found = next(better, None)
        if found is None:
            break
        weights, least = found, _loss(found, base, x, active)
    return weights


def _loss(
    weights: NDArray[np.float64], base: Floats, x: Floats, active: NDArray[np.bool_]
) -> float:
    return float(log_loss_bits(base + weights.astype(np.float32) @ x, active).mean())
