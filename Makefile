# `make` alone lists what there is. Needs Python 3.11 or later with venv, and nothing else; test-npm also needs Node.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# The tests run once per database. `make test WORKERS=0` runs them in one process.
WORKERS ?= 2
FUZZ_SECONDS ?= 20
FUZZ_REQUESTS ?= 2000
# These touch no database of the tests, so once is enough.
PURE_TESTS := tests/core tests/providers $(patsubst %,tests/simulator/test_%.py,planted_bugs gateway bolt sequences)
# What Django is used for most. Those left out start processes, or read texts, which no version of Django changes.
SHORT_TESTS := $(filter-out $(patsubst %,tests/test_%.py,example readme harness docs words bench),$(wildcard tests/test_*.py)) \
	tests/incoming tests/operations tests/outgoing --ignore=tests/incoming/test_crashes.py
# What is told is searched for secrets by these: bad requests of every sender, every operation, every answer of the API.
SECRETS_TESTS := tests/incoming/test_bad_requests_tell_nothing.py tests/api/test_answers_tell_nothing.py \
	"tests/cli/test_remote.py::test_the_key_is_told_nowhere_whatever_goes_wrong" \
	"tests/operations/test_faces.py::test_neither_audit_entry_log_trace_metric_nor_answer_holds_a_secret"
# These need more than Python, and have targets of their own.
APART := --ignore=tests/brokers --ignore=tests/browser --ignore=tests/install --ignore=tests/npm --ignore=tests/poolers \
	--ignore=tests/samples

# Stamps: a target's tools are installed when its lock file changed, and otherwise it starts at once. Those
# of the tests are not compiled: most modules are never imported, and Python compiles the others once.
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
# The newest Django in a virtual environment of its own, on the newest Python that the locked packages have wheels for.
BIN6 := .venv-django6/bin
DJANGO6 := .venv-django6/.installed
PYENV := $(or $(PYENV_ROOT),$(HOME)/.pyenv)
PYTHON6 ?= $(shell for python in python3.13 python3.12 $(PYENV)/versions/3.13.*/bin/python \
	$(PYENV)/versions/3.12.*/bin/python $(PYTHON); do \
	$$python -c 'import sqlite3, ssl, sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && \
	echo $$python && break; done)
NPM := tests/npm/node_modules/.installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PYTHONUTF8 := 1
# Containers often set it. Then every process that the tests start would compile all of its modules again.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: help run simulate test test-secrets test-django6 test-django6-short has-python6 test-brokers test-npm faults faults-short ledger check dist bench bench-long bench-verify fuzz fuzz-long sustain parked api-contract adopt docs format lock migrations-check clean test-browser test-poolers test-samples site test-newcomer

help:  ## List these targets
	@echo "Usage: make TARGET [ARGS=...]"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)$$/  \1	\2/p' $(MAKEFILE_LIST) | expand -t 22

run: $(RUN)  ## Set everything up and start the demo (ARGS="--port 9000" for another port)
	$(BIN)/hookline serve --demo $(ARGS)

test: $(DEV)  ## Set everything up and run the tests on SQLite, then on PostgreSQL (ARGS="-k name" for some)
	HOOKLINE_TEST_POSTGRES_URL= $(BIN)/pytest -n $(WORKERS) $(APART) $(ARGS)
	HOOKLINE_TEST_DATABASE_ONLY=1 $(BIN)/python -m tests.postgres --set fsync=off -- \
		$(BIN)/pytest -n $(WORKERS) $(APART) $(PURE_TESTS:%=--ignore=%) $(ARGS)

test-django6: $(DJANGO6)  ## The same with the newest Django 6, which needs Python 3.12 or later (PYTHON6=python3.13 names one)
	HOOKLINE_TEST_POSTGRES_URL= $(BIN6)/pytest -n $(WORKERS) $(APART) $(ARGS)
	HOOKLINE_TEST_DATABASE_ONLY=1 $(BIN6)/python -m tests.postgres --set fsync=off -- \
		$(BIN6)/pytest -n $(WORKERS) $(APART) $(PURE_TESTS:%=--ignore=%) $(ARGS)

test-django6-short: $(DJANGO6)  ## A part of it, on SQLite alone: both directions and the operations
	HOOKLINE_TEST_POSTGRES_URL= $(BIN6)/pytest -n $(WORKERS) $(SHORT_TESTS) $(ARGS)

