# Two commands set everything up on a fresh clone: `make demo` and `make test`. They need a package index, no more.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The tests that run compiled loops.
COMPILED := $(addprefix tests/test_,masks.py views.py mots.py png.py tables.py statistics_fits.py \
	statistics_gennorm.py statistics_within.py natsprites_renderer.py slowvae_metrics.py kitti_masks_build.py)

# Two processes test on two cores: threads of their own would wait for each other.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1

.PHONY: demo test test-fast test-bounds test-wheel test-index lint docs figures notebooks format clean

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all]' --group dev
	touch $(READY)

demo: $(READY)
	rm -rf demo && mkdir demo
	$(BIN)/datagen sample mots --out demo/mots --seed 0
	$(BIN)/datagen kitti-masks --source demo/mots --out demo/kitti.npz
	$(BIN)/datagen info demo/kitti.npz
	$(BIN)/datagen preview demo/kitti.npz --out demo/kitti.png

test: $(READY)
	$(MAKE) --jobs=2 --output-sync=target lint docs
	$(BIN)/python -m pytest -n 2

test-fast: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not slow"

# The compiled loops, with every index checked. What is compiled so must not get into the cache of others.
test-bounds: $(READY)
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$$(mktemp -d) $(BIN)/python -m pytest -n 2 -m "not slow and not realdata" $(COMPILED)

# What a user gets: the wheel in an environment of its own.
test-wheel: $(READY)
	$(BIN)/python .ci/wheel.py

# Whether the package index alone has all that constraints.txt pins.
test-index: $(READY)
	.ci/index $(BIN)/pip

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

# The pictures and notebooks of the documentation, which are committed.
figures: $(READY)
	$(BIN)/python docs/figures.py

notebooks: $(READY)
	$(BIN)/python docs/notebooks/execute.py

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf demo build dist site .mypy_cache .ruff_cache .pytest_cache
