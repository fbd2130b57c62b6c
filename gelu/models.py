"""Which models there are, where one lies, its geometry, and loading it.

    source = find_model("gpt2-demo")        # a name, a hub id or a folder; opens nothing
    geometry = read_geometry(source)        # no weights; no network for the four sizes and folders
    tokenizer = load_tokenizer(source)
    model = load_model(source, "cpu")

torch, transformers and the hub client are imported only where they are used: geometry and names
must cost nothing.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gelu.cli import UserError

SHIPPED_MODEL = "gpt2-demo"
SHIPPED_FOLDER = Path(__file__).resolve().parent.parent / "models" / SHIPPED_MODEL
OFFLINE_ADVICE = f"--model_type {SHIPPED_MODEL} or a local folder works offline"

# Weights are read from safetensors; a PyTorch pickle only where a repository has nothing else.
SAFE_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
PICKLED_WEIGHTS = ("pytorch_model*.bin", "pytorch_model.bin.index.json")
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
CONFIG_FILES = ("config.json", "generation_config.json")


@dataclass(frozen=True)
class Geometry:
    """The shape of a GPT-2's MLP neurons. `neuron_id = layer * d_mlp + dimension`, 0-based."""

    n_layer: int
    n_embd: int
    d_mlp: int
    n_positions: int
    vocab_size: int = 50257

    @property
    def n_neurons(self) -> int:
        """Number of neurons of the whole model."""
        return self.n_layer * self.d_mlp


HUB_GEOMETRIES = {
    "gpt2": Geometry(12, 768, 3072, 1024),
    "gpt2-medium": Geometry(24, 1024, 4096, 1024),
    "gpt2-large": Geometry(36, 1280, 5120, 1024),
    "gpt2-xl": Geometry(48, 1600, 6400, 1024),
}


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from: a folder, or a hub id; `name` is what its files are called by."""

    name: str
    folder: Path | None
    hub_id: str | None


def artifact_name(text: str) -> str:
    """Return `text` with every character outside `[A-Za-z0-9._-]` replaced by `_`."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)


def find_model(model_type: str) -> ModelSource:
    """Say what `--model_type` names: one of the four sizes, the shipped model, a folder, a hub id.

    The five names always mean these models, also where a folder of that name lies in the current
    directory (`./gpt2` reaches such a folder). Raises `UserError` for a folder that is not there.
    """
    if model_type in HUB_GEOMETRIES:
        return ModelSource(model_type, None, model_type)
    if model_type == SHIPPED_MODEL:
        return ModelSource(SHIPPED_MODEL, SHIPPED_FOLDER, None)
    if model_type and Path(model_type).expanduser().is_dir():
        folder = Path(model_type).expanduser().resolve()
        return ModelSource(artifact_name(folder.name), folder, None)
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", model_type, re.ASCII) is None:
        raise UserError(f"--model_type {model_type}: no such folder, and not a hub id")
    return ModelSource(artifact_name(model_type), None, model_type)


def read_geometry(source: ModelSource) -> Geometry:
    """Return the neurons' geometry without weights: from the table of sizes or `config.json`."""
    if source.hub_id in HUB_GEOMETRIES:
        return HUB_GEOMETRIES[source.hub_id]
    return geometry_from_config(_read_config(_fetch(source, CONFIG_FILES)))


def geometry_from_config(config: dict[str, Any]) -> Geometry:
    """Return the geometry that a GPT-2 `config.json` states; d_mlp is `n_inner` or 4 x `n_embd`."""
    n_embd = _config_int(config, "n_embd", "hidden_size", default=768)
    d_mlp = n_embd * 4 if config.get("n_inner") is None else _config_int(config, "n_inner")
    n_layer = _config_int(config, "n_layer", "num_hidden_layers", default=12)
    n_positions = _config_int(config, "n_positions", "max_position_embeddings", default=1024)
    vocab_size = _config_int(config, "vocab_size", default=50257)
    return Geometry(n_layer, n_embd, d_mlp, n_positions, vocab_size)


def _config_int(config: dict[str, Any], *names: str, default: int | None = None) -> int:
    value = next((config[name] for name in names if config.get(name) is not None), default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"config.json: {names[0]} is {value!r}, a whole number of 1 or more needed")
    return value


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"--model_type {folder.name}: no config.json in this folder")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(config, dict) or config.get("model_type") != "gpt2":
        kind = config.get("model_type") if isinstance(config, dict) else None
        raise UserError(
            f"{path}: model_type is {kind!r}; only GPT-2 architectures have these hooks"
        )
    return config


