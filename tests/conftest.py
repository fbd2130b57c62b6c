"""Settings of the whole suite: threads, and which examples hypothesis tries.

`make test` tries the same examples each time; HYPOTHESIS_PROFILE=explore tries many new ones.
"""

import os

from hypothesis import settings

# Two workers share the cores: one thread each, for small models faster than threads that wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=3000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
