# `make demo` and `make test` set up all they need on a machine with Python 3.11 or newer and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test slow lint golden docs pictures compatibility reliability audit clean

# Two stamps: what the tool needs, and beyond it what tests and documentation need.
$(VENV)/.default: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[serve]"
	touch $@

$(INSTALLED): $(VENV)/.default
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

# NPR from nothing: simulated generators, a detector, its figures. DEMO="--seed 1 --backend torch"
demo: $(VENV)/.default
	$(BIN)/npr-keras demo $(DEMO)

# Everything once, on the TensorFlow backend; then what depends on the backend, on the other two.
# JAX compiles for every shape: with few optimisations that is quicker than what it would save.
test: $(INSTALLED) lint
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -n 2 --dist worksteal
	KERAS_BACKEND=torch $(BIN)/python -m pytest -n 2 --dist worksteal -m "every_backend and not golden and not slow"
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2 --dist worksteal -m "every_backend and not golden and not slow"

# What takes long: the demo itself, other backends in processes of their own, random kills, 1,000
# repetitions of an interval.
slow: $(INSTALLED)
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -n 2 -m "slow and not golden"
	KERAS_BACKEND=torch $(BIN)/python -m pytest -n 2 -m "slow and every_backend and not golden"
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2 -m "slow and every_backend and not golden"

# What takes an hour or more: 1,000 hostile files, 20 kills of every command, 20,000 requests, 10 million
# inputs. See docs/reliability.md.
reliability: $(INSTALLED)
	$(BIN)/python -m pip install --quiet atheris
	$(BIN)/python tests/reliability/commands.py 1000
	$(BIN)/python tests/reliability/kills.py 20
	$(BIN)/npr-keras export npr-lab --out build/npr
	$(BIN)/python tests/reliability/soak.py build/npr 20000
	$(BIN)/python tests/reliability/soak.py build/npr 20000 30
	cd build && for target in facts sizes image tensor rest manifest; do \
		../$(BIN)/python ../tests/reliability/fuzz.py $$target -runs=2000000 || exit 1; done

# Known holes in what is installed; asks the package index.
audit: $(INSTALLED)
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/pip-audit --requirement constraints.txt

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Against the official implementation's figures: make golden NPR_GOLDEN=<folder>
export NPR_GOLDEN

golden: $(INSTALLED)
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -m golden -s tests/golden
	KERAS_BACKEND=torch $(BIN)/python -m pytest -m golden -s tests/golden
	KERAS_BACKEND=jax $(BIN)/python -m pytest -m golden -s tests/golden

# The command reference from --help, and the pages, in build/site.
docs: $(INSTALLED)
	$(BIN)/python -m npr_keras_cli.reference > build-commands.md && mv build-commands.md docs/commands.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open build/site/index.html"

# An export loaded by older TensorFlows, as their TensorFlow Serving would: downloads their wheels.
compatibility: $(INSTALLED)
	$(BIN)/python tests/export/compatibility.py 2.19.1 2.20.0

pictures: $(INSTALLED)
	$(BIN)/python docs/make_pictures.py

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis
