"""What every reader of a set gives: the files of a set that lie somewhere, and the grid in them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.datasets import Factor
from datagen.errors import BadInputError, DatagenWarning, UsageError, quote
from datagen.grids.sets import GridSet

__all__ = ["DatasetFileError", "Found", "check_order", "head_of", "sized_factors"]

_HEAD = 512


class DatasetFileError(UsageError):
    """A file is a dataset of this program, and no set as its authors hand it out."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: is a dataset file already; use it as it is")


@dataclass(frozen=True)
class Found:
    """A set that was found.

    Attributes
    ----------
    known : GridSet
        Which set it is.
    files : tuple of Path
        The files that it is read from.
    read : callable
        Returns its images, in memory or not, uint8 (N, H, W) or (N, H, W, 3), and its factors. Its argument says
        whether progress is shown.
    """

    known: GridSet
    files: tuple[Path, ...]
    read: Callable[[bool], tuple[Any, tuple[Factor, ...]]]


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file."""
    with path.open("rb") as stream:
        return stream.read(_HEAD)


def sized_factors(
    path: Path, known: GridSet, sizes: Sequence[int], values: dict[str, NDArray[Any]] | None = None
) -> tuple[Factor, ...]:
    """Return the factors of a set with the sizes that a file has, which are said if they are not those of the set.

    Parameters
    ----------
    path : Path
        The file.
    known : GridSet
        The set.
    sizes : sequence of int
        Number of values of each factor in the file, at most that of the set.
    values : dict of str to ndarray, optional
        What the values of a factor stand for.

    Raises
    ------
    BadInputError
        If there are more values than the set has.
    """
    found = []
    for factor, size in zip(known.factors, sizes, strict=True):
        if size > factor.size:
            raise BadInputError(
                path, f"has {size} values of the factor {factor.name}, and {known.title} has {factor.size}"
            )
        # A factor that wraps around does so at the same distance beyond its last value.
        period = None if factor.period is None else size - (factor.size - factor.period)
        of_factor = tuple(float(value) for value in (values or {}).get(factor.name, ()))
        found.append(replace(factor, size=size, limits=(0, size - 1), period=period, values=of_factor))
    whole = [factor.size for factor in known.factors]
    if list(sizes) != whole:
        shown = " x ".join(map(str, sizes)), " x ".join(map(str, whole))
        text = f"{quote(path)}: holds {shown[0]} combinations of factors; the whole of {known.title} has {shown[1]}"
        warnings.warn(text, DatagenWarning, stacklevel=2)
    return tuple(found)


def check_order(path: Path, name: str, places: NDArray[np.int64], names: Sequence[str], count: int) -> list[int]:
    """Check that rows of labels are those of a grid, in order, and return the sizes of the grid.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        The array of labels.
    places : ndarray of int64, shape (N, K)
        Of every row and factor the number of its value among all that occur.
    names : sequence of str
        The K factors.
    count : int
        The number of images.

    Raises
    ------
    BadInputError
        If there are not as many rows as images and as combinations, or one is not in its place.
    """
    sizes = [int(size) for size in places.max(axis=0) + 1]
    if len(places) != count:
        raise BadInputError(path, f"holds {count:,} images, but {len(places):,} rows in {name}")
    if math.prod(sizes) != count:
        raise BadInputError(
            path,
            f"holds {count:,} images, but its {name} have {' x '.join(map(str, sizes))} values "
            f"({', '.join(names)}): not one image of every combination",
        )
    for column, expected, of in zip(places.T, np.unravel_index(np.arange(count), sizes), names, strict=True):
        wrong = column != expected
        if wrong.any():
            row = int(np.argmax(wrong))
            raise BadInputError(
                path,
                f"its {name} are not in the order of the grid: {of} is number {column[row]}, not {expected[row]}",
                f"image {row}",
            )
    return sizes
