"""The methods that `benchmarks/patterns.py` compares with work where their authors say they do."""

import numpy as np
import pytest

from benchmarks.pattern_methods import METHODS

GROUPS = [range(5), range(5, 15), range(15, 30)]


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_finds_groups_of_which_no_neuron_is_ever_silent(
    name: str, noise: float
) -> None:
    rng = np.random.default_rng(3)
    active = rng.random((600, 40)) < noise
    for group in GROUPS:
        active[np.ix_(rng.random(600) < 0.1, np.array(group))] = True
    found = [group.tolist() for group in METHODS[name](active, len(GROUPS), 0)]
    assert sorted(found) == [list(group) for group in GROUPS]
