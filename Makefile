# `make help` lists the targets.

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed$(if $(OTEL),-otel)

.DEFAULT_GOAL = help
.PHONY: help ci install run dev test test-unit test-resilience test-copy test-watch test-browser prometheus-releases image image-base \
    test-image test-image-next packages box test-rehearsal test-cluster test-release release-build release-push release-sign \
    release-verify release-announce release-again bench bench-smoke bench-cost lint audit format lock rename python clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# In this order, so that what fails within a minute comes first.
CI = lint test bench-smoke prometheus-releases test-watch test-browser image-base test-image test-copy test-resilience test-cluster \
    test-rehearsal
# The targets of CI that need a Debian machine, as root. The others are also the jobs of .github/workflows/ci.yml.
ON_DEBIAN = prometheus-releases test-browser image-base test-cluster test-rehearsal

ci: $(CI) ## run every check but audit, test-release and test-image-next (as root, on Debian; .ci/run installs what they need)

.NOTPARALLEL:

install: $(INSTALLED) ## install the locked packages into .venv; with OTEL=1, also those for traces

run: $(INSTALLED) ## serve on port 5000 (PORT) until Ctrl-C; OTEL=1 adds the packages for traces
	@$(BIN)/python app/app.py

dev: $(VENV)/.installed ## serve on port 5000 (PORT) with Flask's own server: it reloads edited code, and debugs in the browser
	@$(BIN)/flask --app app run --debug --port "$${PORT:-5000}"

test: $(VENV)/.installed-tests ## run the tests that need nothing but Python
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal --cov --cov-report term

test-unit: $(VENV)/.installed-tests ## run the unit tests, at each save (half a minute)
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal tests/unit

test-resilience: $(VENV)/.installed-tests ## run the long attacks and faults: floods, crowds, shortages, kills (minutes)
	$(BIN)/python -m pytest --verbose --durations=10 tests/resilience/test_*.py

test-copy: $(VENV)/.installed-tests ## make a copy with another name and another purpose, and run its tests (needs git)
	$(BIN)/python -m pytest --verbose --durations=0 tests/deployment/copy

test-watch: $(VENV)/.installed-tests ## run the service under a real Prometheus
	$(BIN)/python -m pytest tests/deployment/watch

test-browser: $(VENV)/.installed-tests ## use the page in a real browser (chromium, chromium-driver)
	$(BIN)/python -m pytest --verbose tests/browser

prometheus-releases: build/prometheus ## fetch later releases of Prometheus, on which test-watch also runs (on Debian)

build/prometheus: tests/deployment/watch/releases.sh
	$< $@

image: ## build the image flask_app:latest; with OTEL=1, it can send traces
	docker build . -t "flask_app:latest" --build-arg VERSION="$(VERSION)" --build-arg REVISION="$(REVISION)" --build-arg OTEL="$(OTEL)"

image-base: ## build replacements for the base image from Debian packages, if no image registry is reachable (as root)
	tests/deployment/image/base.sh

test-image: $(VENV)/.installed-tests ## test the image with a real Docker engine
	$(BIN)/python -m pytest tests/deployment/image

test-image-next: $(VENV)/.installed-tests ## test the image with a newer Docker than this machine's (as root, on Debian)
	$(BIN)/python -m tests.deployment.release.machine $(BIN)/python -m pytest tests/deployment/image \
		--deselect tests/deployment/image/test_targets.py::test_test_target_passes_with_the_tests

packages: ## install the programs that test-watch, test-resilience and bench-smoke need (as root, on Debian or Ubuntu)
	apt-get update --quiet --quiet
	apt-get install --quiet --yes --no-install-recommends prometheus haproxy wrk valgrind

box: build/debian-13.libvirt.box ## build a Vagrant box for libvirt from Debian packages (as root, on Debian)

build/debian-13.libvirt.box: tests/deployment/rehearsal/box.sh
	tests/deployment/rehearsal/box.sh $@

test-rehearsal: $(VENV)/.installed-tests ## run the Vagrantfile from up to destroy (as root, on Debian)
	$(BIN)/python -m pytest --verbose --durations=0 tests/deployment/rehearsal

test-cluster: $(VENV)/.installed-tests ## deploy to a real Docker Swarm, under load (a Docker engine that may become one)
	$(BIN)/python -m pytest --verbose --durations=0 tests/deployment/cluster

