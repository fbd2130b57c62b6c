"""What share of the active sets changes with `--dtype bfloat16`, on gpt2-demo.

Example:
  python benchmarks/bfloat16.py --input_csv parcellation_datasets/long_range.csv

The completions are written in float32. Both types then read the same texts, so that a difference is
rounding's and not another token's. Separately, how many completions go another way when bfloat16
draws the tokens itself, from the same uniform numbers.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

BATCH = 64


def main() -> None:
    """Compare and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input_csv", default="parcellation_datasets/long_range.csv")
    parser.add_argument("--model_type", default="gpt2-demo")
    arguments = parser.parse_args()
    import numpy as np

    from benchmarks.measuring import report, table
    from gelu.generation.run import read_inputs
    from gelu.model.loading import load_model

    inputs = read_inputs(Path(arguments.input_csv), arguments.model_type)
    models = {dtype: load_model(inputs.source, "cpu", dtype) for dtype in ("float32", "bfloat16")}
    texts = {dtype: _write(model, inputs.prompts) for dtype, model in models.items()}
    active = {
        dtype: np.concatenate([_read(model, *text) for text in texts["float32"]])
        for dtype, model in models.items()
    }
    differ = active["float32"] != active["bfloat16"]
    either = active["float32"] | active["bfloat16"]
    jaccard = 1 - differ.sum(axis=1) / np.maximum(1, either.sum(axis=1))
    by_layer = differ.reshape(len(differ), inputs.geometry.n_layer, -1).mean(axis=(0, 2))
    pairs = zip(texts["float32"], texts["bfloat16"], strict=True)
    rows = [
        ["samples x neurons", f"{differ.shape[0]:,} x {differ.shape[1]:,}"],
        ["neurons that change sides, of all", f"{differ.mean():.3%}"],
        ["the same by layer, first to last", ", ".join(f"{share:.3%}" for share in by_layer)],
        ["of the active ones, no longer active", f"{_lost(active):.3%}"],
        ["active sets that are the same to the last neuron", f"{(~differ.any(axis=1)).mean():.1%}"],
        ["overlap of the two active sets (Jaccard), mean", f"{jaccard.mean():.4f}"],
        ["the same, least", f"{jaccard.min():.4f}"],
        [
            "completions with another token somewhere, when bfloat16 draws",
            f"{np.mean([mine[1] != theirs[1] for mine, theirs in pairs]):.1%}",
        ],
    ]
    report("bfloat16 against float32", table(["what", "measured"], rows))


def _lost(active: dict[str, Any]) -> float:
    lost = active["float32"] & ~active["bfloat16"]
    return float(lost.sum() / active["float32"].sum())


def _write(model: Any, prompts: Any) -> list[tuple[list[int], list[int]]]:
    """Return the prompt and the tokens written of every completion."""
    import numpy as np

    from gelu.generation.batches import make_plan
    from gelu.generation.decoding import Row, SamplingSettings, generate

    plan = make_plan(prompts, BATCH)
    written = np.zeros((len(plan), int(plan.n_new.max())), np.int64)
    for batch in range(plan.n_batches):
        completions = plan.completions(batch)
        rows = [Row(prompts[plan.prompt_idx[c]], int(plan.stream[c])) for c in completions]
        for step in generate(model, rows, SamplingSettings(42, 0.8, 0), recording=False):
            written[completions[step.rows], step.number] = step.records["id"]
    return [
        (list(prompts[prompt].token_ids), row[:n].tolist())
        for prompt, row, n in zip(plan.prompt_idx, written, plan.n_new, strict=True)
    ]


def _read(model: Any, prompt: list[int], written: list[int]) -> Any:
    """Return the neurons active where each token was predicted, (tokens, n_neurons) bool."""
    import torch

    from gelu.model.hooks import GeluRecorder

    ids = torch.tensor([[*prompt, *written[:-1]]])
    with torch.inference_mode(), GeluRecorder(model, positions=None) as recorder:
        model(ids)
        active = recorder.take()
    return active.reshape(ids.shape[1], -1)[len(prompt) - 1 :].numpy()


if __name__ == "__main__":
    main()
