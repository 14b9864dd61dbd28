"""Segmentations as COCO and all that came after it write them in JSON.

Each is an object ``{"counts": ..., "size": [height, width]}`` with the run-length encoding as a text or as a list of
lengths, or a list of polygons ``[x, y, x, y, ...]``, or null.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from pycocotools import mask as coco

from datagen.masks import RLE_PROBLEMS, Masks, decode_counts, decode_rle

__all__ = ["JSON_ERRORS", "decode_segmentations"]

JSON_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding bad JSON raises."""


class _Rle(msgspec.Struct):
    counts: msgspec.Raw
    size: tuple[int, int]


_decoder = msgspec.json.Decoder(_Rle | list[list[float]] | None)


def decode_segmentations(segmentations: Sequence[msgspec.Raw], height: int, width: int) -> tuple[Masks, dict[int, str]]:
    """Decode the segmentations of one video.

    Parameters
    ----------
    segmentations : sequence of msgspec.Raw
        M of them, each the bytes of a JSON value.
    height, width : int
        Size of the video in pixels.

    Returns
    -------
    masks : Masks
        The M masks. One that is null or has a problem is empty.
    problems : dict of int to str
        What is wrong with which.
    """
    problems: dict[int, str] = {}
    texts: dict[int, bytes] = {}
    lists: dict[int, bytes] = {}
    for number, raw in enumerate(segmentations):
        try:
            value = _decoder.decode(raw)
            if isinstance(value, list):
                problem = _problem_of_polygons(value, height, width)
                if problem:
                    problems[number] = problem
                elif value:
                    texts[number] = coco.merge(coco.frPyObjects(value, height, width))["counts"]
            elif value is not None:
                if value.size != (height, width):
                    problems[number] = (
                        f"its segmentation is of {value.size[0]} x {value.size[1]} pixels, "
                        f"its video of {height} x {width}"
                    )
                elif (counts := bytes(value.counts)).startswith(b"["):
                    lists[number] = counts
                else:
                    texts[number] = msgspec.json.decode(counts, type=str).encode()
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
        problems.update(
            {numbers[row]: f"{RLE_PROBLEMS[int(status[row])]} ({height} x {width})" for row in np.flatnonzero(status)}
        )
    nothing = Masks(height, width, *(np.zeros(0, dtype=np.int32),) * 2, np.zeros(2, dtype=np.int64))
    place = np.full(len(segmentations), len(texts) + len(lists))
    place[[*texts, *lists]] = np.arange(len(texts) + len(lists))
    return Masks.concatenate([*parts, nothing]).select(place), problems


def _problem_of_polygons(polygons: list[list[float]], height: int, width: int) -> str | None:
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            return f"its polygon has {len(polygon)} numbers; it takes x and y of 3 points or more"
        # What lies outside is cut off; far outside, the number is wrong (and would take as much memory to draw).
        x, y = np.array(polygon).reshape(-1, 2).T
        if min(x) < -width or max(x) > 2 * width or min(y) < -height or max(y) > 2 * height:
            return f"its polygon leaves the frame of {height} x {width} pixels by more than its size"
    return None
