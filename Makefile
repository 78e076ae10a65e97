# Two commands do everything on a machine that has only Python:
#   make demo    the whole chain on synthetic corpora
#   make test    the test suite
# Each makes the virtual environment it needs; `make check` adds the style, type and layer checks, and
# `make results TABLE=NAME` measures a table of docs/results.md again; `make mutants` tries how much the tests notice.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
REAL := $(wildcard ../shared/corpora/DataSets)
ifneq ($(REAL),)
export SER_REAL_DATA ?= $(abspath $(REAL))
endif
ENCODERS := $(wildcard ../shared/encoders)
ifneq ($(ENCODERS),)
export SER_REAL_ENCODERS ?= $(abspath $(ENCODERS))
endif
# one thread per process: the tests run several processes
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
# processes of the tests find the package compiled
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-fast check format docs results mutants site install clean

install: $(BIN)/.installed

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

demo: $(BIN)/.installed
	env -u OMP_NUM_THREADS -u OPENBLAS_NUM_THREADS -u MKL_NUM_THREADS $(BIN)/ser quickstart demo

test: $(BIN)/.installed
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(BIN)/.installed
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow and not real'

check: $(BIN)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	rm -f .coverage.*  # of processes that outlived an earlier run
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov

format: $(BIN)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(BIN)/.installed
	$(BIN)/python docs/options.py > docs/options.md
	$(BIN)/python docs/known.py > docs/corpora/known.md
	$(BIN)/python docs/formats.py > docs/formats.md
	$(BIN)/python docs/licences.py
	$(BIN)/python docs/results.py
	$(BIN)/typer ser_pipeline.cli utils docs --name ser --output docs/cli.md

results: $(BIN)/.installed
	$(BIN)/python docs/results.py "$(TABLE)"

mutants: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt mutmut==3.8.1
	$(BIN)/python tests/mutants.py "$(MODULES)" "$(TESTS)" $(if $(DRAW),--draw $(DRAW))

site: $(BIN)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site *.egg-info .coverage*
