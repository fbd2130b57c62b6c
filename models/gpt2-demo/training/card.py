"""Evaluate the stored model and write evaluation.json and the model card README.md beside it.

Examples:
  python models/gpt2-demo/training/card.py
  python models/gpt2-demo/training/card.py --model_dir /tmp/tiny --documents 200
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train import HERE, MEGABYTE, build_parser, run_script, whole_number

# train.py has put the repository's root on the path.
from gelu.artifacts import write_bytes
from gelu.model.config import geometry_from_config

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer
    from transformers import GPT2LMHeadModel

PROMPTS = ("I am feeling like gloomy day and ", "I think love is ",
           "My opinion on communism is that ")  # fmt: skip
NEW_TOKENS, TEMPERATURE, SAMPLES, SAMPLE_SEED = 20, 0.8, 6, 1
BY_KIND = ("gpt2-demo", "3-gram", "5-gram")


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = build_parser(__doc__)
    parser.add_argument("--model_dir", type=Path, default=HERE.parent, help="the model's folder")
    parser.add_argument(
        "--documents", type=whole_number(10), default=1500, help="number of held-out documents"
    )
    parser.add_argument("--threads", type=whole_number(1), default=2, help="threads and processes")
    args = parser.parse_args(argv)
    if not (args.model_dir / "training.json").is_file():
        parser.error(f"{args.model_dir} holds no training.json; run train.py first")
    return args


def completions(model: Any, tokenizer: Any) -> dict[str, list[str]]:
    """Return sampled continuations of PROMPTS, the prompt not included; seeded."""
    import torch

    found = {}
    for prompt in PROMPTS:
        torch.manual_seed(SAMPLE_SEED)
        ids = tokenizer(prompt, return_tensors="pt")
        rows = model.generate(
            **ids, do_sample=True, temperature=TEMPERATURE, top_k=0, max_new_tokens=NEW_TOKENS,
            num_return_sequences=SAMPLES, pad_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        size = ids["input_ids"].shape[1]
        found[prompt] = [
            _until_end(tokenizer.decode(row[size:]), tokenizer.eos_token) for row in rows
        ]
    return found


def _until_end(text: str, end: str) -> str:
    """Return the text up to the first end-of-text token, which stays visible."""
    before, found, _ = text.partition(end)
    return before + found


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return everything that evaluation.json holds."""
    import scores
    import torch
    from corpus import HELD_OUT_OFFSET, corpus, first_documents

    torch.set_num_threads(args.threads)
    run = json.loads((args.model_dir / "training.json").read_text())
    model, tokenizer = scores.load(args.model_dir)
    training = list(corpus(run["seed"], run["corpus_mb"] * MEGABYTE, args.threads))
    seed = run["seed"] + HELD_OUT_OFFSET
    texts = first_documents(seed, args.documents)
    held_out = {"seed": seed, "documents": len(texts)}
    return {
        "model": describe(model, args.model_dir),
        "training": run,
        "held_out": held_out | {"verbatim_in_training": scores.overlap(texts, training)},
        **compare(model, tokenizer.backend_tokenizer, training, texts, run["seed"]),
        "completions": completions(model, tokenizer),
    }


def compare(
    model: Any, tokenizer: "Tokenizer", training: list[str], texts: list[str], seed: int
) -> dict[str, Any]:
    """Return the bits per token of the model and of n-gram models fitted to its training stream."""
    import scores
    from tokens import encode

    streams = {
        "cut": scores.held_out_stream(tokenizer, texts, seed),
        "whole": scores.held_out_stream(tokenizer, texts, None),
    }
    stream = encode(tokenizer, training, seed)[0].astype("int64")
    bits = scores.all_bits(model, stream, streams)
    return {
        "tokens": {name: len(values) for name, values in streams.items()},
        "bits_per_token": {name: means(values) for name, values in bits.items()},
        "bits_by_kind": scores.breakdown(scores.labels(tokenizer, texts), bits["whole"], BY_KIND),
    }


def means(bits: "dict[str, np.ndarray]") -> dict[str, float]:
    """Return the mean bits per token of every model."""
    return {name: round(float(values.mean()), 4) for name, values in bits.items()}


def describe(model: "GPT2LMHeadModel", folder: Path) -> dict[str, int]:
    """Return the model's size."""
    config = model.config
    geometry = geometry_from_config(config.to_dict())
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "layers": geometry.n_layer,
        "neurons_per_layer": geometry.d_mlp,
        "heads": config.n_head,
        "width": config.n_embd,
        "positions": config.n_positions,
        "vocabulary": config.vocab_size,
        "file_bytes": (folder / "model.safetensors").stat().st_size,
    }


def table(head: list[str], rows: list[list[Any]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def render(numbers: dict[str, Any]) -> str:
    """Return the model card for the numbers of evaluation.json."""
    bits, kinds = numbers["bits_per_token"], numbers["bits_by_kind"]
    template = (HERE / "card_template.md").read_text(encoding="utf-8")
    names = sorted(bits["cut"], key=lambda name: -bits["cut"][name])
    samples = "\n\n".join(
        f"`{prompt!r}`\n\n"
        + "\n".join(f"- {json.dumps(text, ensure_ascii=False)}" for text in rows)
        for prompt, rows in numbers["completions"].items()
    )
    return template.format(
        **numbers,
        minutes=round(numbers["training"]["wall_seconds"] / 60),
        gain=bits["cut"]["3-gram"] - bits["cut"]["gpt2-demo"],
        bits_table=table(["model", "cut at spaces", "whole documents"],
                         [[name, f"{bits['cut'][name]:.3f}", f"{bits['whole'][name]:.3f}"]
                          for name in names]),
        kinds_table=table(["tokens of", "number", *BY_KIND],
                          [[kind, row["tokens"], *(f"{row[name]:.2f}" for name in BY_KIND)]
                           for kind, row in kinds.items()]),
        samples=samples,
    )  # fmt: skip


def main() -> None:
    """Write evaluation.json and README.md into the model's folder."""
    args = parse()
    from transformers.utils import logging

    logging.disable_progress_bar()
    numbers = measure(args)
    evaluation = json.dumps(numbers, indent=2, ensure_ascii=False) + "\n"
    write_bytes(args.model_dir / "evaluation.json", [evaluation.encode()])
    write_bytes(args.model_dir / "README.md", [render(numbers).encode()])


if __name__ == "__main__":
    run_script(main)
