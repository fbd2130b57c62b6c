"""Every neuron's kind, and what its activity tells about token, prompt and position."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.neurons import Geometry, dimension_of, layer_of
from gelu.samples.arrays import ROLES, Samples
from gelu.samples.notes import Notes
from gelu.statistics.enrichment import one_hot
from gelu.statistics.information import (
    activity_entropy,
    expected_mutual_information,
    mutual_information,
)

PROMPT_SHUFFLES = 32
KINDS = ("selective", "always_on", "dead")
INFORMATION = ("mi_output_bits", "mi_context_bits", "mi_prompt_bits", "mi_position_bits")


def importance_table(samples: Samples, seed: int, notes: Notes) -> pd.DataFrame:
    """Return a row for every neuron, most important first, columns as in the file contract.

    Information in bits is that beyond chance, not below 0, and missing where the samples cannot
    tell it. For tokens and position, chance is dealing the labels out anew; for the prompt, dealing
    whole completions out anew (`PROMPT_SHUFFLES` times, by `seed`), since all tokens of one share
    the prompt. `importance` is the largest of the four. Selective neurons come first, then
    always-on ones, then dead ones; equal ones by entropy, then by id.
    """
    counts = samples.activations.counts()
    n_samples, d_mlp = len(samples), samples.geometry.d_mlp
    ids = np.arange(len(counts))
    kind = np.where(counts == 0, 2, np.where(counts == n_samples, 1, 0))
    information = _information(samples, counts, seed, notes)
    table = pd.DataFrame(
        {
            "neuron_id": ids,
            "layer": layer_of(ids, d_mlp),
            "dimension": dimension_of(ids, d_mlp),
            "kind": np.array(KINDS)[kind],
            "activation_count": counts,
            "activation_frequency": counts / n_samples,
            "entropy_bits": activity_entropy(counts, n_samples),
            **information,
        }
    )
    known = pd.DataFrame(information).fillna(0.0).max(axis=1)
    table["importance"] = np.where(kind == 0, known, 0.0)
    order = np.lexsort((ids, -table["entropy_bits"], -table["importance"], kind))
    return table.iloc[order].reset_index(drop=True)


def layer_table(table: pd.DataFrame, geometry: Geometry) -> pd.DataFrame:
    """Return a row per layer: how many neurons of each kind, mean activity and importance.

    table: of `importance_table`. mean_activity is the mean share of samples over all neurons,
    mean_importance_bits that of the selective ones, missing where a layer has none.
    """
    rows = table.groupby("layer")
    selective = table[table["kind"] == "selective"].groupby("layer")["importance"].mean()
    return pd.DataFrame(
        {
            "layer": np.arange(geometry.n_layer),
            **{
                f"n_{kind}": (table["kind"] == kind).groupby(table["layer"]).sum().to_numpy()
                for kind in reversed(KINDS)
            },
            "mean_activity": rows["activation_frequency"].mean().to_numpy(),
            "mean_importance_bits": selective.reindex(range(geometry.n_layer)).to_numpy(),
        }
    )


@dataclass(frozen=True)
class _Partition:
    """Labels of which each sample has exactly one; codes: (n,), sizes: (labels,)."""

    name: str
    codes: NDArray[np.int64]

    def sizes(self) -> NDArray[np.int64]:
        return np.bincount(self.codes)


def _information(
    samples: Samples, counts: NDArray[np.int64], seed: int, notes: Notes
) -> dict[str, NDArray[np.float64]]:
    """Return each information column, (n_neurons,); missing ones are all NaN."""
    partitions = _partitions(samples)
    result = {name: np.full(len(counts), np.nan) for name in INFORMATION}
    for partition in partitions:
        result[partition.name] = np.zeros(len(counts))
    prompts = _PromptInformation.of(samples, seed, notes)
    if prompts is not None:
        result["mi_prompt_bits"] = np.zeros(len(counts))
    indicators = [one_hot(partition.codes, len(partition.sizes())) for partition in partitions]
    for first, block in samples.activations.neuron_blocks():
        chosen = slice(first, first + block.shape[1])
        active = block.astype(np.float32)
        for partition, indicator in zip(partitions, indicators, strict=True):
            both = np.asarray(indicator @ active, np.int64)
            result[partition.name][chosen] = mutual_information(
                both, partition.sizes(), counts[chosen]
            )
        if prompts is not None:
            result["mi_prompt_bits"][chosen] = prompts.beyond_chance(active, counts[chosen])
    for partition in partitions:
        expected = expected_mutual_information(counts, partition.sizes())
        result[partition.name] = np.maximum(result[partition.name] - expected, 0.0)
    return result


def _partitions(samples: Samples) -> list[_Partition]:
    result = []
    for role in ROLES:
        tokens = samples.tokens(role)
        if tokens is not None:
            result.append(_Partition(f"mi_{role}_bits", tokens.codes))
    positions = samples.positions()
    if positions is not None:
        codes = np.unique(positions, return_inverse=True)[1]
        result.append(_Partition("mi_position_bits", codes))
    return result


@dataclass(frozen=True)
class _PromptInformation:
    """Information about the prompt; shuffles: (shuffles, C), prompts dealt out to completions."""

    samples: Samples
    shuffles: NDArray[np.int64]

    @classmethod
    def of(cls, samples: Samples, seed: int, notes: Notes) -> "_PromptInformation | None":
        """Return None where prompts and completions cannot be told apart; says so in `notes`."""
        prompts = samples.completions.prompts
        n_prompts = len(np.unique(prompts))
        if n_prompts == 1 or n_prompts == len(prompts):
            what = "one prompt" if n_prompts == 1 else "one completion of each prompt"
            notes.skipped["mi_prompt_bits"] = (
                f"there is only {what}, so a neuron's share of the prompt cannot be told from that "
                "of the completion"
            )
            return None
        rng = np.random.default_rng(seed)
        shuffles = np.stack([rng.permutation(prompts) for _ in range(PROMPT_SHUFFLES)])
        return cls(samples, shuffles)

    def beyond_chance(
        self, active: NDArray[np.float32], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the information beyond the mean over the shuffles, (neurons,)."""
        completions = self.samples.completions
        sums = np.add.reduceat(active, completions.starts(), axis=0)
        found = self._of_prompts(completions.prompts, sums, counts)
        chance = [self._of_prompts(shuffle, sums, counts) for shuffle in self.shuffles]
        return np.maximum(found - np.mean(chance, axis=0), 0.0)

    def _of_prompts(
        self, prompts: NDArray[np.int64], sums: NDArray[np.float32], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        sizes = np.bincount(prompts, self.samples.completions.lengths).astype(np.int64)
        both = np.asarray(one_hot(prompts, len(sizes)) @ sums, np.int64)
        return mutual_information(both, sizes, counts)
