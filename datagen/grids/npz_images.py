"""The images of an npz file, without reading it whole.

They are mapped into memory where they are stored as they are, else inflated in passing. Only the member that is asked
for is touched, and only if its header says that it holds numbers; a pickled member beside it (dSprites has one) is not.
"""

from __future__ import annotations

import math
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError
from datagen.grids.images import rows_of
from datagen.lazy_array import LazyArray
from datagen.store.npz import open_file, read_npy_header

__all__ = ["npz_images"]

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_SKIPPED = 1 << 24
_PART = 1 << 20
_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)


def npz_images(path: Path, name: str) -> LazyArray:
    """Return images of an npz file.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        The member, without ``.npy``: uint8 (N, H, W) or (N, H, W, 3).

    Returns
    -------
    LazyArray of uint8
        In any order if the member is stored as it is. Else they are inflated as they are asked for; in rising order
        this takes one pass.

    Raises
    ------
    BadInputError
        If the file is damaged or cut short, or the member is missing or no array of images.
    """
    with open_file(path, [name]) as file:
        if name not in file.names:
            raise BadInputError(path, f"lacks the array {name!r}")
        dtype, shape = file.header(name)  # which checks that the member is as long as it says
    if dtype != "uint8" or len(shape) not in (3, 4) or shape[3:] not in ((), (3,)) or 0 in shape:
        raise BadInputError(path, f"array {name!r} is {dtype} {shape}, not uint8 (N, H, W) or (N, H, W, 3)")
    with _named_errors(path, name), zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        info = archive.getinfo(f"{name}.npy")
        header = read_npy_header(cast(BinaryIO, member))
        assert header is not None  # it has been read before
        _, _, fortran, length = header
    if fortran and len(shape) > 1:
        raise BadInputError(path, f"array {name!r} is in Fortran order; save it again with numpy.ascontiguousarray")
    if info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1:
        with path.open("rb") as stream:
            stream.seek(info.header_offset)
            data = stream.read(_LOCAL_HEADER.size)
            if len(data) < _LOCAL_HEADER.size or data[:4] != b"PK\3\4":
                raise BadInputError(path, f"array {name!r} is not where the file says; the file is damaged")
            _, of_name, of_extra = _LOCAL_HEADER.unpack(data)
        begin = info.header_offset + _LOCAL_HEADER.size + of_name + of_extra + length
        if begin + math.prod(shape) > path.stat().st_size:
            raise BadInputError(path, f"array {name!r} is cut short; the file is damaged")
        return _MappedImages(path, name, shape, begin)
    return _InflatedImages(path, name, shape)


class _MappedImages(LazyArray):
    """Images of a member that is stored as it is.

    Single ones are taken from memory that the file is mapped to. Those in a row are read: of a file that is gone
    through as a whole all that was mapped would count as memory in use.
    """

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], begin: int) -> None:
        super().__init__(shape, np.dtype(np.uint8), rows_of(shape))
        self._path, self._name, self._begin = path, name, begin

    def read(self, begin: int, end: int) -> NDArray[np.uint8]:
        """Return some rows."""
        one = math.prod(self.shape[1:])
        with _named_errors(self._path, self._name):
            data = np.fromfile(self._path, np.uint8, (end - begin) * one, offset=self._begin + begin * one)
            if data.size < (end - begin) * one:
                raise EOFError
        return data.reshape(end - begin, *self.shape[1:])

    def _rows(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        with _named_errors(self._path, self._name):
            mapped = np.memmap(self._path, np.uint8, "r", self._begin, self.shape)
        return np.asarray(mapped[rows])


class _InflatedImages(LazyArray):
    """Images of a packed member. What comes before an image has to be inflated, too: going back starts over.

    Every thread has a place of its own, so that one that hashes does not hinder one that writes.
    """

    def __init__(self, path: Path, name: str, shape: tuple[int, ...]) -> None:
        super().__init__(shape, np.dtype(np.uint8), rows_of(shape))
        self._path, self._name = path, name
        self._of_thread = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_of_thread": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._of_thread = threading.local()

    def read(self, begin: int, end: int) -> NDArray[np.uint8]:
        """Return some rows."""
        with _named_errors(self._path, self._name):
            member: _Member | None = getattr(self._of_thread, "member", None)
            if member is None or begin < member.next:
                member = _Member(self._path, self._name, self.shape)
            self._of_thread.member = None  # unless all goes well
            images = member.read(begin, end)
            self._of_thread.member = member if end < len(self) else None
        return images


class _Member:
    """A packed member, opened at its beginning, and the number of the image that comes next."""

    def __init__(self, path: Path, name: str, shape: tuple[int, ...]) -> None:
        self._archive = zipfile.ZipFile(path)
        self._stream = cast(BinaryIO, self._archive.open(f"{name}.npy"))
        self._shape, self.next = shape, 0
        read_npy_header(self._stream)

    def read(self, begin: int, end: int) -> NDArray[np.uint8]:
        one = math.prod(self._shape[1:])
        skip = (begin - self.next) * one
        while skip:
            skip -= len(self._bytes(min(skip, _SKIPPED)))
        images = self._bytes((end - begin) * one).reshape(end - begin, *self._shape[1:])
        self.next = end
        if end == self._shape[0]:
            self._stream.read(1)  # at the end, the checksum is compared
        return images

    def _bytes(self, size: int) -> NDArray[np.uint8]:
        data = np.empty(size, dtype=np.uint8)
        view, done = data.data, 0
        while done < size:
            part = self._stream.readinto(view[done : done + _PART])  # type: ignore[attr-defined]
            if not part:
                raise EOFError
            done += part
        return data


@contextmanager
def _named_errors(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except BadInputError:
        raise
    except _ERRORS as error:
        why = (str(error) or "cut short").splitlines()[0]
        raise BadInputError(path, f"array {name!r} cannot be read ({why}); the file is damaged") from None
