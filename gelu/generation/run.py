"""From a CSV of prompts to a dataset's folder: what all scripts that generate share.

    outcome = generate_dataset("prompts.csv", "dataset", "gpt2-demo", GenerationOptions(seed=1))
    print(outcome.said)                         # prompts, samples, neurons
    outcome.table(), outcome.activations()      # a row a sample

The work is cut into batches. Each finished one is a shard on disk, so that a run goes on where it
was interrupted and several processes can share one. The folder depends on the inputs and options
alone, not on the script, nor on how many processes made it.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gelu.errors import UserError, failure_text
from gelu.limits import (
    ALL_FORMATS,
    COUNT,
    DATASET_EDGES,
    DEVICE,
    DTYPES,
    FORMATS,
    SEED,
    TOP_K,
    one_of,
    optional,
    settle,
    shard,
    temperature,
)
from gelu.places import existing_file
from gelu.provenance import describe_run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from gelu.artifacts import Artifacts, Shards
    from gelu.generation.batches import Plan
    from gelu.generation.process_group import ProcessGroup
    from gelu.generation.prompts import Prompt
    from gelu.generation.run_folder import RunFolder
    from gelu.model.decoder import Decoder
    from gelu.model.source import ModelSource
    from gelu.neurons import Geometry
    from gelu.packed import PackedActivations

# Named in every folder, whichever script made it: this one makes the same folder by itself.
SCRIPT = "generate_activation_dataset.py"
PACKAGES = ("numpy", "pandas", "safetensors", "tokenizers", "torch")


@dataclass(frozen=True)
class GenerationOptions:
    """What decides what is written; batch_size: None for the device's own; top_k: 0 for all tokens.

    Raises `UserError` for a value out of bounds.
    """

    seed: int = 42
    temperature: float = 0.8
    top_k: int = 0
    batch_size: int | None = None
    edges: str = "strongest"
    top_edges: int = 10
    device: str = "auto"
    dtype: str = "float32"
    formats: tuple[str, ...] = ALL_FORMATS
    csv_safe: bool = False
    chat: bool = False

    def __post_init__(self) -> None:
        settle(self, seed=SEED, temperature=temperature, top_k=TOP_K, batch_size=optional(COUNT))
        settle(self, edges=one_of(DATASET_EDGES), top_edges=COUNT, device=DEVICE)
        settle(self, dtype=one_of(DTYPES), formats=FORMATS)


@dataclass(frozen=True)
class Sharing:
    """Which part of a run to make. shard: (i, n), every n-th batch from i on, or None for all.

    merge: make none, write the files from batches that are all there. overwrite: start afresh.
    Raises `UserError` for a part that there is not, and for merging with one of the two others.
    """

    shard: tuple[int, int] | None = None
    merge: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        settle(self, shard=optional(shard))
        if self.merge and (self.shard is not None or self.overwrite):
            raise UserError("`merge` goes with neither `shard` nor `overwrite`")


DEFAULT_OPTIONS, ALONE = GenerationOptions(), Sharing()


@dataclass(frozen=True)
class GenerationInputs:
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


@dataclass
class PreparedRun:
    """Inputs with the hashes of their files, and the model, loaded when it is first needed."""

    inputs: GenerationInputs
    device: str
    dtype: str
    weights_hash: str
    csv_hash: str

    @cached_property
    def model(self) -> "Decoder":
        """The model on its device."""
        from gelu.generation.process_group import device_of_rank
        from gelu.model.loading import load_model

        return load_model(self.inputs.source, device_of_rank(self.device), self.dtype)


@dataclass(frozen=True)
class WrittenDataset:
    """What was written. counts: (n_neurons,), in how many samples each neuron is active."""

    n_prompts: int
    n_samples: int
    counts: "NDArray[np.int64]"
    paths: list[Path]

    def headline(self) -> str:
        """Return how many neurons are active on average, never and always, as one line."""
        n_neurons = len(self.counts)
        share = self.counts.sum() / (self.n_samples * n_neurons)
        return (
            f"{self.n_prompts:,} prompts, {self.n_samples:,} samples, "
            f"{n_neurons:,} neurons: {share:.1%} active on average, "
            f"{int((self.counts == 0).sum()):,} never, "
            f"{int((self.counts == self.n_samples).sum()):,} always"
        )


@dataclass(frozen=True)
class Outcome:
    """How a process's work on a folder ended.

    said: one line for people, None where another rank says it. written: None where there was
    nothing to do, or where others have to go on. notes: what was found in the folder and left.
    files: of the dataset, None where it is not complete.
    """

    said: str | None
    written: WrittenDataset | None = None
    notes: tuple[str, ...] = ()
    files: "Artifacts | None" = None

    def table(self) -> "pd.DataFrame":
        """Return the dataset, a row a sample, whether it was written now or was there before.

        Raises `UserError` where others have to go on, and where the CSV was not asked for.
        """
        from gelu.artifacts import DATASET, read_dataset, require_model_file

        files = self._complete()
        return read_dataset(require_model_file(files.folder, files.model, DATASET))

    def activations(self) -> "PackedActivations":
        """Return which neurons are active, a row a sample, in the order of the table's rows.

        Raises `UserError` where others have to go on, and where no format with them was asked for.
        """
        from gelu.artifacts import dataset_activation_file, read_activations, read_stated

        files = self._complete()
        geometry = read_stated([files.folder], files.model).geometry
        assert geometry is not None  # the attributes are always written
        path = dataset_activation_file(files.folder, files.model)
        return read_activations(path, geometry.n_neurons)[1]

    def _complete(self) -> "Artifacts":
        if self.files is None:
            raise UserError("`shard`: the dataset is not complete; read it where it is merged")
        return self.files


def generate_dataset(
    input_csv: str | Path,
    export_dir: str | Path,
    model_type: "str | ModelSource" = "gpt2",
    options: GenerationOptions = DEFAULT_OPTIONS,
    sharing: Sharing = ALONE,
) -> Outcome:
    """Generate from every prompt of a CSV with recording, and write the dataset's folder.

    Goes on where it was interrupted. Raises `UserError` for what is wrong with the prompts, the
    model or the folder.
    """
    from gelu.artifacts import RUN_FILES
    from gelu.model.outputs import output_files

    inputs = read_inputs(Path(input_csv), model_type, options.chat)
    files = output_files(
        export_dir, "export_dir", inputs.source, RUN_FILES, [Path(input_csv)], options.csv_safe
    )
    return make_dataset(files, prepare_run(inputs, options), options, sharing)


def read_inputs(
    input_csv: Path, model_type: "str | ModelSource", chat: bool = False
) -> GenerationInputs:
    """Read the prompts and encode them for the model. Raises `UserError` for what is wrong.

    chat: each prompt is a user's message in the model's chat template.
    """
    from gelu.artifacts import read_text
    from gelu.generation.prompts import encode_prompts, parse_prompts
    from gelu.model.chat import load_chat_template
    from gelu.model.config import read_geometry
    from gelu.model.source import find_model
    from gelu.model.tokenizer import load_tokenizer

    rows = parse_prompts(read_text(existing_file(input_csv, "input_csv")), input_csv)
    source = find_model(model_type)
    geometry = read_geometry(source)
    tokenizer = load_tokenizer(source)
    template = load_chat_template(source) if chat else None
    prompts = encode_prompts(rows, tokenizer, geometry, template)
    return GenerationInputs(input_csv, source, geometry, tokenizer, prompts)


def prepare_run(inputs: GenerationInputs, options: GenerationOptions) -> PreparedRun:
    """Pick the device and hash the files; the weights themselves are loaded when needed."""
    from gelu.artifacts import file_hash
    from gelu.model.loading import pick_device, weights_hash

    return PreparedRun(
        inputs,
        pick_device(options.device),
        options.dtype,
        weights_hash(inputs.source),
        file_hash(inputs.input_csv),
    )


def make_dataset(
    files: "Artifacts",
    prepared: PreparedRun,
    options: GenerationOptions,
    sharing: Sharing,
    label: str = "tokens",
) -> Outcome:
    """Make a dataset's folder, or this process's part of it, going on where it was interrupted.

    label: of the progress bar.
    """
    from gelu.generation.process_group import joined_process_group

    options = _settled(files, prepared, options, sharing)
    with joined_process_group() as group, ExitStack() as stack:
        job = _Job(files, prepared, options, sharing, group, label)
        try:
            missing = group.share(lambda: job.begin(stack))
            if missing is None:
                said = f"{files.folder}: finished already; `overwrite` makes it anew"
                return Outcome(said, notes=tuple(job.notes), files=files)
            group.agree(_failure_of(lambda: job.make(missing)))
            return job.end(stack)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(job.progress()) from None


def _failure_of(work: Callable[[], None]) -> str | None:
    """Return what went wrong, so that other processes hear of it; None where nothing did."""
    try:
        work()
    except (UserError, OSError, MemoryError) as error:
        return failure_text(error)
    return None


def _settled(
    files: "Artifacts", prepared: PreparedRun, options: GenerationOptions, sharing: Sharing
) -> GenerationOptions:
    """Return the options with device and batch size decided: those of the run that is begun here.

    A run's batches must be of one size, wherever its parts run.
    """
    from gelu.generation.decoding import default_batch_size
    from gelu.generation.run_folder import begun_run

    begun = None if sharing.overwrite else begun_run(files)
    before = {} if begun is None else begun.get("arguments", {})
    # Merging computes nothing, so that it can run on a machine without the others' GPU.
    device = before.get("device", prepared.device) if sharing.merge else prepared.device
    batch_size = options.batch_size or before.get("batch_size")
    if batch_size is None:
        prompts = prepared.inputs.prompts
        longest = max(len(prompt.token_ids) + prompt.n_new for prompt in prompts)
        batch_size = default_batch_size(prepared.device, prepared.inputs.geometry, longest)
    return replace(options, device=device, batch_size=batch_size)


@dataclass
class _Job:
    """One process's work on one folder."""

    files: "Artifacts"
    prepared: PreparedRun
    options: GenerationOptions
    sharing: Sharing
    group: "ProcessGroup"
    label: str
    notes: list[str] = field(default_factory=list, init=False)
    _shards: "Shards | None" = field(default=None, init=False)

    @cached_property
    def plan(self) -> "Plan":
        from gelu.generation.batches import make_plan

        assert self.options.batch_size is not None
        return make_plan(self.prepared.inputs.prompts, self.options.batch_size)

    @cached_property
    def folder(self) -> "RunFolder":
        from gelu.generation.run_folder import RunFolder

        return RunFolder(self.files, _describe_run(self.prepared, self.options))

    @property
    def shards(self) -> "Shards":
        if self._shards is None:
            self._shards = self.folder.shards()
        return self._shards

    def begin(self, stack: ExitStack) -> list[int] | None:
        """Keep others out and return the batches to make, None where all is done.

        Called on rank 0 alone; the folder is free again when `stack` ends.
        """
        part, overwrite = self.sharing.shard, self.sharing.overwrite
        _check_disk(self.files, self.prepared.inputs)
        # A run that was killed at its very end is finished, its shards not yet gone.
        finished = not overwrite and self.folder.is_finished(self._endings())
        if finished and self.folder.is_clean():
            return None
        stack.enter_context(self.folder.hold(part))
        # Once more, as another process may have finished it meanwhile.
        if not overwrite and self.folder.is_finished(self._endings()):
            self.notes += self.folder.finish()
            return None
        self.folder.start(overwrite, alone=part is None)
        missing = self._missing()
        if self.sharing.merge and missing:
            raise UserError(
                f"{self.files.folder}: {len(missing):,} of {self.plan.n_batches:,} batches are "
                f"missing, the first is {missing[0]} (`shard` i/n makes those that leave i when "
                "divided by n); make them, then merge"
            )
        return missing

    def _missing(self) -> list[int]:
        from gelu.progress import progress_bar

        start, step = self.sharing.shard or (0, 1)
        wanted = range(start, self.plan.n_batches, step)
        there = [batch for batch in wanted if self.shards.path(batch).exists()]
        whole = set()
        with progress_bar("checking", len(there), "batches", delay=1) as bar:
            for batch in there:
                if self.shards.is_whole(batch, self.plan.n_rows(batch)):
                    whole.add(batch)
                bar.update(1)
        return [batch for batch in wanted if batch not in whole]

    def make(self, missing: Sequence[int]) -> None:
        """Write this process's share of the missing batches."""
        from gelu.progress import progress_bar

        mine = missing[self.group.rank :: self.group.size]
        n_rows = sum(self.plan.n_rows(batch) for batch in mine)
        done = 0 if self.group.size > 1 else self.plan.n_samples - n_rows
        if self.sharing.shard is not None:
            done = 0
        if mine:
            # What is wrong with the weights is said before anything is shown.
            _ = self.prepared.model
        quiet = self.group.rank > 0 or not mine
        with progress_bar(self.label, done + n_rows, "tok", initial=done, quiet=quiet) as bar:
            for batch in mine:
                self._make_batch(batch, bar.update)

    def _make_batch(self, batch: int, progress: Any) -> None:
        from gelu.artifacts import DiskFullError
        from gelu.generation.decoding import NotFiniteError, Row, SamplingSettings, generate

        plan, prompts, options = self.plan, self.prepared.inputs.prompts, self.options
        completions = plan.completions(batch)
        rows = [Row(prompts[plan.prompt_idx[c]], int(plan.stream[c])) for c in completions]
        settings = SamplingSettings(options.seed, options.temperature, options.top_k)
        try:
            with self.shards.writer(batch, plan.n_new[completions].tolist()) as put:
                for step in generate(self.prepared.model, rows, settings):
                    put(step.rows, step.number, step.records)
                    progress(len(step.rows))
        except NotFiniteError as error:
            completion = completions[error.row]
            raise UserError(
                f"{self.prepared.inputs.input_csv}, row {plan.prompt_idx[completion] + 1}, "
                f"completion {plan.number[completion]}, token {error.step}: {error.where} of the "
                f"model {self.prepared.inputs.source.name} yields NaN or infinite numbers; "
                f"{self.progress()}"
            ) from None
        except DiskFullError as error:
            raise UserError(f"{error}; {self.progress()}") from None

    def progress(self) -> str:
        """Return how much is done and how to go on, as one line."""
        there = sum(self.shards.path(batch).exists() for batch in range(self.plan.n_batches))
        return (
            f"{there:,} of {self.plan.n_batches:,} batches are done and kept in "
            f"{self.shards.folder}; the same command, without `overwrite`, goes on from there"
        )

    def end(self, stack: ExitStack) -> Outcome:
        """Write the files from the shards, once all are there and this process is to do it."""
        if self.sharing.shard is not None:
            part = "/".join(map(str, self.sharing.shard))
            return Outcome(f"{self.files.folder}: part {part} is done")
        if self.group.rank > 0:
            return Outcome(None)
        from gelu.artifacts import DiskFullError

        try:
            exported = self._export()
        except DiskFullError as error:
            raise UserError(f"{error}; {self.progress()}") from None
        self.notes += self.folder.finish()
        return Outcome(exported.headline(), exported, tuple(self.notes), self.files)

    def _endings(self) -> list[str]:
        from gelu.artifacts import ATTRIBUTES, EDGES, FREQUENCY
        from gelu.generation.export import FORMATS

        edges = [] if self.options.edges == "none" else [EDGES]
        return [*(FORMATS[name] for name in self.options.formats), FREQUENCY, ATTRIBUTES, *edges]

    def _export(self) -> WrittenDataset:
        from gelu.generation.export import export_samples
        from gelu.generation.table import DatasetTable

        inputs, files = self.prepared.inputs, self.files
        table = DatasetTable(inputs.prompts, self.plan, inputs.tokenizer)
        counts, paths = export_samples(
            files, self.shards, self.plan, table, inputs.geometry, self.options.formats
        )
        paths.append(files.write_frequency(counts, self.plan.n_samples, inputs.geometry))
        paths += _write_graph(files, self.prepared, self.options)
        paths.append(files.write_run(_describe_run(self.prepared, self.options)))
        return WrittenDataset(len(inputs.prompts), self.plan.n_samples, counts, paths)


