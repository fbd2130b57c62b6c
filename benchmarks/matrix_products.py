"""What a machine's matrix products allow: a token's products alone, nothing between them."""

from collections.abc import Callable
from typing import Any


def mkl(x: Any, weight: Any, packed: Any) -> Any:
    """The product as torch and transformers' Conv1D call it on a CPU."""
    return x @ weight


def onednn(x: Any, weight: Any, packed: Any) -> Any:
    """The product as this project calls it."""
    from gelu.model.matmul import affine

    return affine(x, weight, packed=packed)


def run_products(
    matrices: list[Any], rows: int, steps: int, multiply: Callable[[Any, Any, Any], Any]
) -> None:
    """Multiply a model's matrices, in its order, with as many rows as a batch has."""
    import torch

    inputs = {matrix.shape[0]: torch.randn(rows, matrix.shape[0]) for matrix, _ in matrices}
    with torch.inference_mode():
        for _ in range(steps):
            for matrix, packed in matrices:
                multiply(inputs[matrix.shape[0]], matrix, packed)


def matrices_of(model: Any) -> list[Any]:
    """Return what a token is multiplied with, each (n_in, n_out) with its packed copy.

    They are noted while a model reads one token, and so are those of any family, in its order.
    """
    import torch

    from benchmarks.measuring import replaced
    from gelu.model import gpt2, pretrained
    from gelu.model.matmul import affine

    matrices: list[Any] = []

    def noting(x: Any, weight: Any, bias: Any = None, packed: Any = None) -> Any:
        matrices.append((weight, packed))
        return affine(x, weight, bias, packed)

    model.pack()
    with (
        replaced(gpt2, "affine", noting),
        replaced(pretrained, "affine", noting),
        torch.inference_mode(),
    ):
        model(torch.tensor([[0]]))
    return matrices
