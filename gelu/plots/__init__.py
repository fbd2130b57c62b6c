"""Pictures: arrays and tables in, matplotlib figures out; no files are opened here."""

import os

# Pictures go to files alone. matplotlib cannot even be imported where the environment names a
# backend that it does not know, and runs the module where it names one.
os.environ["MPLBACKEND"] = "agg"
