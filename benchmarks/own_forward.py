"""GPT-2 by its own forward against transformers' module behind the same interface.

Example:
  python benchmarks/own_forward.py --repeats 5

Both have the same weights, packed products of oneDNN, memory of keys and values, and hooks; they
differ in the forward pass, and in what is imported for it. Speed: gpt2's shape and the workload of
`generation.py` with 20 tokens a completion, recording, at several batch sizes. Start: the dataset
script as a process, one prompt and one token, until its first shard appears, with gpt2-demo and
with gpt2's shape.
"""

import argparse
import shutil
import statistics
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SCRIPT = ROOT / "generate_activation_dataset.py"
BY_TRANSFORMERS = f"""
import runpy, sys
sys.path.insert(0, {str(ROOT)!r})
from benchmarks.own_forward import load_by_transformers
from gelu.model import loading
loading._load_gpt2 = load_by_transformers
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
BATCHES, N_NEW = (50, 10, 1), 20
OWN, THEIRS = "own forward", "transformers' module"


def main() -> None:
    """Time both and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="counted rounds")
    repeats = parser.parse_args().repeats
    from benchmarks.measuring import report, table
    from benchmarks.shapes import model_folder

    with model_folder("gpt2") as folder:
        lines = _speeds(folder, repeats) + _starts(folder, repeats)
    text = "Medians; the ratio is transformers' time over ours, round by round.\n\n"
    heads = ["what", "own forward", "transformers' module", "ratio"]
    report("GPT-2's own forward", text + table(heads, lines))


def load_by_transformers(
    source: Any, config: dict[str, Any], geometry: Any, device: str, dtype: str
) -> Any:
    """Load a GPT-2 as `gelu.model.loading` loads any other family; it takes the same arguments."""
    from gelu.model import loading

    model = loading._load_pretrained(source, config, geometry, device, dtype)
    _linear_of_conv1d(model.network)
    return model


def _linear_of_conv1d(network: Any) -> None:
    """Put linear layers, which `Decoder.pack` knows, in the place of GPT-2's, with its weights."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Conv1D):
                n_in, n_out = child.weight.shape
                linear = nn.Linear(n_in, n_out, device="meta")
                linear.weight = nn.Parameter(child.weight.t(), requires_grad=False)
                linear.bias = child.bias
                setattr(module, name, linear)


def _speeds(folder: str, repeats: int) -> list[list[str]]:
    from benchmarks.measuring import in_turns, ratio, replaced
    from benchmarks.workload import load_ours, make_workload, write_ours
    from gelu.model import loading

    work = make_workload(N_NEW)
    own = load_ours(folder, "gpt2")
    with replaced(loading, "_load_gpt2", load_by_transformers):
        theirs = load_ours(folder, "gpt2")
    lines = []
    for batch in BATCHES:
        # One completion at a time is slow: a fifth of the work.
        some = replace(work, n_samples=1) if batch == 1 else work
        n_steps = some.n_rows // batch
        seconds = in_turns(
            {
                OWN: partial(write_ours, own, some, batch),
                THEIRS: partial(write_ours, theirs, some, batch),
            },
            repeats,
        )
        rates = [f"{n_steps / statistics.median(seconds[name]):.2f}" for name in (OWN, THEIRS)]
        what = f"steps/s, batch {batch}"
        lines.append([what, *rates, ratio(seconds[THEIRS], seconds[OWN])])
    return lines


def _starts(folder: str, repeats: int) -> list[list[str]]:
    from benchmarks.measuring import in_turns, ratio
    from benchmarks.startup import first_token

    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(ROOT / "models" / "gpt2-demo" / name, folder)
    lines = []
    for title, model_type in (("gpt2-demo", "gpt2-demo"), ("gpt2's shape", folder)):
        seconds = in_turns(
            {
                OWN: partial(first_token, [sys.executable, SCRIPT], model_type),
                THEIRS: partial(
                    first_token, [sys.executable, "-c", BY_TRANSFORMERS, SCRIPT], model_type
                ),
            },
            repeats,
        )
        rates = [f"{statistics.median(seconds[name]):.2f}" for name in (OWN, THEIRS)]
        lines.append(
            [f"s to the first token, {title}", *rates, ratio(seconds[THEIRS], seconds[OWN])]
        )
    return lines


if __name__ == "__main__":
    main()
