"""Views: how a frame becomes small square windows.

A view resizes every mask to a fixed height and cuts windows of that width from it. `KittiView` is the one of KITTI
Masks (paper, appendix D.2): nearest sampling, evenly spread windows. `YoutubeView` is the one of the release's table of
YouTube-VOS: Pillow's bilinear resize of a binary mask, overlapping windows. `CoverageView` measures windows without
painting them, and `FrameView` the frame as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_choice, is_whole
from datagen.errors import UsageError, shown
from datagen.jit import njit
from datagen.masks import Grid, Masks, cut_at_column
from datagen.moments import Measures, measures_of_moments
from datagen.tracks import Sampling

__all__ = [
    "VIEWS",
    "CoverageView",
    "Cut",
    "FrameView",
    "KittiView",
    "View",
    "YoutubeView",
    "make_view",
    "nearest_indices",
]

_MOST = 2**31 - 1
"""Pixels or windows, far beyond any frame."""


@dataclass(frozen=True)
class Cut:
    """M masks, resized, and the K square windows that a view cuts from them.

    Attributes
    ----------
    masks : Masks
        The resized masks, as high as a window.
    windows : ndarray of int64, shape (K,)
        First column of each window.
    transposed : bool
        Whether rows and columns of the frame were exchanged, so that windows lie one below the other.
    """

    masks: Masks
    windows: NDArray[np.int64]
    transposed: bool = False

    @property
    def image_size(self) -> int:
        """Height and width of a window, in pixels."""
        return self.masks.height

    def measure(self) -> Measures:
        """Measure every mask in every window."""
        measures = measures_of_moments(self.masks.moments(self.windows, self.image_size))
        return Measures(measures.x, measures.y, measures.area) if self.transposed else measures

    def paint_into(self, pixels: NDArray[np.bool_], rows: NDArray[np.int64], windows: NDArray[np.int64]) -> None:
        """Paint masks `rows` (N,), each in the window of that number (N,), into `pixels` (N, H, H), all false."""
        self.masks.paint_into(pixels, rows, self.windows[windows])
        if self.transposed:
            pixels[:] = pixels.transpose(0, 2, 1).copy()


@dataclass(frozen=True)
class View:
    """How masks are looked at: what every view can do."""

    @property
    def sampling(self) -> Sampling | None:
        """The pixels of a frame that are looked at, where they are few enough to read no others."""
        return None

    def measure(self, masks: Masks) -> Measures:
        """Measure masks, read with `sampling`, in every window."""
        return self.cut(masks).measure()

    def cut(self, masks: Masks) -> Cut:
        """Cut windows from masks, read with `sampling`.

        Raises
        ------
        UsageError
            If the view has none that can be painted, or none of frames of this size.
        """
        raise UsageError("this view only measures; masks are painted in the views kitti, youtube and square")


def nearest_indices(size_in: int, size_out: int) -> NDArray[np.int64]:
    """Return the source index of each output pixel of a nearest resize, as the release's torch resize takes them.

    ``floor(i * scale)``, at most ``size_in - 1``, with ``scale = size_in / size_out`` rounded to float32 and the
    product taken in float32; no half-pixel centre. In exact arithmetic it would differ for some sizes
    (332 -> 56, 618 -> 105).

    Parameters
    ----------
    size_in, size_out : int
        Number of pixels before and after.

    Returns
    -------
    ndarray of int64, shape (size_out,)
    """
    scale = np.float32(size_in) / np.float32(size_out)
    indices = np.floor(np.arange(size_out, dtype=np.float32) * scale).astype(np.int64)
    return np.minimum(indices, size_in - 1)


@dataclass(frozen=True)
class KittiView(View):
    """Frames resized to `image_size` rows by nearest sampling, then cut into evenly spread windows.

    Attributes
    ----------
    image_size : int
        Height of the resized frame, height and width of a window, in pixels.
    num_windows : int
        Number of windows, from the left.
    portrait : bool
        Whether frames that are higher than wide are cut from top to bottom, as if they lay on their side. The published
        data have none; by default they are refused.
    """

    image_size: int = 64
    num_windows: int = 6
    portrait: bool = False

    def __post_init__(self) -> None:
        if not is_whole(self.image_size, 1, _MOST):
            raise UsageError(f"image size {shown(self.image_size)}: must be at least 1, and whole")
        if not is_whole(self.num_windows, 1, _MOST):
            raise UsageError(f"{shown(self.num_windows)} windows: must be at least 1, and whole")

    def width(self, height: int, width: int) -> int:
        """Return the width of a resized frame: ``int(width // (height / image_size))``."""
        return int(width // (height / self.image_size))

    def grid(self, height: int, width: int) -> Grid:
        """Return the pixels of a frame that are sampled.

        Raises
        ------
        UsageError
            If the frame is narrower than a window.
        """
        if self.portrait and height > width:
            lying = self.grid(width, height)
            return Grid(lying.columns, lying.rows)
        resized = self.width(height, width)
        if resized < self.image_size:
            raise UsageError(
                f"its frames are {width} pixels wide and {height} high, and the windows of KITTI Masks are not cut "
                f"from frames less wide than high (resized to {self.image_size} rows, they have {resized} columns)"
            )
        return Grid(nearest_indices(height, self.image_size), nearest_indices(width, resized))

    def windows(self, width: int) -> NDArray[np.int64]:
        """Return the first column of each window in a resized frame of some width.

        Window `k` begins at ``k * stride``, ``stride = (width - image_size) // (num_windows - 1)``: the columns right
        of the last window, fewer than `num_windows`, are never seen, as published.

        Raises
        ------
        UsageError
            If the frame is narrower than a window.
        """
        if width < self.image_size:
            raise UsageError(
                f"frames resized to {self.image_size} rows are {width} columns wide, less than a window; "
                "only frames at least as wide as high can be cut into windows"
            )
        stride = (width - self.image_size) // max(self.num_windows - 1, 1)
        return np.arange(self.num_windows, dtype=np.int64) * stride

    @property
    def sampling(self) -> Sampling:
        """See `View`."""
        return self.grid

    def cut(self, masks: Masks) -> Cut:
        """See `View`."""
        upright = self.portrait and masks.height > masks.width
        masks = masks.transpose() if upright else masks
        return Cut(masks, self.windows(masks.width), upright)


@dataclass(frozen=True)
class YoutubeView(View):
    """Frames resized by Pillow's bilinear filter, whatever their aspect ratio, as the release resizes them.

    A mask of zeros and ones stays one: Pillow rounds to whole numbers after the horizontal pass and again after the
    vertical one, so each pass is a threshold at one half of the filtered coverage. The horizontal pass is always the
    first, as it was when the release was made; since version 13, Pillow takes frames that shrink much more in height
    than in width the other way round.

    Attributes
    ----------
    image_size : int
        Height of the resized frame, height and width of a window, in pixels.
    stride : int or None
        The frame is made twice as wide as high and cut into windows at 0, `stride`, 2 `stride`, ... and at its right
        end. With None it is made a square, which is the only window.
    """

    image_size: int = 64
    stride: int | None = 32

    def __post_init__(self) -> None:
        _check_windows(self.image_size, self.stride)

    @property
    def width(self) -> int:
        """Width of a resized frame, in pixels."""
        return self.image_size * (1 if self.stride is None else 2)

    def windows(self) -> NDArray[np.int64]:
        """Return the first column of each window in a resized frame."""
        return _windows(self.width - self.image_size, self.stride)

    def resize(self, masks: Masks) -> Masks:
        """Resize masks to (`image_size`, `width`).

        A full-size mask is never painted. Its runs add their columns' weights, in Pillow's fixed point, to the few
        columns of the outcome that they touch; what passes the threshold there is runs again, and these add their rows'
        weights.
        """
        columns = _bilinear(masks.width, self.width)
        rows = _bilinear(masks.height, self.image_size)
        starts, stops, offsets = _resize_runs(masks.starts, masks.stops, masks.offsets, masks.height, columns, rows)
        return Masks(self.image_size, self.width, starts, stops, offsets)

    def cut(self, masks: Masks) -> Cut:
        """See `View`."""
        return Cut(self.resize(masks), self.windows())


@dataclass(frozen=True)
class CoverageView(View):
    """Frames scaled to a height of `image_size` pixels, aspect ratio kept, and measured without being painted.

    The area of a mask in a window is what its pixels cover of it, and its centre is the centre of that; there is no
    threshold, and a window's edge may cut a pixel of the frame.

    Attributes
    ----------
    image_size : int
        Height of the scaled frame, height and width of a window, in pixels.
    stride : int
        Windows lie at 0, `stride`, 2 `stride`, ... and as far right as a whole number of pixels goes. A frame narrower
        than a window has one window, which it fills in part.
    """

    image_size: int = 64
    stride: int = 32

    def __post_init__(self) -> None:
        _check_windows(self.image_size, self.stride)

    def windows(self, height: int, width: int) -> NDArray[np.int64]:
        """Return the first column of each window in a scaled frame."""
        return _windows(max(width * self.image_size // height - self.image_size, 0), self.stride)

    def measure(self, masks: Masks) -> Measures:
        """See `View`."""
        # A pixel of the frame is image_size units wide and a pixel of a window `height`, so all is whole numbers.
        height, size = masks.height, self.image_size
        lefts = self.windows(height, masks.width) * height
        moments = _coverage_moments(masks.starts, masks.stops, masks.offsets, height, lefts, size, size * height)
        area = moments[..., 0].astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            y = moments[..., 1] / (2 * area) * (size / height) - 0.5
            x = moments[..., 2] / (2 * area) / height - 0.5
        return Measures(y, x, area * (size / height**2))


@dataclass(frozen=True)
class FrameView(View):
    """Frames as they are, each the only window."""

    def measure(self, masks: Masks) -> Measures:
        """See `View`."""
        return measures_of_moments(masks.moments(np.zeros(1, dtype=np.int64), masks.width))


VIEWS = ("youtube", "kitti", "square", "frame", "coverage")
"""The views by name."""


def make_view(name: str = "youtube", stride: int | None = None) -> View:
    """Make a view by its name.

    Parameters
    ----------
    name : {"youtube", "kitti", "square", "frame", "coverage"}
        ``"youtube"`` is that of the release's table of YouTube-VOS, ``"kitti"`` that of KITTI Masks. ``"square"``
        makes every frame a square of 64 pixels, ``"frame"`` leaves it as it is (the release's tables without windows
        and without resizing). ``"coverage"`` is ``"youtube"`` without its defects: it keeps the aspect ratio and
        measures exactly what a mask covers.
    stride : int, optional
        Distance of the windows of ``"youtube"`` and ``"coverage"`` in pixels; by default 32.

    Raises
    ------
    UsageError
        If the name is unknown, the stride below 1, or the view has none.

    Examples
    --------
    >>> make_view("coverage", stride=16)
    CoverageView(image_size=64, stride=16)
    """
    check_choice("view", name, VIEWS)
    if name == "youtube":
        return YoutubeView(stride=32 if stride is None else stride)
    if name == "coverage":
        return CoverageView(stride=32 if stride is None else stride)
    if stride is not None:
        raise UsageError(f"a stride is of windows that overlap, as those of youtube and coverage; {name} has none")
    return KittiView() if name == "kitti" else YoutubeView(stride=None) if name == "square" else FrameView()


def _check_windows(image_size: int, stride: int | None) -> None:
    if not is_whole(image_size, 1, _MOST):
        raise UsageError(f"image size {shown(image_size)}: must be at least 1, and whole")
    if stride is not None and not is_whole(stride, 1, _MOST):
        raise UsageError(f"stride {shown(stride)}: must be at least 1, and whole")


def _windows(last: int, stride: int | None) -> NDArray[np.int64]:
    """Return 0, stride, 2 * stride, ... below `last`, and `last`."""
    return np.append(np.arange(0, last, stride or 1), last).astype(np.int64)


class _Filter(NamedTuple):
    """One pass of a resize in Pillow's fixed point (22 bits after the point).

    Attributes
    ----------
    first, stop : ndarray of int64, shape (out,)
        Output `o` is made from the inputs ``first[o]:stop[o]``.
    weights : ndarray of int32, shape (out, taps)
        With these weights; 0 beyond ``stop[o] - first[o]``.
    sums : ndarray of int32, shape (out, taps + 1)
        Sums of the first 0, 1, 2, ... weights.
    first_out, stop_out : ndarray of int64, shape (in,)
        Input `i` goes into the outputs ``first_out[i]:stop_out[i]``.
    """

    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    weights: NDArray[np.int32]
    sums: NDArray[np.int32]
    first_out: NDArray[np.int64]
    stop_out: NDArray[np.int64]


_BITS = 22
_HALF = 1 << (_BITS - 1)


@lru_cache(maxsize=64)
def _bilinear(size_in: int, size_out: int) -> _Filter:
    """Return Pillow's bilinear filter: a triangle as wide as two outputs (of two inputs, where they are fewer)."""
    scale = size_in / size_out
    support = max(scale, 1.0)
    centre = (np.arange(size_out) + 0.5) * scale
    first = np.maximum(np.trunc(centre - support + 0.5), 0).astype(np.int64)
    stop = np.minimum(np.trunc(centre + support + 0.5), size_in).astype(np.int64)
    tap = np.arange(math.ceil(support) * 2 + 1)
    # As the C code orders its operations: the last bit of a weight can decide a pixel.
    distance = np.abs((tap + first[:, None] - centre[:, None] + 0.5) * (1.0 / support))
    weights = np.where((distance < 1.0) & (tap < (stop - first)[:, None]), 1.0 - distance, 0.0)
    weights /= np.add.accumulate(weights, axis=1)[:, -1:]
    fixed = np.trunc(0.5 + weights * (1 << _BITS)).astype(np.int32)
    sums = np.zeros((size_out, len(tap) + 1), dtype=np.int32)
    np.cumsum(fixed, axis=1, out=sums[:, 1:])
    inputs = np.arange(size_in)
    first_out, stop_out = np.searchsorted(stop, inputs, side="right"), np.searchsorted(first, inputs, side="right")
    return _Filter(first, stop, fixed, sums, first_out, stop_out)


@njit(cache=True, nogil=True)
def _resize_runs(starts, stops, offsets, height, columns, rows):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    width_out, height_out = len(columns.first), len(rows.first)
    most = (height_out + 1) // 2  # runs in a column
    new_starts = np.empty(64 * len(offsets) + most, np.int32)  # grows where masks are more ragged than that
    new_stops = np.empty(len(new_starts), np.int32)
    new_offsets = np.zeros(len(offsets), np.int64)
    used = 0
    steps = np.zeros((width_out, height + 1), np.int32)  # how the weighted sum of each output column steps along y
    total = np.zeros(height_out, np.int32)
    for m in range(len(offsets) - 1):
        # The horizontal pass. A row's weighted sum changes only where a run begins or ends, so each piece of a run adds
        # its weight at its first row and takes it away below its last; the box around all that is touched bounds what
        # the second pass looks at, and what it must clear again.
        left, right, top, bottom = width_out, 0, height, 0
        for r in range(offsets[m], offsets[m + 1]):
            position, stop = np.int64(starts[r]), np.int64(stops[r])
            while position < stop:
                column, a, b, position = cut_at_column(position, stop, height)
                for x in range(columns.first_out[column], columns.stop_out[column]):
                    weight = columns.weights[x, column - columns.first[x]]
                    steps[x, a] += weight
                    steps[x, b] -= weight
                left, right = min(left, columns.first_out[column]), max(right, columns.stop_out[column])
                top, bottom = min(top, a), max(bottom, b)
        for x in range(left, right):
            # Summed down the column, the steps give the first pass's pixels as runs begin:y of one half or more. They
            # are not written out: each run adds to the rows of the second pass at once, by differences of the running
            # sums of its filter.
            weighted, begin = np.int32(0), -1
            upper, lower = height_out, 0
            for y in range(top, bottom + 1):
                if steps[x, y] == 0:
                    continue
                weighted += steps[x, y]
                steps[x, y] = 0
                if weighted >= _HALF:
                    if begin < 0:
                        begin = y
                elif begin >= 0:  # the run begin:y of the horizontal pass
                    for row in range(rows.first_out[begin], rows.stop_out[y - 1]):
                        a, b = max(begin, rows.first[row]), min(y, rows.stop[row])
                        total[row] += rows.sums[row, b - rows.first[row]] - rows.sums[row, a - rows.first[row]]
                    upper, lower = min(upper, rows.first_out[begin]), rows.stop_out[y - 1]
                    begin = -1
            if used + most > len(new_starts):
                new_starts = np.append(new_starts, np.empty_like(new_starts))
                new_stops = np.append(new_stops, np.empty_like(new_stops))
            # Rows above the threshold become runs of the outcome. A run that reaches the end of its column is closed
            # there: the next column may begin inside the object or not.
            inside = False
            for row in range(upper, lower):
                if (total[row] >= _HALF) != inside:
                    inside = not inside
                    if inside:
                        new_starts[used] = x * height_out + row
                    else:
                        new_stops[used] = x * height_out + row
                        used += 1
                total[row] = 0
            if inside:
                new_stops[used] = x * height_out + lower
                used += 1
        new_offsets[m + 1] = used
    return new_starts[:used], new_stops[:used], new_offsets


@njit(cache=True, nogil=True)
def _coverage_moments(starts, stops, offsets, height, lefts, pixel, width):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Measure windows ``lefts[k]:lefts[k] + width``, columns `pixel` wide: area, 2 * sum of y (in rows) and of x."""
    moments = np.zeros((len(offsets) - 1, len(lefts), 3), np.int64)
    for m in range(len(offsets) - 1):
        for r in range(offsets[m], offsets[m + 1]):
            position, stop = np.int64(starts[r]), np.int64(stops[r])
            while position < stop:
                column, a, b, position = cut_at_column(position, stop, height)
                for k in range(len(lefts)):
                    left = max(column * pixel - lefts[k], 0)
                    right = min((column + 1) * pixel - lefts[k], width)
                    if left < right:
                        area = (b - a) * (right - left)
                        moments[m, k, 0] += area
                        moments[m, k, 1] += area * (a + b)
                        moments[m, k, 2] += area * (left + right)
    return moments
