"""How long until something happens: `--help` of every script, the first token, the end by Ctrl-C.

Example:
  python benchmarks/startup.py --repeats 5

The first token is there when the first shard appears: one prompt, one token, gpt2-demo. Against it
the same script in a process that first imports, at the top, every base package and the classes of
transformers that load a GPT-2, as such scripts commonly do. Ctrl-C comes at random moments of a run
on gpt2's shape: while 64 prompts of 900 tokens are read, and while completions are written.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SCRIPT = ROOT / "generate_activation_dataset.py"
AT_THE_TOP = f"""
import runpy, sys
import matplotlib.pyplot, networkx, numpy, pandas, sklearn.cluster, sklearn.manifold, torch, tqdm
from transformers import AutoTokenizer, GPT2LMHeadModel
sys.argv.pop(0)
sys.path.insert(0, {str(ROOT)!r})
runpy.run_path(sys.argv[0], run_name="__main__")
"""
PATIENCE_SECONDS = 120


def main() -> None:
    """Time both and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="counted rounds")
    arguments = parser.parse_args()
    from benchmarks.measuring import in_turns, ratio, report, table

    helps = {
        script.name: partial(_run, [sys.executable, script, "--help"])
        for script in sorted(ROOT.glob("*.py"))
    }
    seconds = in_turns(helps, arguments.repeats)
    lines = [
        [f"`{name} --help`", f"{statistics.median(s):.3f}", f"{max(s):.3f}"]
        for name, s in seconds.items()
    ]
    firsts = {
        "to the first token": partial(first_token, [sys.executable, SCRIPT]),
        "the same, everything imported at the top": partial(
            first_token, [sys.executable, "-c", AT_THE_TOP, SCRIPT]
        ),
    }
    first = in_turns(firsts, arguments.repeats)
    lines += [[n, f"{statistics.median(s):.2f}", f"{max(s):.2f}"] for n, s in first.items()]
    ours, theirs = first.values()
    text = f"At the top over ours, round by round: {ratio(theirs, ours)}."
    ends = _seconds_to_end(arguments.repeats)
    lines += [[n, f"{statistics.median(s):.2f}", f"{max(s):.2f}"] for n, s in ends.items()]
    report("Start and end", table(["what", "median s", "most s"], lines) + "\n\n" + text)


def _run(command: list[Any]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def first_token(command: list[Any], model_type: str = "gpt2-demo") -> None:
    """Run the dataset script, as this command calls it, until its first shard appears."""
    with tempfile.TemporaryDirectory() as folder:
        csv, export = Path(folder) / "prompts.csv", Path(folder) / "dataset"
        csv.write_text("prompts,number_of_new_tokens\nI think love is,1\n", encoding="utf-8")
        arguments: list[Any] = [
            "--model_type",
            model_type,
            "--input_csv",
            csv,
            "--export_dir",
            export,
        ]
        process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
        )
        shard, end = export / ".shards" / "batch_00000000.shard", time.monotonic()
        while not shard.exists():
            time.sleep(0.001)
            if process.poll() is not None or time.monotonic() > end + PATIENCE_SECONDS:
                raise RuntimeError(f"{command}: no shard appeared")
        process.kill()
        process.wait()


def _seconds_to_end(repeats: int) -> dict[str, list[float]]:
    """Return how long runs on gpt2's shape go on after Ctrl-C, `repeats` of each kind."""
    from benchmarks.shapes import model_folder

    long_prompts = "".join(f'"{number} {"so " * 880}",20,1\n' for number in range(64))
    kinds = {"reading long prompts": long_prompts, "writing": "I think,900,640\n"}
    rng = random.Random(0)
    with model_folder("gpt2") as model, tempfile.TemporaryDirectory() as work:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(ROOT / "models" / "gpt2-demo" / name, model)
        return {
            f"from Ctrl-C to the end, {kind}": [
                _interrupted(model, Path(work), rows, rng) for _ in range(repeats)
            ]
            for kind, rows in kinds.items()
        }


def _interrupted(model: str, work: Path, rows: str, rng: random.Random) -> float:
    (work / "prompts.csv").write_text("prompts,number_of_new_tokens,num_samples\n" + rows)
    command: list[Any] = [sys.executable, SCRIPT, "--model_type", model, "--overwrite"]
    command += ["--input_csv", work / "prompts.csv", "--export_dir", work / "dataset"]
    # What a shell runs in the background would ignore Ctrl-C.
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *command, "--edges", "none"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stderr is not None
    said = b""
    while b"tokens:" not in said:  # the progress bar: the model is loaded, the first batch begun
        said += os.read(process.stderr.fileno(), 4096)
    time.sleep(rng.uniform(0, 5))
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    seconds = time.monotonic() - start
    if process.wait() != 130 or b"batches are done and kept" not in said:
        raise RuntimeError(said.decode())
    return seconds


if __name__ == "__main__":
    main()
