# The front door. `make demo` and `make check` do all the set-up they need on a fresh Debian machine, as root.
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
SRC := src tests bench tools

.PHONY: help setup demo check fix lint types imports unit kernel e2e test cgroup2 bench clean
help:          ## this list
	@grep -hE '^[a-z0-9-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(VENV)/.done ## Debian packages and the virtual environment
$(VENV)/.done: pyproject.toml tools/setup
	PY=$(PY) tools/setup
	touch $@

demo: $(VENV)/.done ## load and run an image, look at the isolation, then a host sandbox
	tools/demo

check: setup lint types imports test ## all that CI runs

fix: setup ## format and mend
	$(BIN)/ruff format $(SRC)
	$(BIN)/ruff check --fix $(SRC)

lint: setup
	$(BIN)/ruff format --check $(SRC)
	$(BIN)/ruff check $(SRC)
	$(BIN)/codespell src tests docs bench tools README.md CHANGELOG.md
types: setup
	$(BIN)/mypy
imports: setup
	$(BIN)/lint-imports --no-cache

test: unit kernel e2e ## all tests
unit: setup ## pure, no root, under 10 s
	$(BIN)/pytest tests/unit tests/arch
kernel: setup ## against the real kernel
	$(BIN)/pytest tests/kernel tests/startup tests/fuzz
e2e: setup ## black box, through the command line
	$(BIN)/pytest tests/e2e
cgroup2: setup ## what needs pure cgroup v2, in a virtual machine (../shared/vm)
	../shared/vm/cgroup2-vm --install --engine uml --timeout 1800 --share "$$PWD" -- \
		$(BIN)/python -m pytest --timeout 300 tests/cgroup2 tests/kernel/confinement/test_cgroup.py
bench: setup ## beside podman, docker, runc and bwrap, interleaved
	$(BIN)/python bench/run.py
clean:
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info
