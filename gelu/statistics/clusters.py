"""Samples grouped by their active neurons, and laid out in the plane.

Activations (0 or 1, centred) are reduced to their principal components, k-means groups the samples
there, and t-SNE lays them out. Distances in the plane mean little beyond the nearest neighbours, so
groups are not sought in it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.statistics.threads import one_thread

COMPONENTS = 50
OVERSAMPLING = 10
POWER_ITERATIONS = 2
MOST_EMBEDDED = 3_000
MOST_CLUSTERS = 20
PERPLEXITY = 30


@dataclass(frozen=True)
class Clusters:
    """table: as in the file contract, x and y missing for samples not laid out; agreement: how the
    clusters agree with prompt, output token and position; silhouette: None where there is none."""

    table: pd.DataFrame
    n_clusters: int
    silhouette: float | None
    explained_variance: float
    agreement: dict[str, dict[str, float]]


def principal_components(
    activations: PackedActivations, n_components: int, seed: int
) -> tuple[NDArray[np.float64], float]:
    """Return (scores (n, components), share of the variance they hold).

    Randomised, a block of rows at a time (Halko, Martinsson and Tropp 2011, *SIAM Review* 53,
    algorithms 4.4 and 5.1): the whole matrix as floats would not fit. Fewer components where
    samples or neurons are fewer.
    """
    mean = activations.counts() / max(1, len(activations))
    width = min(n_components + OVERSAMPLING, len(activations), activations.n_neurons)
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((activations.n_neurons, width), np.float32)
    for _ in range(POWER_ITERATIONS):
        rows = np.linalg.qr(_times(activations, mean, basis))[0]
        basis = np.linalg.qr(_transposed_times(activations, mean, rows))[0].astype(np.float32)
    rows = _times(activations, mean, basis)
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    kept = min(n_components, width)
    scores = left[:, :kept] * values[:kept]
    # A component's sign is arbitrary: its largest score is made positive.
    largest = np.abs(scores).argmax(axis=0)
    scores = scores * np.where(scores[largest, np.arange(kept)] < 0, -1.0, 1.0)
    total = float((mean * (1 - mean)).sum() * len(activations))
    return scores, float((values[:kept] ** 2).sum() / total) if total else 0.0


def _times(
    activations: PackedActivations, mean: NDArray[np.float64], right: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return (activations - mean) @ right, (n, columns)."""
    shift = mean @ right
    parts = [block.astype(np.float32) @ right - shift for _, block in activations.blocks()]
    return np.concatenate(parts).astype(np.float64)


