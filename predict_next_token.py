"""The next token from the GELU activations alone: how much of it do the neurons hold?

Example:
  python predict_next_token.py --model_type gpt2-demo --dataset_dir dataset --output_dir findings

Reads which neurons were active at the token before, one bit a neuron, and predicts the token that
the model then wrote. Learns on the training prompts and tests on held-out ones; no prompt has
tokens on both sides. Surprise (cross-entropy) is in bits; it, top-1 and top-5 have 95 % intervals
over the held-out prompts, a rough guide where these are fewer than 30.

linear         multinomial logistic regression with weights of rank 256 at most, fitted in two
               ways: by stochastic gradients and, where that takes at most twice as many products of
               matrices, by L-BFGS on principal components with an L2 penalty, which is what few
               samples need. The second, fitted once more to all training prompts with the penalty
               that validation prompts chose, counts unless the first is better on these by more
               than a standard error, and in any case for 128 neurons or fewer
hidden_layer   the same with one hidden layer of 256, for comparison
unigram, bigram, trigram   how often the token came, after the last token, after the last two; each
               backs off to the one before, smoothed by what is best on validation prompts
model          the ceiling: the surprise of its own distribution, from output_logprob; with the
               model at hand also how often its likeliest tokens came

The linear readout is fitted to all neurons, to each layer alone, to the layers up to l, and to the
best k neurons. These are chosen on the training prompts alone: fitted to more, those whose weights
move the prediction least are left out. All neurons and the best k are fitted from nothing and once
more from a readout that is there already, of the layers or of the next larger k (one with an L2
penalty is taken over as it is); what does better on validation prompts counts. output_logprob is of
the distribution after temperature and top-k: at a temperature below 1 the model is surer than its
logits say, and a greedy dataset leaves no surprise at all; the ceiling is that of the dataset,
whatever made it. Without the model, the summary bounds its expected accuracy: see the README.

Writes {m}_next_token_prediction.csv (the scores), {m}_next_token_neurons.csv (for each frequent
token the neurons that speak for it in the readout of all neurons that was fitted from nothing, with
the weight of the model's own direct path, W_out . W_U with ln_f's weights),
{m}_next_token_direct_path.csv (are the two alike, against neurons or tokens dealt out anew),
{m}_next_token_prediction.png and {m}_next_token_prediction.json.

Readouts learn on the CPU; --device is for the model, which gives the ceiling.

The same command on the same kind of machine, with the same number of threads and versions, writes
the same bytes; another number of threads rounds sums differently in the last digits.
"""

import sys
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
    positive_int,
    run_script,
    share_held_out,
)
from gelu.errors import UserError
from gelu.provenance import package_versions

if TYPE_CHECKING:
    from gelu.artifacts import Artifacts
    from gelu.learning.token_study import Inside, Settings, TokenStudy
    from gelu.samples.reading import FolderSamples

PACKAGES = ("matplotlib", "numpy", "pandas", "scipy", "torch")


