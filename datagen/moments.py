"""Latents of a mask: its centre of mass and its area."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datagen.lazy_array import AnyArray, parts

__all__ = ["NOTHING", "Measures", "latents_of_masks", "measures_of_moments"]


class Measures(NamedTuple):
    """Centre of mass and area of masks, in one window each or in several.

    Attributes
    ----------
    y, x : ndarray of float64, shape (M,) or (M, K)
        Centre of mass in pixels of the window, from the middle of its top left pixel; nan where it shows nothing.
    area : ndarray of int64 or float64, same shape
        Area in pixels of the window; 0 where it shows nothing.
    """

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    area: NDArray[np.int64] | NDArray[np.float64]

    def latents(self) -> NDArray[np.float32]:
        """Return y, x and area as latents, float32 (..., 3): the quotients, rounded once, as the release has them."""
        return np.stack(self, axis=-1).astype(np.float32)

    def at(self, rows: NDArray[np.int64], windows: NDArray[np.int64]) -> Measures:
        """Return those of some masks, each in one window."""
        return Measures(self.y[rows, windows], self.x[rows, windows], self.area[rows, windows])


NOTHING = Measures(np.zeros((0, 1)), np.zeros((0, 1)), np.zeros((0, 1), dtype=np.int64))
"""What no masks measure."""


def measures_of_moments(moments: NDArray[np.int64]) -> Measures:
    """Turn moments into centres of mass, which are what scipy's are: quotients in float64.

    Parameters
    ----------
    moments : ndarray of int64, shape (..., 3)
        Area, sum of y and sum of x over the pixels of a mask.

    Examples
    --------
    >>> import numpy as np
    >>> measures_of_moments(np.array([4, 2, 6])).latents()
    array([0.5, 1.5, 4. ], dtype=float32)
    """
    area = moments[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return Measures(moments[..., 1] / area, moments[..., 2] / area, area)


def latents_of_masks(masks: AnyArray) -> NDArray[np.float32]:
    """Measure painted masks.

    Parameters
    ----------
    masks : ndarray or LazyArray of bool, shape (N, H, W)
        The masks. One without a pixel gets the latents (nan, nan, 0).

    Returns
    -------
    ndarray of float32, shape (N, 3)
        Centre of mass y and x, and area, in pixels.
    """
    count, height, width = masks.shape
    moments = np.empty((count, 3), dtype=np.int64)
    for begin, part in parts(masks, 4096 * height * width):  # bounds the memory that the sums take
        pixels = part.view(np.uint8)
        rows = pixels.sum(axis=2, dtype=np.int64)
        columns = pixels.sum(axis=1, dtype=np.int64)
        here = slice(begin, begin + len(part))
        moments[here, 0] = rows.sum(axis=1)
        moments[here, 1] = rows @ np.arange(height)
        moments[here, 2] = columns @ np.arange(width)
    return measures_of_moments(moments).latents()
