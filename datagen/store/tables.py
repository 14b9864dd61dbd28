"""Files that a table of transitions can be had from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from datagen.errors import BadInputError, UsageError
from datagen.store import SUFFIXES, load, release_csv
from datagen.store.release_pickle import unpickle
from datagen.transitions import Transitions

__all__ = ["read"]

_PAIR_COLUMNS = ("id", "category", "y", "x", "area")


def read(path: str | Path) -> Transitions:
    """Read the pairs of neighbouring frames from a file; see `datagen.transitions.load`."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path)
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: no table has the suffix {suffix!r}; use .csv, {', '.join(SUFFIXES)}")
    if SUFFIXES[suffix] == "release_pickle":
        with path.open("rb") as stream:
            data = unpickle(stream, path)
        if isinstance(data, dict) and data.keys() >= set(_PAIR_COLUMNS):
            return _of_pair_lists(path, data)
    dataset = load(path)
    if not hasattr(dataset, "transitions"):
        raise BadInputError(path, f"is a dataset of {dataset.kind}, which has no table of transitions")
    return dataset.transitions()


def _read_csv(path: Path) -> Transitions:
    from datagen.readers.youtube_vis import CATEGORY_NAMES

    with path.open("rb") as stream:
        start = stream.read(len(release_csv.HEADER))
    if start == release_csv.HEADER:
        return release_csv.read(path, CATEGORY_NAMES)
    raise BadInputError(path, "is no table of transitions: its first line does not begin with 'id,cat_id'")


def _of_pair_lists(path: Path, data: dict[str, Any]) -> Transitions:
    """Take the release's dictionary of pairs, ``kitti_dict_p_v2.pkl``: a list a column, `id` the sequence."""
    try:
        y, x, area = (np.array(data[name]) for name in ("y", "x", "area"))
        sequence = np.array(data["id"], dtype=np.int64)
        # A sequence's pairs stand in the order of time.
        begins = np.flatnonzero(np.append(True, np.diff(sequence) != 0))[: len(sequence)]
        lengths = np.diff(np.append(begins, len(sequence)))
        table = Transitions(
            source=np.full(len(sequence), ""),
            video=np.full(len(sequence), ""),
            object_id=sequence,
            category=np.array(data["category"], dtype=str),
            window=np.full(len(sequence), -1, dtype=np.int64),
            frame=np.arange(len(sequence)) - np.repeat(begins, lengths),
            y=y,
            x=x,
            area=area,
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInputError(path, f"is no table of pairs ({str(error).splitlines()[0]})") from None
    if any(values.dtype.kind not in "fi" for values in (y, x, area)):
        raise BadInputError(path, "is no table of pairs (a position or an area is no number)")
    return table
