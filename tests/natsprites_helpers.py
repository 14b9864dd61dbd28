"""What the tests of natsprites share."""

import numpy as np

from datagen.store.tables import load
from datagen.transitions import Transitions


def golden_arrays(golden, name):
    """The arrays of one of the release's outputs."""
    with np.load(golden / "release" / name) as arrays:
        return dict(arrays)


def golden_transitions(golden):
    """The 263 transitions of the release's table."""
    return load(golden / "release" / "downscale_keepaspect.csv")


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
