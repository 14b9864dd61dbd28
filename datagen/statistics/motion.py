"""Transition tables derived from one of neighbouring frames: larger distances, and without the camera's motion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import is_whole
from datagen.errors import UsageError, counted, shown
from datagen.statistics.objects import number_rows, objects_of
from datagen.transitions import Transitions

__all__ = ["MIN_OTHERS", "Distance", "at_distance", "at_time", "frames_at", "without_ego_motion"]

MIN_OTHERS = 2
"""A frame's common motion is estimated from at least this many other objects."""


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
    if not is_whole(delta_t, 1, 2**31):
        raise UsageError(f"frame distance {shown(delta_t)}: must be at least 1, and whole")
    runs = table.runs(delta_t + 1)
    ends = [0, delta_t]
    return replace(runs, y=runs.y[:, ends], x=runs.x[:, ends], area=runs.area[:, ends])


@dataclass(frozen=True)
class Distance:
    """How far apart in time two frames of a source are.

    Attributes
    ----------
    delta_ms : float
        As far as was asked for, in milliseconds.
    source : str
        The data set; empty where the table does not say.
    fps : float
        How many of its frames make a second.
    frames : int
        The nearest whole number of frames.
    exact_ms : float
        How far apart these are.
    """

    delta_ms: float
    source: str
    fps: float
    frames: int
    exact_ms: float

    def __str__(self) -> str:
        which = f"{counted(self.frames, 'frame')} of {self.source or 'the table'}"
        return f"{self.delta_ms:g} ms: {which} ({self.fps:g} a second), which are {self.exact_ms:.4g} ms"


def frames_at(fps: NDArray[np.float32], delta_ms: float) -> NDArray[np.int64]:
    """Return how many frames are nearest to a time in milliseconds, int64 (N,), at known rates (N,); 0 below a half."""
    rates = np.unique(fps)
    exact = np.array([float(str(rate)) for rate in rates])  # 29.97, not the float32 nearest to it
    return np.floor(delta_ms * exact / 1000 + 0.5).astype(np.int64)[np.searchsorted(rates, fps)]


def at_time(table: Transitions, delta_ms: float) -> tuple[Transitions, list[Distance], list[str]]:
    """Return the transitions over a time, by the nearest whole number of frames at each row's own rate.

    Parameters
    ----------
    table : Transitions
        Pairs of neighbouring frames.
    delta_ms : float
        The time in milliseconds, above 0.

    Returns
    -------
    transitions : Transitions
        As of `at_distance`, slower rates first.
    distances : list of Distance
        Over how many frames they are, by source and rate.
    left_out : list of str
        The sources that are left out, and why: their rate is not known, or not two of their frames are that near.

    Raises
    ------
    UsageError
        If the time is not above 0, or no row has a rate.
    """
    if not (isinstance(delta_ms, int | float) and 0 < delta_ms < np.inf):
        raise UsageError(f"time distance of {shown(delta_ms)} ms: must be above 0")
    unknown = np.isnan(table.fps)
    if unknown.all():
        raise UsageError(
            "the table says of no source how many frames make a second, so that there is no distance in milliseconds; "
            "make it anew, with --fps-of-source where the annotations do not say, or give --delta-t"
        )
    distances: list[Distance] = []
    unrated = np.unique(table.source[unknown]).tolist()
    left_out = [f"{source or 'a source'} has no distance in time, since its rate is not known" for source in unrated]
    parts = []
    for rate in np.unique(table.fps[~unknown]):
        rows, fps = table.fps == rate, float(str(rate))  # 29.97, not the float32 nearest to it
        sources = np.unique(table.source[rows]).tolist()
        frames = int(frames_at(np.array([rate]), delta_ms)[0])
        if frames:
            distances += [Distance(delta_ms, source, fps, frames, 1000 * frames / fps) for source in sources]
            parts.append(at_distance(table.select(rows), frames))
        else:
            near = f"is left out at {delta_ms:g} ms, since its nearest frames are {1000 / fps:.4g} ms apart"
            left_out += [f"{source or 'a source'} {near}" for source in sources]
    near_enough = Transitions.concatenate(parts) if parts else table.select(slice(0, 0))
    return near_enough, distances, left_out


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
        raise UsageError("the table does not say which video a row is of, so that no frame's motion can be found")
    frames = number_rows(table.source, table.video, table.frame)
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
