# Each target does what it needs first: on a machine with Python 3.11, make and pip, `make test`
# works from a fresh clone.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.installed
OUT := demo_output

.PHONY: setup test lint clean

setup: $(READY)

# The stamp is written last: an installation that broke off is made again from the start.
$(READY): requirements.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch $@

test: lint
	$(RUN) -m pytest

lint: $(READY)
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

clean:
	rm -rf $(OUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis
