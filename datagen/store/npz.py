"""npz files: plain numpy reads them, without pickle."""

from __future__ import annotations

import datetime
import io
import lzma
import math
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from stream_zip import ZIP_64, MemberFile, stream_zip

from datagen.errors import BadInputError, quote
from datagen.lazy_array import AnyArray, parts
from datagen.store.checks import LARGEST_TEXT, Header
from datagen.store.layouts import ARRAYS

__all__ = ["NpzFile", "open_file", "read_npy", "read_npy_header", "write"]

_CHUNK = 1 << 20
# A constant, so that the same arrays give the same bytes.
_DATE = datetime.datetime(1980, 1, 1)

# The header of an npy member as numpy writes it (under Python 2 with an L behind long numbers). numpy's own reader
# takes any Python literal, which can be a bomb.
_HEADER = re.compile(
    r"\{'descr': '([<>|=]?[a-zA-Z]\d{0,9})', 'fortran_order': (False|True), "
    r"'shape': \(((?:\d{1,18}L?, ?)*(?:\d{1,18}L?)?)\),? ?\} *\n"
)
_LONGEST_HEADER = 10_000
# How many bytes one byte of a member can stand for at most; deflate's is its longest match over its shortest code.
_EXPANSION = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1032}


def write(
    path: Path, arrays: Mapping[str, AnyArray], manifest_text: Callable[[], str], wrote: Callable[[int], None]
) -> None:
    """Write arrays and a manifest.

    numpy's own writer deflates with zlib; ISA-L deflates masks many times faster and as small, and the zip is
    streamed, so nothing is held twice. `wrote` is called with how many bytes of the arrays each step took.
    """

    def members() -> Iterator[MemberFile]:
        for name, array in arrays.items():
            yield f"{name}.npy", _DATE, 0o644, ZIP_64, _npy(array, wrote)
        yield "manifest.npy", _DATE, 0o644, ZIP_64, _npy(np.array(manifest_text()), wrote)

    with path.open("wb") as stream:
        for part in stream_zip(members(), get_compressobj=_compressor, chunk_size=_CHUNK):
            stream.write(part)


def _compressor() -> Any:
    # Level 2 with the smallest buffer gives the smallest masks of the levels that do not search for long.
    return isal_zlib.compressobj(level=2, wbits=-15, memLevel=1)


