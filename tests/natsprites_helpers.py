"""What the tests of natsprites share: the golden outputs of the release."""

import os
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(os.environ.get("DATAGEN_GOLDEN", Path(__file__).parents[2] / "shared" / "golden")) / "release"


def golden_path(name):
    if not (GOLDEN / name).exists():
        pytest.skip(f"no golden file {GOLDEN / name}")
    return GOLDEN / name


def golden_arrays(name):
    with np.load(golden_path(name)) as arrays:
        return dict(arrays)
