"""The bytes that an analysis writes do not depend on the number of threads."""

import os
import subprocess
import sys
from typing import NoReturn

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from gelu.analysis import run as analysis
from gelu.analysis.settings import AnalysisSettings
from gelu.samples.notes import Notes
from gelu.statistics.clusters import cluster_samples
from tests.helpers import ROOT
from tests.statistics_helpers import samples_of


def test_clusters_do_not_depend_on_the_number_of_threads() -> None:
    active = np.random.default_rng(0).random((300, 2000)) < 0.3
    samples = samples_of([10] * 30, [0] * 30, [0] * 300, active)
    found = []
    for n in (1, 2, 3):
        with threadpool_limits(n):
            assert {pool["num_threads"] for pool in threadpool_info()} == {n}
            found.append(cluster_samples(samples, None, 0, notes=Notes.of(samples)))
    for other in found[1:]:
        assert other.table.equals(found[0].table)
        assert other.silhouette == found[0].silhouette
        assert other.explained_variance == found[0].explained_variance


@pytest.mark.parametrize("step", ["token_specific_neurons", "tokens_across_prompts"])
def test_steps_that_round_sums_have_one_thread(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 7,492 samples two threads gave 66 p-values other last digits; fewer samples hide it."""
    seen: list[set[int]] = []

    def note(*_: object, **__: object) -> NoReturn:
        seen.append({pool["num_threads"] for pool in threadpool_info()})
        raise StopIteration

    monkeypatch.setattr(analysis, step, note)
    active = np.random.default_rng(0).random((40, 30)) < 0.3
    samples = samples_of([10] * 4, [0, 0, 1, 1], [0] * 40, active)
    with threadpool_limits(2), pytest.raises(StopIteration):
        analysis.analyse(samples, AnalysisSettings(0, 0.05, 3, 2, 0.0, None), lambda: None)
    assert seen == [{1}]


FRESH = """
from gelu.statistics.threads import one_thread
with one_thread():
    import scipy.linalg, sklearn.cluster, sklearn.manifold
    from threadpoolctl import threadpool_info
    print({pool["num_threads"] for pool in threadpool_info()})
"""


def test_libraries_that_are_loaded_later_have_one_thread_too() -> None:
    """scikit-learn brings an OpenMP of its own, which a new process has not loaded yet."""
    result = subprocess.run(
        [sys.executable, "-c", FRESH],
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "{1}\n"
