"""Prompts in, a dataset out: which neurons of a GPT-2 are active for every token it writes.

Example:
  python generate_activation_dataset.py --model_type gpt2-demo \\
      --input_csv parcellation_datasets/test_1.csv --export_dir dataset --seed 42

The CSV has the columns prompts,number_of_new_tokens,num_samples (num_samples may be missing: 1).
Each completion has exactly number_of_new_tokens tokens, <|endoftext|> included like any other. A
sample is one generated token; its neurons are those active at the token before it, where it was
predicted. A completion depends on the seed, its prompt and its number alone: not on the batch size
or on other rows of the CSV, up to floating-point rounding.

Writes to --export_dir: {m}_activation_dataset.csv, {m}_neuron_activations.pickle and .json,
{m}_activation_matrix.npz, {m}_neuron_frequency.csv, {m}_neuron_attributes.csv, {m}_neuron_edges.el
(not with --edges none) and {m}_run.json.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gelu.cli import (
    UserError,
    add_device_argument,
    add_edge_arguments,
    add_model_argument,
    build_parser,
    existing_file,
    non_negative_float,
    non_negative_int,
    output_directory,
    positive_int,
    run_script,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from gelu.artifacts import Artifacts
    from gelu.generation import Completion, Generated
    from gelu.models import Geometry, ModelSource
    from gelu.packed import PackedActivations
    from gelu.prompts import Prompt

PACKAGES = ("numpy", "pandas", "safetensors", "tokenizers", "torch", "transformers")


@dataclass(frozen=True)
class Options:
    """The arguments that decide what is written, as the shell gave them."""

    seed: int
    temperature: float
    top_k: int
    batch_size: int | None
    edges: str
    top_edges: int
    device: str


def main() -> None:
    """Parse the command line and make the dataset."""
    parser = build_parser(__doc__)
    parser.add_argument("--input_csv", required=True, help="the prompts")
    parser.add_argument("--export_dir", required=True, help="folder for the dataset")
    add_model_argument(parser)
    parser.add_argument("--seed", type=non_negative_int, default=42, help="seed of the draws")
    parser.add_argument(
        "--temperature", type=non_negative_float, default=0.8, help="0 takes the likeliest token"
    )
    parser.add_argument(
        "--top_k", type=non_negative_int, default=0, help="draw from the k likeliest; 0 = all"
    )
    parser.add_argument(
        "--batch_size",
        type=positive_int,
        default=None,
        help="completions at once; by default 64, on cuda 256, fewer where their cache is too big",
    )
    add_edge_arguments(parser, kinds=("full", "strongest", "none"), default="strongest")
    add_device_argument(parser)
    arguments = parser.parse_args()
    options = Options(**{field.name: getattr(arguments, field.name) for field in fields(Options)})
    make_dataset(Path(arguments.input_csv), arguments.export_dir, arguments.model_type, options)


def make_dataset(input_csv: Path, export_dir: str, model_type: str, options: Options) -> None:
    """Generate from every prompt of the CSV with recording, and write the dataset's files."""
    from gelu.artifacts import Artifacts, read_text
    from gelu.models import find_model, load_tokenizer, read_geometry
    from gelu.prompts import encode_prompts, parse_prompts

    rows = parse_prompts(read_text(existing_file(input_csv, "--input_csv")), input_csv)
    source = find_model(model_type)
    geometry = read_geometry(source)
    tokenizer = load_tokenizer(source)
    prompts = encode_prompts(rows, tokenizer, geometry)
    _check_memory(prompts, geometry, input_csv)
    files = Artifacts(output_directory(export_dir, "--export_dir"), source.name)
    _generate_and_write(files, input_csv, source, tokenizer, prompts, geometry, options)


def _generate_and_write(
    files: "Artifacts",
    input_csv: Path,
    source: "ModelSource",
    tokenizer: Any,
    prompts: "Sequence[Prompt]",
    geometry: "Geometry",
    options: Options,
) -> None:
    # Imported once the arguments are known to be right: torch and pandas take seconds.
    from gelu.dataset import dataset_table
    from gelu.generation import plan_completions
    from gelu.models import load_model, pick_device

    device = pick_device(options.device)
    options = replace(options, batch_size=_batch_size(options, device, geometry, prompts))
    # Before the tokens are written, so that it names the files that were read, not later ones.
    run = _describe_run(input_csv, source, geometry, options, prompts)
    plan = plan_completions(prompts)
    model = load_model(source, device)
    generated = _generate(model, prompts, plan, geometry, options)
    table = dataset_table(prompts, plan, generated, tokenizer, geometry)
    counts = generated.activations.counts()
    paths = _write_samples(files, table, generated.activations, counts, geometry)
    paths += _write_graph(files, model, geometry, options)
    paths.append(files.write_run(run))
    for path in paths:
        print(path)
    _print_headline(len(prompts), len(table), counts)


