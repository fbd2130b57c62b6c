"""Which models there are, where one lies, its geometry, and loading it.

    source = find_model("gpt2-demo")        # a name, a hub id or a folder; opens nothing
    geometry = read_geometry(source)        # no weights; no network for the four sizes and folders
    tokenizer = load_tokenizer(source)
    model = load_model(source, "cpu")

torch, the tokenizer and the hub client are imported only where they are used: geometry and names
must cost nothing.
"""

import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gelu.artifacts import safe_json
from gelu.cli import UserError

if TYPE_CHECKING:
    import torch

    from gelu.model.gpt2 import GPT2, Architecture

SHIPPED_MODEL = "gpt2-demo"
SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "models" / SHIPPED_MODEL
OFFLINE_ADVICE = f"--model_type {SHIPPED_MODEL} or a local folder works offline"

# Weights are read from safetensors; a PyTorch pickle only where a repository has nothing else.
WEIGHTS = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
CONFIG = "config.json"
END_OF_TEXT = "<|endoftext|>"
# File systems allow 255; what is added for each file, and while it is written, takes up to 80.
LONGEST_NAME = 160
# What no GPT-2 has, and what would take the memory of the machine before a weight is read.
LARGEST = {"n_layer": 1000, "vocab_size": 1 << 24, "n_positions": 1 << 24}
LARGEST_WIDTH = 1 << 20
LARGEST_N_NEURONS = (1 << 31) - 1  # the files' neuron ids have 32 bits
QUICK_TEXT = 100_000  # characters, which are encoded in less than a second
SHOWN = 60


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

    @property
    def shown(self) -> str:
        """What a user knows the model by."""
        return self.hub_id or self.name

    def place(self, file: str) -> str:
        """Return what a user knows one of its files by: no path in the hub's cache has a name."""
        return (
            f"--model_type {self.hub_id}: {file}"
            if self.folder is None
            else str(self.folder / file)
        )


# Returns for each of some names where this file lies, None for one that is not there.
Find = Callable[[Sequence[str]], list[Path | None]]


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
    folder = _folder_of(model_type)
    if folder is not None:
        return ModelSource(_file_name(model_type, folder.name), folder, None)
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", model_type, re.ASCII) is None:
        raise UserError(f"--model_type {model_type}: no such folder, and not a hub id")
    return ModelSource(_file_name(model_type, model_type), None, model_type)


def _folder_of(model_type: str) -> Path | None:
    """Return the folder that `--model_type` names, None where it names none."""
    try:
        folder = Path(model_type).expanduser()
        return folder.resolve() if model_type and folder.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, `~` of nobody: no folder's name
        return None


def _file_name(model_type: str, text: str) -> str:
    """Return what the model's files are called by; `UserError` for one that no file can have."""
    name = artifact_name(text)
    if not name or len(name) > LONGEST_NAME:
        raise UserError(
            f"--model_type {model_type[:LONGEST_NAME]}: files are called by the folder's name, "
            f"which must have 1 to {LONGEST_NAME} characters; this one has {len(name)}"
        )
    return name


def read_geometry(source: ModelSource) -> Geometry:
    """Return the neurons' geometry without weights: from the table of sizes or `config.json`."""
    if source.hub_id in HUB_GEOMETRIES:
        return HUB_GEOMETRIES[source.hub_id]
    return geometry_from_config(_read_config(source), source.place(CONFIG))


def known_geometry(source: ModelSource) -> Geometry | None:
    """Return the geometry where it is known without asking the hub and can be read, else None."""
    if source.folder is None and source.hub_id not in HUB_GEOMETRIES:
        return None
    try:
        return read_geometry(source)
    except UserError:
        return None


def geometry_from_config(config: dict[str, Any], place: str = CONFIG) -> Geometry:
    """Return the geometry that a GPT-2 `config.json` states; d_mlp is `n_inner` or 4 x `n_embd`.

    Raises `UserError` that names `place` for numbers that no GPT-2 has.
    """
    number = partial(_config_int, config, place)
    n_embd = number("n_embd", "hidden_size", default=768)
    d_mlp = n_embd * 4 if config.get("n_inner") is None else number("n_inner")
    n_layer = number("n_layer", "num_hidden_layers", default=12)
    n_positions = number("n_positions", "max_position_embeddings", default=1024)
    vocab_size = number("vocab_size", default=50257)
    if n_layer * d_mlp > LARGEST_N_NEURONS:
        raise UserError(f"{place}: {n_layer * d_mlp:,} neurons; their ids have 32 bits")
    return Geometry(n_layer, n_embd, d_mlp, n_positions, vocab_size)


