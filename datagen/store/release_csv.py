"""The release's own table of measured masks, ``downscale_keepaspect.csv``.

A row an annotation: ``id,cat_id,t_0,t_1,...``. A cell is empty where a frame shows no mask, else the text of a Python
list that holds, for every window of the view, a tuple (y, x, area) or None.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError
from datagen.jit import njit
from datagen.measure import MeasuredVideo
from datagen.transitions import Transitions

__all__ = ["is_header", "read", "write"]

_COMMA, _QUOTE, _SPACE, _NEWLINE, _RETURN = ord(","), ord('"'), ord(" "), ord("\n"), ord("\r")
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = ord("("), ord(")"), ord("["), ord("]")
_ZERO, _NINE, _NONE = ord("0"), ord("9"), tuple(b"None")


def is_header(names: Sequence[str]) -> bool:
    """Say whether a CSV's columns are those of such a table; pandas may have put its index before them."""
    return list(names[:2]) == ["id", "cat_id"] or list(names[1:3]) == ["id", "cat_id"]


def read(path: Path, category_names: dict[int, str], fps: float = math.nan) -> Transitions:
    """Read all pairs: two neighbouring cells of a row that both have a mask in some window.

    Parameters
    ----------
    path : Path
        The file.
    category_names : dict of int to str
        Names of its categories. One without a name is called by its number.
    fps : float
        How many of its frames make a second, which such a table has no place for.

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
    ids, places, values = _read_masks(path)
    pair = _pairs(places)
    row, column, window = places[pair[:, 0]].T
    known, which = np.unique(ids[:, 1], return_inverse=True)
    names = np.array([category_names.get(int(number), str(number)) for number in known], dtype=str)
    y, x, area = values
    return Transitions(
        source=np.full(len(pair), ""),
        video=np.full(len(pair), ""),
        object_id=ids[row, 0],
        category=names[which[row]],
        window=window,
        frame=column,
        y=y[pair],
        x=x[pair],
        area=area[pair],
        fps=np.full(len(pair), fps, dtype=np.float32),
    )


def write(path: Path, videos: Sequence[MeasuredVideo]) -> None:
    """Write measured masks, one row per track, byte for byte as the release does.

    Parameters
    ----------
    path : Path
        The file.
    videos : sequence of MeasuredVideo
        What was measured. A column is a frame, by its number. The ids are those of the objects where no two tracks
        have the same (annotations have ids of their own); else tracks are counted from 1.
    """
    objects = np.concatenate([video.objects for video in videos])
    ids = objects[:, 0] if len(np.unique(objects[:, 0])) == len(objects) else np.arange(1, len(objects) + 1)
    names = iter(ids.tolist())
    with path.open("w", encoding="utf-8", newline="") as stream:
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


def _read_masks(
    path: Path,
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.generic]]]:
    """Return (id, cat_id) of every row, (row, column, window) of every mask, and their y, x and area."""
    data = path.read_bytes().rstrip()
    begin = data.find(b"\n") + 1
    if not begin:
        raise BadInputError(path, "holds no rows")
    header = next(csv.reader([data[:begin].decode("utf-8-sig")]))
    if header[0] != "id":
        # An index that pandas wrote: a number before each row. No field of such a table holds a line's end.
        data = data[:begin] + re.sub(rb"(?m)^[^,\n]*,", b"", data[begin:])
        del header[0]
    for number, name in enumerate(header[2:]):
        if name != f"t_{number}":
            raise BadInputError(path, f"its column {name[:40]!r} stands where t_{number} should", "line 1")
    # The shortest row has three bytes and its end, the shortest mask four: other bytes than those of a table, however
    # many, take no more memory than so many rows and masks.
    ids = np.zeros((min(data.count(b"\n"), len(data) // 4 + 2), 2), dtype=np.int64)
    places = np.zeros((min(data.count(b"("), len(data) // 4 + 1), 3), dtype=np.int64)
    numbers = np.empty(len(data), dtype=np.uint8)
    # The zero stands for the end; the loops look no further.
    rows, masks, used, whole = _tokenize(np.frombuffer(data + b"\0", dtype=np.uint8), begin, ids, places, numbers)
    if rows < len(ids):
        raise _not_a_row(path, rows)
    _check_ids(path, ids[:, 0])
    # All numbers as one JSON list: its parser is exact, and many times faster than Python's own.
    try:
        values = np.array(msgspec.json.decode(b"[%b]" % numbers[: max(used - 1, 0)].tobytes(), type=list[float]))
    except msgspec.MsgspecError as error:
        place = re.search(r"\$\[(\d+)\]", str(error))
        byte = re.search(r"byte (\d+)", str(error))
        at = int(place[1]) if place else np.count_nonzero(numbers[: int(byte[1]) - 1 if byte else used] == _COMMA)
        raise _not_a_row(path, int(places[min(at // 3, masks - 1), 0])) from None
    y, x, area = values.reshape(-1, 3).T
    wrong = np.flatnonzero(~(np.isfinite(y) & np.isfinite(x) & (area > 0) & (area < 1 << 53)))
    if len(wrong):
        raise _not_a_row(path, int(places[wrong[0], 0]))
    return ids, places[:masks], (y, x, area.astype(np.int64) if whole else area)


def _check_ids(path: Path, ids: NDArray[np.int64]) -> None:
    """Raise if two rows have the same id."""
    _, first, which = np.unique(ids, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[which] != np.arange(len(ids)))
    if len(again):
        row = int(again[0])
        raise BadInputError(
            path, f"id {ids[row]} was on line {first[which[row]] + 2} before; a row is one object", f"line {row + 2}"
        )


def _not_a_row(path: Path, number: int) -> BadInputError:
    return BadInputError(
        path,
        "is no row of the release's table, which has two whole numbers (id, cat_id) and then cells that are empty "
        "or a list of (y, x, area) or None",
        f"line {number + 2}",
    )


@njit(cache=True, nogil=True)
def _tokenize(text, p, ids, places, numbers):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Take the rows of a text that ends in a zero apart, from position `p`.

    Fills (id, cat_id) of every row, (row, column, window) of every tuple and the text of all their numbers, with a
    comma after each. Returns how many of each it filled, and whether all areas are written as whole numbers. It stops
    at a row that is wrong.
    """
    row, mask, used, whole = 0, 0, 0, True
    while row < len(ids):
        for k in range(2):
            # At most 18 digits, which int64 holds for certain; a longer number ends at no comma and so is wrong.
            begin = p
            while _ZERO <= text[p] <= _NINE and p - begin < 18:
                ids[row, k] = 10 * ids[row, k] + text[p] - _ZERO
                p += 1
            if p == begin or (k == 0 and text[p] != _COMMA):
                return row, mask, used, whole
            p += k == 0
        column = 0
        while text[p] == _COMMA:
            p += 1
            quoted = text[p] == _QUOTE
            p += quoted
            if text[p] == _OPEN_LIST:
                window = 0
                while True:
                    p += 1  # the bracket, or a comma
                    p += text[p] == _SPACE
                    if text[p] == _OPEN:
                        for k in range(3):
                            p += 1  # the parenthesis, or a comma
                            p += text[p] == _SPACE
                            # What a number looks like, JSON's parser says later. The zero at the end of the text is
                            # below a space, so no loop here runs beyond it.
                            while text[p] != _COMMA and text[p] != _CLOSE and text[p] > _SPACE:
                                whole &= k < 2 or _ZERO <= text[p] <= _NINE
                                numbers[used] = text[p]
                                used += 1
                                p += 1
                            if text[p] != (_CLOSE if k == 2 else _COMMA):
                                return row, mask, used, whole
                            numbers[used] = _COMMA
                            used += 1
                        p += 1
                        places[mask, 0], places[mask, 1], places[mask, 2] = row, column, window
                        mask += 1
                    else:
                        for letter in _NONE:
                            if text[p] != letter:
                                return row, mask, used, whole
                            p += 1
                    window += 1
                    if text[p] != _COMMA:
                        break
                if text[p] != _CLOSE_LIST:
                    return row, mask, used, whole
                p += 1
            if quoted:
                if text[p] != _QUOTE:
                    return row, mask, used, whole
                p += 1
            column += 1
        p += text[p] == _RETURN
        # A row ends with its line, or with the text: the last line need not be ended.
        if text[p] != _NEWLINE and p != len(text) - 1:
            return row, mask, used, whole
        p += 1
        row += 1
    return row, mask, used, whole


@njit(cache=True, nogil=True)
def _pairs(places):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the masks that are in the same row and window and in neighbouring columns, int64 (N, 2)."""
    pairs = np.empty((len(places), 2), np.int64)
    count, first = 0, 0
    for second in range(len(places)):
        row, column, window = places[second]
        wanted = (row, column - 1, window)  # grows from mask to mask, so one look through both will do
        while (places[first, 0], places[first, 1], places[first, 2]) < wanted:
            first += 1
        if (places[first, 0], places[first, 1], places[first, 2]) == wanted:
            pairs[count] = first, second
            count += 1
    return pairs[:count]
