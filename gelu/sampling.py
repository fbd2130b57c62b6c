"""Drawing tokens reproducibly: one uniform number a token, looked up in the inverse CDF.

Each completion has its own stream of numbers from a counter-based generator (Philox 4x64: Salmon,
Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"), keyed by the seed, the
prompt's text and the completion's number. So what is drawn does not depend on the batch.
"""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray


def token_uniforms(seed: int, text: str, completion: int, n: int) -> NDArray[np.float64]:
    """Return one uniform number in [0, 1) for each of a completion's first n tokens, (n,).

    Number t is the same whatever n is. `completion` counts the completions of this text, 0-based.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{seed} {completion} ".encode())
    digest.update(text.encode())
    key = np.frombuffer(digest.digest(), "<u8")
    return np.random.Generator(np.random.Philox(key=key)).random(n)


def draw_tokens(
    logits: torch.Tensor, uniforms: NDArray[np.float64], temperature: float, top_k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one token a row.

    logits: (batch, vocabulary). uniforms: one number in [0, 1) a row. temperature: 0 is greedy,
    with probability 1. top_k: only the k likeliest tokens are drawn from; 0 means all.
    Returns (token ids, int64; natural log of each one's probability, float64), both (batch,).
    Raises `FloatingPointError` for logits that are no numbers.
    """
    if temperature == 0:
        _require_finite(logits.amax(dim=-1))
        ids = logits.argmax(dim=-1)
        return ids, torch.zeros(len(ids), dtype=torch.float64)
    if logits.device.type == "mps":  # which has no float64
        logits = logits.cpu()
    scaled = _scale(logits.float(), temperature, top_k)
    cdf = scaled.exp().cumsum(dim=-1, dtype=torch.float64)
    total = cdf[:, -1:]
    _require_finite(total)
    # Rounding could lift the product to `total`, past the last token that has any probability.
    drawn = torch.as_tensor(uniforms, dtype=torch.float64, device=cdf.device)[:, None] * total
    target = torch.minimum(drawn, torch.nextafter(total, torch.zeros_like(total)))
    ids = torch.searchsorted(cdf, target, right=True)
    return ids[:, 0], (scaled.gather(1, ids).double() - total.log())[:, 0]


def _scale(logits: torch.Tensor, temperature: float, top_k: int) -> torch.Tensor:
    if 0 < top_k < logits.shape[-1]:
        kept = logits.topk(top_k, dim=-1)
        logits = torch.full_like(logits, -torch.inf).scatter(-1, kept.indices, kept.values)
    # The largest is taken off first, so that no temperature overflows.
    return (logits - logits.amax(dim=-1, keepdim=True)) / temperature


def _require_finite(values: torch.Tensor) -> None:
    if not bool(torch.isfinite(values).all()):
        raise FloatingPointError("the model's logits are not finite")
