# The short command list. Each command sets up what it needs; a second run finds it done.
PYTHON ?= python3
BIN := .venv/bin
STUBS := protos/airlock/signer/v1
UV ?= uv

# Tests start hundreds of programs: each would compile its modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-hardware test check fmt protos protos-accept bench lock clean environment bed everything

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: bed  ## both programs trade on a local chain, then the trader is taken over; ends with a DEMO line
	@$(BIN)/python -m tests.demo

demo-hardware: bed  ## a Ledger and a person who is a script: yes, no, too late, unplugged; ends with a HARDWARE line
	@$(BIN)/python -m tests.demo.hardware

test: everything  ## every test; T="tests/unit -k nonce" hands its arguments to pytest
ifdef T
	@$(BIN)/python -m pytest $(T)
else
	@$(BIN)/python -m tests.testbed.suites
endif

check: environment  ## lint, format, types, layers and the unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit

fmt: environment  ## format and fix what can be fixed
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

protos: environment  ## generate the stubs from the .proto files
	$(BIN)/python -m tests.testbed.stubs generate .

protos-accept: environment  ## accept a compatible change of the wire contract as the new promise
	$(BIN)/python -m tests.testbed.stubs accept

bench: everything  ## speed and memory; a table and one JSON line
	@$(BIN)/python -m tests.bench

lock: environment  ## compile requirements/*.txt from pyproject.toml (needs uv)
	@command -v $(UV) >/dev/null || { echo "uv is missing: install it with \`python3 -m pip install uv\`" >&2; exit 1; }
	@for extra in signer trader dev; do \
	  $(UV) pip compile pyproject.toml --quiet --extra $$extra --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-header -o requirements/$$extra.txt || exit 1; done

clean:  ## remove what the tools made here; the package cache stays
	rm -rf .venv .airlock build dist *.egg-info .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

environment:
	@$(PYTHON) -m tests.testbed.bootstrap environment

bed:
	@$(PYTHON) -m tests.testbed.bootstrap

everything:
	@$(PYTHON) -m tests.testbed.bootstrap everything
