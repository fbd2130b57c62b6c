"""Models in files of llama.cpp (GGUF), through transformers' own reader.

    folder = converted_folder(Path("SmolLM2-135M-Instruct.Q4_1.gguf"))   # as any saved model

Weights are dequantised to float32 and kept in the user's cache, named by the file's hash, so that
the second start is quick: 4 bytes a parameter. `GELU_CACHE` names another folder than
`~/.cache/gelu-activations`.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gelu.errors import UserError
from gelu.model.families import KNOWN, describe_other, family_of

PACKAGES = ("gguf", "accelerate")
# Of the layout of what is kept; another one is converted anew.
LAYOUT = 1


def cache_folder() -> Path:
    """Return where converted models are kept."""
    named = os.environ.get("GELU_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else base / "gelu-activations"


@cache
def file_digest(path: Path) -> str:
    """Return the SHA-256 of the file."""
    from gelu.artifacts import file_hash

    return file_hash(path)


def kept_folder(path: Path) -> Path:
    """Return where the file's converted model is kept, whether or not it is there yet."""
    return cache_folder() / "gguf" / f"{file_digest(path)}-{LAYOUT}"


def converted_folder(path: Path) -> Path:
    """Return a folder with the file's model as transformers saves one, made where it is not kept.

    Raises `UserError` for a file that is no model of a known family, and without the packages.
    """
    folder = kept_folder(path)
    if not folder.is_dir():
        missing = [name for name in PACKAGES if find_spec(name) is None]
        if missing:
            raise UserError(
                f"{path}: reading GGUF needs the packages {' and '.join(PACKAGES)}; "
                f"pip install {' '.join(PACKAGES)}"
            )
        with _in_cache(folder) as made:
            _convert(path, made)
    return folder


@contextmanager
def _in_cache(folder: Path) -> Iterator[Path]:
    """Make a folder of the cache: it has its name once it is complete."""
    from safetensors import SafetensorError

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent))
    except OSError as error:
        raise UserError(
            f"{folder.parent}: cannot keep the converted model there ({error.strerror}); the "
            "environment variable GELU_CACHE names another folder"
        ) from None
    try:
        yield made
        if not folder.is_dir():  # another process may have been as quick
            made.rename(folder)
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{folder.parent}: cannot keep the converted model there ({reason})"
        ) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _convert(path: Path, folder: Path) -> None:
    """Write the file's model to a folder: configuration, tokenizer and float32 weights."""
    with _readable(path, "header"):
        config = _read_config(path)
        strange = _strange(path)
    if family_of(config) is None:
        raise UserError(f"{path}: this is {describe_other(config)}; the families known are {KNOWN}")
    if strange:
        raise UserError(f"{path}: {strange}, which transformers' reader leaves out; not taken")
    from safetensors.torch import save_file
    from transformers import AutoTokenizer

    from gelu.model.pretrained import quiet_transformers, read_gguf

    with quiet_transformers(), _readable(path, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    tokenizer.save_pretrained(folder)
    with quiet_transformers(), _readable(path, "weights"):  # the reader shows a bar of its own
        config, tensors = read_gguf(path)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def _read_config(path: Path) -> dict[str, Any]:
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    from gelu.model.pretrained import quiet_transformers

    with quiet_transformers():
        config: dict[str, Any] = load_gguf_checkpoint(str(path), return_tensors=False)["config"]
    return config


def _strange(path: Path) -> str | None:
    """Return what of a file the reader would leave out without a word, None for nothing."""
    from gguf import GGUFReader

    reader = GGUFReader(path)
    for name, field in reader.fields.items():
        value = field.contents()
        if name.endswith(".expert_count") and value > 1:
            return f"it is a mixture of {value} experts"
        if name == "split.count" and value > 1:
            return f"it is one of {value} parts"
        if ".rope.scaling." in name and value not in ("none", ""):
            return f"it scales its rotary positions ({name})"
    names = {tensor.name for tensor in reader.tensors}
    return "it scales its rotary positions (rope_freqs)" if "rope_freqs.weight" in names else None


@contextmanager
def _readable(path: Path, what: str) -> Iterator[None]:
    """Name the file when the reader fails: it raises whatever its parsers happen to raise."""
    try:
        yield
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(f"{path}: its {what} cannot be read ({reason})") from error
