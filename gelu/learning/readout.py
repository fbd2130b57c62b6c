"""The next token from which neurons are active: a linear readout, and one with a hidden layer.

    readout, loss = fit_readout(activations, classes, prior, learn, validate, fitting, done)
    few = fit_to_few(activations, classes, prior, learn, validate, fitting)
    logprobs = readout.log_probabilities(activations, rows)
    weights = readout.weights()                       # (neurons, classes), of a linear one

The linear readout is multinomial logistic regression with weights of reduced rank (Yee and Hastie
2003), A B with A (neurons, rank) and B (rank, classes). A model of width d has logits of rank d at
most, and weight decay on both factors is a penalty on the nuclear norm of their product (Srebro et
al. 2005). Each neuron has a gain beside its row of A, with a penalty on the gains' absolute values:
neurons that add little go (Breiman's garrote, 1995, learned along). Without it thousands of neurons
that hold the same as a few hundred others cost more than they tell. Up to `rank` neurons it is the
full regression. The intercepts start at the unigram. Fitted to many neurons at once, of which the
last layer's say most, it ends short of what these say alone; so a readout can also start from one
of other neurons (`Start`) and learn what the new ones add, or make do without those that are gone.

That takes some thousand samples. On fewer, regression on principal components with an L2 penalty
(`gelu.learning.components`) does better, and is tried as well where it costs at most twice as much.
The stochastic fit, whose epochs the validation prompts choose among, is then taken only where it is
better on them by more than a standard error. On gpt2-demo the two are as good at 27,000 samples.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from gelu.learning.components import (
    EVALUATIONS,
    choose_penalty,
    fit_penalised,
    principal_components,
    project,
)
from gelu.learning.early_stopping import Schedule, fit
from gelu.packed import PackedActivations

BITS = 1 / np.log(2)
# So many times the products of the stochastic fit may those of the penalised one be.
MOST_COST = 2


@dataclass(frozen=True)
class Fitting:
    """How a readout learns; hidden: width of the hidden layer, None for a linear one.

    dropout: of neurons and hidden units, where there is more than one matrix of weights; sparsity:
    of the penalty on gains, there too. full_rate, full_decay: learning rate and weight decay where
    there is one matrix, a convex problem that bears large steps. components: of the penalised fit,
    at most; on small sets of prompts 64, 256 or all did no better. least_steps: small data sets
    take more epochs. The defaults did best on validation prompts, of all neurons and of the last
    layer.
    """

    seed: int
    epochs: int = 12
    batch_size: int = 256
    learning_rate: float = 8e-3
    weight_decay: float = 0.3
    dropout: float = 0.2
    sparsity: float = 1e-3
    rank: int = 256
    hidden: int | None = None
    full_rate: float = 3e-2
    full_decay: float = 0.01
    components: int = 128
    least_steps: int = 500
    patience: int = 3

    @property
    def most_components(self) -> int:
        """Components of a penalised fit, which has weights of the same rank as the other."""
        return min(self.components, self.rank)

    def n_batches(self, n_samples: int) -> int:
        """Return the batches of an epoch."""
        return -(-n_samples // self.batch_size)

    def n_epochs(self, n_samples: int, goes_on: bool = False) -> int:
        """Return the epochs for so many samples, at most; goes_on: from another readout."""
        epochs = max(self.epochs, -(-self.least_steps // self.n_batches(n_samples)))
        return -(-epochs // 2) if goes_on else epochs

    def schedule(self, n_samples: int, full: bool, goes_on: bool) -> Schedule:
        """Return the schedule of a fit to so many samples; full: with one matrix of weights."""
        rate, decay = self.learning_rate, self.weight_decay
        if full:
            rate, decay = self.full_rate, self.full_decay
        return Schedule(
            self.n_epochs(n_samples, goes_on),
            self.n_batches(n_samples),
            rate / 8 if goes_on else rate,
            decay,
            self.patience,
        )


class Readout(nn.Module):
    """Log-probabilities of classes from binary activations, centred by their training means."""

    means: torch.Tensor
    varies: torch.Tensor

    def __init__(
        self, means: torch.Tensor, prior: torch.Tensor, fitting: Fitting, seen: torch.Tensor
    ) -> None:
        super().__init__()
        n_neurons, n_classes = len(means), len(prior)
        self.linear = fitting.hidden is None
        rank = fitting.rank if fitting.hidden is None else fitting.hidden
        self.full = self.linear and n_neurons <= rank
        self.register_buffer("means", means)
        self.register_buffer("varies", seen)
        self.neurons_dropout = 0.0 if self.full else fitting.dropout
        self.chance = np.random.default_rng(fitting.seed)
        self.dropout = nn.Dropout(fitting.dropout)
        self.intercept = nn.Parameter(prior.log())
        width = n_classes if self.full else rank
        start = torch.zeros(n_neurons, width)
        if not self.full:
            start.normal_(0, 1 / np.sqrt(max(1, rank)))
            self.second = nn.Parameter(torch.zeros(rank, n_classes))
        # A neuron that never varies in training has nothing to say, whatever it started with.
        self.first = nn.Parameter(start * seen[:, None])
        self.gain = None if self.full else nn.Parameter(torch.ones(n_neurons))
        self.hidden_bias = None if self.linear else nn.Parameter(torch.zeros(width))

    def begin_with(self, start: "Start") -> None:
        """Say of the neurons in common what another readout says; the others are silent at first.

        Raises `ValueError` where one of the two has full weights and the other has not.
        """
        other, here, there = start.readout, start.here, start.there
        if other.full != self.full:
            raise ValueError("a readout goes on from one of as many matrices of weights")
        with torch.no_grad():
            if self.gain is None or other.gain is None:
                self.first.zero_()
            else:
                self.gain.zero_()
                self.gain[here] = other.gain[there]
                self.second.copy_(other.second)
            self.first[here] = other.first[there]
            self.intercept.copy_(other.intercept)

    def set_components(self, directions: torch.Tensor, weights: torch.Tensor) -> None:
        """Take on the weights of a regression on components.

        directions: (neurons, r), r at most the rank; weights: (r + 1, classes), the last row what
        is added to the intercepts.
        """
        r = directions.shape[1]
        with torch.no_grad():
            if self.full:
                self.first.copy_(directions @ weights[:-1])
            else:
                for matrix in (self.first, self.second):
                    matrix.zero_()
                self.first[:, :r], self.second[:r] = directions, weights[:-1]
            self.intercept.add_(weights[-1])

    def forward(self, active: torch.Tensor) -> torch.Tensor:
        """Return the classes' log-odds up to a constant, (m, classes); active: (m, neurons)."""
        said = active - self.means
        if self.training and self.neurons_dropout:
            said.mul_(kept_inputs(said.shape, self.neurons_dropout, self.chance))
        # Gains are multiplied into the weights: as factors of the input, of which no gradient is
        # needed, they would cost a third product of matrices on the way back.
        scale = self.varies if self.gain is None else self.varies * self.gain
        x = said @ (self.first * scale[:, None])
        if self.hidden_bias is not None:
            x = self.dropout(functional.gelu(x + self.hidden_bias))
        logits: torch.Tensor = (x if self.full else x @ self.second) + self.intercept
        return logits

    def penalty(self) -> torch.Tensor:
        """Return the sum of the gains' absolute values, a scalar."""
        return torch.zeros(()) if self.gain is None else self.gain.abs().sum()

    def weights(self) -> NDArray[np.float32]:
        """Return what each neuron adds to each class, (neurons, classes), their mean taken off.

        Raises `ValueError` for a readout with a hidden layer, which has no such weights.
        """
        if not self.linear:
            raise ValueError("a readout with a hidden layer has no weights by neuron")
        with torch.inference_mode():
            product: torch.Tensor = self.first
            if self.gain is not None:
                product = (self.gain[:, None] * self.first) @ self.second
            centred: NDArray[np.float32] = (product - product.mean(dim=1, keepdim=True)).numpy()
        return centred

    def log_probabilities(
        self, activations: PackedActivations, rows: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the classes' log-probabilities for these rows, (m, classes), natural log."""
        self.eval()
        with torch.inference_mode():
            logits = self(torch.from_numpy(activations.rows(rows)).to(torch.float32))
            return np.asarray(functional.log_softmax(logits, dim=-1).numpy())


@dataclass(frozen=True)
class Start:
    """A fitted linear readout, and the places of the neurons in common, (k,): in the readout to
    come, `here`, and in the one that is given, `there`."""

    readout: Readout
    here: NDArray[np.int64]
    there: NDArray[np.int64]


def carry(start: Start, n_neurons: int, prior: NDArray[np.float64], fitting: Fitting) -> Readout:
    """Return a readout of so many neurons that says what another one says of those in common."""
    other = start.readout
    means, varies = torch.zeros(n_neurons), torch.zeros(n_neurons)
    means[start.here], varies[start.here] = other.means[start.there], other.varies[start.there]
    readout = Readout(means, torch.from_numpy(prior).float(), fitting, varies)
    readout.begin_with(start)
    return readout.eval()


def kept_inputs(
    shape: tuple[int, ...], share_dropped: float, rng: np.random.Generator
) -> torch.Tensor:
    """Return 0 for inputs to drop and what keeps the mean for the others, of the given shape.

    The share is rounded to 256ths: a byte of chance an input, where torch draws a number each and
    takes longer over that than the rest of a step does over the same inputs.
    """
    dropped = round(256 * share_dropped)
    drawn = np.frombuffer(rng.bytes(int(np.prod(shape))), np.uint8).reshape(shape)
    kept = torch.from_numpy(drawn >= dropped).to(torch.float32)
    return kept.mul_(256 / (256 - dropped))


def subset(activations: PackedActivations, neurons: NDArray[np.int64]) -> PackedActivations:
    """Return the activations of these neurons alone, in this order; a range shares the memory."""
    n_neurons = len(neurons)
    first = int(neurons[0]) if n_neurons else 0
    if first % 8 == 0 and np.array_equal(neurons, np.arange(first, first + n_neurons)):
        bits = activations.bits[:, first // 8 : (first + n_neurons + 7) // 8]
        return PackedActivations(bits, n_neurons)
    bits = np.empty((len(activations), (n_neurons + 7) // 8), np.uint8)
    for start, block in activations.blocks():
        bits[start : start + len(block)] = np.packbits(block[:, neurons], axis=1)
    return PackedActivations(bits, n_neurons)


def fit_readout(
    activations: PackedActivations,
    classes: NDArray[np.int64],
    prior: NDArray[np.float64],
    learn: NDArray[np.int64],
    validate: NDArray[np.int64],
    fitting: Fitting,
    done: Callable[[int], object],
    start: Start | None = None,
) -> tuple[Readout, float]:
    """Return the readout that is best on the rows `validate` among its start and its epochs, and
    its surprise there, in bits.

    classes: (n,), of each sample; prior: (C,), of each class; start: a linear readout to go on
    from, of as many matrices as this one will have, with half the epochs and an eighth of the
    learning rate. `done`, and which weights are kept: see `gelu.learning.early_stopping.fit`; the
    readout starts at the unigram where there is no `start`.
    """
    torch.manual_seed(fitting.seed)
    rng = np.random.default_rng(fitting.seed)
    means, varies = _means(activations, learn)
    readout = Readout(means, torch.from_numpy(prior).float(), fitting, varies)
    if start is not None:
        readout.begin_with(start)
    truth = torch.from_numpy(classes)

    def backward(rows: NDArray[np.int64]) -> None:
        active = torch.from_numpy(activations.rows(rows)).to(torch.float32)
        loss = functional.cross_entropy(readout(active), truth[rows])
        (loss + fitting.sparsity * readout.penalty()).backward()

    course = fit(
        readout,
        learn,
        fitting.schedule(len(learn), readout.full, start is not None),
        rng,
        backward,
        lambda: mean_loss(readout, activations, classes, validate),
        done,
    )
    return readout, course.least


@dataclass(frozen=True)
class FitToFew:
    """A penalised readout of the rows to learn from, its mean surprise on those to validate on, in
    bits, and the readout of both together with the same penalty."""

    learned: Readout
    loss: float
    readout: Readout


def fit_to_few(
    activations: PackedActivations,
    classes: NDArray[np.int64],
    prior: NDArray[np.float64],
    learn: NDArray[np.int64],
    validate: NDArray[np.int64],
    fitting: Fitting,
) -> FitToFew | None:
    """Return the readout by penalised regression on principal components.

    Arguments as of `fit_readout`. Of `fitting.components` at most; up to as many neurons it is a
    regression on these themselves. None where it would take more than `MOST_COST` times the
    products of `fit_readout`.
    """
    n_neurons, n_classes = activations.n_neurons, len(prior)
    if penalised_cost(n_neurons, n_classes, len(learn), fitting) > MOST_COST:
        return None
    rows = np.concatenate([learn, validate])
    means, varies = _means(activations, rows)
    most = fitting.most_components
    directions = principal_components(activations, rows, means, most, fitting.seed)
    inputs, codes = project(activations, rows, means, directions), classes[rows]
    places = np.arange(len(rows))
    chosen = choose_penalty(inputs, codes, prior, places[: len(learn)], places[len(learn) :])
    weights = fit_penalised(inputs, codes, prior, chosen.penalty, chosen.weights)

    def with_weights(found: NDArray[np.float32]) -> Readout:
        readout = Readout(means, torch.from_numpy(prior).float(), fitting, varies)
        readout.set_components(directions, torch.from_numpy(found))
        return readout.eval()

    return FitToFew(with_weights(chosen.weights), chosen.loss, with_weights(weights))


def penalised_cost(n_neurons: int, n_classes: int, n_samples: int, fitting: Fitting) -> float:
    """Return how many times the products of `fit_readout` those of `fit_to_few` are, about."""
    components = min(fitting.most_components, n_neurons)
    penalised = 2 * EVALUATIONS * n_samples * n_classes * components
    if n_neurons <= fitting.rank:
        each = 2 * n_neurons * n_classes
    else:
        each = 2 * n_neurons * fitting.rank + 3 * fitting.rank * n_classes
    return penalised / (fitting.n_epochs(n_samples) * n_samples * each)


def _means(
    activations: PackedActivations, rows: NDArray[np.int64]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how often each neuron is active in these rows, and 1 for each that varies there."""
    counts = np.zeros(activations.n_neurons, np.int64)
    for start in range(0, len(rows), 1024):
        counts += activations.rows(rows[start : start + 1024]).sum(axis=0, dtype=np.int64)
    varies = (counts > 0) & (counts < len(rows))
    return torch.from_numpy(counts / len(rows)).float(), torch.from_numpy(varies).float()


def surprises(
    readout: Readout,
    activations: PackedActivations,
    classes: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the readout's surprise at the class of each of these rows, in bits, (m,)."""
    parts = [np.empty(0)]
    for start in range(0, len(rows), 1024):
        part = rows[start : start + 1024]
        logprobs = readout.log_probabilities(activations, part)
        parts.append(-logprobs[np.arange(len(part)), classes[part]] * BITS)
    return np.concatenate(parts)


def mean_loss(
    readout: Readout,
    activations: PackedActivations,
    classes: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> float:
    """Return the readout's mean surprise at the classes of these rows, in bits."""
    return float(surprises(readout, activations, classes, rows).mean())


def neuron_importance(readout: Readout) -> NDArray[np.float64]:
    """Return how much each neuron moves a linear readout, (neurons,).

    The length of its weights times the standard deviation of its activity: recursive elimination
    (Guyon et al. 2002) leaves the least important out and fits anew.
    """
    frequency = readout.means.numpy().astype(np.float64)
    deviation = np.sqrt(frequency * (1 - frequency))
    return np.asarray(np.linalg.norm(readout.weights(), axis=1) * deviation, np.float64)
