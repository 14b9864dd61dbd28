# Two commands set everything up on a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-fast lint docs format clean

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[figures,metrics,parquet,tensorboard]' --group dev
	touch $(READY)

demo: $(READY)
	rm -rf demo && mkdir demo
	$(BIN)/datagen sample mots --out demo/mots --seed 0
	$(BIN)/datagen kitti-masks --source demo/mots --out demo/kitti.npz
	$(BIN)/datagen info demo/kitti.npz
	$(BIN)/datagen preview demo/kitti.npz --out demo/kitti.png

test: lint docs
	$(BIN)/python -m pytest -n 2

test-fast: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf demo build dist site .mypy_cache .ruff_cache .pytest_cache