def _config_int(config: dict[str, Any], place: str, *names: str, default: int | None = None) -> int:
    value = next((config[name] for name in names if config.get(name) is not None), default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(
            f"{place}: {names[0]} is {ascii(value)[:SHOWN]}, a whole number of 1 or more needed"
        )
    largest = LARGEST.get(names[0], LARGEST_WIDTH)
    if value > largest:
        raise UserError(f"{place}: {names[0]} is {ascii(value)[:SHOWN]}; {largest:,} is the most")
    return value


def _read_config(source: ModelSource) -> dict[str, Any]:
    files = _found(source, lambda find: _all_of(find, [CONFIG]))
    place = source.place(CONFIG)
    if not files:
        where = "folder" if source.hub_id is None else "repository"
        raise UserError(
            f"--model_type {source.shown}: no {CONFIG} in this {where}, so it is no model that can "
            "be read here"
        )
    try:
        config = safe_json.parse(files[0].read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{place}: not a JSON file ({error}){_removal(source)}") from None
    if not isinstance(config, dict) or config.get("model_type") != "gpt2":
        kind = config.get("model_type") if isinstance(config, dict) else None
        raise UserError(
            f"{place}: model_type is {ascii(kind)[:SHOWN]}; only GPT-2 architectures have these "
            "hooks"
        )
    return config


def _found(source: ModelSource, choose: Callable[[Find], list[Path]]) -> list[Path]:
    """Return the files that `choose` finds in the source's folder, or in its repository."""
    if source.folder is not None:
        return choose(partial(_in_folder, source.folder))
    from gelu.model.hub import cached, fetch
    from gelu.model.hub_failures import HubError

    assert source.hub_id is not None
    try:
        return choose(partial(fetch, source.hub_id, advice=OFFLINE_ADVICE))
    except HubError:  # the second choice may lie in the cache, put there by another program
        files = choose(partial(cached, source.hub_id))
        if not files:
            raise
        return files


def _in_folder(folder: Path, names: Sequence[str]) -> list[Path | None]:
    paths = [folder / name for name in names]
    return [path if path.is_file() else None for path in paths]


def _all_of(find: Find, names: Sequence[str]) -> list[Path]:
    """Return where the files lie, nothing where one of them is missing."""
    files = [path for path in find(names) if path is not None]
    return files if len(files) == len(names) else []


def model_weight_files(source: ModelSource) -> list[Path]:
    """Return the files that hold the source's weights, fetched from the hub if need be.

    One file, or the files that an index names, by name; safetensors where there are any. Raises
    `UserError` where there are none, and for an index that names a file that is not beside it.
    """
    files = _found(source, partial(_weight_files, source))
    if not files:
        raise UserError(f"--model_type {source.shown}: no weights found; {OFFLINE_ADVICE}")
    return files


def _weight_files(source: ModelSource, find: Find) -> list[Path]:
    for whole, index in WEIGHTS:
        if files := _all_of(find, [whole]) or _all_of(find, [index]):
            return files if files[0].name == whole else _indexed_files(source, files[0], find)
    return []


def _indexed_files(source: ModelSource, index: Path, find: Find) -> list[Path]:
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
                f"--model_type {source.hub_id}: {files[0].name} in the cache is not what the hub "
                f"stated (SHA-256){_removal(source)}"
            )
    return digest


def _removal(source: ModelSource) -> str:
    """Return how to get rid of wrong bytes in the cache, nothing for a folder."""
    if source.hub_id is None:
        return ""
    from gelu.model.hub_failures import removal

    return f"; {removal(source.hub_id)}"


def load_tokenizer(source: ModelSource) -> Any:
    """Return the model's `tokenizers.Tokenizer`, of `tokenizer.json` or else of GPT-2's two files.

    Raises `UserError` where these are missing or damaged.
    """
    files = _found(source, _tokenizer_files)
    if not files:
        raise UserError(
            f"--model_type {source.shown}: no tokenizer (tokenizer.json, or "
            "vocab.json and merges.txt)"
        )
    from tokenizers import Tokenizer

    with _damaged_files(source, "tokenizer"):
        if len(files) == 1:
            tokenizer = Tokenizer.from_file(str(files[0]))
        else:
            tokenizer = _byte_level_tokenizer(*files)
    # A file can say that texts are cut to some length, or filled up to it.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _tokenizer_files(find: Find) -> list[Path]:
    return next((files for names in TOKENIZERS if (files := _all_of(find, names))), [])


def _byte_level_tokenizer(vocabulary: Path, merges: Path) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if tokenizer.token_to_id(END_OF_TEXT) is not None:
        tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, normalized=False)])
    return tokenizer


