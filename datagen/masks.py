"""Masks as runs: the one form in which masks travel from a reader to a view.

A mask is a list of foreground runs over its pixels in column-major order (down the first column, then the second),
which is what the run-length encoding of COCO, MOTS and YouTube-VOS holds. Masks of real video have a few hundred
runs and a few million pixels, so sampling, cutting windows, measuring and checking overlap are done on the runs;
pixels are painted only for the small windows that go into a dataset.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datagen.jit import njit

__all__ = ["RLE_PROBLEMS", "Grid", "Masks", "decode_counts", "decode_rle", "is_frame_size", "problem_of_rle"]

RLE_PROBLEMS = {
    1: "the run-length encoding has a character that is none of its alphabet",
    2: "the run-length encoding breaks off in the middle of a number",
    3: "the run-length encoding has a negative run",
    4: "the runs do not fill height x width",
    5: "the list of run lengths holds something that is no whole number",
}
"""What is wrong with an encoding, by the status that `decode_rle` or `decode_counts` gives it (0 is well)."""

# A run-length is below 2**31, which takes at most seven characters of five bits.
_MAX_CHARACTERS = 7

# Bounds the memory of what has to be painted.
_PAINTED_AT_ONCE = 1 << 24

# Twice the pixels of the largest video there is (8K), and far from the shape of any: what a file claims beyond that is
# an error or an attack, and would fill the memory.
_MOST_PIXELS = 1 << 26
_MOST_LENGTHENED = 256


def is_frame_size(height: int, width: int) -> bool:
    """Say whether frames can have a size: at most 2**26 pixels, and no side more than 256 times the other."""
    if height < 1 or width < 1 or height * width > _MOST_PIXELS:
        return False
    return max(height, width) <= _MOST_LENGTHENED * min(height, width)


class Grid(NamedTuple):
    """The pixels at which a frame is sampled: every row of `rows` crossed with every column of `columns`.

    Attributes
    ----------
    rows, columns : ndarray of int64
        Indices into the frame, not decreasing.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


