"""A model's weights: which files hold them, their hash, the model on its device.

model = load_model(find_model("gpt2-demo"), "cpu")
"""

import re
import warnings
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gelu.errors import UserError
from gelu.model.config import CONFIG, geometry_from_config, read_config, require_family
from gelu.model.source import (
    OFFLINE_ADVICE,
    Find,
    ModelSource,
    all_of,
    damaged_files,
    find_files,
    removal_advice,
)
from gelu.neurons import Geometry

if TYPE_CHECKING:
    import torch

    from gelu.model.decoder import Decoder

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


def hashed_files(source: ModelSource) -> list[Path]:
    """Return the files that a model is told by: its weights, or the GGUF file that they are of."""
    return model_weight_files(source) if source.gguf is None else [source.gguf]


def weights_hash(source: ModelSource) -> str:
    """Return the SHA-256 of the source's weights, one file after another.

    Of a single file it is the digest that the hub shows for it, of a GGUF file its own. Raises
    `UserError` where a file of the cache no longer has it.
    """
    from gelu.artifacts import file_hash

    files = hashed_files(source)
    digest = file_hash(*files)
    if source.hub_id is not None and len(files) == 1:
        from gelu.model.hub import stated_sha256

        if stated_sha256(files[0]) not in (None, digest):
            raise UserError(
                f"`model_type` {source.hub_id}: {files[0].name} in the cache is not what the hub "
                f"stated (SHA-256){removal_advice(source)}"
            )
    return digest


def load_model(source: ModelSource, device: str, dtype: str = "float32") -> "Decoder":
    """Return the model on `device`, its weights as `dtype` ("float32" or "bfloat16").

    Raises `UserError` where weights are missing, damaged, or do not fit `config.json`: a model
    with a few freshly initialised tensors would look like any other.
    """
    config = read_config(source)
    geometry = geometry_from_config(config, source.place(CONFIG))
    if config["model_type"] == "gpt2":
        return _load_gpt2(source, config, geometry, device, dtype)
    return _load_pretrained(source, config, geometry, device, dtype)


def _load_gpt2(
    source: ModelSource, config: dict[str, Any], geometry: Geometry, device: str, dtype: str
) -> "Decoder":
    from gelu.model.load_gpt2 import architecture_of, build_gpt2

    architecture = architecture_of(config, geometry, source.place(CONFIG))
    tensors = _tensors(source, geometry, ".h")
    model, lacking = build_gpt2(architecture, tensors, device, dtype)
    if model is None:
        raise _partial_weights(source, lacking)
    return model


def _load_pretrained(
    source: ModelSource, config: dict[str, Any], geometry: Geometry, device: str, dtype: str
) -> "Decoder":
    place = source.place(CONFIG)
    _refuse_inexact(config, place)
    family = require_family(config, place)
    tensors = _tensors(source, geometry, family.blocks)
    import torch

    from gelu.model.pretrained import PretrainedDecoder, build_network

    with damaged_files(source, "config.json or weights"):
        network, lacking = build_network(config, tensors, dtype)
    if network is None:
        raise _partial_weights(source, lacking)
    model = PretrainedDecoder(network, geometry, family)
    # Some settings fail no earlier than in the first forward pass.
    with damaged_files(source, "config.json or weights"):
        model(torch.zeros(1, 1, dtype=torch.int64))
    return model.to(device)


def _refuse_inexact(config: dict[str, Any], place: str) -> None:
    """Refuse what cannot be read, or not so that a row is what its text alone gives."""
    if config.get("quantization_config") is not None:
        raise UserError(f"{place}: quantization_config: quantised weights are not read but as GGUF")
    ropes = [*_with_parts(config.get("rope_parameters")), *_with_parts(config.get("rope_scaling"))]
    kinds = {str(it.get(name)) for it in ropes for name in ("rope_type", "type")}
    if "longrope" in kinds:
        raise UserError(
            f"{place}: rope_type longrope: the longest text of a batch would decide how the others "
            "are read, so it is not taken"
        )
    window = config.get("sliding_window")
    if window is not None and (not isinstance(window, int) or window < 1):
        raise UserError(
            f"{place}: sliding_window is {ascii(window)[:SHOWN]}, a whole number of 1 or more "
            "needed"
        )


def _with_parts(rope: Any) -> list[dict[str, Any]]:
    """Return rotary settings, and those of each kind of layer where they are kept by kind."""
    if not isinstance(rope, dict):
        return []
    return [rope, *(part for part in rope.values() if isinstance(part, dict))]


def _tensors(source: ModelSource, geometry: Geometry, blocks: str) -> "dict[str, torch.Tensor]":
    """Return the weights' tensors; `UserError` where the last block has none.

    That is found out before the model is built: a config.json of one line can ask for a thousand.
    """
    files = model_weight_files(source)
    with damaged_files(source, "weights"):
        tensors = _read_weights(files)
    last = geometry.n_layer - 1
    part = f"{blocks.rpartition('.')[2]}.{last}."
    if not any(name.startswith(part) or f".{part}" in name for name in tensors):
        raise UserError(
            f"`model_type` {source.name}: config.json says there are {last + 1} layers, the "
            f"weights have no layer {last} (the first is layer 0)"
        )
    return tensors


def _partial_weights(source: ModelSource, lacking: Sequence[str]) -> UserError:
    return UserError(
        f"`model_type` {source.shown}: the weights lack or misshape {len(lacking)} tensors of "
        f"config.json's model, the first is {lacking[0]}"
    )


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
