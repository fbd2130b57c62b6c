"""Read files as the scripts do and say how that went; a process of its own, so that it can be
measured.

    python -m tests.read_hostile_files < manifest.json      # [[kind, path], ...]

Prints {"imported": ..., "attempts": [...]}: the most memory in bytes that importing the libraries
took, and for each file the refusal (None where it was read), the processor time in s and the most
memory in bytes that the process has held until then.
"""

import io
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gelu.artifacts import (
    read_activation_prediction,
    read_activations,
    read_analysis,
    read_dataset,
    read_document,
    read_geometry_table,
    read_next_token,
    read_patterns,
    read_png,
    read_predictor,
    read_temperature_study,
    read_tensors,
)
from gelu.errors import UserError
from gelu.model.config import read_geometry
from gelu.model.loading import load_model
from gelu.model.source import SHIPPED_FOLDER, find_model
from gelu.model.tokenizer import load_tokenizer

N_NEURONS = 4096


def _read_model(path: Path) -> None:
    source = find_model(str(path))
    read_geometry(source)
    load_tokenizer(source)
    load_model(source, "cpu")


READERS: dict[str, Callable[[Path], Any]] = {
    "activation_prediction": read_activation_prediction,
    "activations": lambda path: read_activations(path, N_NEURONS),
    "analysis": read_analysis,
    "dataset": read_dataset,
    "document": read_document,
    "model": _read_model,
    "neurons": read_geometry_table,
    "next_token": read_next_token,
    "patterns": read_patterns,
    "picture": read_png,
    "predictor": read_predictor,
    "temperatures": read_temperature_study,
    "tensors": read_tensors,
}


def _attempt(kind: str, path: Path) -> dict[str, Any]:
    start = time.process_time()
    try:
        READERS[kind](path)
        refusal = None
    except UserError as error:
        refusal = str(error)
    return {
        "refusal": refusal,
        "seconds": time.process_time() - start,
        "bytes": _peak_bytes(),
    }


def _peak_bytes() -> int:
    # Not `getrusage`: what that says after an exec counts the process that was forked.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def main() -> None:
    """Read every file of the manifest."""
    manifest = json.load(sys.stdin)
    if any(kind in ("model", "tensors") for kind, _ in manifest):
        _import_torch()
    imported = _peak_bytes()
    attempts = [_attempt(kind, Path(path)) for kind, path in manifest]
    print(json.dumps({"imported": imported, "attempts": attempts}))


def _import_torch() -> None:
    """Import all that loading a model imports, which is not what is measured."""
    import torch

    file = io.BytesIO()
    torch.save({"a": torch.zeros(1)}, file)
    file.seek(0)
    torch.load(file, weights_only=True)
    _read_model(SHIPPED_FOLDER)


if __name__ == "__main__":
    main()