def _n_samples(prompts: "Sequence[Prompt]") -> int:
    return sum(prompt.n_new * prompt.n_samples for prompt in prompts)


def _check_memory(prompts: "Sequence[Prompt]", geometry: "Geometry", input_csv: Path) -> None:
    # The bit-packed activations of all samples are held until they are written.
    needed = _n_samples(prompts) * (geometry.n_neurons + 7) // 8
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory // 2:
        raise UserError(
            f"{input_csv}: asks for {_n_samples(prompts):,} tokens, whose activations take "
            f"{needed / 1e9:.1f} GB of memory, over half of this machine's; split the file"
        )


def _batch_size(
    options: Options, device: str, geometry: "Geometry", prompts: "Sequence[Prompt]"
) -> int:
    from gelu.generation import default_batch_size

    longest = max(len(prompt.token_ids) + prompt.n_new for prompt in prompts)
    return options.batch_size or default_batch_size(device, geometry, longest)


def _generate(
    model: Any,
    prompts: "Sequence[Prompt]",
    plan: "Sequence[Completion]",
    geometry: "Geometry",
    options: Options,
) -> "Generated":
    from gelu.generation import Settings, generate, plan_batches
    from gelu.progress import progress_bar

    assert options.batch_size is not None
    batches = plan_batches(prompts, plan, options.batch_size)
    settings = Settings(options.seed, options.temperature, options.top_k)
    with progress_bar("tokens", _n_samples(prompts), "tok") as bar:
        return generate(model, prompts, batches, geometry, settings, bar.update)


def _write_samples(
    files: "Artifacts",
    table: "pd.DataFrame",
    activations: "PackedActivations",
    counts: "NDArray[np.int64]",
    geometry: "Geometry",
) -> list[Path]:
    from gelu.progress import progress_bar

    sample_ids = range(len(activations))
    writers = (
        lambda: files.write_dataset(table),
        lambda: files.write_pickle(sample_ids, activations),
        lambda: files.write_json(sample_ids, activations),
        lambda: files.write_matrix(sample_ids, activations),
        lambda: files.write_frequency(counts, len(activations), geometry),
    )
    paths = []
    with progress_bar("files", len(writers), "file") as bar:
        for write in writers:
            paths.append(write())
            bar.update(1)
    return paths


def _write_graph(
    files: "Artifacts", model: Any, geometry: "Geometry", options: Options
) -> list[Path]:
    from gelu.graph_output import write_full_edges, write_strongest_edges

    paths = [files.write_attributes(geometry)]
    if options.edges == "full":
        paths.append(write_full_edges(files, geometry)[0])
    elif options.edges == "strongest":
        paths.append(write_strongest_edges(files, model, geometry, options.top_edges)[0])
    return paths


def _describe_run(
    input_csv: Path,
    source: "ModelSource",
    geometry: "Geometry",
    options: Options,
    prompts: "Sequence[Prompt]",
) -> dict[str, Any]:
    """Return what made the folder; no path and no time, so that equal runs write equal bytes."""
    from gelu.artifacts import file_hash
    from gelu.models import model_weight_files

    return {
        "script": Path(__file__).name,
        "arguments": {
            "input_csv": input_csv.name,
            "model_type": source.hub_id or source.name,
            **asdict(options),
        },
        "model": {
            "name": source.name,
            "weights_sha256": file_hash(*model_weight_files(source)),
            "n_layer": geometry.n_layer,
            "d_mlp": geometry.d_mlp,
            "n_neurons": geometry.n_neurons,
        },
        "input_csv_sha256": file_hash(input_csv),
        "versions": {package: version(package) for package in PACKAGES},
        "counts": {
            "prompts": len(prompts),
            "completions": sum(prompt.n_samples for prompt in prompts),
            "samples": _n_samples(prompts),
        },
    }


def _print_headline(n_prompts: int, n_samples: int, counts: "NDArray[np.int64]") -> None:
    share = counts.sum() / (n_samples * len(counts))
    print(
        f"{n_prompts:,} prompts, {n_samples:,} samples, {len(counts):,} neurons: "
        f"{share:.1%} active on average, {int((counts == 0).sum()):,} never, "
        f"{int((counts == n_samples).sum()):,} always"
    )


if __name__ == "__main__":
    run_script(main)
