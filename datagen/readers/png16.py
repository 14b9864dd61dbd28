"""16-bit grey PNG label maps, read at the rows that are wanted.

A label map is mostly empty and a view looks at one row in six or so. Inflating with ISA-L and undoing the row filters
of the wanted rows only (a filter that looks at the row above needs that row too) is several times faster than
decoding whole pictures. Checksums are verified, so that a damaged picture is never taken for another.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from datagen.errors import BadInputError
from datagen.jit import njit
from datagen.masks import is_frame_size
from datagen.tracks import Sampling

__all__ = ["kind_of_picture", "read_label_map"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
_DAMAGED = "is damaged or cut off; fetch it again"
_IHDR_END = 33

# The seven pictures that an interlaced one is made of: their first row and column, and the steps between them.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def read_label_map(data: bytes, path: Path, sampling: Sampling | None = None) -> tuple[NDArray[np.uint16], int, int]:
    """Read a label map, or the sampled pixels of it.

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
    labels : ndarray of uint16, shape (rows, columns)
        The labels at the sampled pixels.
    height, width : int
        Size of the whole picture.

    Raises
    ------
    BadInputError
        If the file is not a PNG, not 16-bit grey, or damaged.
    """
    width, height, depth, colour, interlace = _header(data, path)
    if depth != 16 or colour != 0:
        article = "an" if depth == 8 else "a"
        raise BadInputError(path, f"is {article} {_kind(depth, colour)} image; MOTS label maps are 16-bit grey")
    grid = sampling(height, width) if sampling else None
    rows = np.arange(height) if grid is None else grid.rows
    if interlace:
        labels = _read_interlaced(data, path, height, width)[rows]
    else:
        labels = _unfilter(_inflate(data, path, height * (2 * width + 1)), path, rows, width)
    return (labels if grid is None else labels[:, grid.columns]), height, width


def kind_of_picture(data: bytes) -> str | None:
    """Say what kind of picture a file is that is sound and no label map, e.g. ``"8-bit RGB"``; None of others.

    Parameters
    ----------
    data : bytes
        The first 33 bytes of the file, or more.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    try:
        _, _, depth, colour, _ = _header(data, Path())
    except BadInputError:
        return None
    return None if depth == 16 and colour == 0 else _kind(depth, colour)


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


def _read_interlaced(data: bytes, path: Path, height: int, width: int) -> NDArray[np.uint16]:
    """Read a whole picture that is stored as seven of fewer pixels (Adam7; PNG specification, section 8.2)."""
    labels = np.zeros((height, width), dtype=np.uint16)
    parts = [labels[y::down, x::right] for y, x, down, right in _PASSES]
    parts = [part for part in parts if part.size]
    raw = _inflate(data, path, sum(part.shape[0] * (2 * part.shape[1] + 1) for part in parts))
    begin = 0
    for part in parts:
        end = begin + part.shape[0] * (2 * part.shape[1] + 1)
        part[:] = _unfilter(raw[begin:end], path, np.arange(part.shape[0]), part.shape[1])
        begin = end
    return labels


def _unfilter(raw: bytes, path: Path, rows: NDArray[np.int64], width: int) -> NDArray[np.uint16]:
    labels = np.zeros((len(rows), width), dtype=np.uint16)
    if not _unfilter_rows(np.frombuffer(raw, dtype=np.uint8), rows, labels):
        raise BadInputError(path, _DAMAGED)
    return labels


@njit(cache=True, nogil=True)
def _unfilter_rows(raw, rows, labels):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    # Rows are bytes behind a filter number (PNG specification, section 9); two bytes a pixel, high one first.
    size = 2 * labels.shape[1]
    stride = size + 1
    line = np.zeros(size, np.uint8)  # the last row undone, number `done`
    done = -1
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
                line[0], line[1] = source[0], source[1]
                for i in range(2, size):
                    line[i] = source[i] + line[i - 2]
            elif kind == 2:
                for i in range(size):
                    line[i] += source[i]
            elif kind == 3:
                for i in range(size):
                    left = np.int64(line[i - 2]) if i > 1 else 0
                    line[i] = source[i] + ((left + np.int64(line[i])) >> 1)
            elif kind == 4:
                corner0, corner1 = np.int64(0), np.int64(0)  # above and left, of the two bytes
                for i in range(size):
                    left = np.int64(line[i - 2]) if i > 1 else 0
                    above = np.int64(line[i])
                    to_left, to_above = abs(above - corner0), abs(left - corner0)
                    to_corner = abs(left + above - 2 * corner0)
                    if to_left <= to_above and to_left <= to_corner:
                        best = left
                    elif to_above <= to_corner:
                        best = above
                    else:
                        best = corner0
                    line[i] = source[i] + best
                    corner0, corner1 = corner1, above
            else:
                return False
        done = row
        for x in range(labels.shape[1]):
            labels[n, x] = (np.uint16(line[2 * x]) << 8) | line[2 * x + 1]
    return True
