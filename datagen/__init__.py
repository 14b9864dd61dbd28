"""What the tools of this project share: readers, views, transitions, dataset files, statistics.

Importing this package is cheap: nothing heavy (torch, cv2, scipy, numba) is loaded until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from datagen.datasets import Sequences
    from datagen.transitions import Transitions

__all__ = ["__version__", "load"]

__version__ = "0.1.0"


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
    Sequences(mask-sequences: 1 sequences, 2 frames of 4 x 4 bool; factors y, x, area)
    """
    from pathlib import Path

    from datagen import store

    if Path(path).suffix.lower() in store.TABLE_SUFFIXES:
        from datagen.store import tables

        return tables.load(path)
    return store.load(path, lazy)


def __dir__() -> list[str]:
    return __all__
