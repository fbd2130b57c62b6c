"""Logistic regression on principal components with an L2 penalty: what is best with few samples.

    directions = principal_components(activations, rows, means, rank, seed)     # (neurons, rank)
    inputs = project(activations, rows, means, directions)                      # (m, rank)
    chosen = choose_penalty(inputs, classes, prior, learn, validate)
    weights = fit_penalised(inputs, classes, prior, chosen.penalty)             # (r + 1, classes)

Multinomial logistic regression with an L2 penalty is convex: one optimum, wherever it starts, and
no epochs to choose. Thousands of neurons on few samples are first turned to their leading principal
components (Marx and Smith 1990), which takes off directions that are mostly chance and makes the
cost independent of the number of neurons. How strong the penalty is, is chosen on validation
prompts. The intercepts are penalised towards the unigram, so that a penalty without end leaves
that.
"""

from dataclasses import dataclass

import numpy as np
import scipy.optimize
import torch
from numpy.typing import NDArray

from gelu.packed import PackedActivations

BITS = 1 / np.log(2)
# Of half the sum of squared weights, beside the summed surprise in nats; scikit-learn's 1 / C.
PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1)
# More directions than asked for, and turns of the subspace, for a close fit of the last ones.
OVERSAMPLING, TURNS = 32, 3
MOST_STEPS, LEAST_GAIN = 100, 2e-4
# How often a fit goes over the samples, all penalties of the grid together, about.
EVALUATIONS = 75

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


def principal_components(
    activations: PackedActivations, rows: Ints, means: torch.Tensor, rank: int, seed: int
) -> torch.Tensor:
    """Return the leading principal components of the activity in these rows, (neurons, r).

    means: (neurons,), of these rows; r: `rank` at most. Columns are orthonormal, the strongest
    first. By turns of a random subspace (Halko, Martinsson and Tropp 2011), in blocks of rows.
    """
    width = min(rank + OVERSAMPLING, activations.n_neurons, len(rows))
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn(activations.n_neurons, width, generator=generator)
    for _ in range(TURNS):
        basis = torch.linalg.qr(_covariance_times(activations, rows, means, basis))[0]
    covariance = basis.T @ _covariance_times(activations, rows, means, basis)
    order = torch.linalg.eigh((covariance + covariance.T) / 2)[1].flip(1)[:, :rank]
    return basis @ order


def project(
    activations: PackedActivations,
    rows: Ints,
    means: torch.Tensor,
    directions: torch.Tensor,
    step: int = 1024,
) -> torch.Tensor:
    """Return the components of these rows, (m, r)."""
    parts = [torch.empty((0, directions.shape[1]))]
    for start in range(0, len(rows), step):
        parts.append((_floats(activations, rows[start : start + step]) - means) @ directions)
    return torch.cat(parts)


def _floats(activations: PackedActivations, rows: Ints) -> torch.Tensor:
    return torch.from_numpy(activations.rows(rows)).to(torch.float32)


def _covariance_times(
    activations: PackedActivations,
    rows: Ints,
    means: torch.Tensor,
    basis: torch.Tensor,
    step: int = 1024,
) -> torch.Tensor:
    total = torch.zeros_like(basis)
    for start in range(0, len(rows), step):
        centred = _floats(activations, rows[start : start + step]) - means
        total += centred.T @ (centred @ basis)
    return total / len(rows)


def fit_penalised(
    inputs: torch.Tensor,
    classes: Ints,
    prior: NDArray[np.float64],
    penalty: float,
    start: Floats | None = None,
    least_gain: float = LEAST_GAIN,
) -> Floats:
    """Return the weights and, in the last row, what is added to log(prior), (rank + 1, classes).

    Least summed surprise in nats plus `penalty` / 2 times the sum of squares, by L-BFGS (Liu and
    Nocedal 1989). inputs: (m, rank); classes: (m,); start: weights to begin with, 0 if not given;
    least_gain: relative to the loss, of a step; a smaller one ends the search.
    """
    m, shape = len(inputs), (inputs.shape[1] + 1, len(prior))
    truth, log_prior = torch.from_numpy(classes), torch.from_numpy(prior).float().log()
    places = torch.arange(m)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = torch.from_numpy(flat).float().reshape(shape)
        logits = torch.addmm(log_prior + weights[-1], inputs, weights[:-1])
        total = torch.logsumexp(logits, dim=1)
        surprise = float((total - logits[places, truth]).double().sum())
        slope = logits.sub_(total[:, None]).exp_()
        slope[places, truth] -= 1
        gradient = torch.cat([inputs.T @ slope, slope.sum(dim=0, keepdim=True)])
        gradient += penalty * weights
        squares = float(weights.double().square().sum())
        value = (surprise + penalty / 2 * squares) / m
        return value, gradient.double().reshape(-1).numpy() / m

    first = np.zeros(shape) if start is None else start.astype(np.float64)
    options = {"maxiter": MOST_STEPS, "ftol": least_gain, "gtol": 0.0}
    found = scipy.optimize.minimize(
        loss, first.reshape(-1), jac=True, method="L-BFGS-B", options=options
    )
    return np.asarray(found.x, np.float32).reshape(shape)


def surprise_bits(
    weights: Floats, inputs: torch.Tensor, classes: Ints, prior: NDArray[np.float64]
) -> float:
    """Return the summed surprise at these classes in bits."""
    table = torch.from_numpy(weights)
    logits = torch.addmm(torch.from_numpy(prior).float().log() + table[-1], inputs, table[:-1])
    given = logits[torch.arange(len(inputs)), torch.from_numpy(classes)]
    return float((torch.logsumexp(logits, dim=1) - given).double().sum()) * BITS


@dataclass(frozen=True)
class Chosen:
    """The best penalty: weights (r + 1, classes), fitted to the rows to learn from; loss: mean
    surprise on the rows to validate on, in bits."""

    loss: float
    penalty: float
    weights: Floats


def choose_penalty(
    inputs: torch.Tensor,
    classes: Ints,
    prior: NDArray[np.float64],
    learn: Ints,
    validate: Ints,
) -> Chosen:
    """Return the penalty with the least surprise on the rows `validate`.

    inputs: (m, r); learn, validate: rows of it. Penalties are tried from the strongest on, each fit
    starting from the one before, up to the first that is worse: the loss has one minimum, and
    beyond it fits take long.
    """
    best: Chosen | None = None
    learned, left_out = inputs[learn], inputs[validate]
    for penalty in PENALTIES:
        start = None if best is None else best.weights
        weights = fit_penalised(learned, classes[learn], prior, penalty, start)
        loss = surprise_bits(weights, left_out, classes[validate], prior) / len(validate)
        if best is not None and loss >= best.loss:
            break
        best = Chosen(loss, penalty, weights)
    assert best is not None
    return best