@dataclass(frozen=True)
class Masks:
    """M masks of one size.

    Attributes
    ----------
    height, width : int
        Size of every mask, in pixels.
    starts, stops : ndarray of int32, shape (R,)
        The runs: pixels ``starts[r]:stops[r]`` in column-major order are foreground. Runs of one mask are in order,
        not empty and do not overlap.
    offsets : ndarray of int64, shape (M + 1,)
        Mask `m` is the runs ``offsets[m]:offsets[m + 1]``.
    """

    height: int
    width: int
    starts: NDArray[np.int32]
    stops: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def concatenate(cls, parts: list[Masks]) -> Masks:
        """Join masks of one size."""
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        return cls(
            parts[0].height,
            parts[0].width,
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.stops for part in parts]),
            np.concatenate([[0], np.cumsum(lengths)]),
        )

    @classmethod
    def from_pixels(cls, pixels: NDArray[np.bool_]) -> Masks:
        """Take the runs of painted masks, bool (M, H, W)."""
        count, height, width = pixels.shape
        starts, stops, owners = _runs_of_labels(np.ascontiguousarray(pixels))
        return cls(height, width, starts, stops, np.searchsorted(owners >> 32, np.arange(count + 1)).astype(np.int64))

    def transpose(self) -> Masks:
        """Return the masks with rows and columns exchanged; they are painted, some at a time."""
        step = max(_PAINTED_AT_ONCE // max(self.height * self.width, 1), 1)
        parts = [self.select(np.arange(m, min(m + step, len(self)))) for m in range(0, max(len(self), 1), step)]
        return Masks.concatenate([Masks.from_pixels(part.paint().transpose(0, 2, 1)) for part in parts])

    @classmethod
    def from_labels(cls, labels: NDArray[Any]) -> tuple[Masks, NDArray[np.int64], NDArray[np.int64]]:
        """Take label maps apart into a mask for each map and label.

        Parameters
        ----------
        labels : ndarray of integers or bool, shape (T, H, W)
            Where there is nothing, 0; else from 1 to 2**32 - 1.

        Returns
        -------
        masks : Masks
            The M masks, by map and label.
        maps : ndarray of int64, shape (M,)
            The map of each.
        values : ndarray of int64, shape (M,)
            Its label.

        Examples
        --------
        >>> masks, maps, values = Masks.from_labels(np.array([[[0, 7, 7]], [[5, 0, 7]]]))
        >>> maps.tolist(), values.tolist(), masks.areas().tolist()
        ([0, 1, 1], [7, 5, 7], [2, 1, 1])
        """
        _, height, width = labels.shape
        starts, stops, owners = _runs_of_labels(labels.astype(labels.dtype.newbyteorder("="), copy=False))
        # Owners are (map, label) in one number; a stable sort keeps the runs of each in order.
        order = np.argsort(owners, kind="stable")
        keys, counts = np.unique(owners, return_counts=True)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(height, width, starts[order], stops[order], offsets), keys >> 32, keys & 0xFFFFFFFF

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Masks:
        """Return the masks named by a boolean mask or an index array."""
        rows = np.arange(len(self))[rows]
        if np.array_equal(rows, np.arange(len(self))):
            return self
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        runs = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Masks(self.height, self.width, self.starts[runs], self.stops[runs], offsets)

    def areas(self) -> NDArray[np.int64]:
        """Return the area of every mask in pixels, int64 (M,)."""
        filled = np.concatenate([[0], np.cumsum(self.stops - self.starts, dtype=np.int64)])
        return filled[self.offsets[1:]] - filled[self.offsets[:-1]]

    def sample(self, grid: Grid) -> Masks:
        """Return the masks at the pixels of a grid: ``mask[rows][:, columns]`` of every mask.

        A full-size mask is never painted: of the ends of each run, it is counted how many pixels of the grid come
        before them.
        """
        if (np.diff(grid.rows) <= 0).any() or (np.diff(grid.columns) <= 0).any():
            # Sampled up, a pixel is taken more than once; painting, some masks at a time, is the plain way.
            pixels = max(self.height * self.width, len(grid.rows) * len(grid.columns), 1)
            step = max(_PAINTED_AT_ONCE // pixels, 1)
            parts = [self.select(np.arange(m, min(m + step, len(self)))) for m in range(0, max(len(self), 1), step)]
            return Masks.concatenate(
                [Masks.from_pixels(part.paint()[:, grid.rows][:, :, grid.columns]) for part in parts]
            )
        rows_before = np.searchsorted(grid.rows, np.arange(self.height + 1))
        columns_before = np.searchsorted(grid.columns, np.arange(self.width + 2))
        starts, stops, offsets = _sample_runs(
            self.starts, self.stops, self.offsets, self.height, rows_before, columns_before
        )
        return Masks(len(grid.rows), len(grid.columns), starts, stops, offsets)

    def moments(self, windows: NDArray[np.int64], width: int) -> NDArray[np.int64]:
        """Measure every mask in every window.

        Parameters
        ----------
        windows : ndarray of int64, shape (K,)
            First column of each window. Windows have the full height.
        width : int
            Width of a window.

        Returns
        -------
        ndarray of int64, shape (M, K, 3)
            Area, sum of y and sum of x over the mask's pixels, counted from the window's top left pixel.
        """
        return _window_moments(self.starts, self.stops, self.offsets, self.height, np.asarray(windows), width)

    def paint(self) -> NDArray[np.bool_]:
        """Paint every mask, bool (M, height, width)."""
        pixels = np.zeros((len(self), self.height, self.width), dtype=bool)
        self.paint_into(pixels, np.arange(len(self)), np.zeros(len(self), dtype=np.int64))
        return pixels

    def paint_into(self, pixels: NDArray[np.bool_], rows: NDArray[np.int64], windows: NDArray[np.int64]) -> None:
        """Paint windows of masks.

        Parameters
        ----------
        pixels : ndarray of bool, shape (N, height, width of a window)
            Set to true where a mask is.
        rows : ndarray of int64, shape (N,)
            Which mask to paint.
        windows : ndarray of int64, shape (N,)
            First column of the window to paint of it.
        """
        _paint_windows(self.starts, self.stops, self.offsets, rows, windows, pixels)

    def find_overlaps(self, group: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Find the masks to leave out, so that no two masks of one group (one frame) share a pixel.

        Parameters
        ----------
        group : ndarray of int64, shape (M,)
            Group of every mask; masks of a group stand next to each other.

        Returns
        -------
        list of tuple of int
            An earlier mask and the one to leave out, which overlaps it; none is left out for one that is left out.
        """
        earlier = _find_overlaps(self.starts, self.stops, self.offsets, group)
        pairs = [(int(earlier[later]), int(later)) for later in np.flatnonzero(earlier >= 0)]
        return sorted(pairs)


def problem_of_rle(status: int, encoding: bytes, height: int, width: int) -> str:
    """Say what is wrong with an encoding.

    Parameters
    ----------
    status : int
        What `decode_rle` or `decode_counts` said of it; not 0.
    encoding : bytes
        The encoding.
    height, width : int
        Size of the mask in pixels.
    """
    if encoding[:2] in (b"b'", b'b"'):
        return "the run-length encoding is printed as Python bytes, b'...'; write only what is between the quotes"
    if _is_base64(encoding, height, width):
        return "the run-length encoding is in base64, as nuScenes writes it; decode it first"
    return f"{RLE_PROBLEMS[status]} ({height} x {width})"


def _is_base64(encoding: bytes, height: int, width: int) -> bool:
    """Say whether what is no encoding is one in base64, packed with zlib or not."""
    try:
        inside = base64.b64decode(encoding, validate=True)
    except binascii.Error:
        return False
    ends = np.array([len(inside)], dtype=np.int64)
    sound = decode_rle(np.frombuffer(inside, dtype=np.uint8), np.zeros(1, np.int64), ends, height, width)[1][0] == 0
    return bool(inside) and (sound or inside[:2] in (b"x\x01", b"x\x9c", b"x\xda"))


def decode_rle(
    text: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64], height: int, width: int
) -> tuple[Masks, NDArray[np.int8]]:
    """Decode compressed COCO run-length encodings.

    Parameters
    ----------
    text : ndarray of uint8
        Bytes that hold the encodings.
    begins, ends : ndarray of int64, shape (M,)
        Encoding `m` is ``text[begins[m]:ends[m]]``.
    height, width : int
        Size of every mask in pixels.

    Returns
    -------
    masks : Masks
        The M masks. One with a problem is empty.
    status : ndarray of int8, shape (M,)
        0, or what is wrong: a key of `RLE_PROBLEMS`.
    """
    starts, stops, offsets, status = _decode(text, begins, ends, height * width)
    return Masks(height, width, starts, stops, offsets), status


def decode_counts(
    text: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64], height: int, width: int
) -> tuple[Masks, NDArray[np.int8]]:
    """Decode uncompressed COCO run-length encodings from the JSON lists that they are written as.

    Made into Python numbers first, they would take several times as long and ten times the memory.

    Parameters
    ----------
    text : ndarray of uint8
        Bytes that hold the lists.
    begins, ends : ndarray of int64, shape (M,)
        List `m`, of the lengths of runs of background and foreground by turns, is ``text[begins[m]:ends[m]]``, from
        the opening bracket to the closing one. It must be valid JSON.
    height, width : int
        Size of every mask in pixels.

    Returns
    -------
    masks : Masks
        The M masks. One with a problem is empty.
    status : ndarray of int8, shape (M,)
        0, or what is wrong: a key of `RLE_PROBLEMS`.
    """
    starts, stops, offsets, status = _decode_counts(text, begins, ends, height * width)
    return Masks(height, width, starts, stops, offsets), status


@njit(cache=True, nogil=True)
def _decode_counts(text, begins, ends, size):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    # A length takes a digit and a comma or bracket.
    capacity = 0
    for m in range(len(begins)):
        capacity += (ends[m] - begins[m]) // 4 + 1
    starts = np.empty(capacity, np.int32)
    stops = np.empty(capacity, np.int32)
    offsets = np.zeros(len(begins) + 1, np.int64)
    status = np.zeros(len(begins), np.int8)
    used = 0
    for m in range(len(begins)):
        position, value, foreground = 0, 0, False
        for p in range(begins[m] + 1, ends[m]):
            character = np.int64(text[p])
            if 48 <= character <= 57:
                value = 10 * value + character - 48
                if value > size:
                    status[m] = 4
                    break
            elif character == 44 or p == ends[m] - 1:  # a comma, or the closing bracket
                if position + value > size:
                    status[m] = 4
                    break
                if foreground and value > 0:
                    starts[used] = position
                    stops[used] = position + value
                    used += 1
                position += value
                foreground = not foreground
                value = 0
            elif character == 45:  # a minus sign
                status[m] = 3
                break
            elif character != 32 and (character < 9 or character > 13):  # no white space
                status[m] = 5
                break
        if status[m] == 0 and position != size:
            status[m] = 4
        if status[m] != 0:
            used = offsets[m]
        offsets[m + 1] = used
    return starts[:used], stops[:used], offsets, status


@njit(cache=True, nogil=True)
def _decode(text, begins, ends, size):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    # An encoding alternates background and foreground, and a number takes a character at least.
    capacity = 0
    for m in range(len(begins)):
        capacity += (ends[m] - begins[m]) // 2 + 1
    starts = np.empty(capacity, np.int32)
    stops = np.empty(capacity, np.int32)
    offsets = np.zeros(len(begins) + 1, np.int64)
    status = np.zeros(len(begins), np.int8)
    used = 0
    for m in range(len(begins)):
        p, end = begins[m], ends[m]
        position, count, before, last = 0, 0, 0, 0  # before, last: the two run lengths ahead of this one
        while p < end and status[m] == 0:
            value, shift = 0, 0
            while True:
                if p == end or shift == 5 * _MAX_CHARACTERS:
                    status[m] = 2
                    break
                character = np.int64(text[p]) - 48
                if character < 0 or character > 63:
                    status[m] = 1
                    break
                value |= (character & 31) << shift
                shift += 5
                p += 1
                if not character & 32:
                    if character & 16:  # the sign bit of the last five
                        value |= -1 << shift
                    break
            if status[m] != 0:
                break
            if count > 2:  # from the fourth on, a length is the difference to the one two before
                value += before
            if value < 0:
                status[m] = 3
            elif position + value > size:
                status[m] = 4
            else:
                if count & 1 and value > 0:
                    starts[used] = position
                    stops[used] = position + value
                    used += 1
                position += value
            before, last = last, value
            count += 1
        if status[m] == 0 and position != size:
            status[m] = 4
        if status[m] != 0:
            used = offsets[m]
        offsets[m + 1] = used
    return starts[:used], stops[:used], offsets, status


@njit(cache=True, nogil=True)
def _runs_of_labels(labels):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    count, height, width = labels.shape
    total = 0
    for fill in range(2):  # count, then fill
        if fill:
            starts = np.empty(total, np.int32)
            stops = np.empty(total, np.int32)
            owners = np.empty(total, np.int64)
        total = 0
        for t in range(count):
            last = 0
            for x in range(width):
                for y in range(height):
                    label = np.int64(labels[t, y, x])
                    if label != last:
                        if fill and last:
                            stops[total - 1] = x * height + y
                        if label:
                            if fill:
                                starts[total] = x * height + y
                                owners[total] = (np.int64(t) << 32) | label
                            total += 1
                        last = label
            if fill and last:
                stops[total - 1] = width * height
    return starts, stops, owners


@njit(cache=True, nogil=True)
def _sample_runs(starts, stops, offsets, height, rows_before, columns_before):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    # rows_before[y]: rows of the grid above row y; columns_before[x]: columns of it left of column x.
    rows = rows_before[height]
    new_starts = np.empty(len(starts), np.int32)
    new_stops = np.empty(len(starts), np.int32)
    new_offsets = np.zeros(len(offsets), np.int64)
    used = 0
    for m in range(len(offsets) - 1):
        for r in range(offsets[m], offsets[m + 1]):
            x = np.int64(starts[r]) // height
            start = columns_before[x] * rows
            if columns_before[x + 1] > columns_before[x]:
                start += rows_before[starts[r] - x * height]
            x = np.int64(stops[r]) // height
            stop = columns_before[x] * rows
            if columns_before[x + 1] > columns_before[x]:
                stop += rows_before[stops[r] - x * height]
            if start < stop:
                new_starts[used] = start
                new_stops[used] = stop
                used += 1
        new_offsets[m + 1] = used
    return new_starts[:used], new_stops[:used], new_offsets


@njit(cache=True, nogil=True)
def cut_at_column(position, stop, height):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the first piece of a run that lies in one column: the column, its rows from and to, and where it ends.

    Runs go down the columns and on to the next, ``pixel = column * height + row``.
    """
    column = position // height
    end = min(stop, (column + 1) * height)
    return column, position - column * height, end - column * height, end


@njit(cache=True, nogil=True)
def _window_moments(starts, stops, offsets, height, windows, width):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    moments = np.zeros((len(offsets) - 1, len(windows), 3), np.int64)
    for m in range(len(offsets) - 1):
        for r in range(offsets[m], offsets[m + 1]):
            position, stop = np.int64(starts[r]), np.int64(stops[r])
            while position < stop:
                column, top, bottom, position = cut_at_column(position, stop, height)
                area = bottom - top
                sum_y = (top + bottom - 1) * area // 2
                for k in range(len(windows)):
                    x = column - windows[k]
                    if 0 <= x < width:
                        moments[m, k, 0] += area
                        moments[m, k, 1] += sum_y
                        moments[m, k, 2] += x * area
    return moments


@njit(cache=True, nogil=True)
def _paint_windows(starts, stops, offsets, rows, windows, pixels):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    _, height, width = pixels.shape
    for n in range(len(rows)):
        first, last = windows[n] * height, (windows[n] + width) * height
        for r in range(offsets[rows[n]], offsets[rows[n] + 1]):
            position, stop = max(starts[r], first) - first, min(stops[r], last) - first
            while position < stop:
                x, top, bottom, position = cut_at_column(position, stop, height)
                pixels[n, top:bottom, x] = True


@njit(cache=True, nogil=True)
def _find_overlaps(starts, stops, offsets, group):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    earlier = np.full(len(group), -1, np.int64)
    for m in range(len(group)):
        if earlier[m] >= 0 or offsets[m] == offsets[m + 1]:
            continue
        n = m + 1
        while n < len(group) and group[n] == group[m]:
            i, j = offsets[m], offsets[n]
            if earlier[n] < 0 and offsets[n + 1] > j:
                # Walk both lists of runs from where the later one begins.
                i += np.searchsorted(stops[i : offsets[m + 1]], starts[j], side="right")
                if i < offsets[m + 1]:
                    j += np.searchsorted(stops[j : offsets[n + 1]], starts[i], side="right")
                while i < offsets[m + 1] and j < offsets[n + 1]:
                    if stops[i] <= starts[j]:
                        i += 1
                    elif stops[j] <= starts[i]:
                        j += 1
                    else:
                        earlier[n] = m
                        break
            n += 1
    return earlier
