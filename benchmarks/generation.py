"""Generating with recording, beside Hugging Face `generate`, TransformerLens and nnsight.

Examples:
  python benchmarks/generation.py --repeats 3
  python benchmarks/generation.py --shape qwen2.5-0.5b --repeats 2
  python benchmarks/generation.py --shape FOLDER --profile

Random weights of a model's shape, saved to a temporary folder, or a model's own folder or .gguf
file (as float32), loaded as each library loads them; 10 prompts of 4 to 12 tokens x 5 completions x
50 tokens at temperature 0.8, all in turns in one run. Hugging Face `generate` keeps nothing.
TransformerLens and nnsight keep which neurons are active at each token; per prompt (the 5
completions together), and all 50 at once, for which the prompts are cut to one length: what they
make of padding is `foreign_client.py`'s matter. Without a cache, two completions, each alone. Ours
hands over packed records that are dropped.

--best leaves out what is slower than the largest batches of each, for large models. --ablate takes
single optimisations away instead, --recorder the recorder, and --profile says where our time goes.
Without one of these three it needs benchmarks/requirements.txt.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

HF_BATCHES, BEST_BATCHES = (5, 10, 25, 50), (25, 50)
NO_CACHE_ROWS = 2
OURS, OFF = "this project, recording", "this project, recorder off"
LIMIT_MKL, LIMIT = "matrix products alone, MKL", "matrix products alone, oneDNN"
# name -> seconds to do, and the rows that it writes
Ways = dict[str, tuple[Callable[[], object], int]]


def main() -> None:
    """Time all ways in turns and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shape",
        default="gpt2",
        help="gpt2, gpt2-medium, ..., pythia-160m, opt-125m, qwen2.5-0.5b; or a folder, or a .gguf",
    )
    parser.add_argument("--repeats", type=int, default=3, help="counted rounds")
    parser.add_argument("--ablate", action="store_true", help="ours alone, without its parts")
    parser.add_argument("--recorder", action="store_true", help="ours alone, recorder on and off")
    parser.add_argument("--tokens", type=int, default=50, help="a completion")
    parser.add_argument("--best", action="store_true", help="only the largest batches of each")
    parser.add_argument("--profile", action="store_true", help="ours alone, by operation")
    arguments = parser.parse_args()
    from benchmarks.measuring import in_turns, report
    from benchmarks.shapes import model_folder, shape_title
    from benchmarks.workload import load_ours, make_workload

    with model_folder(arguments.shape) as folder:
        model = load_ours(folder, shape_title(arguments.shape))
        work = make_workload(arguments.tokens, model.geometry.vocab_size)
        if arguments.profile:
            report(_section("Where the time goes", arguments.shape), _profile(model, work))
            return
        if arguments.recorder:
            ways = _recorder(model, work)
        elif arguments.ablate:
            ways = _ablations(model, load_ours(folder, shape_title(arguments.shape)), work)
        else:
            ways = _all_ways(model, folder, work, arguments.best)
    seconds = in_turns({name: run for name, (run, _) in ways.items()}, arguments.repeats)
    rates = {name: [ways[name][1] / s for s in seconds[name]] for name in ways}
    if arguments.recorder:
        report(_section("What recording costs", arguments.shape), _recorder_table(seconds))
    elif arguments.ablate:
        title = _section("What each part of generating buys", arguments.shape)
        report(title, _ablation_table(rates))
    else:
        report(_section("Generating with recording", arguments.shape), _table(rates))


def _section(title: str, shape: str) -> str:
    from benchmarks.shapes import shape_title

    return title if shape == "gpt2" else f"{title}, {shape_title(shape)}"


def _all_ways(model: Any, folder: str, work: Any, best: bool) -> Ways:
    from benchmarks import matrix_products
    from benchmarks.workload import load_theirs, write_hugging_face

    rows = len(work.prompts) * work.n_samples
    ways = _recorder(model, work)
    matrices = matrix_products.matrices_of(model)
    for name, multiply in ((LIMIT_MKL, matrix_products.mkl), (LIMIT, matrix_products.onednn)):
        run = partial(matrix_products.run_products, matrices, rows, work.n_new, multiply)
        ways[name] = (run, work.n_rows)
    theirs = load_theirs(folder)
    for size in BEST_BATCHES if best else HF_BATCHES:
        run = partial(write_hugging_face, theirs, work, size)
        ways[f"Hugging Face generate, no recording, batch {size}"] = (run, work.n_rows)
    if best:
        return ways | _recording_peers(folder, work, best)
    short = replace(work, prompts=work.prompts[:NO_CACHE_ROWS], n_samples=1)
    ways["one at a time without cache, recording"] = (
        partial(_without_cache, theirs, short),
        short.n_rows,
    )
    return ways | _recording_peers(folder, work, best)


def _recorder(model: Any, work: Any) -> Ways:
    from benchmarks.workload import write_ours

    return {
        OURS: (partial(write_ours, model, work), work.n_rows),
        OFF: (partial(write_ours, model, work, recording=False), work.n_rows),
    }


def _recorder_table(seconds: dict[str, list[float]]) -> str:
    pairs = zip(seconds[OURS], seconds[OFF], strict=True)
    costs = sorted(on / off - 1 for on, off in pairs)
    quarter = len(costs) // 4
    return (
        f"Time with the recorder over time without, less 1, of {len(costs)} pairs: median "
        f"{statistics.median(costs):.1%}, middle half {costs[quarter]:.1%} to "
        f"{costs[-1 - quarter]:.1%}; of the fastest runs "
        f"{min(seconds[OURS]) / min(seconds[OFF]) - 1:.1%}."
    )


