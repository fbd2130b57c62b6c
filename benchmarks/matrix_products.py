"""What a machine's matrix products allow: a token's products alone, nothing between them."""

from collections.abc import Callable
from typing import Any


def mkl(x: Any, weight: Any) -> Any:
    """The product as torch and transformers' Conv1D call it on a CPU."""
    return x @ weight


def ours(x: Any, weight: Any) -> Any:
    """The product as this project calls it."""
    from gelu.products import affine

    return affine(x, weight)


def run_products(model: Any, rows: int, steps: int, multiply: Callable[[Any, Any], Any]) -> None:
    """Multiply the model's own matrices, in its order, with as many rows as a batch has."""
    import torch

    matrices = []
    for block in model.transformer.h:
        attention, mlp = block.attn, block.mlp
        projections = (attention.c_attn, attention.c_proj, mlp.c_fc, mlp.c_proj)
        matrices += [projection.weight for projection in projections]
    matrices.append(model.lm_head.weight.t())
    inputs = {matrix.shape[0]: torch.randn(rows, matrix.shape[0]) for matrix in matrices}
    with torch.inference_mode():
        for _ in range(steps):
            for matrix in matrices:
                multiply(inputs[matrix.shape[0]], matrix)
