"""PNG label maps, read at the rows that are wanted: grey, palette indices, RGB and RGBA.

A label map is mostly empty and a view looks at one row in six or so. Inflating with ISA-L and undoing the row filters
of the wanted rows only (a filter that looks at the row above needs that row too) is several times faster than
decoding whole pictures. Checksums are verified, so that a damaged picture is never taken for another.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from datagen.errors import BadInputError
from datagen.jit import njit
from datagen.masks import is_frame_size
from datagen.tracks import Sampling

__all__ = [
    "GREY",
    "PALETTE",
    "RGB",
    "RGBA",
    "Picture",
    "header_of_picture",
    "kind_of_picture",
    "read_label_map",
    "read_picture",
]

GREY, RGB, PALETTE, RGBA = 0, 2, 3, 6
"""Colour types, as the format numbers them."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {GREY: "grey", RGB: "RGB", PALETTE: "palette", 4: "grey with alpha", RGBA: "RGB with alpha"}
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, 4: 2, RGBA: 4}
_DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), 4: (8, 16), RGBA: (8, 16)}
_DAMAGED = "is damaged or cut off; fetch it again"
_IHDR_END = 33

# The seven pictures that an interlaced one is made of: their first row and column, and the steps between them.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


class Picture(NamedTuple):
    """A picture, or the sampled pixels of it.

    Attributes
    ----------
    pixels : ndarray of uint8 or uint16, shape (rows, columns) or (rows, columns, channels)
        What the file holds: of palettes the indices, of few bits their numbers, nothing scaled.
    height, width : int
        Size of the whole picture.
    depth, colour : int
        Bits of a number, and the colour type: `GREY`, `RGB`, `PALETTE`, `RGBA`, or 4, grey with alpha.
    """

    pixels: NDArray[Any]
    height: int
    width: int
    depth: int
    colour: int


def read_label_map(data: bytes, path: Path, sampling: Sampling | None = None) -> tuple[NDArray[np.uint16], int, int]:
    """Read a label map of MOTS, or the sampled pixels of it.

    Parameters
    ----------
    data, path, sampling
        As of `read_picture`.

    Returns
    -------
    labels : ndarray of uint16, shape (rows, columns)
        The labels at the sampled pixels.
    height, width : int
        Size of the whole picture.

    Raises
    ------
    BadInputError
        If the file is not a PNG, not 16-bit grey, or damaged.
    """
    _, _, depth, colour, _ = _header(data, path)
    if depth != 16 or colour != GREY:
        article = "an" if depth == 8 else "a"
        raise BadInputError(path, f"is {article} {_kind(depth, colour)} image; MOTS label maps are 16-bit grey")
    picture = read_picture(data, path, sampling)
    return picture.pixels, picture.height, picture.width


def read_picture(data: bytes, path: Path, sampling: Sampling | None = None) -> Picture:
    """Read a PNG, or the sampled pixels of it.

    Parameters
    ----------
    data : bytes
        The whole file.
    path : Path
        Its name, for errors.
    sampling : callable, optional
        From the height and width to the pixels wanted. By default all.

    Returns
    -------
    Picture

    Raises
    ------
    BadInputError
        If the file is not a PNG, is damaged, or holds a colour beyond its palette.
    """
    width, height, depth, colour, interlace = _header(data, path)
    if depth not in _DEPTHS.get(colour, ()):
        raise BadInputError(path, _DAMAGED)
    grid = sampling(height, width) if sampling else None
    rows = np.arange(height) if grid is None else grid.rows
    form = _Form(depth, _CHANNELS[colour])
    if interlace:
        pixels = _read_interlaced(data, path, height, width, form)[rows]
    else:
        pixels = _unfilter(_inflate(data, path, form.size(height, width)), path, rows, width, form)
    if grid is not None:
        pixels = pixels[:, grid.columns]
    if colour == PALETTE and pixels.size and int(pixels.max()) >= (colours := _length_of_palette(data)):
        raise BadInputError(path, f"holds colour {pixels.max()}, beyond its palette of {colours}")
    return Picture(pixels, height, width, depth, colour)


