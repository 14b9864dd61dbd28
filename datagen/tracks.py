"""Tracks: what every reader gives and every view takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from datagen.masks import Grid, Masks

__all__ = ["NO_CATEGORIES", "NO_OBJECT", "Sampling", "Tracks", "Video", "printable_name"]

NO_OBJECT = "ignore"
"""The category of regions in which nothing was annotated, so that there is no object (MOTS calls them so)."""

Sampling = Callable[[int, int], Grid]
"""From the height and width of a frame to the pixels that a view will look at."""

NO_CATEGORIES = {1: "object"}
"""Names of the categories where a format has none: all objects are of one."""


@dataclass(frozen=True, repr=False)
class Tracks:
    """The masks of all objects of one video, a row for each object and frame in which it is seen.

    Attributes
    ----------
    source, video : str
        Data set and video, e.g. ``"kitti-mots"`` and ``"0002"``.
    frame : ndarray of int64, shape (M,)
        Frame number in the source's own count, not decreasing.
    object_id : ndarray of int64, shape (M,)
        The object. Rows of one object are its track.
    category_id : ndarray of int64, shape (M,)
        Its category, by the source's own number.
    masks : Masks
        The M masks.
    category_names : dict of int to str
        What the numbers stand for.
    inputs : dict of str to str
        sha256 of every file that was read, by a name relative to the source.
    left_out : list of str
        What was bad and left out, a line each.
    objects : ndarray of int64, shape (O, 3)
        Object, category and number of frames of every track that the annotations list, seen in a frame or not, in
        their own order. Empty where the format has no such list.
    frames_per_second : float or None
        How many annotated frames make a second; None where it is not known.
    """

    source: str
    video: str
    frame: NDArray[np.int64]
    object_id: NDArray[np.int64]
    category_id: NDArray[np.int64]
    masks: Masks
    category_names: dict[int, str]
    inputs: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    objects: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    frames_per_second: float | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        size = f"{self.masks.height} x {self.masks.width}"
        return f"Tracks({self.source}/{self.video}: {len(self)} masks of {size}, {len(self.left_out)} left out)"

    def thin(self, every: int) -> Tracks:
        """Return every so many-th frame, counted from the first, as frames that follow each other.

        Frames are numbered anew, from 0, and the rate falls by as much.
        """
        if not len(self) or every == 1:
            return self
        place = self.frame - self.frame.min()
        rows = np.flatnonzero(place % every == 0)
        return replace(
            self,
            frame=place[rows] // every,
            object_id=self.object_id[rows],
            category_id=self.category_id[rows],
            masks=self.masks.select(rows),
            frames_per_second=None if self.frames_per_second is None else self.frames_per_second / every,
        )

    @classmethod
    def left_out_whole(cls, video: Video, problem: str) -> Tracks:
        """Return the tracks of a video that is left out: none, and why."""
        none = np.zeros(0, dtype=np.int64)
        nothing = Masks(1, 1, none.astype(np.int32), none.astype(np.int32), np.zeros(1, dtype=np.int64))
        line = f"{video.source}/{video.name}: {problem}"
        return cls(video.source, video.name, none, none, none, nothing, {}, left_out=[line])


class Video(Protocol):
    """A video whose annotations can be read."""

    @property
    def source(self) -> str:
        """The data set it belongs to."""

    @property
    def name(self) -> str:
        """Its name there."""

    @property
    def path(self) -> Path:
        """The file or folder that holds it."""

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks.

        Parameters
        ----------
        sampling : callable, optional
            Read the masks at these pixels only. By default at full size.
        skip_bad : bool
            Leave out what cannot be read and say so in `Tracks.left_out`, instead of raising.

        Returns
        -------
        Tracks

        Raises
        ------
        BadInputError
            If a file is damaged or does not hold what its format says.
        """


def printable_name(name: str) -> str:
    """Return the name of a file or folder as it can be written anywhere: what is no UTF-8 in it is replaced."""
    return os.fsencode(name).decode("utf-8", "replace")
