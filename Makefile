# Everything happens in .venv, from the package index alone.
#   make demo     export mobilenet, profile what came out, print one table
#   make test     lint and all default tests
#   make install  just the environment
#   make web      what a browser computes with, for the devices chromium and phone; needs npm
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WEB := edgekit/transports/web
RUNTIMES := $(WEB)/runtimes/versions.json

.PHONY: install web demo test lint format bench lock clean

install: $(STAMP)
	@if ! command -v npm > /dev/null; then \
	  echo "no npm here: browsers are no devices until there is one, and make web was called" >&2; \
	else $(MAKE) --no-print-directory web || echo "browsers are no devices until make web works" >&2; fi

# npm packages of fixed versions with their digests; only the files that a page loads are kept.
web: $(RUNTIMES)

$(RUNTIMES): $(WEB)/package-lock.json $(WEB)/gather.py | $(STAMP)
	@echo "fetching LiteRT.js and onnxruntime-web: about 90 MB"
	@$(BIN)/python -m edgekit.transports.web.gather

# Exact versions with hashes, then edgekit itself in place. Done again when either file changes.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than Python 3.11; try: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing the locked packages into $(VENV): some minutes and about 2.5 GB"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock \
	  | grep --line-buffered -v '^Requirement already satisfied'; exit $${PIPESTATUS[0]}
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet \
	  --no-deps --no-build-isolation --editable .
	@touch $@

demo: install
	@$(BIN)/edgekit export mobilenet --int8 > /dev/null
	@$(BIN)/edgekit profile build/mobilenet/*

test: install lint
	$(BIN)/python -m pytest -n 2

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install
	$(BIN)/python -m benchmarks startup
	$(BIN)/python -m benchmarks loop
	$(BIN)/python -m benchmarks export

# One lock for every supported Python and platform. Hashes only: where packages come from is
# the installing machine's business. The constraint: backports-strenum 1.3 excludes Python 3.11 and
# later, and uv does not look at upper bounds on Python.
lock: install
	echo 'backports-strenum<1.3' | $(BIN)/uv --no-config pip compile pyproject.toml --extra all --extra dev --upgrade \
	  --constraint - --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --quiet --output-file requirements.lock
	@! grep -nE '://|^--|^-[a-z]' requirements.lock \
	  || { echo "error: requirements.lock names a host or an option" >&2; exit 1; }

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
