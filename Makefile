# `make help` lists the targets.

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin

.DEFAULT_GOAL = help
.PHONY: help run test test-resilience test-watch image image-base test-image packages box test-rehearsal \
    test-cluster bench bench-smoke bench-cost lint audit format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## serve on port 5000 (PORT) until Ctrl-C
	@$(BIN)/python app/app.py

test: $(VENV)/.installed-tests ## run the tests that need nothing but Python
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --cov --cov-report term

test-resilience: $(VENV)/.installed-tests ## attack the service, and take away from it what it needs
	$(BIN)/python -m pytest --verbose --durations=10 tests/resilience

test-watch: $(VENV)/.installed-tests ## run the service under a real Prometheus
	$(BIN)/python -m pytest tests/deployment/watch

image: ## build the image flask_app:latest
	docker build . -t "flask_app:latest" --build-arg VERSION="$(VERSION)" --build-arg REVISION="$(REVISION)"

image-base: ## make stand-ins for the base image from Debian packages, where no registry of images is reached (as root)
	tests/deployment/image/base.sh

test-image: $(VENV)/.installed-tests ## test the image with a real Docker engine
	$(BIN)/python -m pytest tests/deployment/image

packages: ## install the programs that test-watch and test-resilience need (as root, on Debian or Ubuntu)
	apt-get update --quiet --quiet
	apt-get install --quiet --yes --no-install-recommends prometheus haproxy wrk

box: build/debian-13.libvirt.box ## build a Vagrant box for libvirt from Debian packages (as root, on Debian)

build/debian-13.libvirt.box: tests/deployment/rehearsal/box.sh
	tests/deployment/rehearsal/box.sh $@

test-rehearsal: $(VENV)/.installed-tests ## boot the Vagrantfile and walk through its life (as root, on Debian)
	$(BIN)/python -m pytest --verbose --durations=0 tests/deployment/rehearsal

test-cluster: $(VENV)/.installed-tests ## deploy to a real Docker Swarm, under load (a Docker engine that may become one)
	$(BIN)/python -m pytest --verbose --durations=0 tests/deployment/cluster

config/kubernetes/monitoring/prometheusrule.yaml: config/kubernetes/monitoring/prometheusrule.py $(wildcard config/prometheus/rules/*.yml)
	$(PYTHON) $< >$@

bench: $(VENV)/.installed-bench ## print what the service costs, against six others and its targets (five minutes; wrk, valgrind)
	$(BIN)/python -m tests.benchmark.main

bench-smoke: $(VENV)/.installed-bench ## run the benchmark as briefly as it goes: it fails when a candidate does not run
	$(BIN)/python -m tests.benchmark.main --smoke build/bench-smoke.json

bench-cost: $(VENV)/.installed-tests ## print what the costliest bodies cost, against ordinary ones of the same size
	$(BIN)/python -m tests.benchmark.cost

lint: $(VENV)/.installed-tests ## check style, types, the Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile

audit: $(VENV)/.installed-tests ## look up known weaknesses of the locked packages
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock --requirement tests/requirements.lock \
		|| { echo "audit failed: a package has a known weakness, or its source was not reached and nothing is known" >&2; exit 1; }

format: $(VENV)/.installed-tests ## format the Python files
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.installed-tests ## renew the lock files, to the newest versions that pyproject.toml admits
	$(BIN)/uv pip compile $(LOCK) --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile $(LOCK) --group test --group lint --group lock --constraint requirements.lock --output-file tests/requirements.lock
	$(BIN)/uv pip compile $(LOCK) --group bench --constraint requirements.lock --constraint tests/requirements.lock --output-file tests/benchmark/requirements.lock

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' app/version.py)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LOCK = --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate

# The lock files are whole, so that nothing is resolved (--no-deps): older versions of pip look for the newest of a package that
# is asked for with an extra, find it without a hash and stop, on the day that it is published.
PIP_INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes

$(VENV)/.installed: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --requirement requirements.lock
	@touch $@

$(VENV)/.installed-tests: $(VENV)/.installed tests/requirements.lock
	$(PIP_INSTALL) --requirement tests/requirements.lock
	$(BIN)/pip check --quiet
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-tests tests/benchmark/requirements.lock
	$(PIP_INSTALL) --requirement tests/benchmark/requirements.lock
	$(BIN)/pip check --quiet
	@touch $@

clean: ## remove what the other targets have made
	rm -rf $(VENV) build .coverage* .mypy_cache .pytest_cache .ruff_cache
