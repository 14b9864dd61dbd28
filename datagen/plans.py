"""What is to be painted of each video: planned once, kept on disk, painted part by part, here or elsewhere.

A plan holds 20 bytes a mask and none of the masks, which are read again where they are painted. So a set of masks far
beyond memory is made in two passes, each in memory bounded by the number of workers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from datagen.datasets import Sequences
from datagen.errors import BadInputError, UsageError, quote
from datagen.lazy_array import AnyArray, LazyArray
from datagen.rates import rate_or_nan
from datagen.tracks import Tracks, Video, read_sampled
from datagen.views import Cut, View

__all__ = ["PaintedMasks", "PlanLog", "VideoPlan", "lay_out", "read_cut"]

_LENGTH = struct.Struct("<Q")
_ROWS_OF_PART = 256


@dataclass(frozen=True)
class VideoPlan:
    """What is to be painted of one video: S sequences, N masks in all, and what they measure.

    Attributes
    ----------
    source, video : str
        Names of data set and video.
    rows : ndarray of int64, shape (N,)
        Rows of the video's `Tracks`, sequence after sequence, each in the order of time.
    lengths, window, object_id, first_frame : ndarray of int64, shape (S,)
        Of each sequence its number of masks, its window, its object, and the number of its first frame.
    category : list of str
        What the object of each sequence is.
    latents : ndarray of float32, shape (N, 3)
        y, x and area of the masks.
    num_masks : int
        How many masks were read.
    categories : list of str
        Names of categories in the annotations.
    frames_per_second, rate_from, inputs, left_out
        As those of `Tracks`.
    smallest_step : int
        The fewest frames from one mask of an object to its next; 0 if none has two.
    """

    source: str
    video: str
    rows: np.ndarray
    lengths: np.ndarray
    window: np.ndarray
    object_id: np.ndarray
    first_frame: np.ndarray
    category: list[str]
    latents: np.ndarray
    num_masks: int
    categories: list[str]
    frames_per_second: float | None
    rate_from: str
    inputs: dict[str, str]
    left_out: list[str]
    smallest_step: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def paint_into(self, pixels: NDArray[np.bool_], cut: Cut, begin: int = 0) -> None:
        """Paint the masks from number `begin` on, as many as `pixels` (n, H, W), all false, takes."""
        here = slice(begin, begin + len(pixels))
        cut.paint_into(pixels, self.rows[here], np.repeat(self.window, self.lengths)[here])


def read_cut(video: Video, view: View, skip_bad: bool) -> tuple[Tracks, Cut | None]:
    """Read a video as a view samples it, and cut its windows; None where it has no mask.

    Raises
    ------
    BadInputError
        If annotations are damaged, or frames have no window in this view; it says where.
    """
    try:
        tracks = read_sampled(video, view.sampling, skip_bad)
        return tracks, view.cut(tracks.masks) if len(tracks) else None
    except UsageError as error:  # of the view: frames of this size have no window
        if not skip_bad:
            problem = f"{error}; leave it out with --skip-bad"
            raise BadInputError(video.path, problem, f"sequence {quote(video.name)}") from None
        return Tracks.left_out_whole(video, str(error)), None


class PaintedMasks(LazyArray):
    """The masks of some videos, painted when they are asked for, from annotations that are read again.

    Parameters
    ----------
    videos : sequence of Video
        The videos.
    plans : sequence of VideoPlan
        What is to be painted of each.
    view : View
        How frames become windows.
    image_size : int
        Height and width of a window, in pixels.
    skip_bad : bool
        Whether what cannot be read was left out.
    """

    def __init__(
        self, videos: Sequence[Video], plans: Sequence[VideoPlan], view: View, image_size: int, skip_bad: bool
    ) -> None:
        self._begins = np.concatenate([[0], np.cumsum([len(plan) for plan in plans])]).astype(np.int64)
        super().__init__((int(self._begins[-1]), image_size, image_size), np.dtype(bool), _ROWS_OF_PART)
        self._videos: dict[int, Video] = dict(enumerate(videos))
        self._plans: dict[int, VideoPlan] = dict(enumerate(plans))
        self._view, self._skip_bad = view, skip_bad

    def _in(self, begin: int, end: int) -> Iterator[int]:
        """Yield the numbers of videos that have masks among these rows."""
        first = int(np.searchsorted(self._begins, begin, side="right")) - 1
        for number in range(first, len(self._begins) - 1):
            if self._begins[number] >= end:
                return
            if self._begins[number + 1] > self._begins[number]:
                yield number

    def narrow(self, begin: int, end: int) -> PaintedMasks:
        """Return an array that gives these rows, by the same numbers, and holds the plans of their videos only."""
        narrowed = object.__new__(PaintedMasks)
        kept = list(self._in(begin, end))
        narrowed.__dict__.update(
            self.__getstate__(),
            _videos={number: self._videos[number] for number in kept},
            _plans={number: self._plans[number] for number in kept},
        )
        return narrowed

    def read(self, begin: int, end: int) -> NDArray[np.bool_]:
        """Paint the masks from `begin` to before `end`.

        Raises
        ------
        BadInputError
            If annotations cannot be read, or have changed since they were planned.
        """
        masks = np.zeros((end - begin, *self.shape[1:]), dtype=bool)
        for number in self._in(begin, end):
            video, plan, at = self._videos[number], self._plans[number], int(self._begins[number])
            tracks, cut = read_cut(video, self._view, self._skip_bad)
            if tracks.inputs != plan.inputs or cut is None:
                raise BadInputError(
                    video.path, "has changed since it was planned; remove what is unfinished, begin anew"
                )
            low, high = max(begin, at), min(end, at + len(plan))
            plan.paint_into(masks[low - begin : high - begin], cut, low - at)
        return masks


class PlanLog:
    """Plans on disk, one after the other, as they come; one that a kill cut short is none.

    Parameters
    ----------
    path : Path
        The file; made when the first plan is added.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[VideoPlan]:
        """Return all plans, and cut off what follows the last whole one."""
        if not self._path.exists():
            return []
        plans, data, at = [], memoryview(self._path.read_bytes()), 0
        while at + _LENGTH.size <= len(data):
            (length,) = _LENGTH.unpack_from(data, at)
            if at + _LENGTH.size + length > len(data):
                break
            at += _LENGTH.size + length
            plans.append(msgspec.msgpack.decode(data[at - length : at], type=VideoPlan, dec_hook=_array))
        with self._path.open("r+b") as stream:
            stream.truncate(at)
        return plans

    def add(self, plan: VideoPlan) -> None:
        """Write a plan at the end."""
        content = msgspec.msgpack.encode(plan, enc_hook=_parts)
        with self._path.open("ab") as stream:
            stream.write(_LENGTH.pack(len(content)) + content)

    def remove(self) -> None:
        """Remove all plans."""
        self._path.unlink(missing_ok=True)


