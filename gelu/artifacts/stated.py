"""What the files of a folder state of the run that they are of: its neurons, its samples.

    stated = read_stated([folder], "gpt2-demo")
    stated.geometry                         # None where no file of the folder says
    stated.frequencies, stated.runs         # each with the path that states it

Files that contradict themselves, or of which two state different neurons, are refused here;
`gelu.samples.matching` compares them with samples.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gelu.artifacts.names import ATTRIBUTES, FREQUENCY, RUN
from gelu.artifacts.tables import (
    read_counted_neurons,
    read_document,
    read_geometry_table,
)
from gelu.artifacts.writers import Artifacts
from gelu.errors import UserError
from gelu.neurons import Geometry

SHOWN = 60
# Frequencies that another program has saved anew may have lost their last digits.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Frequency:
    """A frequency table. counts: (n_neurons,), in how many of `n_samples` each neuron is active.

    n_samples: None where no neuron is ever active, or the table does not say.
    """

    path: Path
    counts: NDArray[np.int64]
    n_samples: int | None


@dataclass(frozen=True)
class StatedRun:
    """A `{m}_run.json`; None for what it does not state."""

    path: Path
    n_samples: int | None
    weights_sha256: str | None


@dataclass(frozen=True)
class Stated:
    """What some folders' files state. geometry: of all of them, None where none says."""

    geometry: Geometry | None
    frequencies: tuple[Frequency, ...]
    runs: tuple[StatedRun, ...]

    def samples(self) -> dict[Path, int]:
        """Return how many samples the run has, by each file that states it."""
        files: list[StatedRun | Frequency] = [*self.runs, *self.frequencies]
        return {file.path: file.n_samples for file in files if file.n_samples is not None}


def read_stated(folders: Iterable[Path], model: str) -> Stated:
    """Return what these folders' neuron tables and run descriptions of one model state.

    Raises `UserError` for a damaged file, and where two state different neurons.
    """
    geometries: dict[Path, Geometry | None] = {}
    frequencies, runs = [], []
    for files in [Artifacts(folder, model) for folder in dict.fromkeys(folders)]:
        attributes, frequency = files.path(ATTRIBUTES), files.path(FREQUENCY)
        if frequency.is_file():
            geometries[frequency], table = _read_frequency(frequency)
            frequencies += [] if table is None else [table]
        if attributes.is_file():
            geometries[attributes] = read_geometry_table(attributes)
        if (document := read_document(files.path(RUN))) is not None:
            geometries[files.path(RUN)], run = _read_run(files.path(RUN), document)
            runs.append(run)
    return Stated(_agreed_geometry(geometries), tuple(frequencies), tuple(runs))


def _agreed_geometry(stated: Mapping[Path, Geometry | None]) -> Geometry | None:
    found = [(path, geometry) for path, geometry in stated.items() if geometry]
    for path, geometry in found[1:]:
        if geometry != found[0][1]:
            raise UserError(
                f"{path}: has {geometry.n_layer} layers of {geometry.d_mlp} neurons, "
                f"{found[0][0]} has {found[0][1].n_layer} of {found[0][1].d_mlp}: they are of two "
                "models"
            )
    return found[0][1] if found else None


def _read_frequency(path: Path) -> tuple[Geometry, Frequency | None]:
    """Return a frequency table's neurons, and its counts where it has them."""
    geometry, counts, shares = read_counted_neurons(path)
    if counts is None or shares is None:
        return geometry, None if counts is None else Frequency(path, counts, None)
    most = int(counts.argmax())
    n_samples = int(min(counts[most] / max(shares[most], 1e-18), 1e18) + 0.5)
    # Where nothing is ever active, any frequency but 0 is wrong.
    expected = counts / n_samples if n_samples else np.zeros(len(counts))
    wrong = np.abs(shares - expected) > ROUNDING * np.maximum(expected, 1 / max(1, n_samples))
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(
            f"{path}, row {row + 1}: activation_frequency is {shares[row]:g}, activation_count "
            f"{counts[row]} of {n_samples:,} samples (by row {most + 1}) makes {expected[row]:g}"
        )
    return geometry, Frequency(path, counts, n_samples or None)


def _read_run(path: Path, document: Mapping[str, Any]) -> tuple[Geometry | None, StatedRun]:
    """Return the neurons that a run's description states, and the rest of it."""
    model = _section(path, document, "model")
    n_layer, d_mlp, n_neurons = (
        _number(path, model, name) for name in ("n_layer", "d_mlp", "n_neurons")
    )
    geometry = None
    if n_layer is not None and d_mlp is not None:
        geometry = Geometry(n_layer, 0, d_mlp, 0)
        if n_neurons not in (None, geometry.n_neurons):
            raise UserError(
                f"{path}: n_neurons is {n_neurons}, {n_layer} layers of {d_mlp} neurons have "
                f"{geometry.n_neurons}"
            )
    weights = model.get("weights_sha256")
    if not isinstance(weights, str | None):
        raise UserError(f"{path}: weights_sha256 is {ascii(weights)[:SHOWN]}, a text is needed")
    n_samples = _number(path, _section(path, document, "counts"), "samples")
    return geometry, StatedRun(path, n_samples, weights)


def _section(path: Path, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise UserError(f"{path}: {name} is {ascii(section)[:SHOWN]}, not what describes a run")
    return section


def _number(path: Path, section: Mapping[str, Any], name: str) -> int | None:
    """Return a number of 1 or more, None where it is not stated."""
    number = section.get(name)
    if number is not None and (type(number) is not int or not 1 <= number < 1 << 62):
        raise UserError(
            f"{path}: {name} is {ascii(number)[:SHOWN]}; a whole number of 1 or more is needed"
        )
    return number
