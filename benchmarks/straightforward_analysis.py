"""The analysis as one would first write it: Counters, a dense matrix, a test at a time.

Run by `analysis.py`. It finds token-specific neurons (a Counter of neurons per token, Fisher's
exact test of each pair by SciPy, no allowance for dependence), the mutual information of each
neuron with token, context, prompt and position (scikit-learn), the Jaccard indices of completions
(Python sets), and PCA, k-means by silhouette and t-SNE of the dense matrix (scikit-learn). It draws
nothing.
"""

import sys
from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd


def main() -> None:
    """Analyse the dataset CSV and the .npz named on the command line."""
    table = pd.read_csv(sys.argv[1], keep_default_na=False)
    matrix = np.load(sys.argv[2])["matrix"]
    found = sum(
        len(_token_specific(table[column], matrix)) for column in ("output", "context_token")
    )
    information = _information(table, matrix)
    similarities = _similarities(table, matrix)
    _clusters(matrix)
    print(f"{found} pairs, {len(information)} neurons, {len(similarities)} pairs of completions")


def _token_specific(tokens: "pd.Series[str]", matrix: Any) -> list[tuple[str, int, float]]:
    from scipy.stats import fisher_exact

    n_samples = len(matrix)
    with_token: dict[str, Counter[int]] = {}
    for token, row in zip(tokens, matrix, strict=True):
        with_token.setdefault(token, Counter()).update(np.flatnonzero(row).tolist())
    n_active, n_token = Counter(np.nonzero(matrix)[1].tolist()), Counter(tokens)
    tests = []
    for token, neurons in with_token.items():
        if n_token[token] < 3:
            continue
        for neuron, both in neurons.items():
            without, silent = n_active[neuron] - both, n_token[token] - both
            cells = [[both, silent], [without, n_samples - both - without - silent]]
            tests.append((token, neuron, float(fisher_exact(cells, "greater").pvalue)))
    tests.sort(key=lambda test: test[2])
    passed = [rank for rank, test in enumerate(tests, 1) if test[2] <= 0.05 * rank / len(tests)]
    return tests[: max(passed, default=0)]


def _information(table: pd.DataFrame, matrix: Any) -> list[list[float]]:
    from sklearn.metrics import mutual_info_score

    columns = ["output", "context_token", "prompt_idx", "absolute_position"]
    return [
        [float(mutual_info_score(table[column], neuron)) for column in columns]
        for neuron in matrix.T
    ]


def _similarities(table: pd.DataFrame, matrix: Any) -> list[float]:
    keys = ["prompt_idx", "prompt_sample_idx"]
    sets = [set(np.nonzero(matrix[rows.index])[1].tolist()) for _, rows in table.groupby(keys)]
    return [len(a & b) / len(a | b) for a, b in combinations(sets, 2)]


def _clusters(matrix: Any) -> None:
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.metrics import silhouette_score

    scores = PCA(50, random_state=0).fit_transform(matrix.astype(np.float32))
    for number in range(2, 21):
        labels = KMeans(number, n_init=4, random_state=0).fit_predict(scores)
        silhouette_score(scores, labels)
    TSNE(2, random_state=0, init="pca").fit_transform(scores)


if __name__ == "__main__":
    main()
