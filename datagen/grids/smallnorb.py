"""small NORB, from its six binary matrices, packed or not: ``dat`` (pairs of images), ``cat``, ``info`` of two parts.

A matrix is a magic number that says its type, its number of axes, their sizes (three at least) and the values, all
little endian. Training and testing part are put together and sorted by (category, instance, elevation, azimuth,
lighting), of each pair of images the left one is used, made smaller to 64 x 64 pixels by Pillow's bilinear filter.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datagen.datasets import Factor
from datagen.errors import BadInputError
from datagen.grids.found import Found, head_of, sized_factors
from datagen.grids.images import OrderedImages
from datagen.grids.sets import SETS
from datagen.progress import progress_bar

__all__ = ["find", "matrix_header"]

_SET = SETS["smallnorb"]
_MAGIC: dict[int, np.dtype[Any]] = {0x1E3D4C55: np.dtype("u1"), 0x1E3D4C54: np.dtype("<i4")}
_NAME = re.compile(r"smallnorb-.*-(training|testing)-(dat|cat|info)\.mat(\.gz)?", re.IGNORECASE)
_PARTS, _KINDS = ("training", "testing"), ("dat", "cat", "info")
_SIDE, _SMALL = 96, 64
_MOST_ROWS = 1_000_000
_BLOCK = 256


def find(path: Path) -> Found | None:
    """Return the set if a folder holds its files, or a file is one of them."""
    if not path.is_dir():
        if not _NAME.fullmatch(path.name) and matrix_header(head_of(path)) is None:
            return None
        path = path.parent
    files: dict[tuple[str, str], Path] = {}
    for each in sorted(path.iterdir()):
        match = _NAME.fullmatch(each.name)
        if match and each.is_file():
            files.setdefault((match[1].lower(), match[2].lower()), each)  # of a packed and an unpacked one the latter
    if not files:
        return None
    missing = [f"{part}-{kind}" for part in _PARTS for kind in _KINDS if (part, kind) not in files]
    if missing:
        raise BadInputError(path, f"lacks small NORB's file smallnorb-...-{missing[0]}.mat(.gz)")
    return Found(_SET, tuple(files.values()), lambda show_progress: _read(path, files, show_progress))


def matrix_header(data: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int] | None:
    """Return type, shape and length of the header of a binary matrix that begins with some bytes; None of others."""
    if len(data) < 20:
        return None
    magic, rank = struct.unpack_from("<Ii", data)
    if magic not in _MAGIC or not 1 <= rank <= 8:
        return None
    length = 8 + 4 * max(rank, 3)  # there are three sizes at least
    if len(data) < length:
        return None
    shape = struct.unpack_from(f"<{rank}i", data, 8)
    return (_MAGIC[magic], shape, length) if min(shape) > 0 else None


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked in passing if it is packed."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInputError(path, f"is cut short or damaged ({error})") from None


def _header(path: Path, stream: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...]]:
    data = stream.read(8)
    rank = struct.unpack("<Ii", data)[1] if len(data) == 8 else 0
    data += stream.read(4 * max(rank, 3)) if 1 <= rank <= 8 else b""
    header = matrix_header(data)
    if header is None:
        raise BadInputError(path, "is no binary matrix of bytes or whole numbers")
    return header[:2]


def _labels(path: Path, columns: int) -> NDArray[np.int64]:
    """Read the matrix of ``cat`` or ``info``, (N, columns)."""
    with _open(path) as stream:
        dtype, shape = _header(path, stream)
        if dtype.kind != "i" or shape not in ((shape[0],), (shape[0], columns)) or shape[0] > _MOST_ROWS:
            raise BadInputError(path, f"is a matrix {dtype} {shape}, not int32 (N, {columns})")
        if columns > 1 and len(shape) == 1:
            raise BadInputError(path, f"is a matrix {dtype} {shape}, not int32 (N, {columns})")
        size = math.prod(shape) * dtype.itemsize
        data = stream.read(size)
        if len(data) < size or stream.read(1):
            raise BadInputError(path, f"is not as long as a matrix {shape}; it is cut short or damaged")
    return np.frombuffer(data, dtype).reshape(-1, columns).astype(np.int64)


def _read(folder: Path, files: dict[tuple[str, str], Path], show_progress: bool) -> tuple[Any, tuple[Factor, ...]]:
    labels, counts = [], {}
    for part in _PARTS:
        category, info = _labels(files[part, "cat"], 1), _labels(files[part, "info"], 4)
        if len(category) != len(info):
            raise BadInputError(files[part, "info"], f"has {len(info):,} rows, and its cat file {len(category):,}")
        labels.append(np.hstack([category, info]))
        counts[part] = len(category)
    places = np.stack([np.unique(column, return_inverse=True)[1] for column in np.concatenate(labels).T], axis=1)
    sizes = (places.max(axis=0) + 1).tolist()
    count = len(places)
    if math.prod(sizes) != count:
        raise BadInputError(
            folder, f"holds {count:,} images, but its labels {' x '.join(map(str, sizes))} combinations of values"
        )
    factors = sized_factors(folder, _SET, sizes)
    number = np.ravel_multi_index(tuple(places.T), sizes)
    times = np.bincount(number, minlength=count)
    if (times != 1).any():
        which = np.unravel_index(int(np.argmax(times != 1)), sizes)
        shown = ", ".join(f"{factor.name} {value}" for factor, value in zip(factors, which, strict=True))
        raise BadInputError(folder, f"holds {times[times != 1][0]} images of the combination {shown}, not one")
    order = np.empty(count, dtype=np.int64)
    order[number] = np.arange(count)
    # Kept in a file without a name until they are asked for in the order of the grid. It is mapped once it is whole:
    # what is written to a mapped file on a full disk ends the process.
    spool = tempfile.TemporaryFile()  # noqa: SIM115
    for part in _PARTS:
        for block in _left_images(files[part, "dat"], counts[part], show_progress):
            for image in block:
                spool.write(Image.fromarray(image).resize((_SMALL, _SMALL), Image.Resampling.BILINEAR).tobytes())
    spool.flush()
    images = np.memmap(spool, np.uint8, "r", shape=(count, _SMALL, _SMALL))
    return OrderedImages(images, order), factors


def _left_images(path: Path, count: int, show_progress: bool) -> Iterator[NDArray[np.uint8]]:
    """Yield the left images of a part in blocks."""
    with _open(path) as stream:
        dtype, shape = _header(path, stream)
        if dtype != np.uint8 or shape != (count, 2, _SIDE, _SIDE):
            raise BadInputError(path, f"is a matrix {dtype} {shape}, not uint8 ({count}, 2, {_SIDE}, {_SIDE})")
        begins = range(0, count, _BLOCK)
        for begin in progress_bar(begins, f"reading {path.name}", show=show_progress):
            rows = min(_BLOCK, count - begin)
            data = stream.read(rows * 2 * _SIDE * _SIDE)
            if len(data) < rows * 2 * _SIDE * _SIDE:
                raise BadInputError(path, f"is cut short: {begin + len(data) // (2 * _SIDE * _SIDE)} of {count} images")
            yield np.frombuffer(data, np.uint8).reshape(rows, 2, _SIDE, _SIDE)[:, 0]
        if stream.read(1):
            raise BadInputError(path, f"is longer than {count} images")
