# The verbs, the same for people and for CI; CONTRIBUTING.md tells more.
#
#   make demo      two simulated devices in the browser        make lint     every check that runs no test
#   make test      native tests, then pytest, with coverage    make format   puts sources in form
#   make setup     the development environment                 make bench    the benchmarks, against their peers
#   make clean     removes what was built (.venv stays)        make fuzz     long fuzzing: FUZZ_SECONDS=60 a target
#
# Each does the set-up that it needs, and none of it twice: Debian packages, .venv, the native build. Python sources are
# used where they stand (editable install), so changing them builds nothing.

PYTHON ?= python3
# On another system: `make APT_DEPS=: ...`, and have the tools at hand.
APT_DEPS ?= scripts/apt-deps
PYTEST_FLAGS ?=
FUZZ_SECONDS ?= 60

BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
JOBS := $(shell nproc)
# Folders too: their time changes when a file comes or goes.
NATIVE := CMakeLists.txt $(shell find csrc)
CPP := $(shell find csrc tests/native tests/fuzz benchmarks/native -name '*.hpp' -o -name '*.cpp')

.NOTPARALLEL:
.PHONY: setup demo test test-native fuzz-build fuzz-short fuzz lint format bench clean python apt-build apt-dev apt-bench

setup: .make/dev .make/native

demo: .make/server .make/native
	$(BIN)/mediacore serve --simulate 2

test: setup test-native fuzz-short
	$(BIN)/python -m pytest --cov $(PYTEST_FLAGS)

test-native: setup
	cmake --preset coverage --log-level=WARNING
	cmake --build --preset coverage -- --quiet
	find build/coverage -name '*.gcda' -delete
	ctest --preset coverage --parallel $(JOBS) --progress
	$(BIN)/gcovr --root . --filter csrc/ --object-directory build/coverage --sort uncovered-percent

# Each target replays its saved corpus, then goes on from there; `fuzz` keeps what it finds for its next run.
fuzz-build: setup
	cmake --preset fuzz --log-level=WARNING
	cmake --build --preset fuzz -- --quiet

fuzz-short: fuzz-build
	$(BIN)/python tests/fuzz/run.py --seconds 5

fuzz: fuzz-build
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS) --grow

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	clang-format-19 --dry-run -Werror $(CPP)
	scripts/check-tree
	$(BIN)/mypy
	@# With the commands of the editable build, which knows the bindings too.
	find csrc -name '*.cpp' | xargs -P $(JOBS) -n 1 \
	  clang-tidy-19 --quiet -p "$$(ls -td build/cp3* | head -n 1)" 2>.make/tidy \
	  || { grep -v ' generated\.$$' .make/tidy; exit 1; }

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	clang-format-19 -i $(CPP)

bench: setup apt-bench .make/bench
	$(BIN)/mediacore bench

clean:
	rm -rf build dist .make .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov test-results
	find src tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} +

# Set-up. Packages of the system are looked at each time, which takes some ms, and make nothing out of date.

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "mediacore needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1)." >&2; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	  exit 1; }

apt-build:
	@$(APT_DEPS) build demo

apt-dev:
	@$(APT_DEPS) build demo test lint

apt-bench:
	@$(APT_DEPS) bench

.venv/pyvenv.cfg: | apt-build python
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# What builds the package; installed, so that each build need not fetch it again.
.make/build: pyproject.toml .venv/pyvenv.cfg
	@mkdir -p .make
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  > .make/build-requirements.txt
	$(PIP) install -r .make/build-requirements.txt
	@touch $@

.make/server: pyproject.toml .make/build | apt-build
	$(PIP) install --no-build-isolation -e '.[server]'
	@touch .make/native $@

.make/dev: pyproject.toml .make/build | apt-dev
	$(PIP) install --no-build-isolation -e '.[dev]'
	@touch .make/native .make/server $@

# The peers of the benchmarks.
.make/bench: pyproject.toml .make/dev
	$(PIP) install --no-build-isolation -e '.[bench]'
	@touch $@

.make/native: $(NATIVE) | .make/server
	$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@
