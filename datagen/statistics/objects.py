"""Who is who in a transition table: numbers of objects, each object's frames once, and objects that no file names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.transitions import Transitions

__all__ = ["join_windows", "number_rows", "objects_of", "once_per_frame"]

_SHIFT_ROUNDING = 1e-4
"""Pixels by which a shift between windows may differ from a whole number: positions are float32 below 4096."""


def number_rows(*columns: NDArray[Any]) -> NDArray[np.int64]:
    """Return a number for each row, int64 (N,), the same where all columns are; its order is that of the columns.

    Rows in which nothing changes are taken from the row above and not sorted, so that tables in order take linear time.
    """
    count = len(columns[0])
    begins = np.zeros(count, dtype=bool)
    begins[:1] = True
    for column in columns:
        begins[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(begins)
    number = np.zeros(len(first), dtype=np.int64)
    for column in columns:
        _, place = np.unique(column[first], return_inverse=True)
        _, number = np.unique(number * (place.max(initial=0) + 1) + place, return_inverse=True)
    return np.repeat(number, np.diff(np.append(first, count)))


def objects_of(table: Transitions) -> NDArray[np.int64]:
    """Return a number for the object of each row, int64 (N,), distinguished by (source, video, object_id)."""
    return number_rows(table.source, table.video, table.object_id)


def once_per_frame(table: Transitions, seed: int = 0) -> NDArray[np.int64]:
    """Return rows that show every object once in every frame.

    The windows of a view overlap and repeat an object up to six times. Of the rows of one object and frame, that one is
    taken in whose window it is nearest to the middle, where the edges cut least of it off. The middle is that of the
    range of x over the table.

    Parameters
    ----------
    table : Transitions
        Transitions.
    seed : int
        Of the choice between rows that are equally near.

    Returns
    -------
    ndarray of int64
        Numbers of rows, rising.
    """
    objects = objects_of(table)
    same = np.diff(objects) == 0
    if ((np.diff(table.frame) > 0) | ~same).all():
        begins = objects[np.append(True, ~same)] if len(objects) else objects
        if len(np.unique(begins)) == len(begins):  # the rows of an object follow each other, and frames only rise
            return np.arange(len(table))
    x = table.x[:, :2].astype(np.float64).mean(axis=1)
    away = abs(x - (table.x.min() + float(table.x.max())) / 2)
    chance = np.random.default_rng(seed).random(len(table))
    order = np.lexsort((chance, away, table.frame, objects))
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(objects[order]) != 0) | (np.diff(table.frame[order]) != 0)
    return np.sort(order[first])


def join_windows(table: Transitions) -> tuple[Transitions, str]:
    """Find which sequences are of one object where a file does not say, from what the windows of a view repeat.

    Windows overlap, and an object that lies wholly in two of them has the same area and the same y, to the last bit,
    and an x that differs by the windows' distance, a whole number of pixels. Two sequences are therefore of one object
    if they share a transition: both areas, both y, and one whole shift of both x. Only transitions count in which the
    area changes, and y by no whole number: drawn shapes that move over a grid of pixels coincide without being one.
    That proves sequences to be one object, never that they are two: an object that is lost from all windows for a
    while, or that is cut by an edge throughout, stays in parts.

    Parameters
    ----------
    table : Transitions
        Pairs. An `object_id` below 0 says that the object is not known; it then stands for the sequence.

    Returns
    -------
    table : Transitions
        The same rows. Where the object was not known, `object_id` is that of the first sequence of the object, `window`
        tells the sequences of an object apart, and `frame` counts from the first of them.
    how : str
        What was done, in words; empty if all objects are known.
    """
    unknown = np.flatnonzero(table.object_id < 0)
    if not len(unknown):
        return table, ""
    part = table.select(unknown)
    sequence = objects_of(part)
    count = int(sequence.max()) + 1
    one, other = _repeated(part)
    first, frames = _join(sequence[one], sequence[other], part.frame[one] - part.frame[other], count)
    object_id, window, frame = table.object_id.copy(), table.window.copy(), table.frame.copy()
    name = np.zeros(count, dtype=np.int64)
    name[sequence] = part.object_id
    object_id[unknown] = name[first][sequence]
    window[unknown] = sequence
    frame[unknown] = part.frame + frames[sequence]
    objects = len(np.unique(first))
    how = (
        f"the file does not say which object a sequence shows: {count:,} sequences are taken as {objects:,} objects"
        + (", as far as windows that overlap prove them to be the same" if objects < count else "")
        + "; if they are fewer, intervals are wider than said"
    )
    return replace(table, object_id=object_id, window=window, frame=frame), how


def _repeated(table: Transitions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of rows that show the same transition in two windows."""
    rise = table.y[:, 1] - table.y[:, 0]
    telling = np.flatnonzero((table.area[:, 1] != table.area[:, 0]) & (rise != np.rint(rise)))
    order = telling[np.lexsort([getattr(table, name)[telling, place] for name in ("y", "area") for place in (0, 1)])]
    one, other = order[:-1], order[1:]
    same = np.ones(len(one), dtype=bool)
    for values in (table.area, table.y):
        same &= (values[one, :2] == values[other, :2]).all(axis=1)
    one, other = one[same], other[same]
    shift = table.x[one, :2].astype(np.float64) - table.x[other, :2]
    distance = np.rint(shift[:, :1])
    moved = (distance[:, 0] != 0) & (abs(shift - distance).max(axis=1, initial=0) < _SHIFT_ROUNDING)
    return one[moved], other[moved]


def _join(
    one: NDArray[np.int64], other: NDArray[np.int64], apart: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first sequence of each sequence's object, and what to add to its frames, int64 (count,) each.

    `one` and `other` are sequences of one object and `apart` says how many frames the other counts fewer. Where they
    contradict each other, as of an object that stands still, the most frequent one holds.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

    first, frames = np.arange(count), np.zeros(count, dtype=np.int64)
    two = one != other
    swapped = one > other
    low, high = np.where(swapped, other, one)[two], np.where(swapped, one, other)[two]
    edges, times = np.unique(np.stack([low, high, np.where(swapped, -apart, apart)[two]]), axis=1, return_counts=True)
    if not len(times):
        return first, frames
    edges = edges[:, np.argsort(-times, kind="stable")]
    _, kept = np.unique(edges[:2], axis=1, return_index=True)
    low, high, apart = edges[:, kept]
    weight = 1 / np.sort(times)[::-1][kept]
    tree = minimum_spanning_tree(coo_array((weight, (low, high)), shape=(count, count))).tocoo()
    _, label = connected_components(tree, directed=False)
    _, begins = np.unique(label, return_index=True)
    # One more node beside all objects' first sequences, so that one walk goes through all of them.
    ends = (np.append(tree.row, begins), np.append(tree.col, np.full(len(begins), count)))
    joined = coo_array((np.ones(len(ends[0])), ends), shape=(count + 1, count + 1))
    order, before = breadth_first_order(joined, count, directed=False)
    steps = {(int(a), int(b)): int(step) for a, b, step in zip(low, high, apart, strict=True)}
    for node in order[1:].tolist():
        parent = int(before[node])
        if parent < count:
            step = steps[min(parent, node), max(parent, node)]
            frames[node] = frames[parent] + (step if parent < node else -step)
    first = begins[label]
    lowest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(lowest, first, frames)
    return first, frames - lowest[first]
