"""Small datasets without a model, and the pixels of the pictures drawn from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from gelu.artifacts import DATASET, EDGES, Artifacts, write_bytes, write_table
from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from tests.helpers import write_activations

MODEL = "toy"


def random_active(n_samples: int, n_layer: int, d_mlp: int, seed: int = 0) -> NDArray[np.bool_]:
    """Return activations (n_samples, n_layer, d_mlp) of neurons of all frequencies."""
    rng = np.random.default_rng(seed)
    return rng.random((n_samples, n_layer, d_mlp)) < rng.random((n_layer, d_mlp))


def write_dataset(
    folder: Path, active: NDArray[np.bool_], model: str = MODEL, **columns: Any
) -> Artifacts:
    """Write a dataset's files of these activations; columns: further ones, or others' values.

    The samples are one completion of "Once upon" with the tokens " t0", " t1" and so on.
    """
    n_samples, n_layer, d_mlp = active.shape
    folder.mkdir(parents=True, exist_ok=True)
    geometry = Geometry(n_layer, 1, d_mlp, 0)
    packed = PackedActivations.from_bool(active.reshape(n_samples, -1))
    ids = list(range(n_samples))
    counts = packed.layer_counts(n_layer)
    table: dict[str, Any] = {
        "sample_id": ids,
        "prompt_sample_idx": 0,
        "token_position": ids,
        "input_text": "Once upon",
        "output": [f" t{number}" for number in ids],
        "number_of_active_neurons": counts.sum(axis=1),
        **{f"layer_{layer}_num_active_neurons": counts[:, layer] for layer in range(n_layer)},
    }
    files = Artifacts(folder, model)
    write_table(files.path(DATASET), pd.DataFrame(table | columns))
    write_activations(files, ids, packed, ["pickle", "json", "npz"])
    files.write_frequency(packed.counts(), n_samples, geometry)
    files.write_attributes(geometry)
    return files


def write_random_edges(files: Artifacts, n_layer: int, d_mlp: int, weighted: bool = True) -> Path:
    """Write every edge from each layer to the next, weights drawn from a fixed seed."""
    rng = np.random.default_rng(1)
    lines = []
    for source in range((n_layer - 1) * d_mlp):
        for dimension in range(d_mlp):
            weight = f" {rng.normal():.6g}" if weighted else ""
            lines.append(f"{source} {(source // d_mlp + 1) * d_mlp + dimension}{weight}\n")
    path = files.path(EDGES)
    write_bytes(path, ["".join(lines).encode()])
    return path


def pixels(path: Path) -> NDArray[np.uint8]:
    """Return a PNG's pixels, (height, width, 4)."""
    return np.asarray(Image.open(path).convert("RGBA"))


def count_colour(image: NDArray[np.uint8], colour: tuple[int, ...]) -> int:
    """Return how many pixels have exactly this RGBA colour."""
    return int((image == np.array(colour, np.uint8)).all(axis=2).sum())
