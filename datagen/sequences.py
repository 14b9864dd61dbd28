"""From tracks to sequences: which frames of which object make a sequence of masks in which window.

The rule is that of KITTI Masks (paper, appendix D.2): an object is followed through one window for as long as enough
of it is seen there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.tracks import Tracks

__all__ = ["SequenceRows", "SequenceRule", "find_sequences"]


@dataclass(frozen=True)
class SequenceRule:
    """Which stretches of a track are kept.

    Attributes
    ----------
    min_area : int
        A frame that shows fewer pixels of the object in the window ends a sequence.
    min_length : int
        Fewest frames of a sequence that goes on until the object is last seen in the window.
    min_length_before_hole : int
        Fewest frames of a sequence that ends earlier.
    drop_largest_id : bool
        Drop, in every window, whatever object has the largest id there (as published, meant for the ignore region).
    left_out : tuple of int
        Categories that are left out.
    """

    min_area: int
    min_length: int
    min_length_before_hole: int
    drop_largest_id: bool
    left_out: tuple[int, ...]


@dataclass(frozen=True)
class SequenceRows:
    """The rows of a table of tracks that make up one sequence in one window.

    Attributes
    ----------
    window : int
        The window.
    rows : ndarray of int64, shape (T,)
        Rows of `Tracks`, in the order of time.
    """

    window: int
    rows: NDArray[np.int64]


def find_sequences(tracks: Tracks, areas: NDArray[np.int64], image_size: int, rule: SequenceRule) -> list[SequenceRows]:
    """Find the sequences of one video.

    Parameters
    ----------
    tracks : Tracks
        The objects of the video.
    areas : ndarray of int64, shape (M, K)
        Area of every row of `tracks` in each of K windows, in pixels.
    image_size : int
        Height and width of a window, in pixels.
    rule : SequenceRule
        What is kept.

    Returns
    -------
    list of SequenceRows
        By window, then object id, then time.
    """
    if not len(tracks):
        return []
    by_object = np.lexsort((tracks.frame, tracks.object_id))
    found = []
    for window in range(areas.shape[1]):
        rows = by_object[areas[by_object, window] > 0]
        if not len(rows):
            continue
        frame, object_id, area = tracks.frame[rows], tracks.object_id[rows], areas[rows, window]
        enough = area >= rule.min_area
        same_object = object_id[1:] == object_id[:-1]
        goes_on = np.zeros(len(rows), dtype=bool)
        goes_on[1:] = enough[1:] & enough[:-1] & same_object & (np.diff(frame) == 1)
        first = np.flatnonzero(enough & ~goes_on)
        last = np.flatnonzero(enough & ~np.append(goes_on[1:], False))
        last_seen = np.append(~same_object, True)[last]
        length = last - first + 1
        kept = length >= np.where(last_seen, rule.min_length, rule.min_length_before_hole)
        kept &= ~np.isin(tracks.category_id[rows[first]], rule.left_out)
        if rule.drop_largest_id:
            present = np.unique(object_id)
            dropped = [present[-1]]
            if _is_covered(tracks.frame, areas[:, window], image_size**2):
                # The release cuts the sorted labels [1:-1]; where the background is not among them, an object goes.
                dropped.append(present[0])
            kept &= ~np.isin(object_id[first], dropped)
        found += [SequenceRows(window, rows[a : b + 1]) for a, b in zip(first[kept], last[kept], strict=True)]
    return found


def _is_covered(frame: NDArray[np.int64], area: NDArray[np.int64], size: int) -> bool:
    """Say whether objects cover the whole window in every frame."""
    return bool(np.bincount(frame - frame.min(), weights=area).min() >= size)
