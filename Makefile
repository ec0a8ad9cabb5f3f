# Every target installs what it needs into .venv; nothing is touched outside this folder.

# The first Python that is new enough; make PYTHON=/path/to/python3 takes another one.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PHOTOS ?=
DATA   ?=
CC     ?= cc
export CC

VENV    := .venv
BIN     := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
# Strict: one tree for Python, mypy and pytest, where retrieval/ stands as it is imported.
EDITABLE := $(INSTALL) --no-build-isolation --config-settings editable_mode=strict --editable

NATIVE  := $(wildcard src/jpegcrypt/*.px[di] src/jpegcrypt/*.pyx src/jpegcrypt/native/*.[ch])
MODULES := $(sort $(shell find src retrieval -name '*.py' -o -name '*.pyi'))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo demo-search test lint format typecheck vectors figures bench-speed
.PHONY: bench-instructions bench-rate bench-retrieval bench-schemes bench-unsupervised
.PHONY: neon avx512 sanitize constraints
.PHONY: clean distclean FORCE

help:  ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 20

demo: $(VENV)/.demo  ## encrypt and decrypt real photographs (PHOTOS=dir adds yours)
	$(BIN)/python benchmarks/demo.py $(if $(PHOTOS),--photos "$(PHOTOS)")
	$(BIN)/python benchmarks/demo_search.py

demo-search: $(VENV)/.demo  ## the search step of the demo; installs PyTorch for it
	$(INSTALL) torch accelerate safetensors joblib
	$(BIN)/python benchmarks/demo_search.py

test: $(VENV)/.dev  ## run the whole test suite
	$(BIN)/python -m pytest

lint: $(VENV)/.dev  ## ruff over the Python, compiler warnings over the C
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(CC) -std=c11 -Wall -Wextra -Werror -fsyntax-only $(wildcard src/jpegcrypt/native/*.c)

format: $(VENV)/.dev  ## let ruff lay out the Python
	$(BIN)/ruff format .

typecheck: $(VENV)/.dev  ## mypy over everything, and the stub of the core against the core
	$(BIN)/python -m mypy -p jpegcrypt -p jpegcrypt.retrieval -p benchmarks
	$(BIN)/python -m mypy --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls \
		--no-check-untyped-defs tests
	$(BIN)/python -m mypy.stubtest --concise --ignore-missing-stub --ignore-disjoint-bases \
		jpegcrypt._core

vectors: $(VENV)/.dev  ## write the golden files in tests/vectors anew
	$(BIN)/python tests/make_vectors.py

figures: $(VENV)/.demo  ## measure the photographs anew for README.md, and its contact sheet
	$(BIN)/python benchmarks/demo.py --json benchmarks/results/demo.json \
		--free-sheet docs/contact_sheet.jpg
	$(BIN)/python benchmarks/readme_figures.py

bench-speed: $(VENV)/.dev  ## encrypt and decrypt against Pillow, as ratios
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/performance_figures.py

bench-instructions: $(VENV)/.dev  ## count instructions per stage (needs Valgrind)
	$(BIN)/python benchmarks/instructions.py
	$(BIN)/python benchmarks/performance_figures.py

bench-rate: $(VENV)/.dev  ## size and quality against plain JPEG, curves and report (DATA="set folder")
	$(BIN)/python benchmarks/rate_distortion.py $(if $(DATA),--data $(DATA))

bench-retrieval: $(VENV)/.dev  ## train and measure the retrieval models (DATA=dir, ARGS="--group papers")
	$(BIN)/python benchmarks/retrieval.py $(if $(DATA),--data $(DATA)) $(ARGS)
	$(BIN)/python benchmarks/retrieval_figures.py
	$(BIN)/python benchmarks/schemes_figures.py

bench-schemes: $(VENV)/.dev  ## all schemes: size, quality, speed, histograms (DATA="set or folder")
	$(BIN)/python benchmarks/schemes.py $(if $(DATA),--data $(DATA))
	$(BIN)/python benchmarks/schemes_figures.py

bench-unsupervised: $(VENV)/.dev  ## search without a network, all schemes (DATA=labelled set or folder)
	@test -n "$(DATA)" || { echo "hint: make $@ DATA=corel5k, or a folder" >&2; exit 1; }
	$(BIN)/python benchmarks/unsupervised.py --data $(DATA)
	$(BIN)/python benchmarks/schemes_figures.py

bench-leakage: $(VENV)/.dev  ## what leaks and which attacks work (PHOTOS=dir: Corel-1K, say)
	$(BIN)/python benchmarks/leakage.py $(if $(PHOTOS),--data "$(PHOTOS)")
	$(BIN)/python benchmarks/leakage_figures.py

# --- kernels on a processor that is not here -------------------------------------------------------
# On Debian and Ubuntu: apt install gcc-aarch64-linux-gnu qemu-user, and what emulate.sh names.

ARM_CC  ?= aarch64-linux-gnu-gcc
ARM_RUN ?= qemu-aarch64

neon:  ## compare the NEON kernels with the portable ones under an emulator
	@mkdir -p build
	$(ARM_CC) -static -std=c11 -O2 -fwrapv -Isrc/jpegcrypt/native tests/native/kernels.c \
		$(wildcard src/jpegcrypt/native/*.c) -lm -o build/kernels-arm
	$(ARM_RUN) build/kernels-arm neon

ROUNDS ?= 3000

avx512:  ## compare the AVX-512 kernels with the portable ones under an emulator
	@mkdir -p build
	$(CC) -static -std=c11 -O2 -fwrapv -Isrc/jpegcrypt/native -DROUNDS='"$(ROUNDS)"' \
		-Wl,--entry=bare,-z,norelro tests/native/bare.S tests/native/kernels.c \
		$(wildcard src/jpegcrypt/native/*.c) -lm -o build/kernels-bare
	sh tests/native/emulate.sh build/kernels-bare $(ROUNDS)

# --- hostile input under AddressSanitizer and UBSan -----------------------------------------------
# A copy in its own folder, imported before the one in .venv. The runtime of the sanitizer has to be
# in the process before Python; libstdc++ beside it, or the first C++ exception of a wheel aborts.

SANITIZED := build/sanitize/site
SANITIZE  := address,undefined

sanitize: $(SANITIZED)/.built  ## run tests/hostile under AddressSanitizer and UBSan
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libstdc++.so)" \
	ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	PYTHONMALLOC=malloc PYTHONPATH="$(CURDIR)/$(SANITIZED)" \
	$(BIN)/python -m pytest --capture=sys -p no:cacheprovider tests/hostile

$(SANITIZED)/.built: $(NATIVE) $(MODULES) setup.py $(VENV)/.dev
	rm -rf build/sanitize
	JPEGCRYPT_DEBUG=1 JPEGCRYPT_SANITIZE=$(SANITIZE) \
	$(BIN)/python setup.py --quiet build --build-base build/sanitize --build-lib $(SANITIZED)
	@touch $@

# --- setting up -----------------------------------------------------------------------------------

$(VENV)/.tools: constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { echo "no Python 3.11 or newer found;" \
		"hint: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is" \
		"$$($(PYTHON) --version 2>&1), 3.11 or newer is needed;" \
		"hint: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(PYTHON) -c 'import pip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) has neither ensurepip nor pip to make a virtual environment with;" \
		"hint: on Debian and Ubuntu they are in python3-venv" >&2; exit 1; }
	@test -e "$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" \
		|| { echo "$(PYTHON) has no Python.h to compile against;" \
		"hint: on Debian and Ubuntu it is in python3-dev" >&2; exit 1; }
	@command -v $(CC) >/dev/null || { echo "no C compiler found ($(CC));" \
		"hint: install gcc or clang, or make CC=/path/to/cc" >&2; exit 1; }
	$(PYTHON) -c 'import ensurepip' 2>/dev/null && $(PYTHON) -m venv $(VENV) || { \
		$(PYTHON) -m venv --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	$(INSTALL) setuptools Cython
	@touch $@

# Compiled again when C or Cython changed, linked again when a module came or went.
$(VENV)/.demo $(VENV)/.dev: $(VENV)/.tools $(VENV)/.modules $(NATIVE) setup.py pyproject.toml

$(VENV)/.demo:
	$(EDITABLE) . scikit-image
	@touch $@

$(VENV)/.dev:
	$(EDITABLE) '.[dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.modules: FORCE | $(VENV)/.tools
	@echo '$(MODULES)' | cmp -s - $@ || echo '$(MODULES)' > $@

constraints:  ## pin anew what demo and test install; run it with the oldest Python we support
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --upgrade pip
	build/constraints/bin/python -m pip install --quiet \
		--config-settings editable_mode=strict --editable '.[dev]'
	{ sed '/^[^#]/,$$d' constraints.txt; \
	  build/constraints/bin/python -m pip freeze --all --exclude-editable --exclude pip \
	  | sed 's/+cpu$$//'; } > build/constraints/pins
	mv build/constraints/pins constraints.txt

clean:  ## remove what was built; .venv stays
	rm -rf build dist demo src/*.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f src/jpegcrypt/*.so $(VENV)/.demo $(VENV)/.dev $(VENV)/.modules
	find src retrieval tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean  ## remove .venv too
	rm -rf $(VENV)