def _transposed_times(
    activations: PackedActivations, mean: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (activations - mean).T @ right, (n_neurons, columns)."""
    total = -np.outer(mean, right.sum(axis=0))
    for start, block in activations.blocks():
        rows = right[start : start + len(block)].astype(np.float32)
        total += block.astype(np.float32).T @ rows
    return total


def cluster_samples(samples: Samples, n_clusters: int | None, seed: int, notes: Notes) -> Clusters:
    """Group and lay out the samples; n_clusters None: the number of the highest silhouette.

    Cluster 0 is the largest. Where samples are too few or all alike there is one cluster, and
    `notes` say so. The result does not depend on the number of threads.
    """
    with one_thread():
        return _cluster(samples, n_clusters, seed, notes)


def _cluster(samples: Samples, n_clusters: int | None, seed: int, notes: Notes) -> Clusters:
    scores, explained = principal_components(samples.activations, COMPONENTS, seed)
    rng = np.random.default_rng(seed)
    part = _part(samples, rng, notes)
    n_distinct = len(np.unique(scores[part].round(9), axis=0))
    if n_distinct < 3:
        notes.skipped["clusters"] = (
            f"{len(samples)} samples with {n_distinct} different sets of neurons; needs three"
        )
        codes, silhouette = np.zeros(len(samples), np.int64), None
        plane = np.full((len(samples), 2), np.nan)
    else:
        codes, silhouette = _group(scores, part, n_clusters, n_distinct, seed)
        plane = np.full((len(samples), 2), np.nan)
        plane[part] = _lay_out(scores[part], seed)
    return Clusters(
        _table(samples, codes, plane),
        int(codes.max()) + 1,
        silhouette,
        explained,
        _agreement(samples, codes),
    )


def _part(samples: Samples, rng: np.random.Generator, notes: Notes) -> NDArray[np.int64]:
    """Return the samples to lay out and to choose the number of clusters by, ascending."""
    if len(samples) <= MOST_EMBEDDED:
        return np.arange(len(samples))
    notes.subsampled["clusters"] = (
        f"{MOST_EMBEDDED:,} of {len(samples):,} samples, drawn at random, are laid out and decide "
        "on the clusters; the others join the nearest"
    )
    return np.sort(rng.choice(len(samples), MOST_EMBEDDED, replace=False))


def _group(
    scores: NDArray[np.float64],
    part: NDArray[np.int64],
    n_clusters: int | None,
    n_distinct: int,
    seed: int,
) -> tuple[NDArray[np.int64], float | None]:
    """Return (cluster of each sample, largest first; silhouette on the part)."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import pairwise_distances, silhouette_score

    distances = pairwise_distances(scores[part])
    numbers = [n_clusters] if n_clusters else range(2, min(MOST_CLUSTERS, n_distinct - 1) + 1)
    best: tuple[float, KMeans] | None = None
    for number in numbers:
        means = KMeans(min(number, n_distinct), n_init=4, random_state=_short(seed))
        means.fit(scores[part])
        split = 1 < len(np.unique(means.labels_)) < len(part)
        score = -1.0
        if split:
            score = float(silhouette_score(distances, means.labels_, metric="precomputed"))
        if best is None or score > best[0]:
            best = (score, means)
    assert best is not None
    codes = best[1].predict(scores)
    order = np.argsort(-np.bincount(codes), kind="stable")
    ranks = np.argsort(order)
    return ranks[codes], None if best[0] == -1 else best[0]


def _lay_out(scores: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(scores) - 1) / 3)
    layout = TSNE(2, perplexity=perplexity, init="pca", random_state=_short(seed))
    return np.asarray(layout.fit_transform(scores), np.float64)


def _table(samples: Samples, codes: NDArray[np.int64], plane: NDArray[np.float64]) -> pd.DataFrame:
    table = samples.table
    columns = ("prompt_sample_idx", "token_position")
    result = pd.DataFrame(
        {
            "sample_id": table["sample_id"],
            "x": plane[:, 0],
            "y": plane[:, 1],
            "cluster": codes,
            "output": table["output"],
            "input_text": np.array(samples.prompt_texts(), object)[
                samples.completions.prompts_of_samples()
            ],
            "prompt_idx": samples.prompt_ids[samples.completions.prompts_of_samples()],
            **{column: table[column] for column in columns},
        }
    )
    return result.sort_values("sample_id").reset_index(drop=True)


def _agreement(samples: Samples, codes: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    tokens, positions = samples.tokens("output"), samples.positions()
    labels = {"prompt": samples.completions.prompts_of_samples()}
    if tokens is not None:
        labels["output_token"] = tokens.codes
    labels["token_position"] = samples.table["token_position"].to_numpy()
    if positions is not None:
        labels["absolute_position"] = positions
    return {
        name: {
            "adjusted_rand_index": float(adjusted_rand_score(values, codes)),
            "normalised_mutual_information": float(normalized_mutual_info_score(values, codes)),
        }
        for name, values in labels.items()
    }


def _short(seed: int) -> int:
    """Return a seed of 32 bits, which is all that scikit-learn takes; short ones as they are."""
    return seed if seed < 1 << 32 else int(np.random.SeedSequence(seed).generate_state(1)[0])