@cache  # each look-up of a hub model asks the hub
def _fetch(source: ModelSource, patterns: tuple[str, ...]) -> Path:
    """Return a local folder that holds the source's files of these patterns."""
    if source.folder is not None:
        return source.folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    assert source.hub_id is not None
    disable_progress_bars()
    try:
        return Path(snapshot_download(source.hub_id, allow_patterns=list(patterns)))
    except (OSError, ValueError) as error:  # unreachable, unknown, gated, or no valid id
        reason = str(error).strip().split("\n")[0]
        raise UserError(
            f"--model_type {source.hub_id}: tried the hub and the local cache for model "
            f"'{source.hub_id}' ({type(error).__name__}: {reason}); {OFFLINE_ADVICE}"
        ) from None


def _fetch_weights(source: ModelSource) -> Path:
    """Return a folder with config and weights; `UserError` where there are no weights."""
    folder = _fetch(source, CONFIG_FILES + SAFE_WEIGHTS)
    if not weight_files(folder):
        folder = _fetch(source, CONFIG_FILES + PICKLED_WEIGHTS)
    if not weight_files(folder):
        raise UserError(f"--model_type {source.name}: no weights found; {OFFLINE_ADVICE}")
    return folder


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a model's weights, safetensors where there are any, by name."""
    for patterns in (SAFE_WEIGHTS, PICKLED_WEIGHTS):
        files = sorted(path for pattern in patterns for path in folder.glob(pattern))
        if any(path.suffix != ".json" for path in files):
            return files
    return []


def model_weight_files(source: ModelSource) -> list[Path]:
    """Return the files that hold the source's weights, fetched from the hub if need be.

    The SHA-256 of a single safetensors file is the digest that the hub shows for it.
    """
    return weight_files(_fetch_weights(source))


def load_tokenizer(source: ModelSource) -> Any:
    """Return the model's tokenizer. Raises `UserError` where its files are missing or damaged."""
    folder = _fetch(source, CONFIG_FILES + TOKENIZER_FILES)
    names = {path.name for path in folder.iterdir()}
    if "tokenizer.json" not in names and not {"vocab.json", "merges.txt"} <= names:
        raise UserError(
            f"--model_type {source.name}: no tokenizer (tokenizer.json, or vocab.json and "
            f"merges.txt) in {folder.name}"
        )
    from transformers import AutoTokenizer

    with _damaged_files(source, "tokenizer"):
        return AutoTokenizer.from_pretrained(folder)


def encode_text(tokenizer: Any, text: str, geometry: Geometry, place: str) -> tuple[int, ...]:
    """Return the text's token ids, no special ones added.

    `place` says where the text stands. Raises `UserError` for a token that the model has not.
    """
    token_ids = tuple(tokenizer.encode(text, add_special_tokens=False))
    beyond = [token_id for token_id in token_ids if token_id >= geometry.vocab_size]
    if beyond:
        raise UserError(
            f"{place}: the tokenizer makes token {beyond[0]} of this text, the model's vocabulary "
            f"has {geometry.vocab_size}; the two of --model_type do not belong together"
        )
    return token_ids


def decode_token(tokenizer: Any, token_id: int) -> str:
    """Return one token's text; bytes that are no UTF-8 by themselves become U+FFFD."""
    text: str = tokenizer.decode([token_id], clean_up_tokenization_spaces=False)
    return text


def load_model(source: ModelSource, device: str) -> Any:
    """Return the `GPT2LMHeadModel` in float32, in evaluation mode, on `device`.

    Raises `UserError` where weights are missing, damaged, or do not fit `config.json`: a model
    with a few freshly initialised tensors would look like any other.
    """
    folder = _fetch_weights(source)
    _read_config(folder)
    import torch
    from transformers import GPT2LMHeadModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with _damaged_files(source, "weights"):
        loaded: Any = GPT2LMHeadModel.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
    model, info = loaded
    _refuse_partial_weights(source, info)
    return model.to(device).eval()


def _refuse_partial_weights(source: ModelSource, info: dict[str, Any]) -> None:
    unloaded = sorted(str(key) for key in [*info["missing_keys"], *info["mismatched_keys"]])
    if unloaded:
        raise UserError(
            f"--model_type {source.name}: the weights lack or misshape {len(unloaded)} tensors of "
            f"config.json's model, the first is {unloaded[0]}"
        )


@contextmanager
def _damaged_files(source: ModelSource, what: str) -> Iterator[None]:
    """Name the model when a loader fails: loaders raise whatever their parsers happen to raise."""
    try:
        yield
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"--model_type {source.name}: its {what} cannot be loaded ({reason})"
        ) from (error)


def pick_device(device: str) -> str:
    """Return `device`, or for `auto` the best there is; `UserError` where it is not there."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next((name for name, found in there.items() if found), "cpu")
    if not there.get(device, True):
        raise UserError(f"--device {device}: not available on this machine; --device cpu is")
    return device
