"""Tracks: what every reader gives and every view takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, UsageError, counted, quote
from datagen.masks import Grid, Masks

__all__ = [
    "NO_CATEGORIES",
    "NO_OBJECT",
    "NUMBER_ONE_BY_ONE",
    "Sampling",
    "Tracks",
    "Video",
    "printable_name",
    "read_sampled",
    "smallest_step",
]

NO_OBJECT = "ignore"
"""The category of regions in which nothing was annotated, so that there is no object (MOTS calls them so)."""

# Labels are held beside the number of their map in one number.
_LARGEST_LABEL = (1 << 32) - 1

Sampling = Callable[[int, int], Grid]
"""From the height and width of a frame to the pixels that a view will look at."""

NUMBER_ONE_BY_ONE = "number annotated frames one by one (0, 1, 2, ...) to take them as neighbours"
"""What to do where annotated frames are several numbers apart."""

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
    rate_from : {"set", "file", "user"}
        Who says so: what is known of the data set, the annotations themselves, or the user.
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
    rate_from: Literal["set", "file", "user"] = "set"

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        size = f"{self.masks.height} x {self.masks.width}"
        return (
            f"Tracks({self.source}/{self.video}: {counted(len(self), 'mask')} of {size}, {len(self.left_out)} left out)"
        )

    def thin(self, every: int) -> Tracks:
        """Return every so many-th frame, counted from the first, as frames that follow each other.

        Frames are numbered anew, from 0, and the rate falls by as much.
        """
        rate = None if self.frames_per_second is None else self.frames_per_second / every
        if not len(self) or every == 1:
            return replace(self, frames_per_second=rate)
        place = self.frame - self.frame.min()
        rows = np.flatnonzero(place % every == 0)
        return replace(
            self,
            frame=place[rows] // every,
            object_id=self.object_id[rows],
            category_id=self.category_id[rows],
            masks=self.masks.select(rows),
            frames_per_second=rate,
        )

    @classmethod
    def left_out_whole(cls, video: Video, problem: str) -> Tracks:
        """Return the tracks of a video that is left out: none, and why."""
        none = np.zeros(0, dtype=np.int64)
        nothing = Masks(1, 1, none.astype(np.int32), none.astype(np.int32), np.zeros(1, dtype=np.int64))
        line = f"{video.source}/{video.name}: {problem}"
        return cls(video.source, video.name, none, none, none, nothing, {}, left_out=[line])

    @classmethod
    def from_label_maps(
        cls,
        labels: NDArray[np.integer[Any]],
        categories: Mapping[int, str] | None = None,
        *,
        source: str = "arrays",
        video: str = "0",
        frames_per_second: float | None = None,
    ) -> Tracks:
        """Make tracks of a video that is an array in memory.

        Parameters
        ----------
        labels : ndarray of integers (or bool), shape (T, H, W)
            The object at every pixel of T frames, 0 where there is none.
        categories : mapping of int to str, optional
            What the objects are, by their labels. Those that are not in it are called ``"object"``.
        source, video : str
            Names of data set and video, for tables and manifests.
        frames_per_second : float, optional
            How many frames make a second.

        Returns
        -------
        Tracks

        Raises
        ------
        UsageError
            If the array is no such array, or a label is below 0 or above 2**32 - 1.

        Examples
        --------
        >>> tracks = Tracks.from_label_maps(np.array([[[0, 1], [0, 1]], [[2, 1], [2, 0]]]), {1: "cat"})
        >>> tracks.frame.tolist(), tracks.object_id.tolist(), tracks.masks.areas().tolist()
        ([0, 1, 1], [1, 1, 2], [2, 1, 2])
        >>> [tracks.category_names[number] for number in tracks.category_id.tolist()]
        ['cat', 'cat', 'object']
        """
        labels = np.asarray(labels)
        if labels.ndim != 3 or labels.dtype.kind not in "bui" or not all(labels.shape[1:]):
            raise UsageError(
                f"label maps of {labels.dtype} {labels.shape}: give whole numbers of shape (frames, height, width)"
            )
        if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) <= _LARGEST_LABEL:
            low, high = int(labels.min()), int(labels.max())
            raise UsageError(f"labels from {low} to {high}: they must be from 0 to {_LARGEST_LABEL}")
        masks, frame, object_id = Masks.from_labels(labels)
        return cls._of_objects(frame, object_id, masks, categories or {}, source, video, frames_per_second)

    @classmethod
    def from_masks(
        cls,
        masks: Mapping[int, NDArray[np.bool_]],
        categories: Mapping[int, str] | None = None,
        *,
        source: str = "arrays",
        video: str = "0",
        frames_per_second: float | None = None,
    ) -> Tracks:
        """Make tracks of masks in memory, which may overlap.

        Parameters
        ----------
        masks : mapping of int to ndarray of bool, shape (T, H, W)
            Of every object its masks in T frames, empty where it is not seen.
        categories, source, video, frames_per_second
            As of `from_label_maps`.

        Returns
        -------
        Tracks

        Raises
        ------
        UsageError
            If there is no object, an array is no such array, or two are of different shape.

        Examples
        --------
        >>> full = np.ones((2, 3, 4), bool)
        >>> Tracks.from_masks({1: full, 2: full}).object_id.tolist()
        [1, 2, 1, 2]
        """
        arrays = {int(number): np.asarray(array) for number, array in masks.items()}
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) != 1:
            raise UsageError(f"masks of {len(shapes)} shapes: give one object or more, all of one shape")
        (shape,) = shapes
        for number, array in arrays.items():
            if array.dtype != bool or len(shape) != 3 or not all(shape[1:]):
                raise UsageError(
                    f"masks of object {number} are {array.dtype} {shape}: give bool of shape (frames, height, width)"
                )
        parts = [Masks.from_labels(array)[:2] for array in arrays.values()]
        frame = np.concatenate([part[1] for part in parts])
        object_id = np.repeat(list(arrays), [len(part[1]) for part in parts]).astype(np.int64)
        order = np.argsort(frame, kind="stable")
        together = Masks.concatenate([part[0] for part in parts]).select(order)
        names = categories or {}
        return cls._of_objects(frame[order], object_id[order], together, names, source, video, frames_per_second)

    @classmethod
    def _of_objects(
        cls,
        frame: NDArray[np.int64],
        object_id: NDArray[np.int64],
        masks: Masks,
        categories: Mapping[int, str],
        source: str,
        video: str,
        frames_per_second: float | None,
    ) -> Tracks:
        others = sorted(set(categories.values()) - set(NO_CATEGORIES.values()))
        names = NO_CATEGORIES | dict(enumerate(others, start=2))
        numbers = {name: number for number, name in names.items()}
        of_object = {each: numbers[categories.get(each, NO_CATEGORIES[1])] for each in np.unique(object_id).tolist()}
        category_id = np.array([of_object[each] for each in object_id.tolist()], dtype=np.int64)
        rows = (frame, object_id, category_id, masks)
        return cls(source, video, *rows, names, frames_per_second=frames_per_second, rate_from="user")


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


def read_sampled(video: Video, sampling: Sampling | None, skip_bad: bool = False) -> Tracks:
    """Read the masks of a video, and refuse those of a reader that does not heed `sampling`.

    A view would take masks of full size for sampled ones and look at the top left of the frame only.

    Parameters
    ----------
    video : Video
        The video.
    sampling, skip_bad
        As of `Video.read`.

    Raises
    ------
    BadInputError
        As `Video.read` does, or if the masks are not of the size that was asked for.
    """
    if sampling is None:
        return video.read(None, skip_bad)
    sizes: dict[tuple[int, int], None] = {}

    def asked_for(height: int, width: int) -> Grid:
        grid = sampling(height, width)
        sizes[len(grid.rows), len(grid.columns)] = None
        return grid

    tracks = video.read(asked_for, skip_bad)
    size = tracks.masks.height, tracks.masks.width
    if len(tracks) and size not in sizes:
        wanted = f" ({' or '.join(f'{height} x {width}' for height, width in sizes)} pixels)" if sizes else ""
        problem = (
            f"its reader gives masks of {size[0]} x {size[1]} pixels, which are not sampled as the view asks{wanted}; "
            "correct its read: where `sampling` is given, masks must be read at those pixels only"
        )
        raise BadInputError(video.path, problem, f"video {quote(video.name)}")
    return tracks


def smallest_step(frame: NDArray[np.int64], object_id: NDArray[np.int64]) -> int:
    """Return the fewest frames from one mask of an object to its next; 0 if none has two.

    Parameters
    ----------
    frame, object_id : ndarray of int64, shape (M,)
        As those of `Tracks`.
    """
    order = np.lexsort((frame, object_id))
    same = object_id[order[1:]] == object_id[order[:-1]]
    steps = np.diff(frame[order])[same]
    return int(steps.min()) if len(steps) else 0


@dataclass(frozen=True)
class WrappedVideo:
    """A video that gives the tracks of another one changed; what it is called and where it lies is the other's.

    Attributes
    ----------
    video : Video
        The video as its reader has it.
    """

    video: Video

    @property
    def source(self) -> str:
        """See `datagen.tracks.Video`."""
        return self.video.source

    @property
    def name(self) -> str:
        """See `datagen.tracks.Video`."""
        return self.video.name

    @property
    def path(self) -> Path:
        """See `datagen.tracks.Video`."""
        return self.video.path


def printable_name(name: str) -> str:
    """Return the name of a file or folder as it can be written anywhere: what is no UTF-8 in it is replaced."""
    return os.fsencode(name).decode("utf-8", "replace")
