"""Which frames of a dataset make a pair: the one rule that the torch datasets and the trainer draw by.

Source: the release's loader of KITTI Masks (paper, section 4.2). The first frame of a pair is any but the last of its
sequence; the second lies t ~ Uniform{1, ..., max_delta_t} frames later, or at the end of the sequence if that comes
before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["first_frames", "second_frames"]


def first_frames(
    offsets: NDArray[np.int64], reach: int = 1, sequences: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return every frame that has a frame `reach` later in its sequence.

    Parameters
    ----------
    offsets : ndarray of int64, shape (S + 1,)
        Where each sequence begins; the last entry is the number of frames.
    reach : int
        How far an item reaches beyond its first frame; 1 for pairs.
    sequences : ndarray of int64, optional
        Only these, by number, and in this order; by default all.

    Returns
    -------
    firsts, lasts : ndarray of int64, shape (P,)
        The frames, in order, and the last frame of the sequence of each.
    counts : ndarray of int64, shape (S,)
        How many of them each sequence has.

    Examples
    --------
    >>> import numpy as np
    >>> firsts, lasts, counts = first_frames(np.array([0, 3, 5]))
    >>> firsts, lasts, counts
    (array([0, 1, 3]), array([2, 2, 4]), array([2, 1]))
    """
    chosen = slice(None) if sequences is None else sequences
    begins, ends = offsets[:-1][chosen], offsets[1:][chosen]
    counts = np.maximum(ends - begins - reach, 0)
    total = np.cumsum(counts)
    places = np.arange(total[-1] if len(total) else 0)
    return places + np.repeat(begins - (total - counts), counts), np.repeat(ends - 1, counts), counts


def second_frames(
    firsts: NDArray[np.int64], lasts: NDArray[np.int64], max_delta_t: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the second frame of each pair.

    Parameters
    ----------
    firsts, lasts : ndarray of int64, shape (P,)
        The first frames, and the last frame of the sequence of each (`first_frames`).
    max_delta_t : int
        Largest distance in frames. With 1 the paper's "mean delta t" of KITTI Masks is 0.05 s, with 5 it is 0.15 s.
    rng : numpy.random.Generator
        Where the distances come from, one draw per pair.

    Returns
    -------
    ndarray of int64, shape (P,)

    Examples
    --------
    >>> import numpy as np
    >>> firsts, lasts, _ = first_frames(np.array([0, 3, 5]))
    >>> second_frames(firsts, lasts, 1, np.random.default_rng(0))
    array([1, 2, 4])
    """
    return np.minimum(firsts + rng.integers(1, max_delta_t + 1, len(firsts)), lasts)
