# Two commands for a newcomer: `make demo` and `make test`. Both build .venv when it is missing.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all test-python test-floors test-oracles check format bench docs clean

.venv/core: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/dev: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch .venv/core $@

demo: .venv/core
	$(BIN)/broadpeak demo

test: .venv/dev
	$(BIN)/python -m pytest

test-all: .venv/dev
	$(BIN)/python -m pytest -m "slow or not slow" --hypothesis-profile=random

# Another interpreter: make test-python PYTHON=python3.13
test-python:
	$(PYTHON) -m venv .venv-$(notdir $(PYTHON))
	.venv-$(notdir $(PYTHON))/bin/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	.venv-$(notdir $(PYTHON))/bin/python -m pytest

# The oldest dependencies that pyproject.toml allows.
test-floors:
	$(PYTHON) -m venv .venv-floors
	.venv-floors/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/floors.txt -e ".[dev]"
	.venv-floors/bin/python -m pytest

# Statistics beside other packages, which are for development only.
test-oracles:
	$(PYTHON) -m venv .venv-oracles
	.venv-oracles/bin/python -m pip install --quiet --disable-pip-version-check -r constraints/oracles.txt -e ".[dev]"
	.venv-oracles/bin/python -m pytest tests/reference/test_statistics_oracles.py
	.venv-oracles/bin/python tests/reference/oracle_cases.py

check: .venv/dev
	$(BIN)/ruff check src tests benchmarks tools docs
	$(BIN)/ruff format --check src tests benchmarks tools docs
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/snippets
	$(BIN)/lint-imports --no-cache

format: .venv/dev
	$(BIN)/ruff check --fix-only src tests benchmarks tools docs
	$(BIN)/ruff format src tests benchmarks tools docs

bench: .venv/dev
	$(BIN)/python -m benchmarks

docs: .venv/dev
	$(BIN)/python -m pytest -m "slow or not slow" tests/e2e/test_docs.py

clean:
	find src tests -name __pycache__ -prune -exec rm -rf {} +
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis runs dist
