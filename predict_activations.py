"""Which neurons will be active, predicted from the input tokens alone, without running the model.

Example:
  python predict_activations.py --model_type gpt2-demo --dataset_dir dataset --output_dir findings
  python predict_activations.py --model_type gpt2-demo --output_dir findings \\
      --predict "I think love is"

Learns from a dataset of generate_activation_dataset.py and tests on prompts that are held out; no
prompt has tokens on both sides, and prompts of one text, or of which one begins with the other, are
never parted. A sample's neurons are those active at its context token, so a predictor sees the
tokens up to and including that one. Predictors:

base_rate   how often the neuron is active in the training prompts
token       its rate after the context token, backing off to the base rate
two_tokens  its rate after the last two tokens, backing off to the rate after the last one
learned     a small network that reads the last --history tokens and the position and predicts all
            neurons at once, mixed with the counts above: each layer's log-odds are those of the
            base rate plus, with weights of 0 or more, what the token, the one before and the
            network add. learned_token_only, learned_position_only: the same network with
            everything but the context token, or but the position, hidden, mixed with the counts
            that see no more

How much to smooth, when to stop learning and how to mix is chosen on an eighth of the training
prompts. So on few prompts the counts weigh more, on many the network. Log-losses and what they save
have 95 % intervals over the held-out prompts, a rough guide where these are fewer than 30.

Writes {m}_activation_prediction_by_layer.csv and _by_neuron.csv (log-loss in bits, average
precision, AUC, expected calibration error; what decides each neuron), _reliability.csv,
{m}_activation_prediction.png, {m}_activation_prediction.json and the predictor,
{m}_activation_predictor.safetensors with .json. With --predict also {m}_predicted_neurons.csv: the
neurons with a probability of one half or more at the text's last token, beside the true ones where
the model is at hand. Without --dataset_dir, --predict uses the predictor saved in --output_dir.

The same command on the same kind of machine, with the same number of threads and versions, writes
the same bytes; another number of threads rounds sums differently in the last digits.
"""

import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gelu.cli import (
    add_device_argument,
    add_model_argument,
    add_output_argument,
    add_seed_argument,
    build_parser,
    epoch_number,
    run_script,
    share_held_out,
    whole_number,
)
from gelu.errors import UserError
from gelu.provenance import package_versions

if TYPE_CHECKING:
    import pandas as pd

    from gelu.artifacts import Artifacts
    from gelu.learning.activation_study import Predictor, Settings, Study
    from gelu.samples.arrays import Samples
    from gelu.samples.reading import FolderSamples

PACKAGES = ("matplotlib", "numpy", "pandas", "scipy", "torch")
TOKEN_WIDTH = 64
HISTORY = 16
# No network needs more to learn from tokens; the memory that it takes grows with its width.
MOST_HISTORY, MOST_WIDTH = 1 << 20, 1 << 14


