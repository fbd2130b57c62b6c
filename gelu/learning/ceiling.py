"""What the model itself knew of the tokens that it wrote: the most that a readout could.

truth = sampled_bounds(logprobs)                # from the dataset alone
ranks = model_ranks(model, sequences)           # with the model at hand
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gelu.model.decoder import Decoder, KeyValueCache

BITS = 1 / np.log(2)
ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class SampledBounds:
    """What log-probabilities of drawn tokens tell of the distributions that they were drawn from.

    cross_entropy: their mean surprise in bits, an unbiased estimate of the distributions' mean
    entropy. same_again: the mean probability of the drawn token, an unbiased estimate of how often
    a second draw would be the same token, the mean of sum p^2. The likeliest token's probability
    lies between sum p^2 and its square root, so the expected accuracy of the best guess lies
    between top1_least = same_again and top1_most, the root of it (Jensen).
    """

    cross_entropy: float
    same_again: float
    top1_least: float
    top1_most: float


def sampled_bounds(logprobs: NDArray[np.float64]) -> SampledBounds:
    """Return the bounds for tokens drawn with these natural log-probabilities, (m,)."""
    same = float(np.exp(logprobs).mean())
    return SampledBounds(float(-logprobs.mean() * BITS), same, same, float(np.sqrt(same)))


@dataclass(frozen=True)
class Written:
    """A completion: all its tokens but the last, and what came after some of them.

    tokens: prompt and completion; places: (m,), index of each context token; targets: (m,).
    """

    tokens: NDArray[np.int64]
    places: NDArray[np.int64]
    targets: NDArray[np.int64]


def model_ranks(model: Decoder, sequences: Sequence[Written]) -> NDArray[np.int64]:
    """Return the rank of each token that came in the model's own order, 0 for the likeliest.

    One after another by sequence. Temperature and top-k do not change the order of those that could
    be drawn. Equal logits count in favour of the token.
    """
    ranks = [np.empty(0, np.int64)]
    for start in range(0, len(sequences), ROWS_AT_ONCE):
        ranks += _ranks_of_batch(model, sequences[start : start + ROWS_AT_ONCE])
    return np.concatenate(ranks)


def _ranks_of_batch(model: Decoder, sequences: Sequence[Written]) -> list[NDArray[np.int64]]:
    longest = max(int(sequence.places.max()) + 1 for sequence in sequences)
    ids = np.zeros((len(sequences), longest), np.int64)
    targets = np.full((len(sequences), longest), -1, np.int64)
    for row, sequence in enumerate(sequences):
        # What stands to the right of the last place is never looked at.
        read = sequence.tokens[:longest]
        ids[row, : len(read)] = read
        targets[row, sequence.places] = sequence.targets
    found = np.zeros_like(targets)
    cache = KeyValueCache(len(sequences), longest)
    device = model.device
    with torch.inference_mode():
        for place in range(longest):
            logits = model(torch.from_numpy(ids[:, place : place + 1]).to(device), cache)
            rows = np.flatnonzero(targets[:, place] >= 0)
            if len(rows):
                chosen = logits[torch.from_numpy(rows).to(device)]
                target = torch.from_numpy(targets[rows, place]).to(device)
                given = chosen.gather(1, target[:, None])
                found[rows, place] = (chosen > given).sum(dim=1).cpu().numpy()
    return [found[row, sequence.places] for row, sequence in enumerate(sequences)]
