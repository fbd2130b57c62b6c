"""Matrix products by the fastest library that this machine's torch has.

On CPUs torch's own `addmm` calls MKL, which leaves processors of other makers than Intel half idle;
oneDNN, shipped with the same torch, does not. `benchmarks/generation.py --ablate` measures what the
choice is worth. Both add up in float32; they differ in the last digits.
"""

from typing import Any

import torch


def _find_onednn() -> Any:
    # The operator that torch's own compiler calls for linear layers on CPUs.
    if not torch.backends.mkldnn.is_available():
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


_onednn = _find_onednn()


def affine(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Return x @ weight + bias. x: (..., n_in); weight: (n_in, n_out); bias: (n_out,) or None.

    Not differentiable on CPUs.
    """
    if _onednn is not None and x.device.type == "cpu":
        product: torch.Tensor = _onednn(x, weight.t(), bias, "none", [], "")
        return product
    return torch.nn.functional.linear(x, weight.t(), bias)
