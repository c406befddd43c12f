# One command for each thing one does here.  A C compiler and Python 3.11 with its headers are all it needs
# of the system; everything else goes into .venv.

PYTHON  ?= python3
VENV    ?= .venv
SECONDS ?= 60
TARGET  ?= all
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
CAPTURE ?= examples/first-look.pcap

BIN     := $(VENV)/bin
NATIVE  := $(wildcard ext/dnscap/native/*.pyx ext/dnscap/native/*.pxd ext/dnscap/native/*.h)
FUZZERS := $(wildcard ext/fuzz/*.pyx ext/fuzz/*.py)

.DEFAULT_GOAL := help
.PHONY: help test demo build build-fuzz lint format types docs bench counts fuzz clean distclean

help:
	@echo 'make test              set up, build, run the tests        (PYTEST="-k name" for some)'
	@echo 'make demo              set up, build, diagnose a capture   (CAPTURE=file.pcap for another)'
	@echo 'make build             set up and build in place'
	@echo 'make lint types        what .ci/run checks of the text'
	@echo 'make format            let ruff format the Python files'
	@echo 'make docs              build the documentation, notebooks executed, into docs/_build/html'
	@echo 'make bench             measure against the yardstick'
	@echo 'make counts            instructions a frame, under callgrind'
	@echo 'make fuzz SECONDS=60   fuzz each target so long            (TARGET=walk for one)'
	@echo 'make clean             remove what was built'

$(VENV)/.made:
	@.ci/check-system.sh '$(PYTHON)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made .ci/requirements.txt pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -r .ci/requirements.txt
	DNSCAP_PYTHON_ONLY=1 $(BIN)/python -m pip install -q --disable-pip-version-check \
		--no-build-isolation --no-deps -e .
	@touch $@

build/.built: $(VENV)/.installed setup.py $(NATIVE)
	$(BIN)/python setup.py -q build_ext --inplace -j $(JOBS)
	@touch $@

build/fuzz/.built: build/.built $(FUZZERS)
	$(BIN)/python ext/fuzz/build.py plain
	@touch $@

build: build/.built
build-fuzz: build/fuzz/.built

test: build build-fuzz
	$(BIN)/python -m pytest $(PYTEST)

demo: build
	@test -n '$(CAPTURE)' || { echo 'make demo: no capture in examples/; name one: make demo CAPTURE=file.pcap' >&2; exit 2; }
	$(BIN)/dnscap diagnose $(CAPTURE)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH='$(abspath $(BIN))':"$$PATH" $(BIN)/cython-lint ext
	$(BIN)/python .ci/cython_hints.py

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: build
	$(BIN)/mypy
	$(BIN)/python .ci/stubs.py

docs: build
	$(BIN)/python -m pip install -q --disable-pip-version-check -r .ci/requirements-docs.txt
	$(BIN)/python docs/generate.py
	$(BIN)/python -m sphinx -q -W --keep-going -d docs/_build/doctrees docs docs/_build/html

bench: build
	$(BIN)/python benchmarks/run.py

counts: build
	$(BIN)/python benchmarks/callgrind_counts.py

fuzz: $(VENV)/.installed
	$(BIN)/python ext/fuzz/build.py fuzz
	$(BIN)/python ext/fuzz/run.py --seconds $(SECONDS) $(if $(filter all,$(TARGET)),,$(TARGET))

clean:
	rm -rf build dist docs/_build dnscap/native/*.so dnscap.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
