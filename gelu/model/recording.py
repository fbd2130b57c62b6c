"""One text read once: the neurons and the logits at its last token.

active, logits = after_last_token(model, token_ids)
"""

from collections.abc import Sequence

import torch

from gelu.model.decoder import Decoder
from gelu.model.hooks import GeluRecorder, Keep


@torch.inference_mode()
def after_last_token(
    model: Decoder, token_ids: Sequence[int], keep: Keep = "active"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (neurons, logits) at the last token, on the model's device.

    neurons: (n_neurons,), bool or with `keep="value"` the activations; logits: (vocabulary,), of
    the token that comes next.
    """
    with GeluRecorder(model, positions=-1, keep=keep) as recorder:
        logits = model(torch.tensor([token_ids], device=model.device))
    return recorder.take()[0], logits[0]
