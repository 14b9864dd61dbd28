"""Transitions: what an object's position and size were in neighbouring frames.

Statistics and sprites start from this table and from nothing else. A row follows one object through one window
of its video for `T` consecutive frames (a pair when ``T == 2``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FACTORS", "Transitions"]

FACTORS = ("area", "x", "y")
"""The measured factors, in the order in which the paper reports them (its table 5)."""


@dataclass(frozen=True)
class Transitions:
    """A table of N runs of T consecutive frames.

    Attributes
    ----------
    source : ndarray of str, shape (N,)
        The data set a row comes from, e.g. ``"kitti-mots"``; empty where a file does not say.
    video : ndarray of str, shape (N,)
        The video or sequence inside the source, e.g. ``"0002"``; empty where a file does not say.
    object_id : ndarray of int64, shape (N,)
        The object inside the video (for the release's tables: the annotation).
    category : ndarray of str, shape (N,)
        Its category, e.g. ``"pedestrian"``.
    window : ndarray of int64, shape (N,)
        The window of the view, counted from the left.
    frame : ndarray of int64, shape (N,)
        Number of the first frame, in the source's own count.
    y, x : ndarray of float, shape (N, T)
        Centre of mass in pixels of the window, downwards and rightwards. float32 or float64, as measured.
    area : ndarray of int64 or float64, shape (N, T)
        Area in pixels.
    """

    source: NDArray[np.str_]
    video: NDArray[np.str_]
    object_id: NDArray[np.int64]
    category: NDArray[np.str_]
    window: NDArray[np.int64]
    frame: NDArray[np.int64]
    y: NDArray[Any]
    x: NDArray[Any]
    area: NDArray[Any]

    def __post_init__(self) -> None:
        rows = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(rows.values())) != 1:
            raise ValueError(f"columns of different lengths: {rows}")
        shapes = {name: getattr(self, name).shape for name in FACTORS}
        if any(len(shape) != 2 for shape in shapes.values()) or len(set(shapes.values())) != 1:
            raise ValueError(f"area, x and y must all be (N, T), but are {shapes}")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def length(self) -> int:
        """Number of frames T of a row."""
        return self.area.shape[1]

    def differences(self, factor: str) -> NDArray[Any]:
        """Return the change of one factor over the first two frames of every row.

        The subtraction is done in the column's own dtype, as the release does it (its KITTI tables hold float32
        positions, so their differences are float32).

        Parameters
        ----------
        factor : {"area", "x", "y"}
            Which factor.

        Returns
        -------
        ndarray, shape (N,)
            ``factor[:, 1] - factor[:, 0]``, in pixels.
        """
        if factor not in FACTORS:
            raise ValueError(f"unknown factor {factor!r}; the factors are {', '.join(FACTORS)}")
        values = getattr(self, factor)
        return values[:, 1] - values[:, 0]

    def select(self, rows: NDArray[Any] | slice) -> Transitions:
        """Return the rows named by a boolean mask, an index array or a slice."""
        return Transitions(*(getattr(self, field.name)[rows] for field in fields(self)))

    def groups(self, by: str) -> Iterator[tuple[str, Transitions]]:
        """Yield (value, rows) for every value of a text column, sorted by value.

        Parameters
        ----------
        by : {"category", "source", "video"}
            The column.
        """
        values = getattr(self, by)
        for value in np.unique(values):
            yield str(value), self.select(values == value)
