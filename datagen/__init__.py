"""What the tools of this project share: readers, views, transitions, dataset files, statistics.

`load` reads what the tools write; `build_masks` and `read_grid` make datasets, `summarize` measures transitions. The
packages that are named here hold the rest. Importing this one is cheap: nothing heavy (torch, cv2, scipy, numba) is
loaded until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from datagen.lazy import lazy_names

if TYPE_CHECKING:
    from pathlib import Path

    from datagen import grids, readers, releases, statistics, store
    from datagen.build import build_masks
    from datagen.datasets import Factor, Sequences
    from datagen.grids.reading import read_grid
    from datagen.statistics.summary import summarize
    from datagen.transitions import Transitions

__all__ = [
    "Factor",
    "Sequences",
    "Transitions",
    "__version__",
    "build_masks",
    "grids",
    "load",
    "read_grid",
    "readers",
    "releases",
    "statistics",
    "store",
    "summarize",
]

__version__ = "0.1.0"

_HOMES = {
    "Factor": "datasets",
    "Sequences": "datasets",
    "Transitions": "transitions",
    "build_masks": "build",
    "grids": "grids",
    "read_grid": "datagen.grids.reading",
    "readers": "readers",
    "releases": "releases",
    "statistics": "statistics",
    "store": "store",
    "summarize": "datagen.statistics.summary",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)


def load(path: str | Path, lazy: bool = False) -> Sequences | Transitions:
    """Read a dataset file, or a table of transitions.

    Parameters
    ----------
    path : str or Path
        A dataset (``.npz``, ``.h5``, ``.zarr``, ``.pickle``; `datagen.store.SUFFIXES`) or a table (``.csv``,
        ``.parquet``).
    lazy : bool
        Leave a dataset's images where they are until they are asked for; see `datagen.store.load`.

    Returns
    -------
    Sequences or Transitions
        See `datagen.store.load` and `datagen.store.tables.load`, and for their errors.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from datagen import store
    >>> from datagen.datasets import Sequences
    >>> mine = Sequences.from_masks([np.ones((2, 4, 4), dtype=bool)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = store.save(mine, f"{folder}/mine.npz")
    ...     load(f"{folder}/mine.npz")
    Sequences(mask-sequences: 1 sequence, 2 frames of 4 x 4 bool; factors y, x, area)
    """
    from datagen import store
    from datagen.files import as_path

    if as_path(path).suffix.lower() in store.TABLE_SUFFIXES:
        from datagen.store import tables

        return tables.load(path)
    return store.load(path, lazy)
