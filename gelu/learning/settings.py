"""What decides what is learned, of each of the two studies; torch is not needed to say so.

A value out of bounds is a `UserError`.
"""

from dataclasses import dataclass

from gelu.limits import (
    COUNT,
    EPOCHS,
    HELD_OUT,
    HISTORY,
    SEED,
    WIDTH,
    between_0_and,
    non_negative,
    settle,
    share,
    whole,
)


@dataclass(frozen=True)
class ActivationSettings:
    """held_out: share of the prompts to test on; history: tokens the network reads; width: of its
    hidden layer; token_width: of a token's vector, and never more than `width`."""

    seed: int = 42
    held_out: float = 0.2
    history: int = 16
    width: int = 512
    token_width: int = 64
    epochs: int = 12
    batch_size: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    dropout: float = 0.1
    patience: int = 3
    least_steps: int = 600

    def __post_init__(self) -> None:
        settle(self, seed=SEED, held_out=HELD_OUT, history=HISTORY, width=WIDTH, token_width=WIDTH)
        settle(self, epochs=EPOCHS, batch_size=COUNT, patience=COUNT, least_steps=whole(0))
        settle(self, learning_rate=between_0_and(1), weight_decay=non_negative, dropout=share)
        object.__setattr__(self, "token_width", min(self.token_width, self.width))


@dataclass(frozen=True)
class NextTokenSettings:
    """held_out: share of the prompts; max_classes: tokens that a readout tells apart at most;
    min_token_count: samples of a token whose neurons are listed."""

    seed: int = 42
    held_out: float = 0.2
    epochs: int = 6
    max_classes: int = 4096
    min_token_count: int = 20
    rank: int = 256
    hidden: int = 256

    def __post_init__(self) -> None:
        settle(self, seed=SEED, held_out=HELD_OUT, epochs=EPOCHS, max_classes=COUNT)
        settle(self, min_token_count=COUNT, rank=COUNT, hidden=WIDTH)