has-python6:
	@test -n "$(PYTHON6)"

test-brokers: $(DEV)  ## Install RabbitMQ and Redis from Debian's packages (as root) and run the tests with Celery on them
	$(BIN)/python -m tests.debian rabbitmq-server redis-server
	$(BIN)/python -m tests.postgres --set fsync=off -- $(BIN)/pytest tests/brokers $(ARGS)
	$(BIN)/python -m faults --short --rounds 1 --only WorkerKilledRedis --only BrokerKilledRedis

test-poolers: $(DEV)  ## Install PgBouncer from Debian's package (as root) and run both directions through it
	$(BIN)/python -m tests.debian pgbouncer
	$(BIN)/python -m tests.postgres --set fsync=off -- $(BIN)/pytest tests/poolers $(ARGS)

test-browser: $(DEV) site  ## Install Chromium from Debian's package (as root) and look at every page of the admin with it
	$(BIN)/python -m tests.debian chromium
	HOOKLINE_TEST_POSTGRES_URL= $(BIN)/pytest -n $(WORKERS) --ds tests.browser.settings tests/browser $(ARGS)

test-newcomer: $(DEV)  ## Follow the tutorial and the README literally, in an empty environment (ports 8000 and 9000)
	$(BIN)/pytest tests/install/test_newcomer.py $(ARGS)

test-samples: $(DEV)  ## Run the samples of the docs, each where its language is installed
	$(BIN)/pytest tests/samples $(ARGS)

test-npm: $(DEV) $(NPM)  ## Install the senders' npm packages (needs Node) and hold the providers against them
	$(BIN)/pytest tests/npm $(ARGS)

simulate: $(DEV)  ## Play every sender that can be played to Hookline's own view and gateway, minutes long
	HOOKLINE_SIMULATE_ALL=1 $(BIN)/pytest -n $(WORKERS) tests/simulator/test_every_provider.py tests/simulator/test_gateway.py $(ARGS)

faults: $(DEV)  ## Kill and break everything for many rounds, and account for it (ARGS="--only WorkerKilled" for one)
	$(BIN)/python -m faults $(ARGS)

faults-short: $(DEV)  ## The same, bounded: a few rounds of the most telling faults
	$(BIN)/python -m faults --short $(ARGS)

dist: $(DEV)  ## Build the wheel and the source archive, and try the wheel in an empty environment
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/pytest tests/install/test_wheel.py $(ARGS)

ledger: $(DEV)  ## Send 1,000 webhooks 5 times each by 20 senders at once, on both databases, and count their effects
	HOOKLINE_TEST_POSTGRES_URL= LEDGER_EVENTS=1000 $(BIN)/pytest tests/e2e/test_exactly_once.py $(ARGS)
	LEDGER_EVENTS=1000 $(BIN)/python -m tests.postgres -- $(BIN)/pytest tests/e2e/test_exactly_once.py $(ARGS)

check: $(DEV)  ## Lint, format, types, layers and migrations, without changing anything
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(MIGRATIONS_CHECK)

migrations-check: $(DEV)  ## Fail when a model was changed without a migration
	$(MIGRATIONS_CHECK)

test-secrets: $(DEV)  ## Search all that is told for secrets: bad requests of every sender, every operation and answer of the API
	HOOKLINE_TEST_EVERY_SENDER=1 HOOKLINE_TEST_POSTGRES_URL= $(BIN)/python -m pytest -q -n 2 $(SECRETS_TESTS) $(ARGS)

bench: $(DEV)  ## Run every benchmark and hold it to its aims, about 15 minutes (ARGS="--only ingest" for one)
	$(BIN)/python -m bench $(ARGS)

bench-long: $(DEV)  ## Run the benchmarks that take long: a million events, ten million rows
	$(BIN)/python -m bench --long $(ARGS)

bench-verify: $(DEV)  ## Time the verification of each provider against the bare primitive and the official SDK
	$(BIN)/python -m bench.verify $(ARGS)

fuzz: $(DEV)  ## Fuzz providers and parsers, half of the time each, guided by coverage (FUZZ_SECONDS=20), and both edges (FUZZ_REQUESTS=2000)
	$(BIN)/python -m fuzz.requests -max_total_time=$$(( $(FUZZ_SECONDS) / 2 )) -max_len=4096 -print_final_stats=1 $(ARGS)
	$(BIN)/python -m fuzz.parsers -max_total_time=$$(( $(FUZZ_SECONDS) / 2 )) -max_len=128 -len_control=0 -print_final_stats=1 $(ARGS)
	$(BIN)/python -m fuzz.sockets --requests $(FUZZ_REQUESTS)

