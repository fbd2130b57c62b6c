"""Train the demo model from scratch: write the text, fit the tokenizer, train, store.

Examples:
  python models/gpt2-demo/training/train.py
  python models/gpt2-demo/training/train.py --steps 300 --corpus_mb 6 --output_dir /tmp/tiny
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[2]))

from gelu.cli import build_parser, run_script, whole_number  # noqa: E402  (found by the line above)
from gelu.places import output_directory  # noqa: E402

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer
    from transformers import GPT2LMHeadModel

TOKENIZER_MB = 4
MEGABYTE = 1_000_000


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = build_parser(__doc__)
    parser.add_argument("--seed", type=whole_number(0), default=0, help="seed of text and weights")
    parser.add_argument("--steps", type=whole_number(1), default=7200, help="optimiser steps")
    parser.add_argument(
        "--batch_size", type=whole_number(2), default=8, help="windows of 256 tokens"
    )
    parser.add_argument("--corpus_mb", type=whole_number(5), default=48, help="megabytes of text")
    parser.add_argument("--threads", type=whole_number(1), default=2, help="threads and processes")
    parser.add_argument(
        "--output_dir", type=Path, default=HERE.parent, help="folder for the model's files"
    )
    parser.add_argument(
        "--checkpoint_dir", type=Path, default=None, help="folder for a model every few minutes"
    )
    parser.add_argument(
        "--checkpoint_minutes", type=whole_number(1), default=3, help="minutes between checkpoints"
    )
    args = parser.parse_args(argv)
    output_directory(args.output_dir, "output_dir")
    return args


def install(write: Callable[[Path], object], folder: Path) -> None:
    """Let ``write`` fill a folder beside the target, then move the files over one by one."""
    beside = folder.parent / f".{folder.name}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    write(beside)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(beside.iterdir()):
        path.replace(folder / path.name)
    beside.rmdir()


def write_text(args: argparse.Namespace) -> list[str]:
    """Return the documents of the training text."""
    from corpus import corpus

    return list(corpus(args.seed, args.corpus_mb * MEGABYTE, args.threads))


def fit_tokenizer(texts: list[str], seed: int) -> "Tokenizer":
    """Return the tokenizer, fitted to the first TOKENIZER_MB megabytes."""
    from tokens import train_tokenizer

    size = 0
    for number, text in enumerate(texts):
        size += len(text)
        if size > TOKENIZER_MB * MEGABYTE:
            texts = texts[:number]
            break
    return train_tokenizer(texts, seed)


def train(
    args: argparse.Namespace, tokenizer: "Tokenizer", stream: "np.ndarray", starts: "np.ndarray"
) -> tuple["GPT2LMHeadModel", float]:
    """Return the trained model and the seconds its training took."""
    import model as demo
    from tokens import END
    from tqdm import tqdm

    end = tokenizer.token_to_id(END)
    if end is None:
        raise ValueError(f"the tokenizer has no token {END}")
    net = demo.new_model(tokenizer.get_vocab_size(), end, args.seed)
    windows = demo.batches(stream, starts, args.batch_size, args.seed)
    began = saved = time.monotonic()
    with tqdm(total=args.steps, desc="training", unit="step", mininterval=2.0) as bar:

        def report(_step: int, loss: float) -> None:
            nonlocal saved
            bar.set_postfix(bits=f"{loss / 0.6931:.2f}", refresh=False)
            bar.update()
            if args.checkpoint_dir and time.monotonic() - saved > 60 * args.checkpoint_minutes:
                install(lambda path: save_all(net, tokenizer, path), args.checkpoint_dir)
                saved = time.monotonic()

        demo.fit(net, windows, args.steps, report)
    return net, time.monotonic() - began


def save_all(net: "GPT2LMHeadModel", tokenizer: "Tokenizer", folder: Path) -> None:
    """Write the model and its tokenizer into a folder."""
    from model import POSITIONS, save_model
    from tokens import save_tokenizer

    save_model(net, folder)
    save_tokenizer(tokenizer, folder, POSITIONS)


def record(args: argparse.Namespace, seconds: float, stream_size: int) -> dict[str, float | int]:
    """Return the numbers of the run that the model card shows."""
    seen = args.steps * args.batch_size * 256
    return {
        "seed": args.seed,
        "steps": args.steps,
        "batch_size": args.batch_size,
        "corpus_mb": args.corpus_mb,
        "threads": args.threads,
        "training_tokens": stream_size,
        "tokens_seen": seen,
        "wall_seconds": round(seconds),
        "tokens_per_second": round(seen / seconds),
    }


def main() -> None:
    """Run the whole of it."""
    args = parse()
    import torch
    from tokens import encode
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(args.threads)
    texts = write_text(args)
    tokenizer = fit_tokenizer(texts, args.seed)
    stream, starts = encode(tokenizer, texts, args.seed)
    print(f"{len(texts)} documents, {len(stream)} tokens", file=sys.stderr)
    net, seconds = train(args, tokenizer, stream, starts)
    numbers = record(args, seconds, len(stream))

    def write(folder: Path) -> None:
        save_all(net, tokenizer, folder)
        (folder / "training.json").write_text(json.dumps(numbers, indent=2) + "\n")

    install(write, args.output_dir)


if __name__ == "__main__":
    run_script(main)
