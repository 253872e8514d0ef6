# One command for everything; each prepares what it needs. `make` alone lists them.

OUT ?= ./demo-output
NAME ?=
ADVISORIES ?=
SEEDS ?=
CASE ?=
ENGINE ?=
JOBS ?=
MINUTES ?= 30
ONLY ?=
PYTEST_ARGS ?=
PYTHON := .venv/bin/python

# Nothing here reports to anybody, and no model hub is asked about telemetry.
export RAY_USAGE_STATS_ENABLED := 0
export HF_HUB_DISABLE_TELEMETRY := 1
export VLLM_NO_USAGE_STATS := 1
export DO_NOT_TRACK := 1
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help setup model browser lint format pytest test demo bench faults soak fuzz audit lock clean
.NOTPARALLEL:

help: ## this list
	@echo "make TARGET, where TARGET is one of:"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## the Python environment in .venv (FACTORY_DEVICE=cpu|gpu overrides what is detected)
	@infra/environment/setup.sh

model: setup ## the small default model, downloaded and converted once into the user's cache
	@echo "model: $$($(PYTHON) -m factory.engine.smollm2)"

browser: ## chromium for the tests of pages, where it can be installed without a question
	@infra/environment/browser.sh

lint: setup ## ruff, formatting and types
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

format: setup ## rewrites the sources as ruff wants them
	@$(PYTHON) -m ruff check --fix-only .
	@$(PYTHON) -m ruff format .

test: setup model browser lint ## everything that must hold: lint, then all tests but the slow ones (PYTEST_ARGS=…)
	@$(PYTHON) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=15 $(PYTEST_ARGS)

demo: setup model ## a small dataset, corpus to publication, in OUT (default ./demo-output)
	@$(PYTHON) -m jobs.run preset=demo store.root='$(OUT)'

bench: setup model ## measurements: NAME=cluster|decon|dedup|engine|evaluate|graph|impact|packs|pipeline|programs|requests|resume|select|units|watched, or all of them; NAME="retrieval|classification --corpus DIR"
	@$(PYTHON) -m tests.bench $(NAME)

faults: setup model ## every fault, every seed, compared with an undisturbed run (SEEDS=20 JOBS=2 CASE=words ENGINE=vllm)
	@$(PYTHON) -m tests.faults $(if $(SEEDS),--seeds $(SEEDS)) $(if $(CASE),--case '$(CASE)') $(if $(ENGINE),--engine $(ENGINE)) $(if $(JOBS),--jobs $(JOBS))

fuzz: setup model ## every parser against damaged and hostile input, for MINUTES (default 30; ONLY=stored: files of targets with that name)
	@$(PYTHON) -m tests.fuzz --minutes $(MINUTES) $(if $(ONLY),--only '$(ONLY)')

soak: setup model ## scripted runs on one root with random faults, for MINUTES (default 30); docs/load.md
	@$(PYTHON) -m tests.faults.soak --minutes $(MINUTES)

audit: setup ## what is known against the pinned packages (ADVISORIES=all.zip: a snapshot of OSV, where there is no network)
	@$(PYTHON) infra/environment/audit.py $(if $(ADVISORIES),--advisories "$(ADVISORIES)")

lock: ## compiles the pinned requirement files again (UPGRADE=1 takes the newest versions)
	@UPGRADE=$(UPGRADE) infra/environment/lock.sh

clean: ## removes .venv, caches and outputs; the model's cache stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz outputs multirun demo-output *.egg-info build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