def _check_disk(files: "Artifacts", inputs: GenerationInputs) -> None:
    """Refuse a CSV whose shards the disk could never hold, before they are even planned."""
    import shutil

    from gelu.artifacts.records import record_type

    needed = inputs.n_samples * record_type(inputs.geometry.n_neurons).itemsize
    size = shutil.disk_usage(files.folder).total
    if needed > size:
        raise UserError(
            f"{inputs.input_csv}: asks for {inputs.n_samples:,} tokens, whose activations take "
            f"{needed / 1e9:,.1f} GB, more than the whole disk of {files.folder}; split the file"
        )


def _write_graph(
    files: "Artifacts", prepared: PreparedRun, options: GenerationOptions
) -> list[Path]:
    from gelu.graph.output import write_full_edges, write_strongest_edges

    geometry = prepared.inputs.geometry
    paths = [files.write_attributes(geometry)]
    if options.edges == "full":
        paths.append(write_full_edges(files, geometry)[0])
    elif options.edges == "strongest":
        paths.append(write_strongest_edges(files, prepared.model, geometry, options.top_edges)[0])
    return paths


def _describe_run(prepared: PreparedRun, options: GenerationOptions) -> dict[str, Any]:
    """Return what made the folder."""
    from gelu.model.config import read_config

    arguments = asdict(options) | {"formats": list(options.formats)}
    for name in ("csv_safe", "chat"):  # where they are off, the files are what they always were
        if not arguments[name]:
            del arguments[name]
    source, geometry, prompts = (
        prepared.inputs.source,
        prepared.inputs.geometry,
        prepared.inputs.prompts,
    )
    stated = {
        "arguments": {
            "input_csv": prepared.inputs.input_csv.name,
            "model_type": source.hub_id or source.name,
            **arguments,
        },
        "model": {
            "name": source.name,
            "weights_sha256": prepared.weights_hash,
            "n_layer": geometry.n_layer,
            "d_mlp": geometry.d_mlp,
            "n_neurons": geometry.n_neurons,
        },
        "input_csv_sha256": prepared.csv_hash,
        "counts": {
            "prompts": len(prompts),
            "completions": sum(prompt.n_samples for prompt in prompts),
            "samples": prepared.inputs.n_samples,
        },
    }
    # All families but one are run by transformers' modules.
    others = () if read_config(source)["model_type"] == "gpt2" else ("transformers",)
    return describe_run(SCRIPT, stated, (*PACKAGES, *others))
