# make demo: install, score built-in shapes, leave a picture.   make test: every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
NATIVE := $(wildcard ds_metrics/_native/*.cpp ds_metrics/_native/*.hpp)

.PHONY: demo test format clean

demo: $(INSTALLED)
	$(BIN)/ds demo --out demo

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Everything but the native core runs from the source tree; only a change of these asks for a new build.
$(INSTALLED): pyproject.toml setup.py $(NATIVE)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(INSTALLED)

clean:
	rm -rf $(VENV) build demo *.egg-info ds_metrics/_native/*.so
