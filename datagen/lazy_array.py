"""Arrays that are read or made part by part, so that a dataset can be far larger than memory."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["AnyArray", "LazyArray", "parts"]

_PART_BYTES = 1 << 26


class LazyArray(ABC):
    """An array of which only the rows that are asked for are ever in memory.

    It is indexed along its first axis, by a number, a slice or an array of numbers, and gives numpy arrays. The part
    that was read last is kept, so rows may be asked for one by one in their order.

    Parameters
    ----------
    shape : tuple of int
        The shape, (N, ...).
    dtype : dtype
        The type.
    rows_of_part : int
        How many rows are best read together: those of one stored piece.

    Examples
    --------
    >>> class Squares(LazyArray):
    ...     def read(self, begin, end):
    ...         return np.arange(begin, end)[:, None] ** 2
    >>> squares = Squares((1000, 1), np.dtype(np.int64), rows_of_part=100)
    >>> squares[30], squares[998:].ravel(), squares[np.array([7, 500])].ravel()
    (array([900]), array([996004, 998001]), array([    49, 250000]))
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], rows_of_part: int) -> None:
        self.shape, self.dtype, self.rows_of_part = tuple(shape), np.dtype(dtype), max(1, rows_of_part)
        self._last: tuple[int, NDArray[Any]] | None = None

    @abstractmethod
    def read(self, begin: int, end: int) -> NDArray[Any]:
        """Return the rows from `begin` to before `end`, (end - begin, ...), where ``0 <= begin <= end <= N``."""

    def narrow(self, begin: int, end: int) -> LazyArray:
        """Return an array that gives these rows, by the same numbers, and holds no more than that takes.

        It is what is sent to another process.
        """
        return self

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the whole would take in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shape}, {self.dtype})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if isinstance(key, slice):
            begin, end, step = key.indices(len(self))
            if step == 1:
                return self.read(begin, max(begin, end))
            return self[np.arange(begin, end, step)]
        if isinstance(key, int | np.integer):
            return self._rows(np.array([key]))[0]
        rows = np.asarray(key)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        return self._rows(rows)

    def _rows(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return rows in any order; each part that holds some is read once."""
        wanted = rows.reshape(-1).astype(np.int64)
        if wanted.size and not -len(self) <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"rows from {wanted.min()} to {wanted.max()} of an array of {len(self)}")
        wanted = np.where(wanted < 0, wanted + len(self), wanted)
        found = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        number = wanted // self.rows_of_part
        for part in np.unique(number).tolist():
            here = number == part
            found[here] = self._part(part)[wanted[here] - part * self.rows_of_part]
        return found.reshape(*rows.shape, *self.shape[1:])

    def _part(self, number: int) -> NDArray[Any]:
        last = self._last  # read once: other threads may exchange it meanwhile
        if last is None or last[0] != number:
            begin = number * self.rows_of_part
            self._last = last = number, self.read(begin, min(begin + self.rows_of_part, len(self)))
        return last[1]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("a lazy array is made in memory only by copying")
        whole = np.empty(self.shape, self.dtype)
        for begin, part in parts(self):
            whole[begin : begin + len(part)] = part
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def reshape(self, *shape: int) -> LazyArray:
        """Return the same rows in another shape: each split into several, or several put together into one."""
        return self if shape == self.shape else _Reshaped(self, shape)


AnyArray = NDArray[Any] | LazyArray
"""An array in memory, or one that is read part by part."""


class _Reshaped(LazyArray):
    def __init__(self, base: LazyArray, shape: tuple[int, ...]) -> None:
        size, of_base = (math.prod(each[1:]) for each in (shape, base.shape))
        if size * shape[0] != of_base * len(base) or max(size, of_base) % min(size, of_base):
            raise ValueError(f"rows of shape {base.shape} cannot be laid out as {shape}")
        self._base, self._split = base, of_base // size  # 0 where rows are put together
        rows = base.rows_of_part * self._split if self._split else base.rows_of_part * of_base // size
        super().__init__(shape, base.dtype, rows)

    def read(self, begin: int, end: int) -> NDArray[Any]:
        if not self._split:
            merged = len(self._base) // len(self)
            return self._base.read(begin * merged, end * merged).reshape(end - begin, *self.shape[1:])
        first = begin // self._split
        rows = self._base.read(first, -(-end // self._split)).reshape(-1, *self.shape[1:])
        return rows[begin - first * self._split : end - first * self._split]

    def narrow(self, begin: int, end: int) -> LazyArray:
        if self._split:
            first, last = begin // self._split, -(-end // self._split)
        else:
            merged = len(self._base) // len(self)
            first, last = begin * merged, end * merged
        return _Reshaped(self._base.narrow(first, last), self.shape)


def parts(array: AnyArray, bytes_of_part: int = _PART_BYTES) -> Iterator[tuple[int, NDArray[Any]]]:
    """Go through an array in parts of whole rows.

    Parameters
    ----------
    array : ndarray or LazyArray, shape (N, ...)
    bytes_of_part : int
        About how much of it is in memory at a time. A lazy array is read in whole stored pieces, at least one.

    Yields
    ------
    begin : int
        The first row of the part.
    part : ndarray
        Its rows. Of an array in memory, views.
    """
    if not len(array):
        return
    row_bytes = max(1, math.prod(array.shape[1:]) * array.dtype.itemsize)
    rows = max(1, bytes_of_part // row_bytes)
    if isinstance(array, LazyArray):
        rows = max(1, rows // array.rows_of_part) * array.rows_of_part
    for begin in range(0, len(array), rows):
        yield begin, array[begin : begin + rows]
