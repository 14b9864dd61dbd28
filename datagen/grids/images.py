"""Images made of others when they are asked for: changed, or in another order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.lazy_array import AnyArray, LazyArray

__all__ = ["ChangedImages", "OrderedImages", "rows_of"]

_PART_BYTES = 1 << 24


def rows_of(shape: tuple[int, ...]) -> int:
    """Return how many images are best had together, where nothing stored says: 16 MB of them."""
    return max(1, _PART_BYTES // max(1, int(np.prod(shape[1:]))))


class ChangedImages(LazyArray):
    """Images to which a function is applied.

    Parameters
    ----------
    images : ndarray or LazyArray of uint8, shape (N, ...)
        The images.
    change : callable
        From some of them and the number of the first to as many changed ones, of the same shape.
    """

    def __init__(self, images: AnyArray, change: Callable[[NDArray[Any], int], NDArray[np.uint8]]) -> None:
        rows = images.rows_of_part if isinstance(images, LazyArray) else rows_of(images.shape)
        super().__init__(images.shape, np.dtype(np.uint8), rows)
        self._images, self._change = images, change

    def read(self, begin: int, end: int) -> NDArray[np.uint8]:
        """Return some rows."""
        return self._change(self._images[begin:end], begin)


class OrderedImages(LazyArray):
    """Images of others in another order.

    Parameters
    ----------
    images : ndarray or LazyArray of uint8, shape (M, ...)
        The others.
    order : ndarray of int64, shape (N,)
        Which of them each image is.
    """

    def __init__(self, images: AnyArray, order: NDArray[np.int64]) -> None:
        shape = (len(order), *images.shape[1:])
        super().__init__(shape, np.dtype(np.uint8), rows_of(shape))
        self._images, self._order = images, order

    def read(self, begin: int, end: int) -> NDArray[np.uint8]:
        """Return some rows."""
        return self._images[self._order[begin:end]]
