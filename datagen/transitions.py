"""Transitions: what an object's position and size were in neighbouring frames.

Statistics and sprites start from this table and from nothing else. A row follows one object through one window
of its video for `T` consecutive frames (a pair when ``T == 2``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_choice
from datagen.errors import UsageError, counted, quote
from datagen.fragments import fragment_html, value_text
from datagen.rates import wrong_rates

__all__ = ["FACTORS", "Transitions"]

FACTORS = ("area", "x", "y")
"""The measured factors, in the order in which the paper reports them (its table 5)."""

_MOST_FRAMES = 1_000_000_000
_MOST_SHOWN = 8

_TYPES = {
    **dict.fromkeys(("source", "video", "category"), ("str",)),
    **dict.fromkeys(("object_id", "window", "frame"), ("int64",)),
    **dict.fromkeys(("y", "x"), ("float64", "float32")),
    "area": ("int64", "float64", "float32"),
    "fps": ("float32",),
}
"""What a column can hold."""


@dataclass(frozen=True, repr=False)
class Transitions:
    """A table of N runs of T consecutive frames.

    Attributes
    ----------
    source : ndarray of str, shape (N,)
        The data set a row comes from, e.g. ``"kitti-mots"``; empty where a file does not say.
    video : ndarray of str, shape (N,)
        The video or sequence inside the source, e.g. ``"0002"``; empty where a file does not say.
    object_id : ndarray of int64, shape (N,)
        The object inside the video (for the release's tables: the annotation). Below 0 where a file does not say it: -1
        less the number of the sequence stands for it.
    category : ndarray of str, shape (N,)
        Its category, e.g. ``"pedestrian"``.
    window : ndarray of int64, shape (N,)
        The window of the view, counted from the left.
    frame : ndarray of int64, shape (N,)
        Number of the first frame, in the source's own count.
    y, x : ndarray of float, shape (N, T)
        Centre of mass in pixels of the window, downwards and rightwards. float32 or float64, as measured.
    area : ndarray of int64 or float, shape (N, T)
        Area in pixels.
    fps : ndarray of float32, shape (N,)
        How many of the frames that are counted make a second, NaN where that is unknown; of all, if it is not given.

    Raises
    ------
    UsageError
        If a column is of another type or shape, T is below 2, or a rate is neither above 0 nor NaN.

    Examples
    --------
    >>> import numpy as np
    >>> names, numbers = np.array(["", ""]), np.arange(2)
    >>> y = x = np.array([[4.0, 5.0], [1.0, 1.0]])
    >>> Transitions(names, names, numbers, names, numbers, numbers, y, x, np.array([[9, 9], [9, 16]]))
    Transitions(2 rows of 2 frames; int64 area, float64 x, y)
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
    fps: NDArray[np.float32] = None  # type: ignore[assignment]  # an array once it is made

    def __post_init__(self) -> None:
        if self.fps is None:
            object.__setattr__(self, "fps", np.full(np.shape(self.frame)[:1], np.nan, dtype=np.float32))
        for name, column in vars(self).items():
            if not isinstance(column, np.ndarray):
                raise UsageError(
                    f"the column {name} is no array but {type(column).__name__}; make it one with np.array"
                )
            wanted = _TYPES[name]
            kind = "str" if column.dtype.kind == "U" else str(column.dtype)
            if kind not in wanted:
                raise UsageError(f"the column {name} is of type {column.dtype}, not {' or '.join(wanted)}")
            if column.ndim != 1 + (name in FACTORS):
                raise UsageError(f"the column {name} is {column.shape}, not {'(N, T)' if name in FACTORS else '(N,)'}")
        rows = {name: len(column) for name, column in vars(self).items()}
        if len(set(rows.values())) != 1:
            raise UsageError(f"columns of different lengths: {rows}")
        shapes = {name: getattr(self, name).shape for name in FACTORS}
        if len(set(shapes.values())) != 1 or self.length < 2:
            raise UsageError(f"area, x and y must all be (N, T) with T of at least 2, but are {shapes}")
        if wrong_rates(self.fps).any():
            raise UsageError("the column fps must hold frames a second, above 0, or NaN where that is unknown")

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        held = f"{counted(len(self), 'row')} of {counted(self.length, 'frame')}"
        return f"Transitions({held}; {self.area.dtype} area, {self.x.dtype} x, y)"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: what the rows are of, and how each factor changes."""
        rows = []
        for factor in FACTORS if len(self) else ():
            changes = self.differences(factor).astype(np.float64)
            ends = (np.min(changes), np.mean(changes), np.max(changes), np.std(changes), np.mean(changes == 0))
            rows.append([f"change of {factor}", *map(value_text, ends)])
        columns = ["pixels", "smallest", "mean", "largest", "standard deviation", "share of zeros"]
        notes = [_counted(column, values) for column, values in (("source", self.source), ("category", self.category))]
        rates = [f"{rate:g}" for rate in np.unique(self.fps[~np.isnan(self.fps)])[:_MOST_SHOWN]]
        notes.append(f"frames a second: {', '.join(rates)}" if rates else "")
        return fragment_html(repr(self), columns if rows else (), rows, notes=[note for note in notes if note])

    @classmethod
    def concatenate(cls, parts: Sequence[Transitions]) -> Transitions:
        """Join tables whose rows are of one length; `UsageError` if there is none, or their lengths differ."""
        lengths = {part.length for part in parts}
        if len(lengths) != 1:
            raise UsageError(f"tables with rows of {sorted(lengths)} frames cannot be joined" if parts else "no tables")
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

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
            raise UsageError(f"unknown factor {factor!r}; the factors are {', '.join(FACTORS)}")
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
        check_choice("column", by, ("category", "source", "video"))
        values = getattr(self, by)
        for value in np.unique(values):
            yield str(value), self.select(values == value)

    def anomalies(self) -> list[str]:
        """Return what no measured table has, in words, so that it is not passed over; an empty list is usual."""
        found = []
        if negative := int((self.area < 0).any(axis=1).sum()):
            found.append(f"{negative:,} of {len(self):,} rows have an area below 0, which no mask has")
        keys, _ = self._sorted_keys()
        if again := int((keys[:, 1:] == keys[:, :-1]).all(axis=0).sum()):
            found.append(
                f"{again:,} of {len(self):,} rows have the object, window and frame of another row; each counts"
            )
        return found

    def _sorted_keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return source, video, object, window and frame of each row as numbers, (5, N), in order, and that order."""
        texts = (np.unique(column, return_inverse=True)[1] for column in (self.source, self.video))
        keys = np.stack([*texts, self.object_id, self.window, self.frame])
        order = np.lexsort(keys[::-1])
        return keys[:, order], order

    def runs(self, length: int) -> Transitions:
        """Chain pairs into runs of more frames.

        A pair goes on with the pair of the same object in the same window of the same video whose first frame is its
        second.

        Parameters
        ----------
        length : int
            Number of frames of a run.

        Returns
        -------
        Transitions
            Every run of that length, overlapping ones too, in the order of their first pair. The table itself where
            its rows have this length already.

        Raises
        ------
        UsageError
            If `length` is below 2 or beyond any video's, or the table is not one of pairs.
        """
        if length < 2:
            raise UsageError(f"sequences of {length} frames: a transition takes at least 2")
        if length > _MOST_FRAMES:
            raise UsageError(f"sequences of {length} frames: no video has more than {_MOST_FRAMES:,}")
        if length == self.length:
            return self
        if self.length != 2:
            raise UsageError(f"rows of {self.length} frames cannot be made into rows of {length}; start from pairs")
        if length - 1 > len(self):  # none is as long; to look for them would take memory by their length
            return replace(
                self.select(slice(0, 0)), **{name: getattr(self, name)[:0, :1].repeat(length, 1) for name in FACTORS}
            )
        (*keys, frame), order = self._sorted_keys()
        broken = (np.diff(keys) != 0).any(axis=0) | (np.diff(frame) != 1)
        breaks_before = np.concatenate([[0], np.cumsum(broken)])[: len(self)]
        count = length - 1
        last = np.arange(count - 1, len(self))
        first = last - (count - 1)
        first = first[breaks_before[first] == breaks_before[last]]
        pairs = order[first[:, None] + np.arange(count)]
        pairs = pairs[np.argsort(pairs[:, 0])]

        def chain(values: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([values[pairs, 0], values[pairs[:, -1], 1:]], axis=1)

        begun = self.select(pairs[:, 0])
        return replace(begun, y=chain(self.y), x=chain(self.x), area=chain(self.area))


def _counted(name: str, values: NDArray[np.str_]) -> str:
    """Return how many rows each value of a column has, the most frequent first; empty where none is named."""
    found, counts = np.unique(values, return_counts=True)
    if not found.any():
        return ""
    order = np.argsort(-counts, kind="stable")
    parts = [f"{quote(found[each], 40) or 'unnamed'} ({counts[each]:,})" for each in order[:_MOST_SHOWN]]
    more = f" and {len(found) - _MOST_SHOWN:,} more" if len(found) > _MOST_SHOWN else ""
    return f"rows by {name}: {', '.join(parts)}{more}"