config/kubernetes/monitoring/prometheusrule.yaml: config/kubernetes/monitoring/prometheusrule.py $(wildcard config/prometheus/rules/*.yml)
	$(PYTHON) $< >$@

bench: $(VENV)/.installed-bench ## compare the service with other ways to write it, and with its targets (ten minutes; wrk, valgrind)
	$(BIN)/python -m tests.benchmark.main

bench-smoke: $(VENV)/.installed-bench ## run the benchmark briefly; it fails when a candidate does not run
	$(BIN)/python -m tests.benchmark.main --smoke build/bench-smoke.json

bench-cost: $(VENV)/.installed-tests ## print what the costliest bodies cost, compared with the naive way on ordinary bodies of the same size
	$(BIN)/python -m tests.benchmark.cost

lint: $(VENV)/.installed-tests ## check style, types, the direction of imports, wording, the Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint Dockerfile
	$(BIN)/zizmor --offline --persona auditor --quiet .github
	@# git grep: 1 is "none found".
	git grep --untracked --line-number -I -i --word-regexp -f .ci/words -- ':!.ci/words'; test $$? -eq 1

audit: $(VENV)/.installed-tests ## look up known vulnerabilities of the locked packages, and what Debian has fixed since (Docker)
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements-otel.lock --requirement tests/requirements.lock \
		|| { echo "audit failed: a package has a known vulnerability, or the source was not reached and nothing is known" >&2; exit 1; }
	@$(MAKE) --silent image
	@config/release/audit.sh "$(subst -,_,$(PROJECT)):latest" "$(BASE)" \
		|| { echo "audit failed: a Debian package of the image is outdated, or Docker or Debian was not reached and nothing is known" >&2; exit 1; }

format: $(VENV)/.installed-tests ## format the Python files
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.installed-tests ## renew the lock files, with the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile $(LOCK) --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile $(LOCK) --extra otel --constraint requirements.lock --output-file requirements-otel.lock pyproject.toml
	$(BIN)/uv pip compile $(LOCK) --group test --group lint --group lock --constraint requirements-otel.lock --output-file tests/requirements.lock
	test ! -d tests/benchmark || \
		$(BIN)/uv pip compile $(LOCK) --group bench --constraint requirements.lock --constraint tests/requirements.lock --output-file tests/benchmark/requirements.lock

# Registries require lower case.
IMAGE = ghcr.io/$(shell echo "$$GITHUB_REPOSITORY" | tr '[:upper:]' '[:lower:]')
RELEASE = build/release

release-build: ## build the image of this commit for both architectures, with the digest that anyone gets (buildx)
	config/release/build.sh $(RELEASE)

release-push: ## push it unchanged (IMAGE; skopeo)
	config/release/push.sh $(RELEASE) $(IMAGE) $(VERSION)

release-sign: ## sign it, and attest its bills of materials and its provenance (cosign, in the workflow)
	config/release/sign.sh $(RELEASE) $(IMAGE)

release-verify: ## verify all of that as a user does (cosign)
	config/release/verify.sh "$(IMAGE)@$$(cat $(RELEASE)/digest)" --certificate-identity "$$GITHUB_SERVER_URL/$$GITHUB_WORKFLOW_REF" \
		--certificate-oidc-issuer https://token.actions.githubusercontent.com

release-announce: ## publish the section of this version in CHANGELOG.md as a release on GitHub (gh)
	@mkdir -p $(RELEASE)
	$(PYTHON) config/release/notes.py $(VERSION) <CHANGELOG.md >$(RELEASE)/notes.md
	gh release create "v$(VERSION)" --verify-tag --title "$(VERSION)" --notes-file $(RELEASE)/notes.md

release-again: ## build and sign the newest release again, on today's base image (gh)
	gh workflow run release.yml --ref "$$(gh release view --json tagName --jq .tagName)"

test-release: $(VENV)/.installed-tests ## rehearse a release: a registry, both architectures, signatures (as root, on Debian)
	$(BIN)/python -m pytest --verbose --durations=0 tests/deployment/release

PROJECT = $(shell sed -n '/^name = /{s/^name = "\(.*\)"/\1/p;q;}' pyproject.toml)
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' app/version.py)
BASE = $(shell sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile)
REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LOCK = --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate

# The lock files are complete, so pip resolves nothing (--no-deps). Otherwise older versions of pip look for the newest version
# of a package with an extra, and fail as soon as one is published, because the lock file has no hash for it.
PIP_INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes

$(VENV)/.installed: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --requirement requirements.lock
	@touch $@

$(VENV)/.installed-otel: $(VENV)/.installed requirements-otel.lock
	$(PIP_INSTALL) --requirement requirements-otel.lock
	@touch $@

$(VENV)/.installed-tests: $(VENV)/.installed tests/requirements.lock
	$(PIP_INSTALL) --requirement tests/requirements.lock
	$(BIN)/pip check --quiet
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-tests tests/benchmark/requirements.lock
	$(PIP_INSTALL) --requirement tests/benchmark/requirements.lock
	$(BIN)/pip check --quiet
	@touch $@

rename: ## give the project another name: make rename NAME=pricing
	@echo "$(NAME)" | grep --quiet --extended-regexp '^[a-z][a-z0-9]*([_-][a-z0-9]+)*$$' || { echo "rename failed: NAME is '$(NAME)', but must be like pricing or price_list" >&2; exit 1; }
	git grep -z --files-with-matches -I -e $(PROJECT) -e $(subst -,_,$(PROJECT)) \
		| xargs -0 perl -pi -e 's/$(subst -,_,$(PROJECT))/$(subst -,_,$(NAME))/g; s/$(PROJECT)/$(subst _,-,$(NAME))/g'

python: ## build the image on another minor version of Python: make python MINOR=3.14
	@echo "$(MINOR)" | grep --quiet --extended-regexp '^3\.[0-9]+$$' || { echo "MINOR is '$(MINOR)', but must be like 3.14" >&2; exit 1; }
	git grep -z --files-with-matches -I 'python:3\.[0-9]*-slim-trixie' | xargs -0 perl -pi -e 's/python:3\.\d+-slim-trixie/python:$(MINOR)-slim-trixie/g'
	perl -pi -e 's/python: \["3\.\d+"\]/python: ["$(MINOR)"]/' .github/workflows/ci.yml

clean: ## remove what the other targets made
	rm -rf $(VENV) build .coverage* .mypy_cache .pytest_cache .ruff_cache
