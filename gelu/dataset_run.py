"""From a CSV of prompts to a dataset's folder: what all scripts that generate share.

    inputs = read_inputs(Path("prompts.csv"), "gpt2-demo")      # what is wrong with them is said
    ready = load_inputs(inputs, options)                        # seconds: torch and the weights
    made = make_dataset(Artifacts(folder, inputs.source.name), ready, options)
    print(made.headline())

The folder depends on the inputs and options alone, not on the script that asked for it.
"""

import argparse
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
    existing_file,
    non_negative_int,
    positive_int,
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

# Named in every folder, whichever script made it: this one makes the same folder by itself.
SCRIPT = "generate_activation_dataset.py"
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

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, **others: Any) -> "Options":
        """Return the options among a command line's arguments; others: those that it lacks."""
        values = vars(arguments) | others
        return cls(**{field.name: values[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class Inputs:
    """What a dataset is made of, read and checked; the weights are not loaded yet."""

    input_csv: Path
    source: "ModelSource"
    geometry: "Geometry"
    tokenizer: Any
    prompts: "Sequence[Prompt]"

    @property
    def n_samples(self) -> int:
        """Number of tokens that the CSV asks for."""
        return sum(prompt.n_new * prompt.n_samples for prompt in self.prompts)


@dataclass(frozen=True)
class Ready:
    """Inputs with their model loaded, and the hashes of the files they were read from."""

    inputs: Inputs
    model: Any
    batch_size: int
    weights_hash: str
    csv_hash: str


@dataclass(frozen=True)
class Made:
    """A dataset that was written: its table, its activations by sample, and the files.

    counts: (n_neurons,), in how many samples each neuron is active.
    """

    table: "pd.DataFrame"
    activations: "PackedActivations"
    counts: "NDArray[np.int64]"
    paths: list[Path]

    def headline(self) -> str:
        """Return how many neurons are active on average, never and always, as one line."""
        n_samples, n_neurons = len(self.table), len(self.counts)
        share = self.counts.sum() / (n_samples * n_neurons)
        return (
            f"{self.table['prompt_idx'].nunique():,} prompts, {n_samples:,} samples, "
            f"{n_neurons:,} neurons: {share:.1%} active on average, "
            f"{int((self.counts == 0).sum()):,} never, "
            f"{int((self.counts == n_samples).sum()):,} always"
        )


def add_dataset_arguments(parser: argparse.ArgumentParser, edges: str) -> None:
    """Add the arguments of `Options` but seed and temperature; edges: the default of `--edges`."""
    parser.add_argument(
        "--top_k", type=non_negative_int, default=0, help="draw from the k likeliest; 0 = all"
    )
    parser.add_argument(
        "--batch_size",
        type=positive_int,
        default=None,
        help="completions at once; by default 64, on cuda 256, fewer where their cache is too big",
    )
    add_edge_arguments(parser, kinds=("full", "strongest", "none"), default=edges)
    add_device_argument(parser)


def read_inputs(input_csv: Path, model_type: str) -> Inputs:
    """Read the prompts and encode them for the model. Raises `UserError` for what is wrong."""
    from gelu.artifacts import read_text
    from gelu.models import find_model, load_tokenizer, read_geometry
    from gelu.prompts import encode_prompts, parse_prompts

    rows = parse_prompts(read_text(existing_file(input_csv, "--input_csv")), input_csv)
    source = find_model(model_type)
    geometry = read_geometry(source)
    tokenizer = load_tokenizer(source)
    prompts = encode_prompts(rows, tokenizer, geometry)
    inputs = Inputs(input_csv, source, geometry, tokenizer, prompts)
    _check_memory(inputs)
    return inputs


def load_inputs(inputs: Inputs, options: Options) -> Ready:
    """Load the model to the device of `options`."""
    from gelu.artifacts import file_hash
    from gelu.models import load_model, model_weight_files, pick_device

    device = pick_device(options.device)
    # Before the tokens are written, so that they are of the files that were read, not later ones.
    hashes = file_hash(*model_weight_files(inputs.source)), file_hash(inputs.input_csv)
    model = load_model(inputs.source, device)
    return Ready(inputs, model, _batch_size(inputs, options, device), *hashes)


def make_dataset(files: "Artifacts", ready: Ready, options: Options, label: str = "tokens") -> Made:
    """Generate from every prompt with recording, and write the dataset's files.

    label: of the progress bar.
    """
    from gelu.dataset import dataset_table
    from gelu.generation import plan_completions

    inputs = ready.inputs
    options = replace(options, batch_size=ready.batch_size)
    plan = plan_completions(inputs.prompts)
    generated = _generate(ready, plan, options, label)
    table = dataset_table(inputs.prompts, plan, generated, inputs.tokenizer, inputs.geometry)
    counts = generated.activations.counts()
    paths = _write_samples(files, table, generated.activations, counts, inputs.geometry)
    paths += _write_graph(files, ready.model, inputs.geometry, options)
    paths.append(files.write_run(_describe_run(ready, options)))
    return Made(table, generated.activations, counts, paths)


def _check_memory(inputs: Inputs) -> None:
    # The bit-packed activations of all samples are held until they are written.
    needed = inputs.n_samples * (inputs.geometry.n_neurons + 7) // 8
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory // 2:
        raise UserError(
            f"{inputs.input_csv}: asks for {inputs.n_samples:,} tokens, whose activations take "
            f"{needed / 1e9:.1f} GB of memory, over half of this machine's; split the file"
        )


def _batch_size(inputs: Inputs, options: Options, device: str) -> int:
    from gelu.generation import default_batch_size

    longest = max(len(prompt.token_ids) + prompt.n_new for prompt in inputs.prompts)
    return options.batch_size or default_batch_size(device, inputs.geometry, longest)


def _generate(
    ready: Ready, plan: "Sequence[Completion]", options: Options, label: str
) -> "Generated":
    from gelu.generation import Settings, generate, plan_batches
    from gelu.progress import progress_bar

    prompts, geometry = ready.inputs.prompts, ready.inputs.geometry
    batches = plan_batches(prompts, plan, ready.batch_size)
    settings = Settings(options.seed, options.temperature, options.top_k)
    with progress_bar(label, ready.inputs.n_samples, "tok") as bar:
        return generate(ready.model, prompts, batches, geometry, settings, bar.update)


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


def _describe_run(ready: Ready, options: Options) -> dict[str, Any]:
    """Return what made the folder; no path and no time, so that equal runs write equal bytes."""
    source, geometry, prompts = ready.inputs.source, ready.inputs.geometry, ready.inputs.prompts
    return {
        "script": SCRIPT,
        "arguments": {
            "input_csv": ready.inputs.input_csv.name,
            "model_type": source.hub_id or source.name,
            **asdict(options),
        },
        "model": {
            "name": source.name,
            "weights_sha256": ready.weights_hash,
            "n_layer": geometry.n_layer,
            "d_mlp": geometry.d_mlp,
            "n_neurons": geometry.n_neurons,
        },
        "input_csv_sha256": ready.csv_hash,
        "versions": {package: version(package) for package in PACKAGES},
        "counts": {
            "prompts": len(prompts),
            "completions": sum(prompt.n_samples for prompt in prompts),
            "samples": ready.inputs.n_samples,
        },
    }
