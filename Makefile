# `make demo` and `make test` set everything up by themselves; a second call does no set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
# Certificates of this machine, as pip takes them: a network that inspects traffic has its own.
export UV_SYSTEM_CERTS ?= true
BIN := $(VENV)/bin
LOCKED := $(wildcard requirements/b*.txt requirements/py*/*.txt) setup.py
# The stamp's name is the content of what is installed: an edit of a lock sets up again,
# a fresh time stamp (git checkout) does not.
STAMP := $(VENV)/.set-up-$(shell cat $(LOCKED) | sha256sum | cut -c1-16)
# PyTorch's. Where pip is told an index with builds without CUDA (PIP_EXTRA_INDEX_URL), it
# takes those; others bring several GB of libraries for GPUs.
BENCH_VENV := .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.set-up
BENCH_PYTHON ?= python3.11
TRAINER_VENV := .venv-trainer-cpu
TRAINER_STAMP := $(TRAINER_VENV)/.set-up-$(shell sha256sum requirements/trainer/cpu.txt | cut -c1-16)
EXPORT_VENV := .venv-export
EXPORT_STAMP := $(EXPORT_VENV)/.set-up
TPU_VENV := .venv-tpu
TPU_STAMP := $(TPU_VENV)/.set-up-$(shell sha256sum requirements/optional/tpu.txt | cut -c1-16)
LIGHT_VENV := .venv-light
LIGHT_STAMP := $(LIGHT_VENV)/.set-up-$(shell cat requirements/optional/light.txt setup.py | sha256sum | cut -c1-16)
DOCKER ?= docker
PACKAGES := pipeline components trainer
CHECKED := $(PACKAGES) tests tools $(wildcard benchmarks) setup.py
UV_SYNC := $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode
UPGRADE ?= --upgrade
UV_COMPILE = $(BIN)/uv pip compile --quiet $(UPGRADE) --generate-hashes --no-emit-index-url \
    --excludes requirements/tfx/excludes.txt
# TFX, the least glibc of its wheels
TFX_OF_py310 := 116 2_28
TFX_OF_py311 := 116 2_28
TFX_OF_py312 := 121 2_39
TFX_OF_py313 := 121 2_39

.PHONY: help setup demo test test-fast test-fuzz test-kubeflow test-other-stack lint format bench \
	bench-collapse bench-quality bench-env export-env light-env test-foreign lock trainer-cpu-env test-trainer-cpu \
	test-mutants tpu-env tpu-check tpu-check-small image image-check clean

help:  ## Show this list.
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## Make the environment in .venv from the lock files.

$(STAMP):
	@echo "Setting up $(VENV) from the lock files: once, about a minute"
	@locks="$$(PYTHON='$(PYTHON)' python3 -m tools.set_up $(VENV))" \
	    && $(UV_SYNC) requirements/build.txt \
	    && $(UV_SYNC) --no-build-isolation "$$locks/pipeline.txt" "$$locks/dev.txt"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@rm -f $(VENV)/.set-up-*
	@touch $@

demo: setup  ## Photographs to a pushed model: no download, about five minutes.
	$(BIN)/hpatches run --config demo --work ./demo

test: setup  ## Run the whole test suite.
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: setup  ## Run the quick tests: under two minutes.
	$(BIN)/python -m pytest -m 'not slow and not kubeflow' -n 2 --dist loadfile

test-kubeflow: setup  ## Run the compiled pipeline task by task, as both backends do (half an hour).
	$(BIN)/python -m pytest -m 'kubeflow or not kubeflow' -n 2 --dist loadfile \
	    tests/components/kubeflow tests/pipeline/kfp tests/pipeline/runners \
	    tests/pipeline/commands/runs/test_compile.py tests/pipeline/commands/runs/test_run_spec.py \
	    tests/e2e/test_compiled_runs.py

test-fuzz: setup  ## Give every reader 400 damaged files: each is read or refused in a sentence (five minutes).
	FUZZ_INPUTS=$(or $(FUZZ_INPUTS),400) $(BIN)/python -m pytest -n 2 tests/fuzz

test-other-stack:  ## Run demo and suite on the stack that this machine does not have (Debian, root).
	tools/other-stack "make demo && make $(or $(TESTS),test)"

test-mutants: setup  ## Change the core at random places: which changes does no test notice (half an hour)?
	$(BIN)/python -m tools.mutants

lint: setup  ## Check style and types.
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy $(PACKAGES) tools $(wildcard benchmarks)
	$(BIN)/lint-imports

format: setup  ## Put the code into the project's style.
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

bench: setup  ## Measure quality and speed.
	$(BIN)/python -m benchmarks

bench-collapse: setup  ## Measure the whole collapse matrix (hours; goes on where it stopped).
	$(BIN)/python -m benchmarks.training.collapse

bench-quality: setup  ## Measure quality over processor time (two hours; goes on where it stopped).
	$(BIN)/python -m benchmarks.training.quality

bench-env: $(BENCH_STAMP)  ## Make .venv-bench: PyTorch, COLMAP and other descriptors, which `make bench` compares with.

export-env: $(EXPORT_STAMP)  ## Make .venv-export: PyTorch, kornia and LiteRT, which run exported models.

$(BENCH_STAMP) $(EXPORT_STAMP): .venv-%/.set-up: requirements/optional/%.txt
	@command -v $(BENCH_PYTHON) >/dev/null || { echo "No $(BENCH_PYTHON) was found on the PATH." \
	    "Name a Python 3.11 or newer: make $*-env BENCH_PYTHON=/path/to/python3" >&2; exit 1; }
	@$(BENCH_PYTHON) -m venv .venv-$*
	@.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

light-env: $(LIGHT_STAMP)  ## Make .venv-light: this project without TensorFlow, TFX and Beam.

$(LIGHT_STAMP): requirements/optional/light.txt | setup
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LIGHT_VENV)
	@$(BIN)/uv pip sync --quiet --python $(LIGHT_VENV)/bin/python --require-hashes \
	    --compile-bytecode requirements/optional/light.txt
	@$(BIN)/uv pip install --quiet --python $(LIGHT_VENV)/bin/python --no-deps .
	@touch $@

test-foreign: export-env light-env  ## Test exported models in PyTorch, kornia, LiteRT, and without TensorFlow.
	$(BIN)/python -m pytest tests/components/model_export/test_foreign.py tests/e2e/test_light.py

lock: setup $(addprefix lock-,$(notdir $(wildcard requirements/py*)))  ## Resolve the requirements anew (UPGRADE= keeps the versions).
	for name in bootstrap build; do \
	    $(UV_COMPILE) --python-version 3.10 requirements/$$name.in -o requirements/$$name.txt; \
	done
	for name in light tpu; do \
	    $(UV_COMPILE) --python-version 3.10 --universal requirements/optional/$$name.in -o requirements/optional/$$name.txt; \
	done
	for name in tpu cpu; do \
	    $(UV_COMPILE) --python-version 3.10 --universal --excludes requirements/trainer/excludes.txt \
	        requirements/trainer/$$name.in -o requirements/trainer/$$name.txt; \
	done

lock-py%: setup
	compile="$(UV_COMPILE) --override requirements/tfx/overrides.txt --python-version 3.$(*:3%=%) \
	    --python-platform x86_64-manylinux_$(word 2,$(TFX_OF_py$*))" \
	    && $$compile requirements/tfx/tfx$(word 1,$(TFX_OF_py$*)).in -o requirements/py$*/pipeline.txt \
	    && $$compile -c requirements/py$*/pipeline.txt requirements/tfx/dev.in -o requirements/py$*/dev.txt

trainer-cpu-env: $(TRAINER_STAMP)  ## Make .venv-trainer-cpu: the TPU image's packages for a processor.

$(TRAINER_STAMP): | setup
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(TRAINER_VENV)
	@$(BIN)/uv pip sync --quiet --python $(TRAINER_VENV)/bin/python --require-hashes requirements/trainer/cpu.txt
	@touch $@

test-trainer-cpu: trainer-cpu-env  ## Test that a model of the TPU image's TensorFlow is served by ours.
	$(BIN)/python -m pytest tests/trainer/model/test_trainer_cpu.py

tpu-env: $(TPU_STAMP)  ## Make .venv-tpu: the compiler for TPUs, which needs no TPU, and jax, which loads it.

$(TPU_STAMP): requirements/optional/tpu.txt | setup
	@echo "Setting up $(TPU_VENV): once, about a minute"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(TPU_VENV)
	@$(BIN)/uv pip sync --quiet --python $(TPU_VENV)/bin/python --require-hashes $<
	@touch $@

tpu-check: tpu-env  ## Compile the training step and inference for TPUs (half an hour; goes on where it stopped).
	$(BIN)/python -m benchmarks.tpu

tpu-check-small: tpu-env  ## Compile one small step for a TPU (a minute).
	$(BIN)/python -m benchmarks.tpu --small

image:  ## Build both images with Docker (or DOCKER=podman); IMAGE_OPTIONS are passed on.
	for target in pipeline trainer-tpu; do \
	    $(DOCKER) build --target $$target --tag hpatches-$$target $(IMAGE_OPTIONS) .; \
	done

image-check: setup  ## Build both images without Docker and run the pipeline in them (root; adds Debian packages).
	$(BIN)/python -m tools.image_check $(OPTIONS)

clean:  ## Delete caches and build products; runs and the environment stay.
	find $(PACKAGES) tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf build dist *.egg-info .pytest_cache .import_linter_cache .mypy_cache .ruff_cache .hypothesis
