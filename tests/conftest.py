"""Settings of the whole suite: threads, and which examples hypothesis tries.

`make test` tries the same examples each time; HYPOTHESIS_PROFILE=explore tries many new ones, and
HYPOTHESIS_PROFILE=fuzz, of `make fuzz`, 10,000 for each of the fuzzing tests.
"""

import multiprocessing
import os

import pytest
from hypothesis import HealthCheck, settings

from tests.forks import LIBRARIES

# The workers share the cores: one thread each, for small models faster than threads that wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test waits for the real hub; tests/model/test_hub.py has its own, and sets this anew.
os.environ["HF_HUB_OFFLINE"] = "1"
# A worker has one fork server of multiprocessing, for tests/interruptions.py.
multiprocessing.set_forkserver_preload(LIBRARIES)

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=3000, deadline=None)
settings.register_profile(
    "fuzz", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

# One file is one worker's: those that take longest go first, so that no worker waits at the end.
LONGEST = ("test_readme.py", "test_hub.py", "test_analyze_activations.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    items.sort(key=lambda item: LONGEST.index(name) if (name := item.path.name) in LONGEST else 9)
