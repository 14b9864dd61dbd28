"""The release's own table of measured masks, ``downscale_keepaspect.csv``.

A row an annotation: ``id,cat_id,t_0,t_1,...``. A cell is empty where a frame shows no mask, else the text of a Python
list that holds, for every window of the view, a tuple (y, x, area) or None.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError
from datagen.files import atomic_path
from datagen.measure import MeasuredVideo
from datagen.transitions import Transitions

__all__ = ["HEADER", "read", "write"]

HEADER = b"id,cat_id"
"""How every such file begins."""

_Cell = list[tuple[float, float, int | float] | None]
_Rows = list[list[int | _Cell | None]]

# Each character by one of the same length, so that a row is nearly a JSON array.
_TO_JSON = bytes.maketrans(b'()"\r', b"[]  ")


def read(path: Path, category_names: dict[int, str]) -> Transitions:
    """Read all pairs: two neighbouring cells of a row that both have a mask in some window.

    Parameters
    ----------
    path : Path
        The file.
    category_names : dict of int to str
        Names of its categories. One without a name is called by its number.

    Returns
    -------
    Transitions
        By row, column and window, the order of the release's loader. `object_id` is the annotation's id, `frame` the
        column; source and video are empty. Positions are float64, areas int64 (float64 where some have a fraction).

    Raises
    ------
    BadInputError
        If the file is not of this form; it says which line.
    """
    rows = _parse(path, path.read_bytes())
    ids, categories = _check_ids(path, rows)
    cells = list(chain.from_iterable(row[2:] for row in rows))
    if int in set(map(type, cells)):
        raise _not_a_row(path, next(number for number, row in enumerate(rows) if int in map(type, row[2:])))
    items: list[Any] = list(chain.from_iterable(filter(None, cells)))
    measured = list(filter(None, items))
    values = np.fromiter(chain.from_iterable(measured), dtype=np.float64, count=3 * len(measured)).reshape(-1, 3)
    if not (values[:, 2] > 0).all():
        raise BadInputError(path, f"holds an area of {values[values[:, 2] <= 0, 2][0]:g}; areas are positive")

    # Lay the items out as (cell, window); `place` is the row of `values`, -1 where there is no mask.
    windows_of_cell = np.array([len(cell) if cell else 0 for cell in cells], dtype=np.int64)
    cell = np.repeat(np.arange(len(cells)), windows_of_cell)
    window = np.arange(len(items)) - np.repeat(np.cumsum(windows_of_cell) - windows_of_cell, windows_of_cell)
    present = np.array([item is not None for item in items], dtype=bool)
    place = np.full((len(cells) + 1, int(windows_of_cell.max(initial=0))), -1)
    place[cell[present], window[present]] = np.arange(len(measured))

    cells_of_row = np.array([len(row) - 2 for row in rows])
    row_of_cell = np.repeat(np.arange(len(rows)), cells_of_row)
    column = np.arange(len(cells)) - np.repeat(np.cumsum(cells_of_row) - cells_of_row, cells_of_row)
    first, second = place[:-1], np.where(np.append(np.diff(row_of_cell) == 0, False)[:, None], place[1:], -1)
    at, window = np.nonzero((first >= 0) & (second >= 0))
    pair = values[np.stack([first[at, window], second[at, window]], axis=1)]

    row = row_of_cell[at]
    fractional = float in set(map(type, map(itemgetter(2), measured)))
    known, which = np.unique(categories, return_inverse=True)
    names = np.array([category_names.get(int(number), str(number)) for number in known], dtype=str)
    return Transitions(
        source=np.full(len(at), ""),
        video=np.full(len(at), ""),
        object_id=ids[row],
        category=names[which[row]],
        window=window,
        frame=column[at],
        y=pair[:, :, 0],
        x=pair[:, :, 1],
        area=pair[:, :, 2] if fractional else pair[:, :, 2].astype(np.int64),
    )


def write(path: Path, videos: Sequence[MeasuredVideo]) -> None:
    """Write measured masks, a row a track, byte for byte as the release does.

    Parameters
    ----------
    path : Path
        The file; it is written whole or not at all.
    videos : sequence of MeasuredVideo
        What was measured. A column is a frame, by its number. The ids are those of the objects where no two tracks
        have the same (annotations have ids of their own); else tracks are counted from 1.
    """
    objects = np.concatenate([video.objects for video in videos])
    ids = objects[:, 0] if len(np.unique(objects[:, 0])) == len(objects) else np.arange(1, len(objects) + 1)
    names = iter(ids.tolist())
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "cat_id", *(f"t_{frame}" for frame in range(objects[:, 2].max(initial=0)))])
        for video in videos:
            cells = _cells(video)
            of_object: dict[int, list[int]] = {}
            for row, object_id in enumerate(video.object_id.tolist()):
                of_object.setdefault(object_id, []).append(row)
            for object_id, category_id, frames in video.objects.tolist():
                line = [""] * frames
                for row in of_object.get(object_id, []):
                    line[video.frame[row]] = cells[row]
                writer.writerow([next(names), category_id, *line])


def _cells(video: MeasuredVideo) -> list[str]:
    """Return the text of every row's cell."""
    y, x, area = (values.tolist() for values in video.measures)
    return [
        str([(b, c, a) if a else None for b, c, a in zip(*windows, strict=True)])
        for windows in zip(y, x, area, strict=True)
    ]


def _parse(path: Path, data: bytes) -> list[list[Any]]:
    """Turn the text into one JSON array of rows, which parses many times faster than Python's own literals."""
    _, _, body = data.partition(b"\n")
    if not body.strip():
        raise BadInputError(path, "holds no rows")
    body = body.rstrip().translate(_TO_JSON).replace(b"None", b"null")
    body = re.sub(rb",(?= *(?:,|\n|$))", b",null", body)
    body = b"[[" + body.replace(b"\n", b"],\n[") + b"]]"
    try:
        return msgspec.json.decode(body, type=_Rows)
    except msgspec.ValidationError as error:  # says where, as "$[row][column]"
        place = re.search(r"\$\[(\d+)\]", str(error))
        raise _not_a_row(path, int(place[1]) if place else 0) from None
    except msgspec.DecodeError as error:  # says where, as "(byte 12)", or that the text ended
        place = re.search(r"byte (\d+)", str(error))
        raise _not_a_row(path, body.count(b"\n", 0, int(place[1]) if place else len(body))) from None


def _check_ids(path: Path, rows: list[list[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids and the categories of all rows."""
    line_of: dict[int, int] = {}
    for number, row in enumerate(rows):
        if len(row) < 2 or type(row[0]) is not int or type(row[1]) is not int or max(map(abs, row[:2])) >= 1 << 63:
            raise _not_a_row(path, number)
        if row[0] in line_of:
            raise BadInputError(
                path, f"id {row[0]} was on line {line_of[row[0]]} before; a row is one object", f"line {number + 2}"
            )
        line_of[row[0]] = number + 2
    pairs = np.array([row[:2] for row in rows], dtype=np.int64)
    return pairs[:, 0], pairs[:, 1]


def _not_a_row(path: Path, number: int) -> BadInputError:
    return BadInputError(
        path,
        "is no row of the release's table, which has two whole numbers (id, cat_id) and then cells that are empty "
        "or a list of (y, x, area) or None",
        f"line {number + 2}",
    )
