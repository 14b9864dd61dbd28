"""The table of all pairs of neighbouring frames, as measured or after rotating both masks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_instance
from datagen.datasets import Sequences
from datagen.errors import UsageError, shown
from datagen.moments import latents_of_masks
from datagen.parallel import map_ordered
from datagen.progress import progress_bar
from datagen.transitions import Transitions

__all__ = ["transitions"]

_CHUNK = 1024


def transitions(
    dataset: Sequences, rotate: float | None = None, workers: int | None = None, show_progress: bool = False
) -> Transitions:
    """Return the table of all pairs of neighbouring frames.

    Parameters
    ----------
    dataset : Sequences
        KITTI Masks.
    rotate : float, optional
        Rotate every mask by so many degrees before it is measured. The paper does so by 45 degrees (appendix D.3)
        to ask whether the sparseness depends on the axes. The frame grows so that nothing is cut off; cubic splines,
        rounded to 0 and 1, as ``scipy.ndimage.rotate`` does for uint8.
    workers : int, optional
        Number of threads.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

    Returns
    -------
    Transitions
        Positions float32, areas int64.

    Raises
    ------
    UsageError
        If a mask is lost by rotating (it is a few stray pixels) or the angle is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from datagen import Sequences
    >>> masks = np.zeros((6, 32, 32), dtype=bool)
    >>> for t in range(6):
    ...     masks[t, 8:16, 4 + t : 12 + t] = True
    >>> transitions(Sequences.from_masks([masks]), rotate=45)
    Transitions(5 rows of 2 frames; int64 area, float32 x, y)
    """
    check_instance("dataset", dataset, Sequences, "as kitti_masks.build returns")
    if rotate is None:
        return dataset.transitions()
    if not isinstance(rotate, int | float) or not math.isfinite(rotate):
        raise UsageError(f"rotation by {shown(rotate)} degrees: must be a finite number")
    from scipy.ndimage import rotate as rotate_image

    images, angle = dataset.images, float(rotate)
    assert images is not None

    def measure(begin: int) -> NDArray[np.float32]:
        masks = images[begin : begin + _CHUNK].view(np.uint8)
        return latents_of_masks(np.stack([rotate_image(mask, angle) for mask in masks]))

    begins = range(0, dataset.num_frames, _CHUNK)
    parts = progress_bar(map_ordered(measure, begins, workers), "rotating", total=len(begins), show=show_progress)
    latents = np.concatenate(list(parts))
    if not latents[:, 2].all():
        raise UsageError(f"frame {int(np.argmin(latents[:, 2]))} has no pixel left after rotating by {rotate} degrees")
    return replace(dataset, factors=latents).transitions()
