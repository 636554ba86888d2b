# make demo    from a fresh machine to joins found in a real lake
# make test    from a fresh machine to a passed suite
# make extension   the loadable DuckDB extension, in build/
# make bench PACK=folder    the figures of benchmarks/results, on a lake pack
# make weights PACK=folder MODEL=folder    the shipped encoder anew: distilled, then trained on a lake pack

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OTHER_1.4 := 1.4.5
OTHER_2 := 2.0.0
NODE_DUCKDB := @duckdb/node-api@1.5.6-r.1
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test browser other-duckdbs extension test-slow lint format bench weights docs clean

demo: $(VENV)/base
	$(BIN)/tablelens demo

test: $(VENV)/dev other-duckdbs lint browser
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

weights: $(VENV)/models
	@test -n "$(PACK)" -a -n "$(MODEL)" || { echo "make weights PACK=lake-pack MODEL=folder of all-MiniLM-L6-v2"; exit 2; }
	$(BIN)/python benchmarks/make_weights.py "$(PACK)" "$(MODEL)"

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

# DuckDBs beside ours, which tests/sql asks: the one before, the one after, and the one of Node where npm is there.
other-duckdbs: $(VENV)/duckdb-1.4 $(VENV)/duckdb-2 $(VENV)/node

$(VENV)/duckdb-%: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ duckdb==$(OTHER_$*)
	touch $@

$(VENV)/node:
	mkdir -p $@
	! command -v npm >/dev/null || npm install --silent --no-audit --no-fund --prefix $@ $(NODE_DUCKDB)

extension: $(VENV)/base
	$(BIN)/python -m tablelens.sql.extension.build build

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