class _Form(NamedTuple):
    """How pixels are written in the rows of a file."""

    depth: int
    channels: int

    def line(self, width: int) -> int:
        """Return how many bytes a row takes, without its filter."""
        return (width * self.channels * self.depth + 7) // 8

    def size(self, height: int, width: int) -> int:
        """Return how many bytes all rows take, with their filters."""
        return height * (self.line(width) + 1)

    def pixels(self, lines: NDArray[np.uint8], width: int) -> NDArray[Any]:
        """Return the pixels of rows of bytes."""
        values: NDArray[Any] = lines
        if self.depth == 16:
            values = lines.view(np.uint16)
        elif self.depth < 8:
            shifts = np.arange(8 - self.depth, -1, -self.depth, dtype=np.uint8)
            values = (lines[:, :, None] >> shifts) & np.uint8((1 << self.depth) - 1)
            values = values.reshape(len(lines), -1)[:, :width]
        return values if self.channels == 1 else values.reshape(len(lines), width, self.channels)


def header_of_picture(data: bytes) -> tuple[int, int] | None:
    """Return bit depth and colour type of a PNG by its first 33 bytes or more; None of what is none."""
    try:
        return _header(data, Path())[2:4]
    except BadInputError:
        return None


def kind_of_picture(data: bytes) -> str | None:
    """Say what kind of picture a file is that is sound and no label map, e.g. ``"8-bit RGB"``; None of others.

    Parameters
    ----------
    data : bytes
        The first 33 bytes of the file, or more.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    header = header_of_picture(data)
    return None if header in (None, (16, GREY)) else _kind(*header)


def _kind(depth: int, colour: int) -> str:
    return f"{depth}-bit {_COLOUR_TYPES.get(colour, f'colour type {colour}')}"


def _header(data: bytes, path: Path) -> tuple[int, int, int, int, int]:
    """Return width, height, bit depth, colour type and interlacing."""
    if not data.startswith(_SIGNATURE):
        raise BadInputError(path, "is empty; fetch it again" if not data else "is not a PNG file")
    if len(data) < _IHDR_END or data[8:16] != b"\0\0\0\x0dIHDR" or not _is_intact(data, 8, 13):
        raise BadInputError(path, _DAMAGED)
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", data[16:29])
    if not is_frame_size(height, width):
        raise BadInputError(path, f"says it is {width} x {height} pixels, which no frame is; {_DAMAGED}")
    if compression or filtering or interlace > 1:
        raise BadInputError(path, _DAMAGED)
    return width, height, depth, colour, interlace


def _is_intact(data: bytes, position: int, length: int) -> bool:
    """Compare a chunk with its checksum."""
    end = position + 8 + length
    return zlib.crc32(memoryview(data)[position + 4 : end]) == int.from_bytes(data[end : end + 4], "big")


def _inflate(data: bytes, path: Path, size: int) -> bytes:
    """Join the image data chunks and inflate them to so many bytes, no more."""
    position, parts = 8, []
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        if position + 12 + length > len(data):
            break
        if kind == b"IDAT":
            if not _is_intact(data, position, length):
                break
            parts.append(data[position + 8 : position + 8 + length])
        elif kind == b"IEND":
            inflater = isal_zlib.decompressobj()
            try:
                raw: bytes = inflater.decompress(b"".join(parts), size + 1)
            except isal_zlib.error:  # type: ignore[misc]  # its stub calls it a value
                break
            if len(raw) == size and inflater.eof:
                return raw
            break
        position += 12 + length
    raise BadInputError(path, _DAMAGED)


def _length_of_palette(data: bytes) -> int:
    """Return how many colours the palette of a sound picture has; 0 where it has none."""
    position = 8
    while data[position + 4 : position + 8] not in (b"PLTE", b"IDAT", b"IEND", b""):
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    (length,) = struct.unpack_from(">I", data, position) if data[position + 4 : position + 8] == b"PLTE" else (0,)
    return int(length) // 3 if _is_intact(data, position, length) else 0


def _read_interlaced(data: bytes, path: Path, height: int, width: int, form: _Form) -> NDArray[Any]:
    """Read a whole picture that is stored as seven of fewer pixels (Adam7; PNG specification, section 8.2)."""
    channels = () if form.channels == 1 else (form.channels,)
    pixels = np.zeros((height, width, *channels), dtype=np.uint16 if form.depth == 16 else np.uint8)
    parts = [pixels[y::down, x::right] for y, x, down, right in _PASSES]
    parts = [part for part in parts if part.size]
    raw = _inflate(data, path, sum(form.size(*part.shape[:2]) for part in parts))
    begin = 0
    for part in parts:
        end = begin + form.size(*part.shape[:2])
        part[:] = _unfilter(raw[begin:end], path, np.arange(part.shape[0]), part.shape[1], form)
        begin = end
    return pixels


def _unfilter(raw: bytes, path: Path, rows: NDArray[np.int64], width: int, form: _Form) -> NDArray[Any]:
    lines = np.zeros((len(rows), form.line(width)), dtype=np.uint8)
    step = max(form.depth * form.channels // 8, 1)
    swap = form.depth == 16 and sys.byteorder == "little"
    if not _UNFILTER[step](np.frombuffer(raw, dtype=np.uint8), rows, lines, swap):
        raise BadInputError(path, _DAMAGED)
    return form.pixels(lines, width)


def _unfilter_by(step: int) -> Callable[..., bool]:
    """Return the loop for so many bytes a pixel: as a constant they let it run twice as fast."""

    @njit(cache=True, nogil=True)
    def unfilter_rows(raw, rows, lines, swap):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        # Rows are bytes behind a filter number (PNG specification, section 9), `step` bytes a pixel. `swap`: turn
        # pairs of bytes round, the high one of which comes first in a file.
        size = lines.shape[1]
        stride = size + 1
        line = np.zeros(size, np.uint8)  # the last row undone, number `done`
        done = -1
        corners = np.zeros(step, np.int64)  # above and left, of the bytes of a pixel
        for n in range(len(rows)):
            row = rows[n]
            begin = row
            while begin > done + 1 and raw[begin * stride] > 1:  # filters 0 and 1 do not look at the row above
                begin -= 1
            if row == done:
                begin = row + 1  # sampled twice
            for r in range(begin, row + 1):
                kind = raw[r * stride]
                source = raw[r * stride + 1 : (r + 1) * stride]
                if kind == 0:
                    line[:] = source
                elif kind == 1:
                    line[:step] = source[:step]
                    for i in range(step, size):
                        line[i] = source[i] + line[i - step]
                elif kind == 2:
                    for i in range(size):
                        line[i] += source[i]
                elif kind == 3:
                    for i in range(size):
                        left = np.int64(line[i - step]) if i >= step else 0
                        line[i] = source[i] + ((left + np.int64(line[i])) >> 1)
                elif kind == 4:
                    corners[:] = 0
                    k = 0
                    for i in range(size):
                        corner = corners[k]
                        left = np.int64(line[i - step]) if i >= step else 0
                        above = np.int64(line[i])
                        to_left, to_above = abs(above - corner), abs(left - corner)
                        to_corner = abs(left + above - 2 * corner)
                        if to_left <= to_above and to_left <= to_corner:
                            best = left
                        elif to_above <= to_corner:
                            best = above
                        else:
                            best = corner
                        line[i] = source[i] + best
                        corners[k] = above
                        k = k + 1 if k + 1 < step else 0
                else:
                    return False
            done = row
            if swap:
                for i in range(0, size, 2):
                    lines[n, i], lines[n, i + 1] = line[i + 1], line[i]
            else:
                lines[n] = line
        return True

    return unfilter_rows


_UNFILTER = {step: _unfilter_by(step) for step in (1, 2, 3, 4, 6, 8)}