def encode_text(tokenizer: Any, text: str, geometry: Geometry, place: str) -> tuple[int, ...]:
    """Return the text's token ids, no special ones added.

    `place` says where the text stands. Raises `UserError` for a token that the model has not, and
    for a text that is too long for its positions whatever its tokens are, which is not encoded.
    """
    require_text_length(tokenizer, text, geometry.n_positions, place)
    token_ids = tuple(tokenizer.encode(text, add_special_tokens=False).ids)
    beyond = [token_id for token_id in token_ids if token_id >= geometry.vocab_size]
    if beyond:
        raise UserError(
            f"{place}: the tokenizer makes token {beyond[0]} of this text, the model's vocabulary "
            f"has {geometry.vocab_size}; the two of --model_type do not belong together"
        )
    return token_ids


def require_text_length(tokenizer: Any, text: str, n_positions: int, place: str) -> None:
    """Raise `UserError` for a text of more characters than the longest tokens could hold.

    A text of megabytes takes long to encode. Nothing is refused where a token may stand for any
    number of characters, as with a tokenizer that is not GPT-2's kind.
    """
    if len(text) <= QUICK_TEXT or not _keeps_every_byte(tokenizer):
        return
    # In the vocabulary each byte is a character.
    most = n_positions * max(map(len, tokenizer.get_vocab()))
    if len(text) > most:
        raise UserError(
            f"{place}: the text has {len(text):,} characters; the model has {n_positions} "
            f"positions, which hold {most:,} at most"
        )


def _keeps_every_byte(tokenizer: Any) -> bool:
    """Return whether tokens say every byte of a text: byte-level BPE that drops or adds nothing."""
    from tokenizers import models, pre_tokenizers

    bytes_known = set(pre_tokenizers.ByteLevel.alphabet()) <= tokenizer.get_vocab().keys()
    return (
        bytes_known
        and tokenizer.normalizer is None
        and isinstance(tokenizer.model, models.BPE)
        and isinstance(tokenizer.pre_tokenizer, pre_tokenizers.ByteLevel)
        and not any(it.lstrip or it.rstrip for it in tokenizer.get_added_tokens_decoder().values())
    )


def decode_token(tokenizer: Any, token_id: int) -> str:
    """Return one token's text; bytes that are no UTF-8 by themselves become U+FFFD."""
    text: str = tokenizer.decode([token_id], skip_special_tokens=False)
    return text


def load_model(source: ModelSource, device: str, dtype: str = "float32") -> "GPT2":
    """Return the model on `device`, its weights as `dtype` ("float32" or "bfloat16").

    Raises `UserError` where weights are missing, damaged, or do not fit `config.json`: a model
    with a few freshly initialised tensors would look like any other.
    """
    architecture = _read_architecture(source)
    files = model_weight_files(source)
    import torch

    from gelu.model.gpt2 import GPT2

    with _damaged_files(source, "weights"):
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

    config, place = _read_config(source), source.place(CONFIG)
    if config.get("add_cross_attention"):
        raise UserError(f"{place}: add_cross_attention is on; this is no model of text alone")
    names = [
        field.name for field in fields(Architecture) if field.name not in ("geometry", "n_head")
    ]
    stated = {name: config[name] for name in names if config.get(name) is not None}
    n_head = _config_int(config, place, "n_head", "num_attention_heads", default=12)
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
            f"--model_type {source.name}: config.json says n_layer is {n_layer}, the weights have "
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
            f"--model_type {source.shown}: the weights lack or misshape {len(unloaded)} tensors "
            f"of config.json's model, the first is {unloaded[0]}"
        )


@contextmanager
def _damaged_files(source: ModelSource, what: str) -> Iterator[None]:
    """Name the model when a loader fails: loaders raise whatever their parsers happen to raise."""
    try:
        yield
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"--model_type {source.shown}: its {what} cannot be loaded ({reason}){_removal(source)}"
        ) from error


def pick_device(device: str) -> str:
    """Return `device`, or for `auto` the best there is; `UserError` where it is not there."""
    if device == "cpu":  # nothing to find out, and torch takes seconds
        return device
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next((name for name, found in there.items() if found), "cpu")
    if not there.get(device, True):
        raise UserError(f"--device {device}: not available on this machine; --device cpu is")
    return device
