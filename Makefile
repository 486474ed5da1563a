# Each target does its own set-up (scripts/setup.sh); ARGS goes on to the command, as in
#   make demo ARGS="--parts 100"
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-training proof bench lock lint clean

BIN := .venv/bin
# One folder for every checkout: torch is too large to have twice.
TRAINING := $(shell scripts/setup.sh where)

help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

demo:  ## A simulated line, judged by the real model, in the terminal
	@scripts/setup.sh demo
	@$(BIN)/partsight demo $(ARGS)

# A file's tests share what they set up, so each file stays in one process. What holds something against the clock runs
# after the rest, alone. 5: there were no such tests, which is right where ARGS name some of the other kind.
test: lint  ## Lint, types, import contracts, lock files, tests (no torch)
	@none=0; \
	$(BIN)/python -m pytest -m "not proof and not timed" -n 2 --dist loadfile $(ARGS) || { [ $$? -eq 5 ] && none=1; } || exit 1; \
	$(BIN)/python -m pytest -m "timed and not proof" $(ARGS) || { [ $$? -eq 5 ] && [ $$none -eq 0 ]; }

lint:  ## The checks of `make test` without the tests
	@scripts/setup.sh test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PYTHONPATH=inspect $(BIN)/lint-imports
	$(BIN)/shellcheck -x scripts/*.sh .ci/run deploy/*.sh deploy/*/*.sh

test-training:  ## Tests that need torch and ultralytics, in an environment outside the checkout
	@scripts/setup.sh training
	PYTHONPATH="$(CURDIR)/inspect" YOLO_AUTOINSTALL=false YOLO_OFFLINE=true \
		"$(TRAINING)/bin/python" -m pytest tests/training tests/station/test_bench_peers.py $(ARGS)

proof:  ## The slow proofs
	@scripts/setup.sh test
	$(BIN)/python -m pytest -m proof $(ARGS)

bench:  ## The figures of README, measured here
	@scripts/setup.sh training
	PYTHONPATH="$(CURDIR)/inspect" YOLO_AUTOINSTALL=false YOLO_OFFLINE=true \
		"$(TRAINING)/bin/python" benchmarks $(ARGS)

lock:  ## Remake requirements/ from pyproject.toml (ARGS=--upgrade: newest releases)
	@scripts/setup.sh test
	scripts/lock.sh $(ARGS)

clean:  ## Remove .venv, caches and builds; data of the demo and of stations stays
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find inspect tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
