# Everything sets itself up in .venv: `make demo` on a fresh machine with Python 3.11+ and make is enough.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
DEMO ?=
PORT ?= 3000

BIN := .venv/bin
RUNTIME := .venv/.runtime
DEVELOPMENT := .venv/.development

.PHONY: help setup demo dev test soak versions check format bench lock clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(DEVELOPMENT)  ## Make .venv with everything for development

demo: $(RUNTIME)  ## Make clips (or take MEDIA=/some/folder), start the sandbox, run everything
	@$(BIN)/visualsearch demo $(if $(DEMO),--folder "$(DEMO)") $(if $(MEDIA),--media "$(MEDIA)") \
		|| { code=$$?; [ $$code -eq 3 ] || exit $$code; }

dev: $(RUNTIME)  ## Open the Dagster UI and the sandbox on the demo's data (PORT=3000)
	@[ -e "$(or $(DEMO),visualsearch-demo)/visualsearch.yaml" ] || $(MAKE) demo
	@$(BIN)/visualsearch dev --folder "$(or $(DEMO),visualsearch-demo)" --port $(PORT)

# File by file, because tests of a file share what is slow to start: a UI, a demo.
test: $(DEVELOPMENT)  ## Run all tests
	$(BIN)/python -m pytest -n auto --dist loadfile

soak: $(DEVELOPMENT)  ## Run the tests that take long: large files, large libraries, many readers
	$(BIN)/python -m pytest -m soak $(SOAK)

versions: $(DEVELOPMENT)  ## Run tests with each Python and Dagster that is said to work; TESTS=tests/api chooses
	scripts/test-versions $(TESTS)

check: $(DEVELOPMENT)  ## Lint, format, types, definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dg check defs

format: $(DEVELOPMENT)  ## Format and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEVELOPMENT)  ## Run the benchmarks; each prints ratios against an alternative
	$(BIN)/python -m benchmarks

lock: $(DEVELOPMENT)  ## Pin the newest versions that fit pyproject.toml, with hashes
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-emit-index-url --no-header --upgrade -q -o requirements.txt
	$(BIN)/uv pip compile pyproject.toml --group dev -c requirements.txt --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-emit-index-url --no-header --upgrade -q -o requirements-dev.txt
	$(BIN)/uv pip compile pyproject.toml --all-extras -c requirements-dev.txt --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-emit-index-url --no-header --upgrade -q -o deploy/requirements.txt

clean:  ## Remove what setup, tests and the demo made
	rm -rf .venv visualsearch-demo .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

# Stamps, so that an installed environment is not installed again. Development is a superset of runtime.
$(RUNTIME): requirements.txt pyproject.toml
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(DEVELOPMENT): $(RUNTIME) requirements-dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
