"""Pictures: arrays and tables in, matplotlib figures out; no files are opened here."""
