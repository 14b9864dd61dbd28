"""Views: how a frame becomes small square windows.

A view resizes every mask to a fixed height and cuts windows of that width from it. `KittiView` is the one of KITTI
Masks (paper, appendix D.2): nearest sampling, evenly spread windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.errors import UsageError
from datagen.masks import Grid

__all__ = ["KittiView", "nearest_indices"]


def nearest_indices(size_in: int, size_out: int) -> NDArray[np.int64]:
    """Return the source index of each output pixel of a nearest resize, as the release's torch resize takes them.

    ``floor(i * scale)``, at most ``size_in - 1``, with ``scale = size_in / size_out`` rounded to float32 and the
    product taken in float32; no half-pixel centre. In exact arithmetic it would differ for some sizes
    (332 -> 56, 618 -> 105).

    Parameters
    ----------
    size_in, size_out : int
        Number of pixels before and after.

    Returns
    -------
    ndarray of int64, shape (size_out,)
    """
    scale = np.float32(size_in) / np.float32(size_out)
    indices = np.floor(np.arange(size_out, dtype=np.float32) * scale).astype(np.int64)
    return np.minimum(indices, size_in - 1)


@dataclass(frozen=True)
class KittiView:
    """Frames resized to `image_size` rows by nearest sampling, then cut into evenly spread windows.

    Attributes
    ----------
    image_size : int
        Height of the resized frame, height and width of a window, in pixels.
    num_windows : int
        Number of windows, from the left.
    """

    image_size: int = 64
    num_windows: int = 6

    def __post_init__(self) -> None:
        if self.image_size < 1:
            raise UsageError(f"image size {self.image_size}: must be at least 1")
        if self.num_windows < 1:
            raise UsageError(f"{self.num_windows} windows: must be at least 1")

    def width(self, height: int, width: int) -> int:
        """Return the width of a resized frame: ``int(width // (height / image_size))``."""
        return int(width // (height / self.image_size))

    def grid(self, height: int, width: int) -> Grid:
        """Return the pixels of a frame that are sampled."""
        return Grid(nearest_indices(height, self.image_size), nearest_indices(width, self.width(height, width)))

    def windows(self, width: int) -> NDArray[np.int64]:
        """Return the first column of each window in a resized frame of some width.

        Window `k` begins at ``k * stride``, ``stride = (width - image_size) // (num_windows - 1)``: the columns right
        of the last window, fewer than `num_windows`, are never seen, as published.

        Raises
        ------
        UsageError
            If the frame is narrower than a window.
        """
        if width < self.image_size:
            raise UsageError(
                f"frames resized to {self.image_size} rows are {width} columns wide, less than a window; "
                "only frames at least as wide as high can be cut into windows"
            )
        stride = (width - self.image_size) // max(self.num_windows - 1, 1)
        return np.arange(self.num_windows, dtype=np.int64) * stride
