"""Fitting by stochastic gradients, with an early stop.

    course = fit(network, learn, schedule, rng, backward, validation_loss, done)
    course.least                       # the loss of the weights that the network is left with

AdamW (Loshchilov and Hutter 2019) with one cycle of the learning rate (Smith and Topin 2019). After
each epoch the loss on validation samples is measured; the weights with the least are kept, and the
fit stops after some epochs without a gain (Prechelt 1998, *Early stopping, but when?*).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


@dataclass(frozen=True)
class Schedule:
    """epochs: at most; n_batches: of an epoch; learning_rate: the highest of the cycle; patience:
    epochs without a gain before the fit stops, a quarter of all where that is more."""

    epochs: int
    n_batches: int
    learning_rate: float
    weight_decay: float
    patience: int


@dataclass(frozen=True)
class Course:
    """Validation losses of a fit. least: of the weights that were kept, which are those at its
    start where no epoch is better; by_epoch: after each epoch."""

    least: float
    by_epoch: tuple[float, ...]


def fit(
    model: nn.Module,
    learn: NDArray[np.int64],
    schedule: Schedule,
    rng: np.random.Generator,
    backward: Callable[[NDArray[np.int64]], None],
    validation_loss: Callable[[], float],
    done: Callable[[int], object],
) -> Course:
    """Fit the model to the rows `learn`, (m,); leave it with its best weights, in evaluation mode.

    rng: shuffles the rows of each epoch; backward: adds the gradients of the loss on the given rows
    to the model's; validation_loss: of the model as it is. `done` is called with numbers of rows,
    in all those of all epochs: what an early stop leaves out is done in one go.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, schedule.learning_rate, total_steps=schedule.epochs * schedule.n_batches
    )
    # Where it starts is what is left where there is nothing to learn. The first epoch is not held
    # against it: the learning rate has only begun to rise.
    best, best_epoch = _weights(model), 0
    losses: list[float] = []
    least = validation_loss()
    for epoch in range(schedule.epochs):
        model.train()
        for rows in np.array_split(rng.permutation(learn), schedule.n_batches):
            optimiser.zero_grad()
            backward(rows)
            optimiser.step()
            cycle.step()
            done(len(rows))
        losses.append(validation_loss())
        if losses[-1] < least:
            best, best_epoch, least = _weights(model), epoch, losses[-1]
        if epoch - best_epoch >= max(schedule.patience, schedule.epochs // 4):
            break
    done((schedule.epochs - len(losses)) * len(learn))
    model.load_state_dict(best)
    model.eval()
    return Course(least, tuple(losses))


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}
