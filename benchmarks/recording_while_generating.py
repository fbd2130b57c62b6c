"""Generating with recording against Hugging Face `generate` without it, in turns in one run.

Example:
  python benchmarks/recording_while_generating.py --repeats 7

Weights of gpt2's shape, random, saved to a temporary folder and loaded as the scripts load them;
3 prompts x 5 samples x 20 tokens, temperature 0.8. The peer samples the same batch of 15 as its
documentation shows (left padding, `do_sample=True`), and keeps nothing. Ours also writes nothing;
it holds every token's active neurons. Ratios are pair by pair: above 1 is faster than the peer.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

N_NEW, N_SAMPLES, TEMPERATURE = 20, 5, 0.8
PROMPT_LENGTHS = (8, 4, 7)  # of the prompts of test_1.csv under GPT-2's own tokenizer
PEER = "Hugging Face generate, no recording"


@dataclass
class Timing:
    """Seconds of one way, run by run."""

    name: str
    seconds: list[float]


def main() -> None:
    """Run the ways in turns and print their table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="gpt2", help="shape: gpt2, gpt2-medium, ...")
    parser.add_argument("--repeats", type=int, default=7, help="counted runs of each way")
    arguments = parser.parse_args()
    from benchmarks.shapes import machine

    ways = _ways(_saved_and_loaded(arguments.model))
    timings = [Timing(name, []) for name, _ in ways]
    for repeat in range(arguments.repeats + 1):
        for (_, run), timing in zip(ways, timings, strict=True):
            start = time.perf_counter()
            run()
            if repeat > 0:  # the first round warms up
                timing.seconds.append(time.perf_counter() - start)
    print(f"{arguments.model}'s shape, {machine()}")
    _print_table(timings)


def _saved_and_loaded(name: str) -> Any:
    from benchmarks.shapes import random_gpt2
    from gelu.models import ModelSource, load_model

    with tempfile.TemporaryDirectory() as folder:
        random_gpt2(name).save_pretrained(folder)
        return load_model(ModelSource(name, Path(folder), None), "cpu")


def _ways(model: Any) -> list[tuple[str, Callable[[], object]]]:
    import torch

    from gelu.models import geometry_from_config
    from gelu.prompts import Prompt

    generator = torch.Generator().manual_seed(0)
    prompts = [
        Prompt(
            f"prompt {index}",
            tuple(torch.randint(0, model.config.vocab_size, (n,), generator=generator).tolist()),
            N_NEW,
            N_SAMPLES,
        )
        for index, n in enumerate(PROMPT_LENGTHS)
    ]
    geometry = geometry_from_config(model.config.to_dict())
    return [
        (PEER, lambda: _hugging_face(model, prompts)),
        ("this project, recording", lambda: _ours(model, prompts, geometry)),
    ]


def _hugging_face(model: Any, prompts: list[Any]) -> None:
    import torch

    from gelu.generation import pad_left

    rows = [prompt.token_ids for prompt in prompts for _ in range(N_SAMPLES)]
    ids, mask = pad_left(rows, model.device)
    torch.manual_seed(0)
    output = model.generate(
        input_ids=ids,
        attention_mask=mask,
        do_sample=True,
        temperature=TEMPERATURE,
        top_k=0,
        min_new_tokens=N_NEW,
        max_new_tokens=N_NEW,
        pad_token_id=model.config.eos_token_id,
    )
    assert output.shape == (len(rows), max(PROMPT_LENGTHS) + N_NEW)


def _ours(model: Any, prompts: list[Any], geometry: Any) -> None:
    from gelu.generation import Settings, generate, plan_batches, plan_completions

    batches = plan_batches(prompts, plan_completions(prompts), batch_size=64)
    generated = generate(model, prompts, batches, geometry, Settings(0, TEMPERATURE, 0))
    assert len(generated.activations) == len(PROMPT_LENGTHS) * N_SAMPLES * N_NEW


def _print_table(timings: list[Timing]) -> None:
    rows = len(PROMPT_LENGTHS) * N_SAMPLES * N_NEW
    peer = timings[0].seconds
    print(f"{'':40} median s   rows/s   ratio to peer (min, median, max)")
    for timing in timings:
        ratios = [theirs / ours for theirs, ours in zip(peer, timing.seconds, strict=True)]
        median = statistics.median(timing.seconds)
        print(
            f"{timing.name:40} {median:8.2f} {rows / median:8.1f}   "
            f"{min(ratios):.2f}, {statistics.median(ratios):.2f}, {max(ratios):.2f}"
        )


if __name__ == "__main__":
    main()
