"""Transition tables derived from one of neighbouring frames: larger distances, and without the camera's motion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import UsageError
from datagen.transitions import Transitions

__all__ = ["MIN_OTHERS", "at_distance", "objects_of", "without_ego_motion"]

MIN_OTHERS = 2
"""A frame's common motion is told from at least this many other objects."""


def objects_of(table: Transitions) -> NDArray[np.int64]:
    """Return a number for the object of each row, int64 (N,).

    Objects are told apart by (source, video, object_id). Where the file did not say the object (``object_id`` -1),
    each run of neighbouring frames counts as one.
    """
    objects = _numbers(table.source, table.video, table.object_id)
    unknown = table.object_id < 0
    order, run = _runs(table)
    runs = np.empty(len(table), dtype=np.int64)
    runs[order] = run
    return np.where(unknown, objects.max(initial=0) + 1 + runs, objects)


def at_distance(table: Transitions, delta_t: int) -> Transitions:
    """Return the transitions over `delta_t` frames that a table of neighbouring frames holds.

    A row joins the first frame of one row to the second frame of the row ``delta_t - 1`` later in the same run: rows
    of one (source, video, object, window) with successive frame numbers. Where the file did not say the object,
    rows are taken in the order of the file.

    Parameters
    ----------
    table : Transitions
        Pairs of neighbouring frames, or runs of which the first two frames are taken.
    delta_t : int
        Distance in frames, at least 1.

    Returns
    -------
    Transitions
        Pairs, by run and time.
    """
    if delta_t < 1:
        raise UsageError(f"frame distance {delta_t}: must be at least 1")
    order, run = _runs(table)
    reach = np.flatnonzero(run[: max(0, len(run) - delta_t + 1)] == run[delta_t - 1 :])
    first, second = table.select(order[reach]), table.select(order[reach + delta_t - 1])

    def pair(factor: str) -> NDArray[Any]:
        return np.stack([getattr(first, factor)[:, 0], getattr(second, factor)[:, 1]], axis=1)

    return replace(first, y=pair("y"), x=pair("x"), area=pair("area"))


def without_ego_motion(table: Transitions) -> Transitions:
    """Return the table with the motion that a frame's objects share taken off each object's own.

    The shared motion is the median displacement, in x and in y, of the *other* objects in the same frame (an object
    counts once, with the mean over its windows). Were the object itself among them, one object in every frame would
    come out with exactly no motion, and the result look sparser than it is. Rows of frames with fewer than `MIN_OTHERS`
    others are left out; areas are as they were.

    Parameters
    ----------
    table : Transitions
        It must name the videos, or the objects of different ones would share a frame.

    Returns
    -------
    Transitions
        Pairs; x and y are float64.

    Raises
    ------
    UsageError
        If a row does not say its video.
    """
    if len(table) and (table.video == "").any():
        raise UsageError("the table does not say which video a row is of, so that no frame's motion can be told")
    frames = _numbers(table.source, table.video, table.frame)
    individuals, individual = np.unique(np.stack([frames, objects_of(table)], axis=1), axis=0, return_inverse=True)
    rows = np.bincount(individual, minlength=len(individuals))
    first = np.flatnonzero(np.diff(individuals[:, 0], prepend=-1))
    sizes = np.diff(np.append(first, len(individuals)))
    seen = np.repeat(sizes, sizes)[individual] > MIN_OTHERS
    kept = table.select(seen)
    moved = {}
    for factor in ("y", "x"):
        means = np.bincount(individual, table.differences(factor), len(individuals)) / rows
        shared = np.concatenate([_median_of_others(part) for part in np.split(means, first[1:])] or [means])
        before, after = getattr(kept, factor)[:, :2].T.astype(np.float64)
        moved[factor] = np.stack([before, after - shared[individual][seen]], axis=1)
    return replace(kept, **moved, area=kept.area[:, :2])


def _median_of_others(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each value the median of all the others, float64 of the same shape; its own median if alone."""
    others = len(values) - 1
    if others < 1:
        return values
    order = np.argsort(values)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(values))
    ascending = values[order]

    def other(position: int) -> NDArray[np.float64]:
        return ascending[position + (position >= rank)]

    return (other((others - 1) // 2) + other(others // 2)) / 2


def _runs(table: Transitions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return an order of the rows by track and time, and the number of the run of each row so ordered."""
    tracks = _numbers(table.source, table.video, table.object_id, table.window)
    time = np.where(table.object_id < 0, 0, table.frame)
    order = np.lexsort([time, tracks])
    tracks, frames = tracks[order], table.frame[order]
    begins = (np.diff(tracks, prepend=-1) != 0) | (np.diff(frames, prepend=0) != 1)
    return order, np.cumsum(begins)


def _numbers(*columns: NDArray[Any]) -> NDArray[np.int64]:
    """Return a number for each row, the same where all columns are; its order is that of the columns."""
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _, place = np.unique(column, return_inverse=True)
        _, number = np.unique(number * (place.max(initial=0) + 1) + place, return_inverse=True)
    return number