def _recording_peers(folder: str, work: Any, best: bool) -> Ways:
    from benchmarks import peers

    least = min(map(len, work.prompts))
    together = replace(work, prompts=[ids[:least] for ids in work.prompts])
    lens, sight = peers.TransformerLens(folder), peers.NNSight(folder)
    ways: Ways = {}
    for name, peer in (("TransformerLens", lens), ("nnsight", sight)):
        if not best:
            ways[f"{name}, per prompt"] = (partial(peers.per_prompt, peer, work), work.n_rows)
        ways[f"{name}, all at once"] = (partial(peers.at_once, peer, together), work.n_rows)
    return ways


def _without_cache(model: Any, work: Any) -> None:
    """Read the whole text anew for each token and keep the neurons active at its end."""
    import torch

    from gelu.model.hooks import mlp_modules

    active: list[Any] = []

    def keep(module: Any, inputs: Any, output: Any) -> None:
        active.append(output.reshape(-1, output.shape[-1])[-1] > 0)

    hooks = [mlp.activation.register_forward_hook(keep) for mlp in mlp_modules(model)]
    with torch.inference_mode():
        for prompt in work.prompts:
            ids = torch.tensor([prompt])
            for _ in range(work.n_new):
                logits = model(ids, use_cache=False).logits[:, -1] / 0.8
                token = torch.multinomial(logits.softmax(-1), 1)
                ids = torch.cat([ids, token], dim=1)
    for hook in hooks:
        hook.remove()
    assert len(active) == work.n_rows * len(hooks)


def _table(rates: dict[str, list[float]]) -> str:
    from benchmarks.measuring import ratio, table

    median = {name: statistics.median(values) for name, values in rates.items()}
    lines = [
        [name, f"{median[name]:,.1f}", ratio(rates[OURS], rates[name])]
        for name in sorted(rates, key=lambda name: -median[name])
    ]
    return (
        "Medians; the ratio is ours over theirs, round by round: median (least to most).\n\n"
        + table(["way", "rows/s", "ours is so many times as fast"], lines)
    )


def _ablations(model: Any, unpacked: Any, work: Any) -> Ways:
    from benchmarks.measuring import replaced
    from benchmarks.workload import write_ours
    from gelu.model import matmul

    with replaced(matmul, "_reorder", None):
        unpacked.pack()
    run = partial(write_ours, model, work)
    ways: Ways = {
        OURS: (run, work.n_rows),
        "weights not laid out for oneDNN": (partial(write_ours, unpacked, work), work.n_rows),
        "matrix products by MKL instead of oneDNN": (
            partial(_under, _mkl_products, run),
            work.n_rows,
        ),
        "tokens drawn by torch.multinomial": (
            partial(_under, _torch_multinomial, run),
            work.n_rows,
        ),
    }
    # As many prompts as completions: nothing that is read serves several.
    apart = [[*ids[:-1], number] for ids in work.prompts for number in range(work.n_samples)]
    unlike = replace(work, prompts=apart, n_samples=1)
    ways["each completion reads its own prompt"] = (partial(write_ours, model, unlike), work.n_rows)
    for size in (1, 5, 15):
        # One completion at a time is slow: a fifth of the work.
        some = replace(work, n_samples=1) if size == 1 else work
        ways[f"batch {size}"] = (partial(write_ours, model, some, size), some.n_rows)
    return ways


def _under(change: Callable[[], Any], run: Callable[[], object]) -> None:
    with change():
        run()


def _mkl_products() -> Any:
    from benchmarks.measuring import replaced
    from gelu.model import matmul

    return replaced(matmul, "_onednn", None)


def _torch_multinomial() -> Any:
    import torch

    from benchmarks.measuring import replaced
    from gelu.generation import decoding as generation

    def draw(logits: Any, uniforms: Any, temperature: float, top_k: int) -> tuple[Any, Any]:
        probabilities = (logits / temperature).softmax(-1)
        ids = torch.multinomial(probabilities, 1)
        return ids[:, 0], probabilities.gather(1, ids)[:, 0].log().double()

    return replaced(generation, "draw_tokens", draw)


def _ablation_table(rates: dict[str, list[float]]) -> str:
    from benchmarks.measuring import ratio, table

    lines = [
        [name, f"{statistics.median(values):,.1f}", ratio(rates[OURS], values)]
        for name, values in rates.items()
    ]
    return "Each line takes one part away; the ratio says what that part is worth.\n\n" + table(
        ["way", "rows/s", "ours is so many times as fast"], lines
    )


def _profile(model: Any, work: Any) -> str:
    """Return what share of writing each operation has, those of one hundredth and more."""
    from torch.profiler import ProfilerActivity, profile

    from benchmarks.measuring import table
    from benchmarks.workload import write_ours

    write_ours(model, work)
    with profile(activities=[ProfilerActivity.CPU]) as found:
        write_ours(model, work)
    events = sorted(found.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    lines = [
        [
            event.key,
            f"{event.self_cpu_time_total / total:.1%}",
            f"{event.count / work.n_new:,.0f}",
            f"{event.self_cpu_time_total / work.n_new / 1e3:.2f}",
        ]
        for event in events
        if event.self_cpu_time_total >= total / 100
    ]
    return (
        f"{total / work.n_new / 1e3:.1f} ms for each token of all completions, the reading of the "
        "prompts included; the profiler itself makes small operations look larger.\n\n"
        + table(["operation", "share", "calls a token", "ms a token"], lines)
    )


if __name__ == "__main__":
    main()
