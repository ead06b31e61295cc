# The commands of everyday work; `make help` lists them.

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
UI := http://127.0.0.1:5000/\#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=stages
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo ablation cross-person test lint ui install clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

install: $(READY) ## Build the environment in .venv from the pinned versions

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "fpgan needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q fpgan # saves time per command where Python cannot write its cache
	@touch $@

demo: $(READY) ## Run the whole pipeline on the built-in sample data
	dvc repro
	@fpgan report
	@echo "For curves, translations by step and all parameters, run: make ui"

ablation: $(READY) ## Train and compare the variants in params.yaml, two (or JOBS=N) at a time
cross-person: $(READY) ## Leave out one person after another, two (or JOBS=N) at a time

PIPELINE = pipelines/$(subst -,_,$@)/dvc.yaml

ablation cross-person:
	dvc repro
	dvc stage list --name-only $(PIPELINE) | sed -n 's/.*:evaluate@//p' | \
		OMP_NUM_THREADS=$$(( ($$(getconf _NPROCESSORS_ONLN) + $(JOBS) - 1) / $(JOBS) )) xargs -P $(JOBS) -I{} \
		dvc --wait-for-lock repro --single-item --glob '$(PIPELINE):*@{}-*' '$(PIPELINE):evaluate@{}'
	dvc repro $(PIPELINE)

test: $(READY) ## Run the linter, the type checker and the tests
	ruff check .
	ruff format --check .
	mypy
	OMP_NUM_THREADS=1 pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(READY) ## Format the code and fix lint errors automatically
	ruff format .
	ruff check --fix .

ui: $(READY) ## Serve MLflow on http://127.0.0.1:5000
	@echo "Open $(UI)"
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port 5000

clean: ## Remove the environment and all caches, but no data, models or runs
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