def _parts(array: Any) -> tuple[str, tuple[int, ...], bytes]:
    if not isinstance(array, np.ndarray):
        raise NotImplementedError
    return array.dtype.str, array.shape, array.tobytes()


def _array(kind: type, value: Any) -> NDArray[Any]:
    dtype, shape, data = value
    return np.frombuffer(data, dtype).reshape(shape)


def lay_out(plans: Sequence[VideoPlan], images: AnyArray, manifest: dict[str, Any]) -> Sequences:
    """Lay the sequences of all videos end to end.

    Parameters
    ----------
    plans : sequence of VideoPlan
        The plans of all videos; their order is kept.
    images : ndarray or LazyArray of bool, shape (N, H, W)
        Their masks.
    manifest : dict
        How the data were made.
    """
    none = np.zeros(0, dtype=np.int64)
    counts = [len(plan.lengths) for plan in plans]

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([none, *(getattr(plan, name) for plan in plans)])

    return Sequences.of_masks(
        masks=images,
        latents=np.concatenate([np.zeros((0, 3), dtype=np.float32), *(plan.latents for plan in plans)]),
        offsets=np.concatenate([[0], np.cumsum(column("lengths"))]).astype(np.int64),
        manifest=manifest,
        source=np.repeat(np.array([plan.source for plan in plans], dtype=str), counts),
        video=np.repeat(np.array([plan.video for plan in plans], dtype=str), counts),
        object_id=column("object_id"),
        category=np.array([name for plan in plans for name in plan.category], dtype=str),
        window=column("window"),
        first_frame=column("first_frame"),
        fps=np.repeat(np.array([rate_or_nan(plan.frames_per_second) for plan in plans], dtype=np.float32), counts),
    )
