# Everything starts from nothing: each target first makes the virtual environment it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := $(wildcard plugins/*)
STAMP := $(VENV)/.installed

DOCS := $(VENV)/.docs

# Small steps of torch are fastest on one thread, so tests run beside one another instead; with one hash
# seed, since all processes must name the tests alike.
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)
PYTEST := PYTHONHASHSEED=0 OMP_NUM_THREADS=1 $(BIN)/pytest -q -n $(WORKERS) --dist worksteal

# Installing leaves compiling to the first import: where nothing may be written, each process compiles torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run soak test check lint gpu durations dist bench docs docs-reference models results-curve results-gpu results-quickstart results-rff results-world clean

run: $(STAMP)  ## train the quickstart: handwritten digits
	$(BIN)/gentk run quickstart

test: lint $(DOCS)  ## linters, types, all tests, the site among them
	$(PYTEST)

check: lint  ## linters, types, tests that take less than half a second each
	$(PYTEST) -m "not lengthy"

lint: $(STAMP)  ## linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gpu: $(STAMP)  ## the tests of CUDA, on a machine that has it: docs/gpu.md
	PYTHONHASHSEED=0 $(BIN)/pytest -q -s tests/gpu

durations: $(STAMP)  ## all tests, and what each takes into tests/durations.json
	$(PYTEST) --record-durations

dist: $(STAMP)  ## an sdist and a wheel of every distribution, in dist, as twine wants them
	rm -rf dist
	set -e; for folder in . $(PLUGINS); do \
		$(BIN)/python -m build --no-isolation --outdir dist $$folder; \
	done
	$(BIN)/python -m twine check --strict dist/*

bench: $(STAMP)  ## speed as ratios, measured side by side
	$(BIN)/python tests/bench/ratios.py $(ARGUMENTS); missed=$$?; \
	for bench in mmd metrics adversarial objectives processes streaming; do \
		$(BIN)/python tests/bench/$$bench.py $(ARGUMENTS) || missed=1; \
	done; exit $$missed

soak: $(STAMP)  ## faults in numbers: docs/results/soak.md
	$(BIN)/python tests/soak/soak.py $(ARGUMENTS)

docs: $(DOCS)  ## the site, in build/docs; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs
	@echo "build/docs/index.html"

docs-reference: $(STAMP)  ## docs/reference/*.md, from the real commands and components
	$(BIN)/python docs/reference.py

CIFAR10 ?= parquet:../shared/data/cifar10-train.parquet,validation=5000
MODELS := plugins/gentk-models/gentk_models/models

models: $(STAMP)  ## train, judge and export what gentk-models ships; minutes of one thread each
	$(BIN)/gentk run quickstart --threads 1 --device cpu --out runs/models/digits
	$(BIN)/gentk run quickstart --data mnist,size=32 --threads 1 --device cpu --out runs/models/mnist
	$(BIN)/gentk run gfmn-classes-cifar10-cpu --data $(CIFAR10) --threads 1 --device cpu --out runs/models/cifar10
	set -e; for model in digits mnist cifar10; do \
		$(BIN)/gentk evaluate runs/models/$$model --threads 1; \
		rm -rf $(MODELS)/$$model; \
		$(BIN)/gentk export runs/models/$$model --to $(MODELS)/$$model; \
	done

results-curve: $(STAMP)  ## the curve of gfmn-cifar10-cpu, resumable
	$(BIN)/python docs/results/curve.py $(ARGUMENTS)

results-gpu: $(STAMP)  ## what to run on a GPU and the hours it should take, counted without one
	OMP_NUM_THREADS=1 $(BIN)/python docs/results/gpu.py $(ARGUMENTS)

results-quickstart: $(STAMP)  ## how long the quickstart takes, on an idle machine
	$(BIN)/python docs/results/quickstart.py $(ARGUMENTS)

results-rff: $(STAMP)  ## explicit features of kernels
	$(BIN)/python docs/results/rff.py $(ARGUMENTS)

results-world: $(STAMP)  ## every loss on several processes, beside one
	OMP_NUM_THREADS=1 $(BIN)/python docs/results/world.py $(ARGUMENTS)

results-%: $(STAMP)  ## a sweep of docs/results and its page, resumable
	$(BIN)/gentk sweep docs/results/$*.toml --page docs/results/$*.md --out runs/results/$* $(ARGUMENTS)

# What checkouts had before the core was called gentk-core goes first: it owns the same command. Python
# compiles what is imported, pip would compile all of torch: half of an installation's time.
$(STAMP): pyproject.toml gentk/version.py $(wildcard plugins/*/pyproject.toml) examples/gentk-example-extractor/pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip uninstall -qq --yes --disable-pip-version-check gentk
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -e '.[dev,offline]' \
		$(foreach plugin,$(PLUGINS),-e ./$(plugin)) -e ./examples/gentk-example-extractor
	touch $@

$(DOCS): $(STAMP)
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV)
