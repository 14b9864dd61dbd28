"""The columns of numbers that statistics are computed of: what they must be, and when they vary."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.errors import UsageError

__all__ = ["check_column", "varies"]

_ROUNDINGS = 16
"""Differences of numbers of one size are equal where they are no further apart than this many of its last places."""


def check_column(values: ArrayLike, what: str, least: int = 1) -> NDArray[Any]:
    """Return a column as an array.

    Parameters
    ----------
    values : array_like, shape (N,)
        The column.
    what : str
        What it is called in an error.
    least : int
        The least N.

    Raises
    ------
    UsageError
        If it is no column of finite real numbers, or shorter.
    """
    try:
        column = np.asarray(values)
    except ValueError:
        raise UsageError(f"{what}: the values are no array but of different lengths") from None
    if column.ndim != 1 or column.dtype.kind not in "fiub":
        raise UsageError(f"{what}: {column.dtype} {column.shape} is no column of real numbers, (N,)")
    if len(column) < least:
        raise UsageError(f"{what}: not enough data: {len(column)} values, {least} are needed")
    if not np.isfinite(column).all():
        raise UsageError(f"{what}: value {int(np.argmin(np.isfinite(column)))} is not a finite number")
    return column


def varies(column: NDArray[Any], size: float) -> bool:
    """Say whether values differ by more than rounding.

    Parameters
    ----------
    column : ndarray, shape (N,)
        Values.
    size : float
        How large the numbers were that they are computed from.
    """
    low, high = float(column.min()), float(column.max())
    rounding = float(np.finfo(column.dtype).eps) if column.dtype.kind == "f" else 0.0
    return high > low and high / 2 - low / 2 > _ROUNDINGS / 2 * rounding * size