def main() -> None:
    """Parse the command line; learn, or predict, or both."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--dataset_dir",
        metavar="FOLDER",
        help="folder of the dataset script to learn from; not needed with --predict",
    )
    add_output_argument(parser, "--output_dir", "folder for the results")
    add_model_argument(parser, of_folder=True)
    add_seed_argument(parser)
    parser.often.add_argument(
        "--held_out", type=share_held_out, default=0.2, help="share of the prompts to test on"
    )
    parser.add_argument(
        "--history",
        type=whole_number(2, MOST_HISTORY),
        default=HISTORY,
        metavar="N",
        help="tokens that are read",
    )
    parser.add_argument(
        "--width",
        type=whole_number(1, MOST_WIDTH),
        default=512,
        metavar="N",
        help="of the network's hidden layer",
    )
    parser.add_argument(
        "--epochs",
        type=epoch_number,
        default=12,
        metavar="N",
        help="passes over the data, at most",
    )
    parser.often.add_argument(
        "--predict", metavar="TEXT", help="a text whose neurons are to be predicted"
    )
    add_device_argument(parser)
    arguments = parser.parse_args()
    if arguments.dataset_dir is None and arguments.predict is None:
        raise UserError("give --dataset_dir to learn from, or --predict with a text, or both")

    from gelu.model.of_folder import DATASET_FILES, PREDICTOR_FILES, model_at_hand

    arguments.model_type = (
        model_at_hand(arguments.model_type, arguments.output_dir, "output_dir", PREDICTOR_FILES)
        if arguments.dataset_dir is None
        else model_at_hand(
            arguments.model_type, arguments.dataset_dir, "dataset_dir", DATASET_FILES
        )
    )
    run(arguments)


def run(arguments: Namespace) -> None:
    """Learn where there is a dataset, predict where there is a text."""
    # Before torch starts: matrix products on a GPU are not repeatable without.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from gelu.artifacts import (
        ACTIVATION_PREDICTION_FILES,
        ACTIVATION_PREDICTOR,
        ACTIVATION_PREDICTOR_WEIGHTS,
        PREDICTED_NEURONS,
        Artifacts,
        output_files,
        run_files,
    )
    from gelu.model.source import find_model
    from gelu.samples.reading import check_weights

    source = find_model(arguments.model_type)
    token_ids = None if arguments.predict is None else encode(source, arguments.predict)
    output_dir, argument = arguments.output_dir, "output_dir"
    predicted = [] if token_ids is None else [PREDICTED_NEURONS]
    if arguments.dataset_dir is None:
        files = Artifacts(Path(output_dir), source.name)
        predictor = read_predictor(files)
        inputs = [files.path(it) for it in (ACTIVATION_PREDICTOR, ACTIVATION_PREDICTOR_WEIGHTS)]
        files = output_files(
            output_dir, argument, source.name, predicted, [*inputs, *source.files()]
        )
    else:
        read, history = read_inputs(arguments)
        if token_ids is not None:
            check_weights(read.stated, source)
        inputs = run_files([Path(arguments.dataset_dir)], source.name)
        endings = [*ACTIVATION_PREDICTION_FILES, *predicted]
        files = output_files(output_dir, argument, source.name, endings, [*inputs, *source.files()])
        predictor = learn(files, read, history, settings_of(arguments), arguments.device)
    if token_ids is not None:
        predict(files, predictor, arguments.model_type, token_ids)


def settings_of(arguments: Namespace) -> "Settings":
    """Return the arguments that decide what is learned."""
    from gelu.learning.activation_study import Settings

    return Settings(
        seed=arguments.seed,
        held_out=arguments.held_out,
        history=arguments.history,
        width=arguments.width,
        token_width=min(TOKEN_WIDTH, arguments.width),
        epochs=arguments.epochs,
    )


def read_inputs(arguments: Namespace) -> "tuple[FolderSamples, Any]":
    """Return the dataset and the last `--history` tokens before each sample."""
    from gelu.samples.reading import read_folder
    from gelu.samples.splits import split_parts
    from gelu.samples.token_history import NEEDED_COLUMNS, prompt_encoder, token_history

    read = read_folder(arguments.dataset_dir, arguments.model_type, NEEDED_COLUMNS)
    require_history(arguments.history, read.samples)
    # Too few prompts are refused before anything slow is imported.
    split_parts(read.groups, arguments.held_out, arguments.seed)
    encode_prompt = prompt_encoder(read.source, read.samples.skipped)
    return read, token_history(read.samples, encode_prompt, arguments.history)


def require_history(history: int, samples: "Samples") -> None:
    """Raise `UserError` for a history longer than anything that the model can have read."""
    n_positions = samples.geometry.n_positions or int(samples.table["absolute_position"].max()) + 1
    if history > max(HISTORY, n_positions):
        raise UserError(f"--history {history}: the model has read {n_positions:,} tokens at most")


def learn(
    files: "Artifacts", read: "FolderSamples", history: Any, settings: "Settings", device: str
) -> "Predictor":
    """Learn, test, write every file and print the headline; return the predictor."""
    import torch

    from gelu.learning.activation_study import study_activations
    from gelu.model.allocator import keep_freed_memory
    from gelu.model.loading import pick_device

    keep_freed_memory()
    torch.use_deterministic_algorithms(True)
    study = study_activations(
        read.samples, read.groups, history, settings, pick_device(device), bars
    )
    write(files, read, settings, study)
    return study.predictor


@contextmanager
def bars(description: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """Give a function that moves a progress bar on."""
    from gelu.progress import progress_bar

    with progress_bar(description, total, unit, scale=True) as bar:
        yield bar.update


def write(files: "Artifacts", read: "FolderSamples", settings: "Settings", study: "Study") -> None:
    """Write every file of a study, and say which and what was found."""
    from gelu import artifacts
    from gelu.learning.activation_study import summarise_study
    from gelu.plots.figures import png_bytes
    from gelu.plots.predictions import activation_prediction_figure

    tables = {
        artifacts.ACTIVATION_PREDICTION_LAYERS: study.layers,
        artifacts.ACTIVATION_PREDICTION_NEURONS: study.neurons,
        artifacts.ACTIVATION_PREDICTION_RELIABILITY: study.reliability,
    }
    paths = [artifacts.write_table(files.path(name), table) for name, table in tables.items()]
    figure = activation_prediction_figure(
        files.model, study.layers, study.neurons, study.reliability
    )
    picture, png = files.path(artifacts.ACTIVATION_PREDICTION_PICTURE), png_bytes(figure)
    paths.append(artifacts.write_picture(picture, png))
    summary = {
        "script": Path(__file__).name,
        "model_type": files.model,
        "inputs": read.inputs,
        "versions": package_versions(PACKAGES),
        **summarise_study(study, read.samples, settings),
        "picture_sha256": artifacts.picture_hash(png),
    }
    paths.append(artifacts.write_document(files.path(artifacts.ACTIVATION_PREDICTION), summary))
    paths += write_predictor(files, study.predictor)
    print("\n".join(map(str, paths)))
    print_headline(study.layers, summary)


def write_predictor(files: "Artifacts", predictor: "Predictor") -> list[Path]:
    """Write the predictor: weights as safetensors, the rest as JSON."""
    from gelu import artifacts

    weights = files.path(artifacts.ACTIVATION_PREDICTOR_WEIGHTS)
    description = files.path(artifacts.ACTIVATION_PREDICTOR)
    return [
        artifacts.write_tensors(weights, predictor.tensors()),
        artifacts.write_document(
            description, {"format": artifacts.PREDICTOR_FORMAT, **predictor.description()}
        ),
    ]


def read_predictor(files: "Artifacts") -> "Predictor":
    """Return the predictor saved in the folder; `UserError` where there is none."""
    from gelu import artifacts

    path = files.path(artifacts.ACTIVATION_PREDICTOR)
    description = artifacts.read_predictor(path)
    if description is None:
        raise UserError(f"{path}: no such file; learn with --dataset_dir first")
    from gelu.learning.activation_study import load_predictor

    tensors = artifacts.read_tensors(files.path(artifacts.ACTIVATION_PREDICTOR_WEIGHTS))
    try:
        return load_predictor(description, tensors)
    except ValueError as error:
        raise UserError(
            f"{path}: it and its weights do not fit each other ({error}); learn anew with "
            "--dataset_dir"
        ) from None


def print_headline(layers: "pd.DataFrame", summary: dict[str, Any]) -> None:
    """Print the log-loss of each predictor by layer, and the verdict."""
    wide = layers.pivot(index="predictor", columns="layer", values="log_loss_bits")
    names = list(dict.fromkeys(layers["layer"]))
    print("log-loss on held-out prompts, bits per neuron and token, by layer:")
    print(f"  {'':22s}" + "".join(f"{name!s:>9}" for name in names))
    for predictor in dict.fromkeys(layers["predictor"]):
        row = "".join(f"{wide.loc[predictor, name]:9.4f}" for name in names)
        print(f"  {predictor:22s}{row}")
    print(summary["verdict"])
    print(summary["intervals"])
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in summary["decided_by"].items())
    print(f"neurons by what decides them: {kinds}")


def encode(source: Any, text: str) -> list[int]:
    """Return the text's token ids; `UserError` for an empty text, or one too long."""
    from gelu.model.config import read_geometry
    from gelu.model.tokenizer import encode_text, load_tokenizer

    geometry = read_geometry(source)
    token_ids = encode_text(load_tokenizer(source), text, geometry, "`predict`")
    if not token_ids:
        raise UserError("--predict: the text is empty; give at least one character")
    if len(token_ids) > geometry.n_positions:
        raise UserError(
            f"--predict: {len(token_ids):,} tokens; the model has {geometry.n_positions:,} "
            "positions, give a shorter text"
        )
    return list(token_ids)


