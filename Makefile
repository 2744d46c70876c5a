# One-word commands, the same on a laptop and in CI. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo cluster test quick chaos browser lint precommit bench docs pictures site full lock clean

# The newest one that can make environments; a version manager has commands for versions that are not there.
PYTHON ?= $(shell for found in python3.13 python3.12 python3.11 python3; do \
  $$found -c 'import ensurepip' 2>/dev/null && command -v $$found && exit; done; command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SITE_STAMP := $(VENV)/.site-installed

# Airflow compiles about 3,000 modules. Without their bytecode on disk, each of its processes starts 5 s later.
unexport PYTHONDONTWRITEBYTECODE
export UV_LINK_MODE := copy
# The VOD SDK sends even loopback calls to a proxy in these variables and ignores NO_PROXY.
unexport HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy
export ALIBABA_CLOUD_ECS_METADATA_DISABLED := true

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header \
	--no-emit-index-url --no-emit-find-links --annotation-style line $(UPGRADE)

help:  ## List these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-9s %s\n", $$1, $$2}'

install: $(STAMP)  ## Install vod-migrate and its locked packages into .venv
	@echo "$(BIN)/vod-migrate is ready"

demo: $(STAMP)  ## Run a whole migration in a real Airflow against the local sandbox; no cloud account needed
	@$(BIN)/python -m demo $(ARGS)

cluster: $(STAMP)  ## Run docker-compose.yml without Docker, and let workers fail during a migration (needs redis-server)
	@$(BIN)/python -m demo.cluster $(ARGS)

test: $(STAMP)  ## Run all tests, 8 minutes (ARGS="tests/unit -k title" picks some)
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@$(BIN)/python -m pytest --numprocesses 5 -m "not alone"
	@$(BIN)/python -m pytest -m alone $$(grep -rl "mark.alone" tests --include=test_*.py)
endif

quick: $(STAMP)  ## Run the unit and contract tests and some of each other suite, a minute
	@$(BIN)/python -m pytest --numprocesses 3 -m "smoke and not alone" --ignore tests/dags --ignore tests/chaos

chaos: $(STAMP)  ## Kill a running migration repeatedly (SEED=7 repeats one seed; KILLS=26 SEEDS=4 for more or fewer)
	@$(BIN)/python tests/chaos/run.py $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(KILLS),--kills $(KILLS)) $(ARGS)

browser: $(STAMP)  ## Use and attack the pages in a real Airflow with Chromium
	@$(BIN)/python -m pytest tests/browser $(ARGS)

lint: $(STAMP)  ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

precommit: $(STAMP)  ## Let git run the linters before each commit
	@$(BIN)/pre-commit install

bench: $(STAMP)  ## Measure vod-migrate and the alternatives for two hours, and write docs/reference/benchmarks.md and README.md's table (ARGS=--small: 15 minutes, to see that all of it starts)
	@$(BIN)/uv pip install --quiet -p $(BIN)/python pyrate-limiter alibabacloud-oss-v2
	@$(BIN)/python benchmarks/bench.py $(ARGS)

docs: $(STAMP)  ## Write the generated parts: pages of the reference, pictures of the rooms and of the terminal
	@$(BIN)/python docs/generate.py
	@$(BIN)/python docs/rooms.py
	@$(BIN)/python docs/terminal_pictures.py

pictures: $(STAMP)  ## Take the pictures in docs/pictures again (needs chromium and a Chinese font)
	@$(BIN)/python docs/pictures.py

site: $(SITE_STAMP)  ## Build the documentation site in build/site; a warning is an error
	@AIRFLOW_HOME=$(CURDIR)/build/airflow AIRFLOW__LOGGING__LOGGING_LEVEL=WARNING \
		$(BIN)/sphinx-build -q -W --keep-going -c docs -d build/doctrees . build/site
	@echo "build/site/index.html"

full: site  ## What takes longer than CI: restarts in Airflow, the site in a browser, a pooled database, 500 kills, every benchmark
	@$(BIN)/python -m pytest tests/full
	@$(BIN)/python -m pytest --numprocesses 3 --pooled -m "not alone" tests/integration
	@$(MAKE) --no-print-directory chaos SEEDS=10 KILLS=50
	@$(MAKE) --no-print-directory bench

lock: $(BIN)/uv  ## Pin requirements*.txt from pyproject.toml and requirements.in (UPGRADE=--upgrade for newer versions)
	$(COMPILE) --extra sandbox --extra embedded pyproject.toml requirements.in -o requirements.txt
	$(COMPILE) --group dev -c requirements.txt -o requirements-dev.txt
	$(COMPILE) --group docs -c requirements.txt -c requirements-dev.txt -o requirements-docs.txt

clean:  ## Remove the environment, the caches and the demo's files
	rm -rf $(VENV) .demo .demo-cluster .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "vod-migrate needs Python 3.11 to 3.13, which was not found: name it with make PYTHON=..."; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null \
		|| { echo "this Python cannot create environments: apt-get install python3-venv"; exit 1; }
	@echo "making $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV)

$(BIN)/uv: | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[0-9.]+' requirements-dev.txt)"

$(STAMP): requirements.txt requirements-dev.txt pyproject.toml | $(BIN)/uv
	@echo "installing the locked packages into $(VENV)"
	@$(BIN)/uv pip install --quiet --compile-bytecode -p $(BIN)/python -r requirements.txt -r requirements-dev.txt
	@$(BIN)/uv pip install --quiet --compile-bytecode --no-deps -p $(BIN)/python -e .
	@touch $@

$(SITE_STAMP): requirements-docs.txt $(STAMP)
	@$(BIN)/uv pip install --quiet -p $(BIN)/python -r requirements-docs.txt
	@touch $@