def _npy(array: AnyArray, wrote: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the bytes of an array in numpy's npy format."""
    header = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(header, described)
    yield header.getvalue()
    for _, part in parts(array) if array.ndim else [(0, array)]:
        data = np.asarray(part, order="C").reshape(-1).view(np.uint8).data
        for begin in range(0, len(data), _CHUNK):
            yield data[begin : begin + _CHUNK]  # type: ignore[misc]  # every consumer takes any buffer
            wrote(min(_CHUNK, len(data) - begin))


@contextmanager
def open_file(path: Path, names: Sequence[str] | None = ARRAYS) -> Iterator[NpzFile]:
    """Open a file to read arrays from it, with one error for whatever is wrong with it; see `NpzFile`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield NpzFile(path, archive, names)
    except BadInputError:
        raise
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError,
        ValueError, KeyError, IndexError, OverflowError, NotImplementedError, RuntimeError,
    ) as error:  # fmt: skip  # what `zipfile` raises for damaged, encrypted and strangely compressed members
        raise BadInputError(
            path, f"is damaged or no npz file ({(str(error) or 'cut short').splitlines()[0]})"
        ) from None


class NpzFile:
    """An open npz file, whose members are read each as long as its header says.

    Parameters
    ----------
    path : Path
        The file.
    archive : ZipFile
        Its archive.
    names : sequence of str, optional
        Members that are read: by default those of a dataset. None for all.

    Attributes
    ----------
    names : set of str
        Those of them that are there.
    has_manifest : bool
        Whether there is a manifest, as in every dataset.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, names: Sequence[str] | None = ARRAYS) -> None:
        self._path, self._archive = path, archive
        times = Counter(
            info.filename.removesuffix(".npy") for info in archive.infolist() if info.filename[-4:] == ".npy"
        )
        names = list(times) if names is None else names
        for name in (*names, "manifest"):
            if times[name] > 1:
                raise BadInputError(path, f"holds {quote(repr(name))} twice")
        self.has_manifest = bool(times["manifest"])
        self.names = {name for name in names if times[name]} - {"manifest"}

    def manifest(self) -> str:
        """Read the manifest's text."""
        if not self.has_manifest:
            raise BadInputError(self._path, "holds no manifest, so it is no dataset of this program")
        header = self.header("manifest")
        if header != Header("str", ()):
            raise BadInputError(self._path, f"its manifest is {header.dtype} {header.shape}, not a text")
        return str(self.read("manifest"))

    def header(self, name: str) -> Header:
        """Read the type and shape of an array, and check that the member can hold it."""
        with self._open(name) as stream:
            dtype, shape, _, _ = self._header(name, stream)
        return Header("str" if dtype.kind == "U" else str(dtype), shape)

    def read(self, name: str) -> NDArray[Any]:
        """Read an array, in C order."""
        with self._open(name) as stream:
            dtype, shape, fortran, size = self._header(name, stream)
            array = np.empty(math.prod(shape), dtype)
            data = array.view(np.uint8)
            for begin in range(0, size, _CHUNK):
                part = stream.read(min(_CHUNK, size - begin))
                if len(part) < min(_CHUNK, size - begin):
                    raise BadInputError(self._path, f"array {name!r} is cut short; the file is damaged")
                data[begin : begin + len(part)] = np.frombuffer(part, np.uint8)
            if stream.read(1):  # at the end, the checksum is compared
                raise BadInputError(self._path, f"array {name!r} is longer than its header says; the file is damaged")
        return np.asarray(array.reshape(shape, order="F" if fortran else "C"), order="C")

    def _open(self, name: str) -> BinaryIO:
        info = self._archive.getinfo(f"{name}.npy")
        most = _EXPANSION.get(info.compress_type)
        # A file says how long its members are, and can lie; it is not longer than itself.
        if most is not None and info.file_size > most * min(info.compress_size, self._path.stat().st_size):
            raise BadInputError(self._path, f"array {name!r} cannot be as long as the file says; the file is damaged")
        return self._archive.open(info)  # type: ignore[return-value]

    def _header(self, name: str, stream: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
        """Return dtype, shape, whether in Fortran order, and length in bytes."""
        header = read_npy_header(stream)
        if header is None:
            raise BadInputError(self._path, f"array {name!r} has no header of an npy file that holds numbers or texts")
        dtype, shape, fortran, begin = header
        size = math.prod(shape) * dtype.itemsize
        if self._archive.getinfo(f"{name}.npy").file_size != begin + size:
            raise BadInputError(self._path, f"array {name!r} is not as long as its header says; the file is damaged")
        if dtype.kind == "U" and size > LARGEST_TEXT:
            raise BadInputError(self._path, f"array {name!r} holds {size:,} bytes of texts; no dataset has so many")
        return dtype, shape, fortran, size


def read_npy_header(stream: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...], bool, int] | None:
    """Read the header of an npy file.

    Parameters
    ----------
    stream : binary stream
        At its beginning; then, at that of the data.

    Returns
    -------
    tuple or None
        dtype, shape, whether in Fortran order, and length of the header in bytes; None if it is no header of numbers or
        texts.
    """
    magic = stream.read(8)
    if magic[:6] != b"\x93NUMPY" or magic[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
        return None
    layout = "<H" if magic[6] == 1 else "<I"
    (length,) = struct.unpack(layout, stream.read(struct.calcsize(layout)))
    if length > _LONGEST_HEADER:
        return None
    match = _HEADER.fullmatch(stream.read(length).decode("latin1"))
    if match is None:
        return None
    code, fortran, numbers = match.groups()
    try:
        dtype = np.dtype(code)
    except (TypeError, ValueError):
        return None
    if dtype.hasobject or not dtype.itemsize:
        return None
    shape = tuple(int(number.rstrip("L")) for number in numbers.split(",") if number.strip())
    return dtype, shape, fortran == "True", 8 + struct.calcsize(layout) + length


def read_npy(path: Path, check: Callable[[np.dtype[Any], tuple[int, ...]], None]) -> NDArray[Any]:
    """Read an npy file in C order, once `check` has seen its type and shape and raised no error.

    Raises
    ------
    BadInputError
        If it is no npy file of numbers or damaged.
    """
    try:
        with path.open("rb") as stream:
            header = read_npy_header(stream)
            if header is None:
                raise BadInputError(path, "is damaged or no npy file of numbers")
            dtype, shape, fortran, begin = header
            check(dtype, shape)
            if path.stat().st_size != begin + math.prod(shape) * dtype.itemsize:
                raise BadInputError(path, "is not as long as its header says; the file is damaged")
            array = np.fromfile(stream, dtype)
    except (OSError, struct.error) as error:
        raise BadInputError(path, f"is damaged or cannot be read ({error})") from None
    return np.asarray(array.reshape(shape, order="F" if fortran else "C"), order="C")
