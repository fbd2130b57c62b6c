"""The bytes that an analysis writes do not depend on the number of threads."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from gelu.statistics.clusters import cluster_samples
from tests.statistics_helpers import samples_of


def test_clusters_do_not_depend_on_the_number_of_threads() -> None:
    active = np.random.default_rng(0).random((300, 2000)) < 0.3
    samples = samples_of([10] * 30, [0] * 30, [0] * 300, active)
    found = []
    for n in (1, 2, 3):
        with threadpool_limits(n):
            assert {pool["num_threads"] for pool in threadpool_info()} == {n}
            found.append(cluster_samples(samples, None, 0))
    for other in found[1:]:
        assert other.table.equals(found[0].table)
        assert other.silhouette == found[0].silhouette
        assert other.explained_variance == found[0].explained_variance
