"""On few prompts: what is learned against counts, and readouts against scikit-learn's regression.

Example:
  python benchmarks/small_data.py --datasets emotions,topics --seeds 42,1,2

For each set of prompts in `parcellation_datasets` and each seed of the split, both scripts run at
their defaults on what gpt2-demo writes. Beside them stands a plain logistic regression on the last
layer with the same split: C is chosen on the validation prompts, then it is fitted to all training
prompts. All numbers are bits on held-out prompts; `random` is a small GPT-2 of random weights.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)
PENALTY_STEPS, MAX_CLASSES = 200, 4096
ACTIVATION_HEADS = ["prompts", "seed", "base rate", "token", "two tokens", "learned"]
TOKEN_HEADS = [
    "prompts",
    "seed",
    "trigram",
    "all neurons",
    "last layer",
    "scikit-learn, last layer",
]


def main() -> None:
    """Measure each set of prompts with each seed and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = "emotions,topics,opinions,grammar_contrasts,long_range,test_1,random"
    parser.add_argument("--datasets", default=names, help="sets of prompts, comma-separated")
    parser.add_argument("--seeds", default="42,1,2", help="of the split, comma-separated")
    parser.add_argument(
        "--scripts", default="activations,next_token", help="which of the two to compare"
    )
    arguments = parser.parse_args()
    from benchmarks.measuring import report, table

    rows: dict[str, list[list[str]]] = {"activations": [], "next_token": []}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.datasets.split(","):
            model, dataset = _dataset(Path(folder), name)
            for seed in map(int, arguments.seeds.split(",")):
                for script in arguments.scripts.split(","):
                    measure = {"activations": _activations, "next_token": _next_token}[script]
                    rows[script].append([name, str(seed), *measure(model, dataset, seed)])
                # After each, as all of them together take long.
                report(
                    "Predicting from few prompts",
                    f"Which neurons fire, bits a neuron and token:\n\n"
                    f"{table(ACTIVATION_HEADS, rows['activations'])}\n\n"
                    "The next token from the neurons, bits a token:\n\n"
                    f"{table(TOKEN_HEADS, rows['next_token'])}",
                )


def _dataset(folder: Path, name: str) -> tuple[str, Path]:
    """Write a dataset; return the model that wrote it, and the folder."""
    from benchmarks.measuring import run_measured

    model, prompts = "gpt2-demo", name
    if name == "random":
        from tests.helpers import save_gpt2

        model, prompts = str(folder / "random_model" / "random"), "emotions"
        save_gpt2(Path(model), n_positions=256)
    command: list[Any] = [sys.executable, ROOT / "generate_activation_dataset.py"]
    command += ["--model_type", model, "--edges", "none", "--formats", "csv,npz", "--seed", "42"]
    command += ["--input_csv", ROOT / "parcellation_datasets" / f"{prompts}.csv"]
    run_measured([*command, "--export_dir", folder / name])
    return model, folder / name


def _run(script: str, model: str, dataset: Path, seed: int) -> Any:
    """Run a script at its defaults; return the files that it wrote."""
    from benchmarks.measuring import run_measured
    from gelu.artifacts import Artifacts
    from gelu.model.source import find_model

    output = dataset / f"results_{seed}"
    command: list[Any] = [sys.executable, ROOT / script, "--model_type", model, "--seed", seed]
    command += ["--dataset_dir", dataset, "--output_dir", output]
    run_measured([str(word) for word in command])
    return Artifacts(output, find_model(model).name)


def _activations(model: str, dataset: Path, seed: int) -> list[str]:
    from gelu.artifacts import ACTIVATION_PREDICTION

    files = _run("predict_activations.py", model, dataset, seed)
    summary = json.loads(files.path(ACTIVATION_PREDICTION).read_text(encoding="utf-8"))
    loss = summary["log_loss_bits"]
    return [f"{loss[name]:.4f}" for name in ("base_rate", "token", "two_tokens", "learned")]


def _next_token(model: str, dataset: Path, seed: int) -> list[str]:
    from gelu.artifacts import NEXT_TOKEN_SCORES, read_next_token_scores

    files = _run("predict_next_token.py", model, dataset, seed)
    scores = read_next_token_scores(files.path(NEXT_TOKEN_SCORES))
    assert scores is not None
    bits = dict(
        zip(
            scores["predictor"] + " " + scores["neurons"], scores["cross_entropy_bits"], strict=True
        )
    )
    layers = [key for key in bits if key.startswith("linear layer ")]
    ours = [bits[name] for name in ("trigram none", "linear all", layers[-1])]
    return [f"{each:.3f}" for each in (*ours, _scikit_learn(model, dataset, seed))]


def _scikit_learn(model: str, dataset: Path, seed: int) -> float:
    """Return the bits of the plain regression on the last layer's neurons."""
    from gelu.learning.tokens import Classes
    from gelu.model.config import read_geometry
    from gelu.samples.reading import read_folder
    from gelu.samples.splits import split_parts

    read = read_folder(str(dataset), model)
    samples, parts = read.samples, split_parts(read.groups, 0.2, seed)
    targets = samples.table["output_id"].to_numpy(np.int64)
    n_tokens = read_geometry(read.source).vocab_size
    counts = np.bincount(targets[parts.training], minlength=n_tokens)
    # The unigram and the classes of `gelu.learning.tokens`, so that the same tokens are told apart.
    unigram = counts + 0.5 * len(parts.training) / (len(parts.training) + n_tokens)
    unigram = unigram / unigram.sum()
    classes = Classes.choose(targets[parts.learn], read.groups[parts.learn], unigram, MAX_CLASSES)
    active = samples.activations.rows(slice(None))[:, -samples.geometry.d_mlp :]
    return _regression(active.astype(np.float32), targets, classes, parts)


def _regression(active: Any, targets: Any, classes: Any, parts: Any) -> float:
    from sklearn.linear_model import LogisticRegression

    codes = classes.encode(targets)
    if len(classes) == 1:
        # No token came in two prompts: there is nothing to tell apart, and the unigram is left.
        certain = np.zeros((len(parts.held_out), 1))
        return float(classes.score(certain, targets[parts.held_out]).surprise.mean())

    def bits(penalty: float, learn: Any, test: Any) -> float:
        fitted = LogisticRegression(C=penalty, max_iter=PENALTY_STEPS).fit(
            active[learn], codes[learn]
        )
        logprobs = np.full((len(test), len(classes)), np.log(1e-7))
        logprobs[:, fitted.classes_] = fitted.predict_log_proba(active[test])
        return float(classes.score(logprobs, targets[test]).surprise.mean())

    tried = [bits(penalty, parts.learn, parts.validate) for penalty in PENALTIES]
    return bits(PENALTIES[int(np.argmin(tried))], parts.training, parts.held_out)


if __name__ == "__main__":
    main()
