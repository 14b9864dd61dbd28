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
    """Return a number for the object of each row, int64 (N,), told apart by (source, video, object_id)."""
    return _numbers(table.source, table.video, table.object_id)


def at_distance(table: Transitions, delta_t: int) -> Transitions:
    """Return the transitions over `delta_t` frames that a table of neighbouring frames holds.

    Parameters
    ----------
    table : Transitions
        Pairs of neighbouring frames.
    delta_t : int
        Distance in frames, at least 1.

    Returns
    -------
    Transitions
        The ends of every run of ``delta_t + 1`` frames (`Transitions.runs`).

    Raises
    ------
    UsageError
        If `delta_t` is below 1, or the table is not one of pairs.
    """
    if delta_t < 1:
        raise UsageError(f"frame distance {delta_t}: must be at least 1")
    runs = table.runs(delta_t + 1)
    ends = [0, delta_t]
    return replace(runs, y=runs.y[:, ends], x=runs.x[:, ends], area=runs.area[:, ends])


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


def _numbers(*columns: NDArray[Any]) -> NDArray[np.int64]:
    """Return a number for each row, the same where all columns are; its order is that of the columns."""
    number = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _, place = np.unique(column, return_inverse=True)
        _, number = np.unique(number * (place.max(initial=0) + 1) + place, return_inverse=True)
    return number
