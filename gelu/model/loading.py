"""A model's weights: which files hold them, their hash, the model on its device.

model = load_model(find_model("gpt2-demo"), "cpu")
"""

import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gelu.errors import UserError
from gelu.model.config import CONFIG, config_number, geometry_from_config, read_config
from gelu.model.source import (
    OFFLINE_ADVICE,
    Find,
    ModelSource,
    all_of,
    damaged_files,
    find_files,
    removal_advice,
)

if TYPE_CHECKING:
    import torch

    from gelu.model.gpt2 import GPT2, Architecture

SHOWN = 60

# Weights are read from safetensors; a PyTorch pickle only where a repository has nothing else.
WEIGHTS = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)


def model_weight_files(source: ModelSource) -> list[Path]:
    """Return the files that hold the source's weights, fetched from the hub if need be.

    One file, or the files that an index names, by name; safetensors where there are any. Raises
    `UserError` where there are none, and for an index that names a file that is not beside it.
    """
    files = find_files(source, partial(_weight_files, source))
    if not files:
        raise UserError(f"`model_type` {source.shown}: no weights found; {OFFLINE_ADVICE}")
    return files


def _weight_files(source: ModelSource, find: Find) -> list[Path]:
    for whole, index in WEIGHTS:
        if files := all_of(find, [whole]) or all_of(find, [index]):
            return files if files[0].name == whole else _indexed_files(source, files[0], find)
    return []


def _indexed_files(source: ModelSource, index: Path, find: Find) -> list[Path]:
    from gelu.artifacts import safe_json

    place, ending = source.place(index.name), index.name.split(".")[1]
    try:
        content = safe_json.parse(index.read_text(encoding="utf-8"))
        names = sorted(set(content["weight_map"].values()))
        strange = [name for name in names if not re.fullmatch(rf"[\w-][\w.-]*\.{ending}", name)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{place}: not an index of weights ({error!r})") from None
    files = [] if strange else find(names)
    missing = strange or [name for name, path in zip(names, files, strict=True) if path is None]
    if missing:
        raise UserError(f"{place}: names {missing[0]!r}, which is not a file beside it")
    return [path for path in files if path is not None]


def weights_hash(source: ModelSource) -> str:
    """Return the SHA-256 of the source's weights, one file after another.

    Of a single file it is the digest that the hub shows for it; `UserError` where a file of the
    cache no longer has it.
    """
    from gelu.artifacts import file_hash

    files = model_weight_files(source)
    digest = file_hash(*files)
    if source.hub_id is not None and len(files) == 1:
        from gelu.model.hub import stated_sha256

        if stated_sha256(files[0]) not in (None, digest):
            raise UserError(
                f"`model_type` {source.hub_id}: {files[0].name} in the cache is not what the hub "
                f"stated (SHA-256){removal_advice(source)}"
            )
    return digest


def load_model(source: ModelSource, device: str, dtype: str = "float32") -> "GPT2":
    """Return the model on `device`, its weights as `dtype` ("float32" or "bfloat16").

    Raises `UserError` where weights are missing, damaged, or do not fit `config.json`: a model
    with a few freshly initialised tensors would look like any other.
    """
    architecture = _read_architecture(source)
    files = model_weight_files(source)
    import torch

    from gelu.model.gpt2 import GPT2

    with damaged_files(source, "weights"):
        tensors = _read_weights(files)
    _name_as_modules(tensors, architecture.tie_word_embeddings)
    _refuse_missing_layers(source, tensors, architecture.geometry.n_layer)
    with torch.device("meta"):
        model = GPT2(architecture)
    _refuse_partial_weights(source, tensors, model.state_dict())
    kept = {name: tensors[name].to(device, getattr(torch, dtype)) for name in model.state_dict()}
    model.load_state_dict(kept, assign=True)
    model.tie_weights()
    return model


def _read_architecture(source: ModelSource) -> "Architecture":
    from gelu.model.gpt2 import Architecture

    config, place = read_config(source), source.place(CONFIG)
    if config.get("add_cross_attention"):
        raise UserError(f"{place}: add_cross_attention is on; this is no model of text alone")
    names = [
        field.name for field in fields(Architecture) if field.name not in ("geometry", "n_head")
    ]
    stated = {name: config[name] for name in names if config.get(name) is not None}
    n_head = config_number(config, place, "n_head", "num_attention_heads", default=12)
    try:
        return Architecture(geometry_from_config(config, place), n_head, **stated)
    except (ValueError, TypeError) as error:
        raise UserError(f"{place}: {error}") from None


def _read_weights(files: Sequence[Path]) -> "dict[str, torch.Tensor]":
    import torch
    from safetensors.torch import load_file

    tensors = {}
    for file in files:
        if file.suffix == ".safetensors":
            tensors.update(load_file(file))
        else:  # a pickle, read by torch's own restricted unpickler
            # Files of PyTorch before 1.6 are no archives, and cannot be mapped.
            mapped = zipfile.is_zipfile(file)
            with warnings.catch_warnings():
                # Of a pickle that it refuses torch says besides what it would rather have.
                warnings.simplefilter("ignore")
                tensors.update(torch.load(file, map_location="cpu", weights_only=True, mmap=mapped))
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{ascii(name)[:SHOWN]} is no tensor")
    return tensors


def _name_as_modules(tensors: "dict[str, torch.Tensor]", tied: bool) -> None:
    """Rename tensors of a checkpoint without head: OpenAI's own start at `wte.weight`."""
    for name in list(tensors):
        if not name.startswith(("transformer.", "lm_head.")):
            tensors[f"transformer.{name}"] = tensors.pop(name)
    if tied and "transformer.wte.weight" in tensors:
        tensors["lm_head.weight"] = tensors["transformer.wte.weight"]


def _refuse_missing_layers(source: ModelSource, tensors: Iterable[str], n_layer: int) -> None:
    # Before the model is built: a config.json of one line can ask for a thousand layers.
    last = f"transformer.h.{n_layer - 1}."
    if not any(name.startswith(last) for name in tensors):
        raise UserError(
            f"`model_type` {source.name}: config.json says n_layer is {n_layer}, the weights have "
            f"no layer {n_layer - 1} (the first is layer 0)"
        )


def _refuse_partial_weights(
    source: ModelSource,
    tensors: "Mapping[str, torch.Tensor]",
    needed: "Mapping[str, torch.Tensor]",
) -> None:
    # Whole numbers are quantised weights: without their scale they mean nothing.
    unloaded = sorted(
        name
        for name, tensor in needed.items()
        if name not in tensors
        or tensors[name].shape != tensor.shape
        or not tensors[name].is_floating_point()
    )
    if unloaded:
        raise UserError(
            f"`model_type` {source.shown}: the weights lack or misshape {len(unloaded)} tensors "
            f"of config.json's model, the first is {unloaded[0]}"
        )


def pick_device(device: str) -> str:
    """Return `device`, or for `auto` the best there is; `UserError` where it is not there."""
    if device == "cpu":  # nothing to find out, and torch takes seconds
        return device
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next((name for name, found in there.items() if found), "cpu")
    if not there.get(device, True):
        raise UserError(f"`device` {device}: not available on this machine; `device` cpu is")
    return device
