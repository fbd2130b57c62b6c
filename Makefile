# Each target does what it needs first: on a machine with Python 3.11, make and pip, `make demo` and
# `make test` work from a fresh clone.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.installed
BENCH_VENV := .venv-bench
BENCH_RUN := $(BENCH_VENV)/bin/python
BENCH_READY := $(BENCH_VENV)/.installed
OUT := demo_output
MODEL := gpt2-demo

PART2 := $(OUT)/part2

.PHONY: setup demo part2 test lint fuzz coverage bench model clean

setup: $(READY)

# The stamp is written last: an installation that broke off is made again from the start.
$(READY): requirements.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch $@

demo: $(READY)
	rm -rf $(OUT)
	$(RUN) generate_activation_dataset.py --model_type $(MODEL) \
		--input_csv parcellation_datasets/test_1.csv --export_dir $(OUT)/dataset --seed 42
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
	@echo "  $(OUT)/graph/$(MODEL)_gelu_graph.png               the most telling neurons and their edges"
	@echo "  $(OUT)/dataset/$(MODEL)_activation_dataset.csv     one row for each generated token"
	@echo "  $(OUT)/analysis/$(MODEL)_analysis_report.html      what the neurons stand for: start here"

part2: $(READY)
	$(RUN) generate_activation_dataset.py --model_type $(MODEL) --edges none --formats csv,npz \
		--input_csv parcellation_datasets/varied.csv --export_dir $(PART2)/dataset --seed 42
	$(RUN) predict_activations.py --model_type $(MODEL) --dataset_dir $(PART2)/dataset \
		--output_dir $(PART2) --predict "I think love is"
	$(RUN) extract_patterns.py --model_type $(MODEL) --dataset_dir $(PART2)/dataset \
		--output_dir $(PART2)
	$(RUN) predict_next_token.py --model_type $(MODEL) --dataset_dir $(PART2)/dataset \
		--output_dir $(PART2)
	$(RUN) report_part2.py --model_type $(MODEL) --results_dir $(PART2)
	@echo
	@echo "Open this:"
	@echo "  $(PART2)/$(MODEL)_part2_report.html    what the neurons know"

test: lint
	$(RUN) -m pytest

lint: $(READY)
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

# In an environment of its own, with the peers. An hour, 16 GB of memory, 20 GB of disk; writes
# benchmarks/RESULTS.md.
bench: $(BENCH_READY)
	$(BENCH_RUN) benchmarks/generation.py
	$(BENCH_RUN) benchmarks/generation.py --recorder --repeats 20
	$(BENCH_RUN) benchmarks/generation.py --ablate
	$(BENCH_RUN) benchmarks/bfloat16.py
	$(BENCH_RUN) benchmarks/sweep.py
	$(BENCH_RUN) benchmarks/edges.py
	$(BENCH_RUN) benchmarks/export.py
	$(BENCH_RUN) benchmarks/startup.py
	$(BENCH_RUN) benchmarks/analysis.py
	$(BENCH_RUN) benchmarks/part2.py --samples 10000
	$(BENCH_RUN) benchmarks/small_data.py
	$(BENCH_RUN) benchmarks/patterns.py
	$(BENCH_RUN) benchmarks/patterns.py --samples 10000

$(BENCH_READY): requirements.txt benchmarks/requirements.txt
	$(PYTHON) -m venv --clear $(BENCH_VENV)
	$(BENCH_RUN) -m pip install --quiet --disable-pip-version-check \
		--requirement benchmarks/requirements.txt
	touch $@

# Ten thousand damaged files of each kind, and as many damaged command lines for each script.
FUZZ := tests/test_fuzz_inputs.py tests/test_fuzz_command_lines.py
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

clean:
	rm -rf $(OUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* $(COVERAGE)
