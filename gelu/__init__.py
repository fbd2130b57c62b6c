"""What the scripts at the top share: models, recording, files, statistics, plots."""

import os

# MKL multiplies alike with any number of threads only if it is told to, before its first product:
# processes that share a run must write the same bytes.
os.environ.setdefault("MKL_CBWR", "AUTO")
