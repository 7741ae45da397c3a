# The words of this file are those of the docs and of CI:
#   setup  format  check  test  e2e  verify  bench  demo  lab  lab-stop  lab-status  lab-build  clean
# `make test CASE=tests/unit/api` and `make e2e CASE=tests/e2e/test_x.py` run one case.
# Nothing but Python 3.11 is needed to begin: Flink, a Java runtime, Go and all else come from package registries.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(shell command -v python3.11 python3))
UV_VERSION := 0.13.8
VENV := .venv
RUNTIME_VENV := images/runtime/.venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
RUNTIME_PYTEST := $(RUNTIME_VENV)/bin/python -m pytest -c images/runtime/pyproject.toml --rootdir .

LAB := PYTHONPATH=tests $(BIN)/python -m lab

export UV_PYTHON_DOWNLOADS := never
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup format check test e2e verify bench demo lab lab-stop lab-status lab-build lock image-runtime image-operator clean

help: ## say what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 22

# ---- setting up -----------------------------------------------------------------------------------------------------

setup: $(VENV)/.ready $(RUNTIME_VENV)/.ready ## install both projects into environments of their own, by lock with hashes

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Headgate needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.lock pyproject.toml | $(VENV)/bin/python
	@# pip is not in the lock, so the sync below removes it: it is brought back only when another uv is wanted.
	$(BIN)/uv --version 2> /dev/null | grep -qF 'uv $(UV_VERSION) ' || { $(BIN)/python -m ensurepip > /dev/null && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); }
	$(BIN)/python -m uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(RUNTIME_VENV)/.ready: images/runtime/test.lock images/runtime/pyproject.toml $(VENV)/.ready
	test -x $(RUNTIME_VENV)/bin/python || $(BIN)/python -m uv venv --quiet --python $(BIN)/python $(RUNTIME_VENV)
	$(BIN)/python -m uv pip sync --quiet --compile-bytecode --python $(RUNTIME_VENV)/bin/python --require-hashes images/runtime/test.lock
	$(BIN)/python -m uv pip install --quiet --python $(RUNTIME_VENV)/bin/python --no-deps --editable images/runtime
	@touch $@

lock: $(VENV)/.ready ## resolve all locks anew (names, versions and hashes; no hosts)
	$(BIN)/python -m uv pip compile --quiet --upgrade pyproject.toml --group dev --group examples --generate-hashes \
	  --no-annotate --no-header --universal --python-version 3.11 -o requirements.lock
	cd images/runtime && $(CURDIR)/$(BIN)/python -m uv pip compile --quiet --upgrade pyproject.toml --extra local \
	  --generate-hashes --no-annotate --no-header --universal --python-version 3.11 -o requirements.lock
	cd images/runtime && $(CURDIR)/$(BIN)/python -m uv pip compile --quiet --upgrade pyproject.toml -c requirements.lock --extra local \
	  --group test --generate-hashes --no-annotate --no-header --universal --python-version 3.11 -o test.lock
	cd images/runtime && $(CURDIR)/$(BIN)/python -m uv pip compile --quiet pyproject.toml -c requirements.lock --generate-hashes \
	  --no-header --python-version 3.11 --python-platform x86_64-manylinux_2_28 -o image.lock
	$(BIN)/python -m uv pip compile --quiet pyproject.toml -c requirements.lock --generate-hashes --only-binary :all: \
	  --no-annotate --no-header --python-version 3.11 --python-platform x86_64-manylinux_2_28 -o images/operator/image.lock
	$(BIN)/python -m headgate.imagebuild.labels images/runtime

# ---- images ---------------------------------------------------------------------------------------------------------

image-runtime: setup ## the base image of every job, by buildah, as localhost/headgate/runtime
	$(BIN)/python images/runtime/fetch_jars.py
	images/build.sh runtime localhost/headgate/runtime:0.1.0

image-operator: setup ## the operator's image, by buildah, as localhost/headgate/operator
	images/build.sh operator localhost/headgate/operator:0.1.0

# ---- looking after the code -----------------------------------------------------------------------------------------

format: setup ## lay out the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: setup ## formatting, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

verify: setup ## generated files equal what the code generates
	$(BIN)/headgate crd check
	$(BIN)/python -m headgate.imagebuild.labels images/runtime --check

# ---- tests ----------------------------------------------------------------------------------------------------------

ifdef CASE
test: setup ## set up and pass the tests (CASE=path for one)
	$(if $(filter tests/runtime%,$(CASE)),$(RUNTIME_PYTEST),$(PYTEST)) $(CASE)
else
# The tests start many short-lived JVMs, each of which would spend most of its time on optimising what soon ends.
test: export JAVA_TOOL_OPTIONS := -XX:TieredStopAtLevel=1
test: setup check verify lab-build
	$(PYTEST) -n 2 tests/unit tests/scenarios
	$(RUNTIME_PYTEST) -n 2 --dist loadfile tests/runtime
	$(PYTEST) -n 2 --dist loadfile tests/component tests/examples
endif

# tests/lab stops and starts the lab and kills it; CASE=tests/e2e leaves one that runs as it is.
e2e: setup ## the long way round: everything on real parts (CASE=path for one; needs root)
	@$(LAB) build component cluster > /dev/null
	@$(LAB) image runtime > /dev/null
	$(PYTEST) $(or $(CASE),tests/lab tests/e2e)

bench: setup ## measure, and print ratios from one run
	$(BIN)/python -m benchmarks

# ---- seeing it work -------------------------------------------------------------------------------------------------

demo: setup ## train a model on real records, and score them in an embedded Flink
	$(BIN)/python examples/shuttle/prepare.py
	$(BIN)/headgate run examples/shuttle/modeldeployment.yaml

lab: setup ## a real one-node Kubernetes with registry, S3 and Kafka (needs root; NODES=2 for two nodes)
	@$(LAB) build component cluster > /dev/null
	@$(LAB) up --nodes $(or $(NODES),1)

lab-stop: setup ## stop it and leave nothing behind
	@$(LAB) down

lab-status: setup ## say in words what runs and what does not
	@$(LAB) status

lab-build: setup ## build the servers that the component tests need, once (10 minutes cold)
	@$(LAB) build component > /dev/null

clean: ## remove environments and what the examples made (caches outside the tree stay)
	rm -rf $(VENV) $(RUNTIME_VENV) examples/*/build examples/*/out
