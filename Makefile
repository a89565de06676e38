# `make test` sets up all it needs on a machine with Python 3.11 or newer, git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: test lint golden clean

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

# Everything once, on the TensorFlow backend; then what depends on the backend, on the other two.
test: $(INSTALLED) lint
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -n 2
	KERAS_BACKEND=torch $(BIN)/python -m pytest -n 2 -m "every_backend and not golden"
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2 -m "every_backend and not golden"

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Against the official implementation's figures: make golden NPR_GOLDEN=<folder>
export NPR_GOLDEN

golden: $(INSTALLED)
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -m golden -s tests/golden
	KERAS_BACKEND=torch $(BIN)/python -m pytest -m golden -s tests/golden
	KERAS_BACKEND=jax $(BIN)/python -m pytest -m golden -s tests/golden

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis
