# make demo: install, train three small networks, leave a report.   make test: every check but one.
# make paper: that one, against the paper's solver, which needs an environment of its own.
# make package: what is published, tried as it is installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
NATIVE := $(wildcard ds_metrics/_native/*.cpp ds_metrics/_native/*.hpp)
SANITIZED := build/sanitized
PAPER := build/paper
PACKAGE := build/package
# Another environment finds in the main one what it lacks.
lend = $(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(echo $(1)/lib/python*/site-packages)/main.pth"

.PHONY: demo test docs package sanitized paper format clean

demo: $(INSTALLED)
	$(BIN)/ds demo --out demo

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile
	@mkdir -p build && echo 'int main() {}' > build/probe.cpp
	@if $(CXX) -fsanitize=address,undefined build/probe.cpp -o build/probe 2>/dev/null && ldd build/probe | grep -q libasan; \
	then $(MAKE) --no-print-directory sanitized; \
	else echo "NOT RUN: the native core under sanitizers, which $(CXX) doesn't have here (gcc on Linux does)."; fi

# The site: build/docs/index.html.
docs: $(INSTALLED)
	$(BIN)/python -m sphinx -E -W --keep-going -n -q docs build/docs

# The native core built so that reads out of bounds, overflows and the like end its tests, and fuzzed.
sanitized: $(SANITIZED)/built
	$(CHECKED) -m pytest --capture=sys tests/ds_metrics/native
	$(CHECKED) tests/ds_metrics/native/fuzz.py --rounds 700

CHECKED = LD_PRELOAD="$$(ldd $(SANITIZED)/ds_metrics/_native/*.so | awk '/libasan|libstdc/ {printf "%s ", $$3}')" \
	ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=32 UBSAN_OPTIONS=print_stacktrace=1 \
	DS_SANITIZE=1 DS_NATIVE_CORE=$(SANITIZED)/ds_metrics/_native $(BIN)/python

$(SANITIZED)/built: setup.py $(NATIVE) | $(INSTALLED)
	rm -rf $(SANITIZED)
	DS_SANITIZE=1 $(BIN)/python setup.py --quiet build_ext --build-lib $(SANITIZED) --build-temp $(SANITIZED)/temp
	touch $@

# scikit-learn-extra for real, with numpy 1. What numpy doesn't decide, such as torch, is that of the main environment.
paper: $(INSTALLED)
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; \
	then $(MAKE) --no-print-directory $(PAPER)/installed && $(PAPER)/bin/python -c 'import sklearn_extra.cluster' \
		&& $(PAPER)/bin/python -m pytest tests/ds_metrics/clustering; \
	else echo "NOT RUN: the paper's solver, which needs Python 3.10 or 3.11."; fi

$(PAPER)/installed: $(INSTALLED)
	rm -rf $(PAPER)
	$(BIN)/python -m venv $(PAPER)
	$(call lend,$(PAPER))
	$(PAPER)/bin/python -m pip install --quiet '.[paper]'
	touch $@

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What is published, built as it will be and tried: a source distribution, the wheel made of it, and both of them without
# the source tree. What it requires, such as torch, is that of the main environment.
package: $(INSTALLED)
	rm -rf $(PACKAGE)
	$(BIN)/python -m build --no-isolation --outdir $(PACKAGE) . > /dev/null
	$(BIN)/python -m venv $(PACKAGE)/venv
	$(call lend,$(PACKAGE)/venv)
	$(PACKAGE)/venv/bin/python -m pip install --quiet --no-deps $(PACKAGE)/*.whl
	mkdir $(PACKAGE)/source && tar xzf $(PACKAGE)/*.tar.gz --strip-components=1 -C $(PACKAGE)/source
	cd $(PACKAGE)/source && rm -rf ds_metrics svr_baselines cli && ../venv/bin/ds info && ../venv/bin/python -m pytest \
		tests/cli/test_cli.py tests/cli/test_report.py tests/ds_metrics/test_imports.py tests/ds_metrics/native

# Everything but the native core runs from the source tree; only a change of these asks for a new build.
$(INSTALLED): pyproject.toml setup.py $(NATIVE)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(INSTALLED)

clean:
	rm -rf $(VENV) build demo *.egg-info ds_metrics/_native/*.so
