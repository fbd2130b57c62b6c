"""Principal components against scikit-learn's, and groups that are planted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score

from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.statistics.clusters import Clusters, cluster_samples, principal_components
from tests.statistics_helpers import contract_columns, samples_of

MODULE = "gelu.statistics.clusters"


@given(st.integers(2, 5), st.integers(0, 2**32 - 1), st.sampled_from([1, 1 << 25]))
@settings(max_examples=25)
def test_components_are_those_of_scikit_learn(rank: int, seed: int, block_bytes: int) -> None:
    rng = np.random.default_rng(seed)
    # Groups of neurons active together, of ever larger size so that components are told apart.
    groups = np.repeat(np.arange(rank), 6 * 2 ** np.arange(rank))
    drawn = rng.random((40, rank)) < 0.5
    drawn[0], drawn[1] = True, False
    active = drawn[:, groups]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gelu.packed.BLOCK_BYTES", block_bytes)
        scores, share = principal_components(PackedActivations.from_bool(active), rank, 0)
    reference = PCA(rank, svd_solver="full").fit(active.astype(float))
    expected = reference.transform(active.astype(float))
    assert share == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(np.abs(scores), np.abs(expected), atol=0.02)
    largest = np.abs(scores).argmax(axis=0)
    assert (scores[largest, range(rank)] >= 0).all()


def test_the_share_of_variance_of_noise() -> None:
    active = np.random.default_rng(0).random((60, 90)) < 0.3
    scores, share = principal_components(PackedActivations.from_bool(active), 10, 0)
    reference = PCA(10, svd_solver="full").fit(active.astype(float))
    assert scores.shape == (60, 10)
    assert share == pytest.approx(reference.explained_variance_ratio_.sum(), rel=0.05)


def planted(n_samples: int = 90) -> tuple[Samples, NDArray[np.int64]]:
    """Three groups, half, a third and a sixth of the samples, in a mixed order; some noise."""
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat([0, 1, 2], [n_samples // 2, n_samples // 3, n_samples // 6]))
    active = rng.random((n_samples, 90)) < 0.02
    active ^= np.arange(90) // 30 == groups[:, None]
    n = n_samples // 10
    prompts = [number // 3 for number in range(n)]
    return samples_of([10] * n, prompts, groups.tolist(), active), groups


def test_planted_groups_are_found_largest_first() -> None:
    samples, groups = planted()
    notes = Notes.of(samples)
    found = cluster_samples(samples, None, 0, notes=notes)
    assert list(found.table.columns) == contract_columns("token_clusters")
    assert found.n_clusters == 3 and found.table["cluster"].tolist() == groups.tolist()
    assert found.table["sample_id"].tolist() == list(range(90))
    assert found.table[["x", "y"]].notna().all(axis=None)
    scores, share = principal_components(samples.activations, 50, 0)
    assert found.silhouette == pytest.approx(silhouette_score(scores, groups), abs=1e-6)
    assert found.explained_variance == share
    assert notes.skipped == {} and notes.subsampled == {}
    token = found.agreement["output_token"]
    assert token["adjusted_rand_index"] == token["normalised_mutual_information"] == 1
    prompts, place = samples.table["prompt_idx"], samples.table["absolute_position"]
    for name, labels in [("prompt", prompts), ("absolute_position", place)]:
        assert found.agreement[name] == {
            "adjusted_rand_index": pytest.approx(adjusted_rand_score(labels, groups)),
            "normalised_mutual_information": pytest.approx(
                normalized_mutual_info_score(labels, groups)
            ),
        }


@pytest.mark.parametrize("n_clusters", [2, 5])
def test_a_number_of_clusters_that_is_given_is_obeyed(n_clusters: int) -> None:
    found = cluster_samples(planted()[0], n_clusters, 0, notes=Notes())
    sizes = np.bincount(found.table["cluster"])
    assert found.n_clusters == len(sizes) == n_clusters
    assert sizes.tolist() == sorted(sizes, reverse=True)


def test_the_same_seed_gives_the_same_result() -> None:
    first, second = (cluster_samples(planted()[0], None, 7, notes=Notes()) for _ in range(2))
    assert first.table.equals(second.table)
    assert (first.silhouette, first.agreement) == (second.silhouette, second.agreement)


def test_of_many_samples_some_are_laid_out_and_the_others_join(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{MODULE}.MOST_EMBEDDED", 40)
    samples, groups = planted()
    notes = Notes.of(samples)
    found = cluster_samples(samples, None, 0, notes=notes)
    there = found.table["x"].notna()
    assert there.sum() == 40 and there.equals(found.table["y"].notna())
    assert found.table["cluster"].tolist() == groups.tolist()
    assert "40 of 90 samples" in notes.subsampled["clusters"]


def test_a_lone_sample_may_be_a_cluster_of_its_own() -> None:
    rng = np.random.default_rng(0)
    active = np.zeros((2500, 80), bool)
    active[:, :3] = rng.random((2500, 3)) < 0.01
    active[0, 3:] = True
    samples = samples_of([50] * 50, [0] * 50, [0] * 2500, active)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{MODULE}._lay_out", lambda scores, seed: np.zeros((len(scores), 2)))
        for seed in range(4):
            found = cluster_samples(samples, 2, seed, notes=Notes.of(samples))
            assert np.bincount(found.table["cluster"]).tolist() == [2499, 1]
            assert found.silhouette is not None and found.silhouette > 0.9


def one_cluster(active: NDArray[np.bool_]) -> tuple[Clusters, Notes]:
    samples = samples_of([len(active)], [0], list(range(len(active))), active)
    notes = Notes.of(samples)
    return cluster_samples(samples, None, 0, notes=notes), notes


@pytest.mark.parametrize(
    "active",
    [np.eye(1, 6), np.eye(2, 6), np.ones((5, 6)), np.zeros((4, 6)), np.eye(2, 6)[[0, 1, 0]]],
)
def test_too_few_different_samples_are_one_cluster(active: NDArray[np.float64]) -> None:
    found, notes = one_cluster(active.astype(bool))
    assert found.n_clusters == 1 and found.silhouette is None
    assert found.table["cluster"].tolist() == [0] * len(active)
    assert found.table[["x", "y"]].isna().all(axis=None)
    assert "needs three" in notes.skipped["clusters"]
    assert np.isfinite(found.explained_variance)


def test_three_different_samples_are_laid_out() -> None:
    found, notes = one_cluster(np.eye(3, 6, dtype=bool))
    assert found.n_clusters == 2 and found.table["x"].notna().all()
    assert notes.skipped == {}
