"""Drawing tokens reproducibly: one uniform number a token, looked up in the inverse CDF.

Each completion has its own stream of numbers from a counter-based generator (Philox 4x64: Salmon,
Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"), keyed by the seed, the
prompt's text and the completion's number. So what is drawn does not depend on the batch.
"""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray

BLOCK = 256


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
    logits: torch.Tensor, uniforms: torch.Tensor, temperature: float, top_k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one token a row by inverting the cumulative distribution.

    logits: (batch, vocabulary). uniforms: (batch,) float64 in [0, 1). temperature: 0 is greedy,
    with probability 1. top_k: only the k likeliest tokens are drawn from; 0 means all.
    Returns (token ids, int64; natural log of each one's probability, float64), both (batch,). For
    logits that are no numbers the log-probability is NaN and the id means nothing.
    """
    if temperature == 0:
        largest = logits.max(dim=-1)
        return largest.indices, (largest.values * 0).to(uniforms)
    weights, largest_logit = _weights(logits.to(uniforms.device).float(), temperature, top_k)
    # First the block of tokens, then the token within it: float64 sums of all would take longer
    # than half of the model's own work.
    blocks = weights.view(len(weights), -1, BLOCK)
    in_blocks = blocks.sum(dim=-1).double().cumsum(dim=-1)
    total = in_blocks[:, -1:]
    target = _below(uniforms[:, None] * total, total)
    block = torch.searchsorted(in_blocks, target, right=True).clamp(max=blocks.shape[1] - 1)
    before = in_blocks.gather(1, (block - 1).clamp(min=0)) * (block > 0)
    rows = torch.arange(len(weights), device=weights.device)
    in_tokens = before + blocks[rows, block[:, 0]].double().cumsum(dim=-1)
    target = _below(target, in_tokens[:, -1:])
    inner = torch.searchsorted(in_tokens, target, right=True).clamp(max=BLOCK - 1)
    ids = (block * BLOCK + inner).clamp(max=logits.shape[-1] - 1)[:, 0]
    drawn = logits.to(ids.device)[rows, ids].float()
    logprobs = ((drawn - largest_logit[:, 0]) / temperature).double() - total[:, 0].log()
    return ids, logprobs


def _weights(
    logits: torch.Tensor, temperature: float, top_k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (weights in proportion to probabilities, the largest logit), a row each.

    The weights are padded with zeros to whole blocks.
    """
    n_tokens = logits.shape[-1]
    padding = -n_tokens % BLOCK
    if 0 < top_k < n_tokens:
        kept = logits.topk(top_k, dim=-1)
        padded = logits.new_full((len(logits), n_tokens + padding), -torch.inf)
        padded.scatter_(-1, kept.indices, kept.values)
    else:
        padded = torch.nn.functional.pad(logits, (0, padding), value=-torch.inf)
    # The largest is taken off first, so that no temperature overflows.
    largest = padded.amax(dim=-1, keepdim=True)
    return padded.sub_(largest).div_(temperature).exp_(), largest


def _below(values: torch.Tensor, limit: torch.Tensor) -> torch.Tensor:
    """Return the values, at most the number just below `limit`.

    Rounding could lift a value to the sum of all weights, past the last token that has any.
    """
    return torch.minimum(values, torch.nextafter(limit, torch.zeros_like(limit)))
