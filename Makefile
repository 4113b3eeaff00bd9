# Everything below needs Python 3.11 or newer, and make.
#
#   make quickstart [BACKEND=jax|torch|tensorflow]   train a first model
#   make test [LANES="values compiled"]              all tests: CONTRIBUTING.md
#   make test KERAS=pre                              ... on Keras' pre-release
#   make test-all                                    all, on every backend, slow
#   make lint                                        style and imports
#   make bench                                       times beside peers

PYTHON ?= python3
BACKEND ?= jax
VENV ?= .venv
LANES ?=

export TF_CPP_MIN_LOG_LEVEL ?= 2

# A stamp for each set of extras, so that a second call installs nothing.
.PHONY: quickstart test test-all lint bench clean

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

# Some processes at a time, by cores and memory, of one backend each.
test: $(VENV)/.all
	$(VENV)/bin/python tests/run.py $(LANES)

# The newest pre-release of Keras lies beside, in front of the one installed.
$(VENV)/.pre: $(VENV)/.all
	$(VENV)/bin/python -m pip install --quiet --pre --upgrade --no-deps --target $(VENV)/pre keras-nightly
	touch $@

ifeq ($(KERAS),pre)
test: $(VENV)/.pre
test: export PYTHONPATH := $(CURDIR)/$(VENV)/pre
endif

# Everything on every backend, with the flags that frameworks have by default.
test-all: $(VENV)/.all
	$(VENV)/bin/python tests/run.py --all

lint: $(VENV)/.lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

bench: $(VENV)/.all
	$(VENV)/bin/python -m benchmarks.run

clean:
	rm -rf $(VENV) build dist out *.egg-info
