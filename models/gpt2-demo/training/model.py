"""The model: its shape, its training loop, and how it is stored."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

LAYERS, WIDTH, HEADS, POSITIONS = 4, 256, 4, 256
LEARNING_RATE, FINAL_RATE, WARMUP_STEPS = 2e-3, 5e-5, 300
WEIGHT_DECAY, BETAS, CLIP = 0.1, (0.9, 0.95), 1.0


def new_config(vocabulary: int, end: int) -> "GPT2Config":
    """Return the configuration of the demo model; ``end`` is the id of the end-of-text token."""
    from transformers import GPT2Config

    return GPT2Config(
        vocab_size=vocabulary,
        n_positions=POSITIONS,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        activation_function="gelu_new",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=end,
        eos_token_id=end,
        tie_word_embeddings=True,
    )


def new_model(vocabulary: int, end: int, seed: int) -> "GPT2LMHeadModel":
    """Return the untrained model; the seed fixes its weights."""
    import torch
    from transformers import GPT2LMHeadModel

    torch.manual_seed(seed)
    return GPT2LMHeadModel(new_config(vocabulary, end))


def rate(step: int, steps: int) -> float:
    """Return the learning rate: linear warm-up, then a half cosine down to FINAL_RATE."""
    warmup = min(WARMUP_STEPS, max(1, steps // 10))
    if step < warmup:
        return LEARNING_RATE * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return FINAL_RATE + (LEARNING_RATE - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * progress))


def batches(
    stream: "np.ndarray", starts: "np.ndarray", size: int, seed: int
) -> Iterator["torch.Tensor"]:
    """Yield (size, POSITIONS) windows of the stream for ever.

    Half of the windows begin where a document begins, because a prompt begins at position 0.
    """
    import numpy as np
    import torch

    rng = np.random.default_rng(seed)
    last = len(stream) - POSITIONS
    starts = starts[starts <= last]
    columns = np.arange(POSITIONS)
    while True:
        places = rng.integers(0, last + 1, size)
        aligned = starts[rng.integers(0, len(starts), size // 2)]
        places[: len(aligned)] = aligned
        yield torch.from_numpy(stream[places[:, None] + columns].astype(np.int64))


def optimiser(model: "GPT2LMHeadModel") -> "torch.optim.Optimizer":
    """Return AdamW, which decays matrices but neither biases nor norms."""
    import torch

    matrices = [weight for weight in model.parameters() if weight.dim() >= 2]
    others = [weight for weight in model.parameters() if weight.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": WEIGHT_DECAY},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, fused=True)


def loss_of(model: "GPT2LMHeadModel", windows: "torch.Tensor") -> "torch.Tensor":
    """Return the mean cross-entropy (nats per token) of all tokens but the windows' first."""
    import torch

    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(windows[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), windows[:, 1:].flatten())


def fit(
    model: "GPT2LMHeadModel",
    windows: Iterator["torch.Tensor"],
    steps: int,
    report: Callable[[int, float], None],
) -> None:
    """Train in place for some steps; ``report`` is told every step's number and loss (nats)."""
    import torch

    model.train()
    adam = optimiser(model)
    for step in range(steps):
        for group in adam.param_groups:
            group["lr"] = rate(step, steps)
        loss = loss_of(model, next(windows))
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        adam.step()
        report(step, loss.item())


def save_model(model: "GPT2LMHeadModel", folder: Path) -> None:
    """Write the model with weights rounded to float16, and a configuration that says float32.

    Loading then gives float32 parameters, whose values are exactly the rounded ones.
    """
    import json

    from transformers import GPT2LMHeadModel

    stored = GPT2LMHeadModel(model.config)
    stored.load_state_dict(model.state_dict())
    stored.half().eval().save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["dtype"] = "float32"
    config.pop("torch_dtype", None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
