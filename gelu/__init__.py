"""What the scripts at the top share: models, recording, files, statistics, plots."""

import os
import sys

# Older Pythons can read this file, but not all of the package: it is said before anything else.
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.stderr.write(
        "error: this is Python " + sys.version.split()[0] + "; the scripts run on Python 3.11, "
        "3.12 and 3.13 (make setup PYTHON=python3.13)\n"
    )
    sys.exit(2)

# MKL multiplies alike with any number of threads only if it is told to, before its first product:
# processes that share a run must write the same bytes.
os.environ.setdefault("MKL_CBWR", "AUTO")
