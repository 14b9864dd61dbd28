"""Segmentations as COCO and all that came after it write them in JSON.

Each is an object ``{"counts": ..., "size": [height, width]}`` with the run-length encoding as a text or as a list of
lengths, or a list of polygons ``[x, y, x, y, ...]``. Where there is no mask stands null, an empty list, ``{}``, or an
empty text, as the whole or as the run lengths.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from pycocotools import mask as coco

from datagen.masks import Masks, decode_counts, decode_rle, problem_of_rle

__all__ = ["JSON_ERRORS", "decode_segmentations"]

JSON_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding bad JSON raises."""


class _Rle(msgspec.Struct):
    counts: msgspec.Raw
    size: tuple[int, int]


_decoder = msgspec.json.Decoder(_Rle | list[list[float]] | None)
_ABSENT = (b"{}", b'""')


def decode_segmentations(
    segmentations: Sequence[msgspec.Raw], height: int, width: int, dropped: dict[int, str] | None = None
) -> tuple[Masks, dict[int, str]]:
    """Decode the segmentations of one video.

    Parameters
    ----------
    segmentations : sequence of msgspec.Raw
        M of them, each the bytes of a JSON value.
    height, width : int
        Size of the video in pixels.
    dropped : dict of int to str, optional
        Gets, by number, what was left out of those of which only a part was read: polygons that enclose nothing, where
        there are others.

    Returns
    -------
    masks : Masks
        The M masks. One that is absent or has a problem is empty.
    problems : dict of int to str
        What is wrong with which.
    """
    problems: dict[int, str] = {}
    texts: dict[int, bytes] = {}
    lists: dict[int, bytes] = {}
    for number, raw in enumerate(segmentations):
        if len(raw) < 9 and bytes(raw).translate(None, b" \t\r\n") in _ABSENT:
            continue
        try:
            value = _decoder.decode(raw)
            if isinstance(value, list):
                polygons = [polygon for polygon in value if _is_polygon(polygon)]
                if len(polygons) < len(value):
                    part = next(polygon for polygon in value if not _is_polygon(polygon))
                    problem = f"has {len(part)} numbers; it takes x and y of 3 points or more"
                    if not polygons:
                        problems[number] = f"its polygon {problem}"
                        continue
                    if dropped is not None:
                        dropped[number] = f"a part of its polygon {problem}; the other parts are read"
                if far := _leaves_the_frame(polygons, height, width):
                    problems[number] = far
                elif polygons:
                    texts[number] = coco.merge(coco.frPyObjects(polygons, height, width))["counts"]
            elif value is not None:
                if value.size != (height, width):
                    problems[number] = (
                        f"its segmentation is of {value.size[0]} x {value.size[1]} pixels, "
                        f"its video of {height} x {width}"
                    )
                elif (counts := bytes(value.counts)).startswith(b"["):
                    lists[number] = counts
                elif text := msgspec.json.decode(counts, type=str).encode():
                    texts[number] = text
        except JSON_ERRORS as error:
            problems[number] = f"its segmentation is no run-length encoding, list of polygons or null ({error})"

    parts = []
    for encodings, decode in ((texts, decode_rle), (lists, decode_counts)):
        ends = np.cumsum([len(each) for each in encodings.values()], dtype=np.int64)
        begins = ends - [len(each) for each in encodings.values()]
        masks, status = decode(
            np.frombuffer(b"".join(encodings.values()), dtype=np.uint8), begins.astype(np.int64), ends, height, width
        )
        parts.append(masks)
        numbers = list(encodings)
        for row in np.flatnonzero(status):
            number = numbers[row]
            problems[number] = problem_of_rle(int(status[row]), encodings[number], height, width)
    nothing = Masks(height, width, *(np.zeros(0, dtype=np.int32),) * 2, np.zeros(2, dtype=np.int64))
    place = np.full(len(segmentations), len(texts) + len(lists))
    place[[*texts, *lists]] = np.arange(len(texts) + len(lists))
    return Masks.concatenate([*parts, nothing]).select(place), problems


def _is_polygon(polygon: list[float]) -> bool:
    return len(polygon) >= 6 and len(polygon) % 2 == 0


def _leaves_the_frame(polygons: list[list[float]], height: int, width: int) -> str | None:
    """Say if polygons lie far outside: what lies outside is cut off, but far outside, a number is wrong.

    (Drawing it would take as much time and memory.)
    """
    for polygon in polygons:
        x, y = np.array(polygon).reshape(-1, 2).T
        if x.min() < -width or x.max() > 2 * width or y.min() < -height or y.max() > 2 * height:
            return f"its polygon leaves the frame of {height} x {width} pixels by more than its size"
    return None
