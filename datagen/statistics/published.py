"""The figures that were published of known tables (Klindt et al., 2021, section 3 and table 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datagen.transitions import Transitions

__all__ = ["PUBLISHED", "Published", "published_figures"]


@dataclass(frozen=True)
class Published:
    """What was published of one table.

    Attributes
    ----------
    name : str
        The data set.
    transitions : int
        Number of its transitions.
    sequences : int or None
        Number of its runs of neighbouring frames; None where that was not published.
    kurtosis, shape : dict of str to float
        Excess kurtosis, and the shape of the generalised normal, by factor.
    """

    name: str
    transitions: int
    sequences: int | None
    kurtosis: dict[str, float]
    shape: dict[str, float]


PUBLISHED = (
    Published(
        "KITTI Masks",
        82_506,
        2_120,
        {"area": 68.92, "x": 38.50, "y": 65.39},
        {"area": 0.455, "x": 0.587, "y": 0.694},
    ),
    Published(
        "YouTube-VOS",
        234_652,
        None,
        {"area": 76.49, "x": 39.98, "y": 35.59},
        {"area": 0.444, "x": 0.515, "y": 0.548},
    ),
)


def published_figures(table: Transitions) -> Published | None:
    """Return what was published of a table, recognised by its numbers of transitions and of sequences; None if unknown.

    Whether the figures are met is for whoever reads them side by side: the numbers say what is compared, no more.
    """
    for known in PUBLISHED:
        if len(table) == known.transitions:
            begins = np.ones(len(table), dtype=bool)
            begins[1:] = np.diff(table.frame) != 1
            for column in (table.object_id, table.window, table.video, table.source):
                begins[1:] |= column[1:] != column[:-1]
            if known.sequences in (None, int(begins.sum())):
                return known
    return None
