"""Matrix products by the fastest library that this machine's torch has.

On CPUs torch's own `addmm` calls MKL, which leaves processors of other makers than Intel half idle;
oneDNN, shipped with the same torch, does not, and is faster still with weights laid out as it likes
them. `benchmarks/generation.py --ablate` measures what both choices are worth. MKL and oneDNN add
up in float32 and differ in the last digits; the layout changes no bit.
"""

from typing import Any

import torch

# The rows that packed weights are laid out for: one number, so that no bit depends on the batch.
ROWS = 64


def _find_onednn(name: str) -> Any:
    # The operators that torch's own compiler calls for linear layers on CPUs.
    if not torch.backends.mkldnn.is_available():
        return None
    return getattr(torch.ops.mkldnn, name, None)


_onednn = _find_onednn("_linear_pointwise")
_reorder = _find_onednn("_reorder_linear_weight")
_knows_bfloat16 = _find_onednn("_is_mkldnn_bf16_supported")
# Without AVX-512 it refuses bfloat16, which torch's own products take.
_bfloat16 = _knows_bfloat16 is not None and bool(_knows_bfloat16())


def _by_onednn(tensor: torch.Tensor) -> bool:
    known = tensor.dtype == torch.float32 or (tensor.dtype == torch.bfloat16 and _bfloat16)
    return _onednn is not None and tensor.device.type == "cpu" and known


def affine(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    packed: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return x @ weight + bias. x: (..., n_in); weight: (n_in, n_out); bias: (n_out,) or None.

    packed: what `pack` made of `weight`. Not differentiable on CPUs.
    """
    if _by_onednn(x):
        laid_out = weight.t() if packed is None else packed
        product: torch.Tensor = _onednn(x, laid_out, bias, "none", [], "")
        return product
    return torch.nn.functional.linear(x, weight.t(), bias)


def pack(weight: torch.Tensor) -> torch.Tensor | None:
    """Return a copy of a weight, (n_in, n_out), that `affine` multiplies faster, None for none."""
    if _reorder is None or not _by_onednn(weight):
        return None
    packed: torch.Tensor = _reorder(weight.t(), ROWS)
    return packed
