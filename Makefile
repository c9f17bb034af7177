# Lapsewatch. Needs python3.11 and pip; `make` alone says what there is.
PYTHON  ?= python3.11
VENV    ?= .venv
BIN     := $(VENV)/bin
ARGS    ?=
WORKERS ?= 2
KILLS   ?= 200
KILLS_DB ?= sqlite
PIP      = $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test check e2e kills outages properties screenshots lock clean

help: ## Show this help
	@echo "Lapsewatch: make TARGET [ARGS=\"…\"]"
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s%s\n", $$1, $$2}'

# 3 to 6 say how the fictional tenants are (see `lapsewatch status --help`); make would call it an error.
demo: $(VENV)/.demo ## Watch the whole product work on this machine (ARGS="--once --json")
	@$(BIN)/lapsewatch demo $(ARGS) || { code=$$?; [ $$code -ge 3 ] && [ $$code -le 6 ]; }

test: $(VENV)/.dev ## Run what proves the product
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not e2e and not kills and not outages and not properties" $(ARGS)

check: $(VENV)/.dev ## Lint, types and the rules of the structure
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

e2e: $(VENV)/.dev ## Drive the page in a real browser (needs Chromium)
	@$(BIN)/python -m pytest -m e2e $(ARGS)

kills: $(VENV)/.dev ## Kills at random moments of scan and send (KILLS=1000 KILLS_DB=postgres; make test has 30)
	@KILLS=$(KILLS) KILLS_DB=$(KILLS_DB) $(BIN)/python -m pytest -m kills -n $(WORKERS) -rP $(ARGS)

properties: $(VENV)/.dev ## The long forms of what holds in every life of a store (make test has short ones)
	@$(BIN)/python -m pytest -n $(WORKERS) -m properties $(ARGS)

outages: $(VENV)/.dev ## Three days without mail in every form, in steps of half an hour
	@$(BIN)/python -m pytest -m outages $(ARGS)

screenshots: $(VENV)/.dev ## Make pictures of every mail and page in screenshots/ (needs Chromium)
	@$(BIN)/python docs/screenshots.py $(ARGS)

lock: ## Choose the newest allowed packages and write the locked requirements (needs uv)
	uv pip compile pyproject.toml --extra sandbox --extra postgres --extra keyvault --extra apprise --extra build $(LOCK) -o requirements.lock
	uv pip compile pyproject.toml --extra sandbox --extra postgres --extra keyvault --extra apprise --extra build --extra dev $(LOCK) \
	  --constraint requirements.lock -o requirements-dev.lock

LOCK = --python-version 3.11 --universal --generate-hashes --no-emit-index-url \
       --no-annotate --custom-compile-command "make lock" --quiet

clean: ## Remove the virtual environment and what tools leave behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@echo "Making a virtual environment in $(VENV) …" >&2
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) -m venv failed: install Python 3.11 with its venv module, or say PYTHON=…"; exit 1; }

# --no-compile saves half of the time and of the disk: most of the Graph SDK is never imported.
$(VENV)/.demo: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing $$(grep -c '==' requirements.lock) packages, as locked in requirements.lock; about 30 seconds …" >&2
	@$(PIP) install --quiet --no-compile --require-hashes -r requirements.lock
	@echo "Installing Lapsewatch itself …" >&2
	@$(PIP) install --quiet --no-compile --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.demo
	@echo "Installing what the tests need, as locked in requirements-dev.lock; about 20 seconds …" >&2
	@$(PIP) install --quiet --no-compile --require-hashes -r requirements-dev.lock
	@touch $@
