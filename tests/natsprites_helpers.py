"""What the tests of natsprites share: the golden outputs of the release."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from datagen.transitions import Transitions

GOLDEN = Path(os.environ.get("DATAGEN_GOLDEN", Path(__file__).parents[2] / "shared" / "golden")) / "release"


def golden_path(name):
    if not (GOLDEN / name).exists():
        pytest.skip(f"no golden file {GOLDEN / name}")
    return GOLDEN / name


def golden_arrays(name):
    with np.load(golden_path(name)) as arrays:
        return dict(arrays)


def golden_transitions():
    """The 263 transitions that the release reads from its own table, as it prints them."""
    read = json.loads(golden_path("load_csv.json").read_text())
    return make_transitions(np.array(read["x"]), np.array(read["y"]), np.array(read["area"]))


def make_transitions(x, y, area):
    """Transitions of no particular origin."""
    rows = len(area)
    texts, numbers = np.full(rows, "youtube-vis"), np.arange(rows)
    return Transitions(texts, texts, numbers, texts, numbers, numbers, y=y, x=x, area=area)


def random_transitions(rows=2000, length=2, seed=0):
    """Random walks of objects that stay in the window, of areas from 20 to 1500 pixels."""
    rng = np.random.default_rng(seed)
    x, y = np.clip(rng.uniform(8, 56, (2, rows, 1)) + rng.laplace(0, 2, (2, rows, length)).cumsum(axis=2), 0, 63)
    area = np.clip(rng.uniform(20, 1500, (rows, 1)) + rng.laplace(0, 30, (rows, length)).cumsum(axis=1), 20, 1500)
    return make_transitions(x, y, area.astype(np.int64))
