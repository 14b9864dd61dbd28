"""Segmentations as COCO and all that came after it write them in JSON.

Each is an object ``{"counts": ..., "size": [height, width]}`` with the run-length encoding as a text or as a list of
lengths, or a list of polygons ``[x, y, x, y, ...]``, or null.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Sized
from itertools import chain
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from datagen.masks import RLE_PROBLEMS, Masks, decode_counts, decode_rle

__all__ = ["NULL", "decode_segmentations"]

NULL = b"null"

_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]


class _Rle(msgspec.Struct, gc=False):
    counts: str | list[_Count]
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
    counts: dict[int, list[int]] = {}
    for number, raw in enumerate(segmentations):
        try:
            value = _decoder.decode(raw)
        except msgspec.MsgspecError as error:
            problems[number] = f"its segmentation is no run-length encoding, list of polygons or null ({error})"
            continue
        if isinstance(value, list):
            problem = _problem_of_polygons(value, height, width)
            if problem:
                problems[number] = problem
            elif value:
                texts[number] = coco.merge(coco.frPyObjects(value, height, width))["counts"]
        elif value is not None:
            if value.size != (height, width):
                problems[number] = (
                    f"its segmentation is of {value.size[0]} x {value.size[1]} pixels, its video of {height} x {width}"
                )
            elif isinstance(value.counts, str):
                texts[number] = value.counts.encode()
            else:
                counts[number] = value.counts

    text = np.frombuffer(b"".join(texts.values()), dtype=np.uint8)
    bounds = _bounds(texts.values())
    of_texts, text_status = decode_rle(text, bounds[:-1], bounds[1:], height, width)
    lengths = np.fromiter(chain.from_iterable(counts.values()), dtype=np.int64)
    of_counts, count_status = decode_counts(lengths, _bounds(counts.values()), height, width)
    for numbers, status in ((list(texts), text_status), (list(counts), count_status)):
        for row in np.flatnonzero(status):
            problems[numbers[row]] = f"{RLE_PROBLEMS[int(status[row])]} ({height} x {width})"

    nothing = Masks(height, width, *(np.zeros(0, dtype=np.int32),) * 2, np.zeros(2, dtype=np.int64))
    place = np.full(len(segmentations), len(texts) + len(counts))
    place[[*texts, *counts]] = np.arange(len(texts) + len(counts))
    return Masks.concatenate([of_texts, of_counts, nothing]).select(place), problems


def _problem_of_polygons(polygons: list[list[float]], height: int, width: int) -> str | None:
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            return f"its polygon has {len(polygon)} numbers; it takes x and y of 3 points or more"
        # What lies outside is cut off; far outside, the number is wrong (and would take as much memory to draw).
        x, y = np.array(polygon).reshape(-1, 2).T
        if min(x) < -width or max(x) > 2 * width or min(y) < -height or max(y) > 2 * height:
            return f"its polygon leaves the frame of {height} x {width} pixels by more than its size"
    return None


def _bounds(parts: Collection[Sized]) -> NDArray[np.int64]:
    """Return where each part begins when they are laid end to end, and where the last ends."""
    return np.append(0, np.cumsum([len(part) for part in parts], dtype=np.int64)).astype(np.int64)