fuzz-long: $(DEV)  ## Send 100,000 bent requests over sockets to both edges, about 20 minutes
	$(BIN)/python -m fuzz.sockets $(ARGS)

sustain: $(DEV)  ## Send 1,000 webhooks a second for a minute, with and without failing handlers, on both databases, about 8 minutes
	for database in postgresql sqlite; do \
		$(BIN)/python -m bench.latency --database $$database --worker own $(ARGS) && \
		$(BIN)/python -m bench.latency --database $$database --worker own --failing 0.3 $(ARGS) || exit 1; done

parked: $(DEV)  ## Work in a lane with an order beside a million events that wait behind parked keys, on both databases
	$(BIN)/python -m bench.parked --database sqlite $(ARGS)
	$(BIN)/python -m bench.parked --database postgresql $(ARGS)

api-contract: $(DEV)  ## Send the API what its own OpenAPI document allows, and what it does not, for a minute (ARGS="--seed 1")
	$(BIN)/python -m tests.api.contract $(ARGS)

adopt: $(DEV)  ## Take over a table of 1,000,000 webhooks with `hookline adopt`, killed halfway, and check every row (ARGS="--rows 50000")
	$(BIN)/python -m tests.adoption.proof $(ARGS)
	$(BIN)/python -m tests.postgres -- $(BIN)/python -m tests.adoption.proof $(ARGS)

site: $(DEV)  ## Build the documentation site into build/site; a link or reference that leads nowhere fails
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --jobs auto docs build/site

docs: $(DEV)  ## Write the pages about settings, metrics and providers from the code, and the benchmarks' from their results
	$(BIN)/python docs/generate.py
	$(BIN)/python -m bench.pages

format: $(DEV)  ## Format the code and fix what can be fixed safely
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(DEV)  ## Choose the newest versions that pyproject.toml allows, and write them to requirements/
	$(LOCK) --extra server --extra demo --group build --output-file requirements/run.txt pyproject.toml
	$(LOCK) --extra server --extra celery --extra demo --group build --group dev --constraint requirements/run.txt \
		--output-file requirements/dev.txt pyproject.toml
	cp requirements/dev.txt requirements/django6.txt  # uv keeps the versions that the output file has where it may
	$(LOCK:--upgrade=) --extra server --extra celery --extra demo --group build --group dev --python-version 3.12 \
		--override requirements/django6.in --output-file requirements/django6.txt pyproject.toml

clean:  ## Remove everything that make created
	rm -rf $(VENV) .venv-django6 tests/npm/node_modules build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

MIGRATIONS_CHECK := $(BIN)/python -m django makemigrations --check --dry-run --settings tests.settings hookline

# One version of each package for all supported Pythons and systems, each with its hashes.
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --fork-strategy fewest --generate-hashes \
	--custom-compile-command "make lock"

# uv lists hookline itself because of `hookline[postgres]`; it is installed from this directory instead.
LOCK += --no-emit-package hookline

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Hookline needs Python 3.11 or later, and '$(PYTHON)' is not that ($$($(PYTHON) --version 2>&1))."; \
		echo "Name another one: make PYTHON=python3.13 ..."; exit 1; } >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(RUN): $(BIN)/python requirements/run.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements/dev.txt
	@touch $@

$(DJANGO6): requirements/django6.txt pyproject.toml
	@test -n "$(PYTHON6)" || { \
		echo "Django 6 needs Python 3.12 or later, and none was found."; \
		echo "Name one: make PYTHON6=/path/to/python3.13 test-django6"; exit 1; } >&2
	test -x $(BIN6)/python || $(PYTHON6) -m venv .venv-django6
	$(BIN6)/python -m pip install --quiet --no-compile --require-hashes -r requirements/django6.txt
	$(BIN6)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(NPM): tests/npm/package-lock.json
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || a == 20 && b >= 19 ? 0 : 1)' \
		2>/dev/null && command -v npm >/dev/null || { \
		echo "These tests need Node 20.19 or later, with npm, on the PATH. Everything else works without it."; exit 1; } >&2
	cd tests/npm && npm ci --no-audit --no-fund
	@touch $@
