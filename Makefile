# make demo    from a fresh machine to joins found in a real lake
# make test    from a fresh machine to a passed suite
# make bench PACK=folder    the figures of benchmarks/results, on a lake pack

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test browser test-slow lint format bench docs clean

demo: $(VENV)/base
	$(BIN)/tablelens demo

test: $(VENV)/dev $(VENV)/duckdb-2 lint browser
	$(BIN)/python -Im pytest -n auto

# The tests of the page drive a chromium; where it cannot be installed they are skipped, and say so.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || test -n "$$TABLELENS_CHROMIUM" || \
	  { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } || \
	  echo "no chromium (apt-get install chromium): the tests of the page are skipped"

test-slow: $(VENV)/dev
	$(BIN)/python -Im pytest -n auto -m slow

lint: $(VENV)/dev
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev
	@test -n "$(PACK)" || { echo "name a lake pack: make bench PACK=folder"; exit 2; }
	$(BIN)/tablelens bench "$(PACK)" --out benchmarks/results

docs: $(VENV)/dev
	$(BIN)/python docs/build_reference.py

$(VENV)/base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/dev: $(VENV)/base
	$(PIP) torch
	$(PIP) --editable '.[dev,models]'
	touch $@

$(VENV)/duckdb-2: $(VENV)/dev  # beside ours, for tests/sql
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ duckdb==2.0.0
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