def main() -> None:
    """Parse the command line and study the dataset."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--dataset_dir", required=True, metavar="FOLDER", help="folder of the dataset script"
    )
    add_output_argument(parser, "--output_dir", "folder for the results")
    add_model_argument(parser, of_folder=True)
    add_seed_argument(parser)
    parser.often.add_argument(
        "--held_out", type=share_held_out, default=0.2, help="share of the prompts to test on"
    )
    parser.add_argument(
        "--epochs", type=epoch_number, default=6, metavar="N", help="passes over the data, at most"
    )
    parser.add_argument(
        "--max_classes",
        type=positive_int,
        default=4096,
        metavar="N",
        help="tokens that a readout tells apart; the rarer ones share one class",
    )
    parser.add_argument(
        "--min_token_count",
        type=positive_int,
        default=20,
        metavar="N",
        help="list the neurons of tokens with so many training samples or more",
    )
    add_device_argument(parser)
    arguments = parser.parse_args()

    from gelu.model.of_folder import DATASET_FILES, model_at_hand

    arguments.model_type = model_at_hand(
        arguments.model_type, arguments.dataset_dir, "dataset_dir", DATASET_FILES
    )
    run(arguments)


def run(arguments: Namespace) -> None:
    """Study one dataset and write every file."""
    from gelu.artifacts import NEXT_TOKEN_FILES, output_files, run_files
    from gelu.samples.reading import read_folder
    from gelu.samples.splits import split_parts
    from gelu.samples.token_history import NEEDED_COLUMNS, prompt_encoder, token_history

    read = read_folder(arguments.dataset_dir, arguments.model_type, NEEDED_COLUMNS)
    # Too few prompts are refused before anything slow is imported.
    split_parts(read.groups, arguments.held_out, arguments.seed)
    encode = prompt_encoder(read.source, read.samples.skipped)
    history = token_history(read.samples, encode, 2)
    drawn = sampling(arguments.dataset_dir, read.source.name)
    inputs = run_files([Path(arguments.dataset_dir)], read.source.name)
    files = output_files(
        arguments.output_dir,
        "output_dir",
        read.source.name,
        NEXT_TOKEN_FILES,
        [*inputs, *read.source.files()],
    )
    import torch

    from gelu.learning.token_study import Settings, study_next_token
    from gelu.model.allocator import keep_freed_memory

    keep_freed_memory()
    settings = Settings(
        arguments.seed,
        arguments.held_out,
        arguments.epochs,
        arguments.max_classes,
        arguments.min_token_count,
    )
    torch.use_deterministic_algorithms(True)
    inside = look_inside(read, encode, arguments.device)
    vocabulary = vocabulary_size(read.source)
    study = study_next_token(read.samples, read.groups, history, settings, vocabulary, inside, bars)
    write(files, read, settings, study, drawn)


@contextmanager
def bars(description: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """Give a function that moves a progress bar on."""
    from gelu.progress import progress_bar

    with progress_bar(description, total, unit, scale=True) as bar:
        yield bar.update


def vocabulary_size(source: Any) -> int:
    """Return how many tokens the model knows, 0 where its configuration is not at hand."""
    from gelu.model.config import read_geometry

    try:
        return read_geometry(source).vocab_size
    except UserError:
        return 0


def look_inside(
    read: "FolderSamples", encode: Callable[[str], Any] | None, device: str
) -> "Inside | None":
    """Return what the model itself gives, None where it is not at hand; that is noted."""
    from gelu.artifacts import require_ranges
    from gelu.learning.token_study import Inside
    from gelu.model.loading import load_model, pick_device
    from gelu.samples.reading import check_weights

    try:
        model = load_model(read.source, pick_device(device))
    except UserError as error:
        reason = f"without the model no direct path and no accuracy of its own ({error})"
        print(f"note: {reason}", file=sys.stderr)
        read.samples.skipped["the model's weights"] = reason
        return None
    geometry = model.architecture.geometry
    if (geometry.n_layer, geometry.d_mlp) != (
        read.samples.geometry.n_layer,
        read.samples.geometry.d_mlp,
    ):
        raise UserError(
            f"--model_type: the model has {geometry.n_layer} layers of {geometry.d_mlp} neurons, "
            f"the dataset {read.samples.geometry.n_layer} of {read.samples.geometry.d_mlp}; name "
            "the model that made the dataset"
        )
    path = Path(read.inputs["dataset_csv"])
    require_ranges(path, read.samples.table, geometry)
    check_weights(read.stated, read.source)
    if encode is None:
        return None
    return Inside(
        lambda rows: ranks_of(model, read, encode, rows), lambda ids: direct_weights(model, ids)
    )


def ranks_of(model: Any, read: "FolderSamples", encode: Callable[[str], Any], rows: Any) -> Any:
    """Return the rank of each of these samples' tokens in the model's own order, 0 the likeliest.

    rows: whole completions, ascending, as held-out samples are. A rank is `UNKNOWN_RANK` where a
    token that the model had read is unknown, as its row is missing; how many are is noted.
    """
    import numpy as np

    from gelu.learning.ceiling import Written, model_ranks
    from gelu.learning.tokens import UNKNOWN_RANK
    from gelu.samples.token_history import known_tokens, note

    outputs = read.samples.table["output_id"].to_numpy()
    chosen = np.unique(read.samples.completions.of_samples()[rows])
    written, places = [], [np.empty(0, np.int64)]
    for tokens in known_tokens(read.samples, encode, chosen):
        known = ~tokens.unknown_before()
        for start in np.unique(tokens.starts[known]):
            here = known & (tokens.starts == start)
            ids = tokens.ids[start : tokens.places[here].max() + 1]
            written.append(Written(ids, tokens.places[here] - start, outputs[tokens.rows[here]]))
            places.append(tokens.rows[here])
    ranks = np.full(len(rows), UNKNOWN_RANK)
    ranks[np.searchsorted(rows, np.concatenate(places))] = model_ranks(model, written)
    if n_unknown := int((ranks == UNKNOWN_RANK).sum()):
        note(
            read.samples.skipped,
            "the model's own guesses",
            f"the dataset CSV lacks rows; of {n_unknown:,} of {len(rows):,} held-out samples it is "
            "unknown what the model had read, and the model's top-1 and top-5 leave them out",
        )
    return ranks


def direct_weights(model: Any, token_ids: Any) -> Any:
    """Return what each neuron adds to the logits of these tokens by the direct path."""
    import numpy as np

    from gelu.learning.direct_path import direct_path

    final_scale = model.transformer.ln_f.weight.float().cpu().numpy()
    unembedding = model.lm_head.weight.float().cpu().numpy()[token_ids]
    return np.concatenate(
        [
            direct_path(block.mlp.c_proj.weight.float().cpu().numpy(), final_scale, unembedding)
            for block in model.transformer.h
        ]
    )


def sampling(dataset_dir: str, model: str) -> dict[str, Any]:
    """Return the temperature and top-k of the dataset, where its run file says so."""
    from gelu.artifacts import RUN, Artifacts, read_run

    run = read_run(Artifacts(Path(dataset_dir), model).path(RUN)) or {}
    arguments = run.get("arguments", {})
    return {name: arguments.get(name) for name in ("temperature", "top_k")}


def write(
    files: "Artifacts",
    read: "FolderSamples",
    settings: "Settings",
    study: "TokenStudy",
    drawn: dict[str, Any],
) -> None:
    """Write every file of a study, and say which and what was found."""
    from gelu import artifacts
    from gelu.learning.token_study import summarise_token_study
    from gelu.plots.figures import png_bytes
    from gelu.plots.next_token import next_token_figure

    tables = {
        artifacts.NEXT_TOKEN_SCORES: study.scores,
        artifacts.NEXT_TOKEN_NEURONS: study.carriers,
    }
    if study.direct is not None:
        tables[artifacts.NEXT_TOKEN_DIRECT] = study.direct
    paths = [artifacts.write_table(files.path(name), table) for name, table in tables.items()]
    picture = png_bytes(next_token_figure(files.model, study.scores, study.direct))
    paths.append(artifacts.write_picture(files.path(artifacts.NEXT_TOKEN_PICTURE), picture))
    summary = {
        "script": Path(__file__).name,
        "model_type": files.model,
        "inputs": read.inputs,
        "drawn_with": drawn,
        "versions": package_versions(PACKAGES),
        **summarise_token_study(study, read.samples, settings),
        "strongest_neurons": artifacts.strongest_neurons(study.carriers),
        "picture_sha256": artifacts.picture_hash(picture),
    }
    paths.append(artifacts.write_document(files.path(artifacts.NEXT_TOKEN), summary))
    print("\n".join(map(str, paths)))
    print_headline(study, summary)


def print_headline(study: "TokenStudy", summary: dict[str, Any]) -> None:
    """Print the table of scores, and what its intervals are over."""
    print("the next token on held-out prompts:")
    print(f"  {'':14s}{'neurons':>14s}{'bits':>8s}{'top-1':>8s}{'top-5':>8s}")
    columns = ["predictor", "neurons", "cross_entropy_bits", "top1", "top5"]
    for predictor, neurons, bits, first, five in study.scores[columns].itertuples(index=False):
        print(f"  {predictor:14s}{neurons:>14s}{bits:8.3f}{first:8.1%}{five:8.1%}")
    print(summary["intervals"])


if __name__ == "__main__":
    run_script(main)
