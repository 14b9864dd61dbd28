"""Latents of a mask: its centre of mass and its area."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["latents_of_masks", "latents_of_moments"]


def latents_of_moments(moments: NDArray[np.int64]) -> NDArray[np.float32]:
    """Turn moments into latents.

    The quotients are taken in float64 and then rounded, which is what the release's centre of mass amounts to.

    Parameters
    ----------
    moments : ndarray of int64, shape (..., 3)
        Area, sum of y and sum of x over the pixels of a mask. The area must not be 0.

    Returns
    -------
    ndarray of float32, shape (..., 3)
        Centre of mass y and x, and area, in pixels.
    """
    area = moments[..., 0].astype(np.float64)
    return np.stack([moments[..., 1] / area, moments[..., 2] / area, area], axis=-1).astype(np.float32)


def latents_of_masks(masks: NDArray[Any]) -> NDArray[np.float32]:
    """Measure painted masks.

    Parameters
    ----------
    masks : ndarray of bool, shape (N, H, W)
        The masks. One without a pixel gets the latents (nan, nan, 0).

    Returns
    -------
    ndarray of float32, shape (N, 3)
        Centre of mass y and x, and area, in pixels.
    """
    count, height, width = masks.shape
    moments = np.empty((count, 3), dtype=np.int64)
    for begin in range(0, count, 4096):  # bounds the memory that the sums take
        part = masks[begin : begin + 4096].view(np.uint8)
        rows = part.sum(axis=2, dtype=np.int64)
        columns = part.sum(axis=1, dtype=np.int64)
        moments[begin : begin + 4096, 0] = rows.sum(axis=1)
        moments[begin : begin + 4096, 1] = rows @ np.arange(height)
        moments[begin : begin + 4096, 2] = columns @ np.arange(width)
    with np.errstate(invalid="ignore", divide="ignore"):
        return latents_of_moments(moments)
