"""Two workers share the cores: one thread each, for small models faster than threads that wait."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
