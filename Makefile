# Two commands set everything up: `make demo` and `make test`. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
OUT ?= demo
TEST_PROCESSES ?= 2
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
COPY := build/installed-copy

.PHONY: demo test test-all lint format bench demo-weights clean
.DEFAULT_GOAL := help
.PHONY: help
help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## Run the whole job on drawn scenes: label, train a student, judge both, write a report
	$(BIN)/maskmill demo --out $(OUT)

test: $(INSTALLED)  ## Run the default tests, in TEST_PROCESSES processes
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile

test-all: $(INSTALLED)  ## Also run the slow tests and those on real photographs
	$(BIN)/python -m pytest -m 'not gpu'

lint: $(INSTALLED)  ## Style, types and import rules; types of an installed copy, and of the benchmarks against it
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(COPY) .
	cd $(COPY) && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache
	cd benchmarks && MYPYPATH=$(abspath $(COPY)):../tests/support $(abspath $(BIN))/mypy --explicit-package-bases \
	  --config-file ../pyproject.toml --cache-dir ../.mypy_cache *.py
	PYTHONPATH=$(COPY) $(BIN)/lint-imports

format: $(INSTALLED)  ## Format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)  ## Run the measured comparisons that need nothing but this checkout
	$(BIN)/python benchmarks/clip_diy_ablation.py

demo-weights: $(INSTALLED)  ## Train the demo CLIP and its objectness head again
	$(BIN)/python -m maskmill.flows.demo_weights --out models/weights

clean:
	rm -rf build dist demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