def predict(
    files: "Artifacts", predictor: "Predictor", model_type: str, token_ids: list[int]
) -> None:
    """Write and print the neurons predicted at the text's last token, beside the true ones."""
    from gelu.artifacts import PREDICTED_NEURONS, write_table

    probabilities = predictor.probabilities(token_ids)
    active = true_neurons(model_type, token_ids, len(probabilities))
    table = predicted_table(probabilities, active, predictor.geometry.d_mlp)
    print(write_table(files.path(PREDICTED_NEURONS), table))
    print_prediction(table)


def true_neurons(model_type: str, token_ids: list[int], n_neurons: int) -> Any:
    """Return which neurons are active at the last token, None where the model is not at hand."""
    import sys

    import torch

    from gelu.model.hooks import GeluRecorder
    from gelu.model.loading import load_model
    from gelu.model.source import find_model

    try:
        model = load_model(find_model(model_type), "cpu")
    except UserError as error:
        print(f"note: no true neurons to compare with: {error}", file=sys.stderr)
        return None
    if model.architecture.geometry.n_neurons != n_neurons:
        raise UserError(
            f"--model_type {model_type}: has {model.architecture.geometry.n_neurons} neurons, the "
            f"saved predictor {n_neurons}; learn anew with --dataset_dir"
        )
    with torch.inference_mode(), GeluRecorder(model, positions=-1) as recorder:
        model(torch.tensor([token_ids]))
    return recorder.take()[0].numpy()


