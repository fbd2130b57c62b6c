"""What is kept of a generated token: fixed-size records, in memory and in shards alike."""

from typing import Any

import numpy as np


def record_type(n_neurons: int) -> np.dtype[Any]:
    """Return the type of a record: `id` int64, `logprob` float64, `bits` (bytes,) uint8.

    `logprob` is the natural log of the probability with which the token was drawn, `bits` are the
    active neurons as `np.packbits` lays them.
    """
    return np.dtype(
        [("id", "<i8"), ("logprob", "<f8"), ("bits", np.uint8, ((n_neurons + 7) // 8,))]
    )
