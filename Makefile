# Everything below needs Python 3.11 or newer, and make.
#
#   make quickstart [BACKEND=jax|torch|tensorflow]   train a first model
#   make test                                        all tests, on each backend
#   make lint                                        style and imports
#   make bench                                       times beside peers

PYTHON ?= python3
BACKEND ?= jax
VENV ?= .venv
BACKENDS = jax tensorflow torch

export TF_CPP_MIN_LOG_LEVEL ?= 2

# A stamp for each set of extras, so that a second call installs nothing.
.PHONY: quickstart test lint bench clean $(BACKENDS:%=test-%) test-across

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "keras_dl needs Python 3.11 or newer"'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.first-%: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e ".[$*,datasets,plots]"
	touch $@

$(VENV)/.all: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e ".[jax,tensorflow,torch,datasets,nlp,plots,test]"
	touch $@

$(VENV)/.lint: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt ruff
	touch $@

quickstart: $(VENV)/.first-$(BACKEND)
	KERAS_BACKEND=$(BACKEND) $(VENV)/bin/python tutorials/quickstart.py

# Two at a time; each backend in its own process.
test: $(VENV)/.all
	$(MAKE) --no-print-directory -k -j2 --output-sync=target $(BACKENDS:%=test-%) test-across

$(BACKENDS:%=test-%): test-%: $(VENV)/.all
	KERAS_BACKEND=$* $(VENV)/bin/python -m pytest tests --ignore=tests/across

test-across: $(VENV)/.all
	KERAS_BACKEND=jax $(VENV)/bin/python -m pytest tests/across

lint: $(VENV)/.lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

bench: $(VENV)/.all
	$(VENV)/bin/python -m benchmarks.run

clean:
	rm -rf $(VENV) build dist out *.egg-info
