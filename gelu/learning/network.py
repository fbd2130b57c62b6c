"""A small network that predicts all neurons from the last tokens and the position.

    encoder = TokenCodes.of(history[learn])
    network = new_network(sizes, base_rates, seed)
    train(network, inputs, activations, learn, validate, training, bar)
    logits = hidden_states(network, inputs, rows) @ weights + bias       # of any block of neurons

Each of the last tokens has a vector, the newest two one more of their own, and the position one;
their sum goes through a residual layer, and one vector a neuron reads its log-odds from that. The
biases start at the log-odds of the base rates. Some samples in training have inputs hidden, so that
one network also says how much the newest token alone, and the position alone, would tell. What it
says is then mixed with counts (`gelu.learning.mixture`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from gelu.learning.early_stopping import Schedule, fit
from gelu.learning.scores import BITS, logit
from gelu.packed import PackedActivations
from gelu.samples.token_history import NO_TOKEN

Shown = Literal["all", "token", "position"]
ABSENT, UNSEEN, HIDDEN, FIRST_TOKEN = 0, 1, 2, 3
UNSEEN_RATE, HIDDEN_RATE = 0.02, 0.08


@dataclass(frozen=True)
class Sizes:
    """Of a network: codes of tokens, positions, tokens read, widths, neurons."""

    n_codes: int
    n_positions: int
    history: int
    token_width: int
    width: int
    n_neurons: int


@dataclass(frozen=True)
class Training:
    """How a network learns.

    epochs: at most, more where these are fewer than least_steps batches; patience: see `Schedule`.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    patience: int
    least_steps: int
    seed: int

    def n_epochs(self, n_samples: int) -> int:
        """Return the epochs for so many samples, at most."""
        return max(self.epochs, -(-self.least_steps // self.n_batches(n_samples)))

    def n_batches(self, n_samples: int) -> int:
        """Return the batches of an epoch."""
        return -(-n_samples // self.batch_size)

    def schedule(self, n_samples: int) -> Schedule:
        """Return the schedule of a fit to so many samples."""
        return Schedule(
            self.n_epochs(n_samples),
            self.n_batches(n_samples),
            self.learning_rate,
            self.weight_decay,
            self.patience,
        )


@dataclass(frozen=True)
class TokenCodes:
    """Which tokens have a vector; ids: (T,), ascending, those of the training prompts."""

    ids: NDArray[np.int64]

    @classmethod
    def of(cls, history: NDArray[np.int64]) -> "TokenCodes":
        """Return the codes of all tokens in a token history."""
        ids = np.unique(history)
        return cls(ids[ids >= 0])

    def __len__(self) -> int:
        return len(self.ids) + FIRST_TOKEN

    def encode(self, history: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return codes of the same shape: `ABSENT` without a token, `UNSEEN` for one not learned
        from, or not known."""
        place = np.minimum(np.searchsorted(self.ids, history), len(self.ids) - 1)
        codes = np.where(self.ids[place] == history, place + FIRST_TOKEN, UNSEEN)
        return np.where(history == NO_TOKEN, ABSENT, codes)


@dataclass(frozen=True)
class NetworkInputs:
    """tokens: (n, history) codes, newest first; positions: (n,) absolute positions."""

    tokens: NDArray[np.int64]
    positions: NDArray[np.int64]


class ActivationNetwork(nn.Module):
    """Log-odds of every neuron from token codes and position."""

    def __init__(self, sizes: Sizes, dropout: float = 0.0) -> None:
        super().__init__()
        self.sizes = sizes
        width = sizes.width
        self.tokens = nn.Embedding(sizes.n_codes, sizes.token_width)
        self.newest = nn.Embedding(sizes.n_codes, width)
        self.second = nn.Embedding(sizes.n_codes, width)
        # The last row stands for a hidden position.
        self.positions = nn.Embedding(sizes.n_positions + 1, width)
        self.read = nn.Linear(sizes.history * sizes.token_width, width)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)
        self.last_norm = nn.LayerNorm(width)
        self.neurons = nn.Linear(width, sizes.n_neurons)
        self.dropout = nn.Dropout(dropout)

    def hidden(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return what the neurons' vectors read, (m, width).

        tokens: (m, history) codes; positions: (m,), of which those past the last known one count
        as that, and -1 is hidden.
        """
        hidden_position = self.sizes.n_positions
        places = positions.clamp(max=hidden_position - 1)
        places = torch.where(positions < 0, hidden_position, places)
        x = self.read(self.tokens(tokens).flatten(1)) + self.newest(tokens[:, 0])
        x = self.dropout(x + self.second(tokens[:, 1]) + self.positions(places))
        expanded = functional.gelu(self.expand(self.norm(x)))
        x = x + self.contract(self.dropout(expanded))
        read: torch.Tensor = self.dropout(self.last_norm(x))
        return read

    def forward(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return each neuron's log-odds, (m, n_neurons)."""
        logits: torch.Tensor = self.neurons(self.hidden(tokens, positions))
        return logits


def new_network(
    sizes: Sizes, base_rates: NDArray[np.floating], training: Training
) -> ActivationNetwork:
    """Return a network that predicts the base rates, (n_neurons,), whatever it reads."""
    torch.manual_seed(training.seed)
    network = ActivationNetwork(sizes, training.dropout)
    with torch.no_grad():
        for table in (network.tokens, network.newest, network.second):
            table.weight.normal_(0, 0.3)
        network.positions.weight.normal_(0, 0.02)
        network.neurons.weight.zero_()
        network.neurons.bias.copy_(torch.from_numpy(logit(base_rates).astype(np.float32)))
    return network


def shown_inputs(inputs: NetworkInputs, rows: NDArray[np.int64], shown: Shown) -> NetworkInputs:
    """Return the inputs of these rows with all but `shown` hidden."""
    tokens, positions = inputs.tokens[rows].copy(), inputs.positions[rows].copy()
    if shown == "token":
        tokens[:, 1:], positions[:] = HIDDEN, -1
    elif shown == "position":
        tokens[:] = HIDDEN
    return NetworkInputs(tokens, positions)


def train(
    network: ActivationNetwork,
    inputs: NetworkInputs,
    activations: PackedActivations,
    learn: NDArray[np.int64],
    validate: NDArray[np.int64],
    training: Training,
    done: Callable[[int], object],
) -> list[float]:
    """Fit the network to the rows `learn`; return the mean log-loss on `validate` by epoch, bits.

    `done`, and which weights are kept: see `gelu.learning.early_stopping.fit`.
    """
    rng = np.random.default_rng(training.seed)
    torch.manual_seed(training.seed)

    def backward(rows: NDArray[np.int64]) -> None:
        logits = network(*_tensors(network, _hide_some(inputs, rows, rng)))
        target = torch.from_numpy(activations.rows(rows)).to(logits.device, torch.float32)
        logits.backward(log_loss_gradient(logits.detach(), target))

    course = fit(
        network,
        learn,
        training.schedule(len(learn)),
        rng,
        backward,
        lambda: mean_loss(network, inputs, activations, validate),
        done,
    )
    return list(course.by_epoch)


def log_loss_gradient(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the mean log-loss in the log-odds, of their shape.

    The loss itself is not needed to learn, and takes several times as long at 36,864 neurons.
    """
    return torch.sigmoid(logits).sub_(target).div_(target.numel())


def _hide_some(
    inputs: NetworkInputs, rows: NDArray[np.int64], rng: np.random.Generator
) -> NetworkInputs:
    """Return inputs for training: some tokens unseen, of some rows all but one thing hidden."""
    tokens, positions = inputs.tokens[rows].copy(), inputs.positions[rows].copy()
    tokens[rng.random(tokens.shape) < UNSEEN_RATE] = UNSEEN
    kind = rng.random(len(rows))
    only_token = kind < HIDDEN_RATE
    only_position = (kind >= HIDDEN_RATE) & (kind < 2 * HIDDEN_RATE)
    tokens[only_token, 1:], positions[only_token] = HIDDEN, -1
    tokens[only_position] = HIDDEN
    return NetworkInputs(tokens, positions)


def _tensors(
    network: ActivationNetwork, inputs: NetworkInputs
) -> tuple[torch.Tensor, torch.Tensor]:
    device = network.neurons.weight.device
    arrays = (inputs.tokens, inputs.positions)
    tokens, positions = (torch.from_numpy(array).to(device) for array in arrays)
    return tokens, positions


def mean_loss(
    network: ActivationNetwork,
    inputs: NetworkInputs,
    activations: PackedActivations,
    rows: NDArray[np.int64],
    step: int = 256,
) -> float:
    """Return the mean log-loss over these rows and all neurons, in bits."""
    network.eval()
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            logits = network(*_tensors(network, shown_inputs(inputs, part, "all")))
            target = torch.from_numpy(activations.rows(part)).to(logits.device, torch.float32)
            loss = functional.binary_cross_entropy_with_logits(logits, target)
            total += float(loss) * len(part)
    return float(total / len(rows) * BITS)


def hidden_states(
    network: ActivationNetwork,
    inputs: NetworkInputs,
    rows: NDArray[np.int64],
    shown: Shown = "all",
    step: int = 1024,
) -> NDArray[np.float32]:
    """Return what the neurons read at these rows with only `shown` not hidden, (m, width)."""
    network.eval()
    parts = [np.empty((0, network.sizes.width), np.float32)]
    with torch.inference_mode():
        for start in range(0, len(rows), step):
            part = shown_inputs(inputs, rows[start : start + step], shown)
            parts.append(network.hidden(*_tensors(network, part)).cpu().numpy())
    return np.concatenate(parts)


def neuron_weights(network: ActivationNetwork) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (weights (width, n_neurons), biases (n_neurons,)) that read the hidden states."""
    layer = network.neurons
    return layer.weight.detach().cpu().numpy().T, layer.bias.detach().cpu().numpy()
