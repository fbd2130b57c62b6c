"""What the benchmarks of generation let everybody write: 10 prompts, 5 completions, 50 tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

N_PROMPTS, N_SAMPLES, N_NEW, TEMPERATURE = 10, 5, 50, 0.8
SHORTEST, LONGEST = 4, 12


@dataclass(frozen=True)
class Workload:
    """Prompts as token ids, and how many tokens are written from each of how many copies."""

    prompts: list[list[int]]
    n_samples: int = N_SAMPLES
    n_new: int = N_NEW

    @property
    def n_rows(self) -> int:
        """Tokens written in all."""
        return len(self.prompts) * self.n_samples * self.n_new


def make_workload(n_new: int = N_NEW, vocab_size: int = 50257) -> Workload:
    """Return the issue's workload: random tokens of a vocabulary, 4 to 12 a prompt."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(SHORTEST, LONGEST + 1, N_PROMPTS)
    lengths[0] = SHORTEST
    return Workload(
        [rng.integers(0, vocab_size, length).tolist() for length in lengths], n_new=n_new
    )


def load_ours(folder: str, name: str) -> Any:
    """Load it as this project's scripts do."""
    from gelu.model.loading import load_model
    from gelu.model.source import ModelSource

    return load_model(ModelSource(name, Path(folder), None), "cpu")


def load_theirs(folder: str) -> Any:
    """Load it as transformers does."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def write_ours(
    model: Any, work: Workload, batch_size: int | None = None, recording: bool = True
) -> None:
    """Let this project write it; each step's records are packed and then dropped."""
    from gelu.generation.batches import make_plan
    from gelu.generation.decoding import Row, SamplingSettings, default_batch_size, generate
    from gelu.generation.prompts import Prompt

    prompts = [
        Prompt(f"prompt {index}", tuple(ids), work.n_new, work.n_samples)
        for index, ids in enumerate(work.prompts)
    ]
    longest = max(map(len, work.prompts)) + work.n_new
    geometry = model.geometry
    plan = make_plan(prompts, batch_size or default_batch_size("cpu", geometry, longest))
    n_rows = 0
    for batch in range(plan.n_batches):
        rows = [
            Row(prompts[plan.prompt_idx[c]], int(plan.stream[c])) for c in plan.completions(batch)
        ]
        for step in generate(model, rows, SamplingSettings(0, TEMPERATURE, 0), recording):
            n_rows += len(step.rows)
            assert not recording or step.records["bits"].any()
    assert n_rows == work.n_rows


def write_hugging_face(model: Any, work: Workload, batch_size: int) -> None:
    """Let `generate` of transformers write it as its documentation shows, keeping nothing."""
    import torch

    rows = [ids for ids in work.prompts for _ in range(work.n_samples)]
    torch.manual_seed(0)
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        width = max(map(len, batch))
        output = model.generate(
            input_ids=torch.tensor([[0] * (width - len(ids)) + ids for ids in batch]),
            attention_mask=torch.tensor([[0] * (width - len(i)) + [1] * len(i) for i in batch]),
            do_sample=True,
            temperature=TEMPERATURE,
            top_k=0,
            min_new_tokens=work.n_new,
            max_new_tokens=work.n_new,
            pad_token_id=model.config.eos_token_id,
        )
        assert output.shape == (len(batch), width + work.n_new)
