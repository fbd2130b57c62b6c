"""The fit that stops early, with validation losses that are written down beforehand."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from gelu.learning.early_stopping import Course, Schedule, fit

ROWS = np.arange(10)


class _Fit:
    """A fit of one weight whose losses, the start's first, are given; weights: at each of them."""

    def __init__(self, losses: Sequence[float], epochs: int, patience: int) -> None:
        self.model = nn.Linear(1, 1, bias=False)
        self.weights: list[float] = []
        self.seen: list[int] = []
        self.done: list[int] = []
        self.losses = iter(losses)
        schedule = Schedule(epochs, 3, 0.1, 0.0, patience)
        rng = np.random.default_rng(0)
        self.course: Course = fit(
            self.model, ROWS, schedule, rng, self._backward, self._loss, self.done.append
        )

    def _backward(self, rows: NDArray[np.int64]) -> None:
        assert self.model.training
        self.seen += rows.tolist()
        self.model(torch.ones(len(rows), 1)).sum().backward()

    def _loss(self) -> float:
        self.model.eval()
        self.weights.append(self.model.weight.item())
        return next(self.losses)


@pytest.mark.parametrize(
    ("losses", "best", "n_epochs"),
    [
        ([9, 8, 7, 6, 5, 4, 3], 6, 6),  # gains to the end
        ([9, 8, 7, 7, 7, 0, 0], 2, 4),  # two epochs without a gain; an equal loss is none
        ([9, 8, 8.5, 7, 8, 8, 0], 3, 5),  # a gain starts the count anew
        ([1, 9, 8, 7, 6, 5, 0], 0, 3),  # none beats the start, whichever way they go
    ],
)
def test_the_best_weights_are_kept_and_two_epochs_without_a_gain_end_it(
    losses: list[float], best: int, n_epochs: int
) -> None:
    fitted = _Fit(losses, epochs=6, patience=2)
    assert fitted.course == Course(losses[best], tuple(losses[1 : n_epochs + 1]))
    assert len(set(fitted.weights)) == n_epochs + 1
    assert fitted.model.weight.item() == fitted.weights[best]
    assert not fitted.model.training


def test_a_quarter_of_the_epochs_is_waited_for_where_that_is_more() -> None:
    assert len(_Fit([0, *[1] * 16], epochs=16, patience=2).course.by_epoch) == 5


def test_each_epoch_sees_each_row_once_and_what_is_left_out_counts_as_done() -> None:
    fitted = _Fit([1, *[2] * 6], epochs=6, patience=2)
    epochs = np.array(fitted.seen).reshape(3, len(ROWS))
    assert (np.sort(epochs) == ROWS).all() and len(np.unique(epochs, axis=0)) == 3
    assert sum(fitted.done) == 6 * len(ROWS)


def test_gradients_do_not_add_up_over_batches() -> None:
    model, gradients = nn.Linear(1, 1, bias=False), []

    def backward(rows: NDArray[np.int64]) -> None:
        (model.weight * len(rows)).sum().backward()
        assert model.weight.grad is not None
        gradients.append(model.weight.grad.item())

    schedule = Schedule(2, 3, 0.1, 0.0, 1)
    fit(model, ROWS, schedule, np.random.default_rng(0), backward, lambda: 0.0, lambda n: None)
    assert gradients == [4, 3, 3] * 2