def predicted_table(probabilities: Any, active: Any, d_mlp: int) -> "pd.DataFrame":
    """Return every neuron that is predicted or truly active, by id.

    `predicted` is 1 for a probability of one half or more; `active` is empty without the truth.
    """
    import numpy as np
    import pandas as pd

    predicted = probabilities >= 0.5
    ids = np.flatnonzero(predicted if active is None else predicted | active)
    truth = pd.Series(pd.NA if active is None else active[ids].astype(int), range(len(ids)))
    return pd.DataFrame(
        {
            "neuron_id": ids,
            "layer": ids // d_mlp,
            "dimension": ids % d_mlp,
            "probability": probabilities[ids].astype(float).round(6),
            "predicted": predicted[ids].astype(int),
            "active": truth.astype("Int64"),
        }
    )


def print_prediction(table: "pd.DataFrame") -> None:
    """Print how many neurons of each layer were predicted, and how many of these were right."""
    for layer, rows in table.groupby("layer"):
        line = f"layer {layer}: {rows['predicted'].sum():,} neurons predicted active"
        if rows["active"].notna().all():
            right = int((rows["predicted"] * rows["active"]).sum())
            line += f", {rows['active'].sum():,} are, {right:,} of them predicted"
        print(line)


if __name__ == "__main__":
    run_script(main)
