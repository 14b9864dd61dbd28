"""HDF5 files: read in part, and from other languages.

HDF5 can do much that a dataset file has no need of: keep an array in another file, follow links, run filters of others,
build an array from others or from itself. All that is refused before a byte of an array is read. Its library also runs
for ever on some damaged files and writes beyond its memory on others, so it is asked only where arrays lie in the file;
their bytes are read here.
"""

from __future__ import annotations

import itertools
import math
import os
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from datagen.errors import BadInputError
from datagen.lazy_array import AnyArray, LazyArray
from datagen.store.checks import LARGEST_TEXT, Header
from datagen.store.layouts import ARRAYS

__all__ = ["open_file", "write"]

_CHUNK_BYTES = 1 << 20
_MOST_IN_MEMORY = 1 << 31
"""Bytes of arrays of which a file is built in memory."""
_RESERVE = 1 << 24
"""Bytes that what HDF5 still has to write of a file certainly takes less than: its index of chunks."""

# The filters that come with h5py, in the order it gives them.
_FILTERS = {
    h5py.h5z.FILTER_SHUFFLE: 0,
    h5py.h5z.FILTER_DEFLATE: 1,
    h5py.h5z.FILTER_LZF: 1,
    h5py.h5z.FILTER_FLETCHER32: 2,
}
# What h5py raises for damaged files.
_ERRORS = (
    *(OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError),
    isal_zlib.error,
)
# What an array of texts holds for each.
_ENTRY = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])
_MOST_CHUNKS = 10_000_000
# Where a chunk lies, and which of the filters were left out for it.
_CHUNK = np.dtype([("place", "<u8"), ("size", "<u8"), ("mask", "<u4")])


def write(
    path: Path, arrays: Mapping[str, AnyArray], manifest_text: Callable[[], str], wrote: Callable[[int], None]
) -> None:
    """Write arrays and a manifest, deflated in chunks of whole rows.

    HDF5 builds the file in memory: a disk that is full when it closes a file makes it crash. (Its own driver for that
    lays the file out byte for byte as on a disk; that for Python's files does not.) What is too large for that is
    written to the disk, with room in reserve that is given back before a file is closed on a full one. `wrote` gets
    how many bytes of the arrays each step took.
    """
    if sum(array.nbytes for array in arrays.values()) > _MOST_IN_MEMORY and not _has_file_limit():
        with _reserve(path.parent) as give_back, h5py.File(path, "w") as file:
            try:
                _write_arrays(file, arrays, manifest_text, wrote)
            except OSError as error:
                give_back()
                if error.errno is None:
                    raise
                raise OSError(error.errno, os.strerror(error.errno)) from error  # h5py's words have many lines
            except BaseException:
                give_back()
                raise
        return
    with h5py.File(path, "w", driver="core", backing_store=False) as file:
        _write_arrays(file, arrays, manifest_text, wrote)
        image = file.id.get_file_image()
    path.write_bytes(image)


def _has_file_limit() -> bool:
    """Whether files may not grow as the disk has room, as under ``ulimit -f``; then a reserve is no help."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return False
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


@contextmanager
def _reserve(folder: Path) -> Iterator[Callable[[], None]]:
    """Keep some room on a disk, in a file without a name, and give a function that gives it back."""
    with tempfile.TemporaryFile(dir=folder) as reserve:
        reserve.write(bytes(_RESERVE))
        reserve.flush()

        def give_back() -> None:
            reserve.truncate(0)

        yield give_back


def _write_arrays(
    file: h5py.File,
    arrays: Mapping[str, AnyArray],
    manifest_text: Callable[[], str],
    wrote: Callable[[int], None],
) -> None:
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and array.dtype.kind == "U":
            file.create_dataset(name, data=array.astype(object), dtype=h5py.string_dtype())
        elif array.ndim > 1 and array.nbytes:
            _write_chunks(file, name, array, wrote)
        else:
            file.create_dataset(name, data=array)
    file.create_dataset("manifest", data=manifest_text(), dtype=h5py.string_dtype())
    file.flush()


def _write_chunks(file: h5py.File, name: str, array: AnyArray, wrote: Callable[[int], None]) -> None:
    """Deflate with ISA-L, as for npz, and hand HDF5 the chunks as its own gzip filter would have made them."""
    rows = min(len(array), max(1, _CHUNK_BYTES // (math.prod(array.shape[1:]) * array.dtype.itemsize)))
    dataset = file.create_dataset(
        name, shape=array.shape, dtype=array.dtype, chunks=(rows, *array.shape[1:]), compression="gzip"
    )
    for begin in range(0, len(array), rows):
        chunk = array[begin : begin + rows]
        if len(chunk) < rows:  # the last chunk is stored whole
            chunk = np.concatenate([chunk, np.zeros((rows - len(chunk), *array.shape[1:]), dtype=array.dtype)])
        deflated = isal_zlib.compress(np.asarray(chunk, order="C").reshape(-1).view(np.uint8), level=2, wbits=15)
        dataset.id.write_direct_chunk((begin, *[0] * (array.ndim - 1)), deflated)
        wrote(chunk.nbytes)


@contextmanager
def open_file(path: Path, names: Sequence[str] = ARRAYS) -> Iterator[Hdf5File]:
    """Open a file to read arrays of some names from it, with one error for whatever is wrong with it."""
    try:
        with h5py.File(path, "r") as file, path.open("rb") as stream:
            yield Hdf5File(path, file, stream, names)
    except BadInputError:
        raise
    except _ERRORS as error:  # type: ignore[misc]  # isal has no types
        raise BadInputError(path, f"is damaged or no HDF5 file ({(str(error) or '?').splitlines()[0]})") from None


class Hdf5File:
    """An open HDF5 file. Only plain arrays that lie in the file itself are ever read."""

    def __init__(self, path: Path, file: h5py.File, stream: BinaryIO, names: Sequence[str] = ARRAYS) -> None:
        self._path, self._file, self._stream = path, file, stream
        self._size = path.stat().st_size
        if file.userblock_size:
            raise BadInputError(path, "begins with a user block, which no dataset does")
        self.names = {name for name in names if self._is_there(name)}

    def _is_there(self, name: str) -> bool:
        return bool(self._file.id.links.exists(name.encode()))

    def manifest(self) -> str:
        """Read the manifest's text."""
        if not self._is_there("manifest"):
            raise BadInputError(self._path, "holds no manifest, so it is no dataset of this program")
        header = self.header("manifest")
        if header != Header("str", ()):
            raise BadInputError(self._path, f"its manifest is {header.dtype} {header.shape}, not a text")
        return str(self.read("manifest"))

    def header(self, name: str) -> Header:
        """Read the type and shape of an array."""
        found = self._plain(name)
        is_text = found.get_type().get_class() == h5py.h5t.STRING
        return Header("str" if is_text else str(found.dtype), found.shape)

    def read(self, name: str) -> NDArray[Any]:
        """Read an array."""
        found = self._plain(name)
        if found.get_type().get_class() == h5py.h5t.STRING:
            return self._texts(name, found)
        if found.get_create_plist().get_layout() == h5py.h5d.CHUNKED:
            return np.asarray(self._chunks(name, found))
        count, place = math.prod(found.shape), found.get_offset()
        if place is None or not count * found.dtype.itemsize == found.get_storage_size() <= self._size:
            raise self._not_whole(name)
        data = self._part(name, place, count * found.dtype.itemsize)
        return np.frombuffer(bytearray(data), found.dtype).reshape(found.shape)

    def lazy(self, name: str) -> AnyArray:
        """Return an array that is read when it is asked for; one that is not in chunks is read now."""
        found = self._plain(name)
        if found.get_create_plist().get_layout() != h5py.h5d.CHUNKED:
            return self.read(name)
        return self._chunks(name, found)

    def _plain(self, name: str) -> Any:
        """Open an array that lies in the file, whole and as plainly as this program would have put it there."""
        key, root = name.encode(), self._file.id
        if root.links.get_info(key).type != h5py.h5l.TYPE_HARD:
            raise BadInputError(self._path, f"array {name!r} is a link to somewhere else; only plain arrays are read")
        if h5py.h5o.get_info(root, key).type != h5py.h5o.TYPE_DATASET:
            raise BadInputError(self._path, f"{name!r} is no array")
        found = h5py.h5d.open(root, key)
        plist = found.get_create_plist()
        layout = plist.get_layout()
        if plist.get_external_count():
            raise BadInputError(self._path, f"array {name!r} lies in another file; only plain arrays are read")
        if layout not in (h5py.h5d.CHUNKED, h5py.h5d.CONTIGUOUS):
            raise BadInputError(self._path, f"array {name!r} is put together from others; only plain arrays are read")
        kind = found.get_type()
        if kind.get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM, h5py.h5t.STRING):
            raise BadInputError(self._path, f"array {name!r} holds neither numbers nor texts")
        is_text = kind.get_class() == h5py.h5t.STRING
        if not is_text and not kind.equal(h5py.h5t.py_create(found.dtype)):
            raise BadInputError(self._path, f"array {name!r} holds numbers of an unusual form")
        if is_text and not (kind.is_variable_str() and layout == h5py.h5d.CONTIGUOUS):
            raise BadInputError(self._path, f"array {name!r} holds texts of a fixed length or in chunks")
        space = found.get_space()
        if space.get_simple_extent_type() not in (h5py.h5s.SIMPLE, h5py.h5s.SCALAR):
            raise BadInputError(self._path, f"array {name!r} is empty")
        return found

    def _not_whole(self, name: str) -> BadInputError:
        return BadInputError(self._path, f"array {name!r} is not in the file as a whole; the file is damaged")

    def _chunks(self, name: str, found: Any) -> StoredChunks:
        """Return an array that lies in chunks, all of which are there.

        HDF5 would make room for whatever length a chunk says or inflates to, and writes beyond it where they differ.
        """
        plist, shape, dtype = found.get_create_plist(), found.shape, found.dtype
        filters = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
        places = [_FILTERS.get(each, -1) for each in filters]
        if -1 in places or places != sorted(set(places)):
            raise BadInputError(self._path, f"array {name!r} is compressed in a way that is not read; use gzip")
        chunk = plist.get_chunk()
        counts = tuple(-(-side // part) for side, part in zip(shape, chunk, strict=True))
        expected = math.prod(counts)
        length = math.prod(chunk) * dtype.itemsize
        # Deflate packs a byte into at least 1/1032; nothing else that is read packs tighter.
        if expected > _MOST_CHUNKS or length * expected > 1032 * self._size or found.get_num_chunks() != expected:
            raise self._not_whole(name)
        table = np.zeros(counts, _CHUNK)
        for place in itertools.product(*(range(count) for count in counts)):
            begin = tuple(number * part for number, part in zip(place, chunk, strict=True))
            stored = found.get_chunk_info_by_coord(begin)
            if stored.byte_offset is None or stored.byte_offset + stored.size > self._size:
                raise self._not_whole(name)
            table[place] = stored.byte_offset, stored.size, stored.filter_mask
        return StoredChunks(self._path, name, shape, dtype, chunk, filters, table)

    def _texts(self, name: str, found: Any) -> NDArray[Any]:
        """Read texts of any length.

        They lie in collections, apart from the array, which says of each how long it is, and its place and number in
        a collection ("Global Heap" in the HDF5 File Format Specification). HDF5's own reader runs for ever on some
        damaged collections and does not say in advance how long texts are.
        """
        count = math.prod(found.shape)
        place = found.get_offset()
        if place is None or not count * _ENTRY.itemsize == found.get_storage_size() <= self._size:
            raise self._not_whole(name)
        entries = np.frombuffer(self._part(name, place, count * _ENTRY.itemsize), _ENTRY)
        longest = int(entries["length"].max(initial=0))
        if 4 * longest * count > LARGEST_TEXT:
            raise BadInputError(self._path, f"array {name!r} holds texts of {longest:,} bytes; no dataset has such")
        collections: dict[int, dict[int, bytes]] = {}
        left = self._size
        texts = []
        for length, address, number in entries.tolist():
            if length and address not in collections:
                collections[address], size = self._collection(name, address, left)
                left -= size
            stored = collections[address].get(number, b"") if length else b""
            if len(stored) < length:
                raise self._not_whole(name)
            texts.append(stored[:length].decode())
        return np.array(texts, dtype=str).reshape(found.shape)

    def _collection(self, name: str, address: int, most: int) -> tuple[dict[int, bytes], int]:
        """Read a collection of at most so many bytes: what it holds by number, and its size."""
        signature, version, size = struct.unpack("<4sB3xQ", self._part(name, address, 16))
        if signature != b"GCOL" or version != 1 or not 16 <= size <= most:
            raise self._not_whole(name)
        data = self._part(name, address, size)
        found = {}
        at = 16
        while at + 16 <= size:
            number, length = struct.unpack_from("<H6xQ", data, at)
            if number == 0:  # what is left of the collection is free
                break
            if length > size - at - 16:
                raise self._not_whole(name)
            found[number] = data[at + 16 : at + 16 + length]
            at += 16 + -(-length // 8) * 8
        return found, size

    def _part(self, name: str, begin: int, size: int) -> bytes:
        if begin + size > self._size:
            raise self._not_whole(name)
        self._stream.seek(begin)
        return self._stream.read(size)


class StoredChunks(LazyArray):
    """An array of a file that lies in chunks, which are read as they are asked for.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Name of the array.
    shape, dtype
        As `LazyArray`'s.
    chunk : tuple of int
        Shape of a chunk.
    filters : list of int
        What was done to each chunk, in order.
    table : ndarray of _CHUNK
        Where each chunk lies, by its number along each axis.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        chunk: tuple[int, ...],
        filters: list[int],
        table: NDArray[Any],
    ) -> None:
        super().__init__(shape, dtype, chunk[0] if chunk else 1)
        self._path, self._name, self._chunk, self._filters, self._table = path, name, chunk, filters, table

    def read(self, begin: int, end: int) -> NDArray[Any]:
        """Return the rows from `begin` to before `end`.

        Raises
        ------
        BadInputError
            If a chunk is damaged.
        """
        found = np.empty((end - begin, *self.shape[1:]), self.dtype)
        rows = self._chunk[0]
        length = math.prod(self._chunk) * self.dtype.itemsize
        try:
            with self._path.open("rb") as stream:
                for row in range(begin // rows, -(-end // rows)):
                    low, high = max(begin, row * rows), min(end, (row + 1) * rows)
                    for others in np.ndindex(self._table.shape[1:]):
                        place, size, mask = self._table[(row, *others)].tolist()
                        stream.seek(place)
                        used = [each for number, each in enumerate(self._filters) if not mask >> number & 1]
                        data = _unpack(stream.read(size), used, length, self.dtype.itemsize)
                        if len(data) != length:
                            problem = f"array {self._name!r} has a chunk of another length; the file is damaged"
                            raise BadInputError(self._path, problem)
                        values = np.frombuffer(data, self.dtype).reshape(self._chunk)
                        at = [number * part for number, part in zip(others, self._chunk[1:], strict=True)]
                        here = tuple(slice(a, a + part) for a, part in zip(at, self._chunk[1:], strict=True))
                        inside = tuple(slice(side - a) for a, side in zip(at, self.shape[1:], strict=True))
                        found[(slice(low - begin, high - begin), *here)] = values[
                            (slice(low - row * rows, high - row * rows), *inside)
                        ]
        except BadInputError:
            raise
        except _ERRORS as error:  # type: ignore[misc]  # isal has no types
            problem = f"array {self._name!r} is damaged ({(str(error) or '?').splitlines()[0]})"
            raise BadInputError(self._path, problem) from None
        return found


def _unpack(data: bytes, filters: list[int], length: int, itemsize: int) -> bytes:
    """Undo the filters of a chunk; what is longer than wanted is cut to one byte more."""
    if h5py.h5z.FILTER_FLETCHER32 in filters:
        data = data[:-4]  # `datagen verify` has better hashes
    if h5py.h5z.FILTER_DEFLATE in filters:
        data = isal_zlib.decompressobj().decompress(data, length + 1)
    elif h5py.h5z.FILTER_LZF in filters:
        data = _expand(data, length)
    if h5py.h5z.FILTER_SHUFFLE in filters and len(data) == length:
        data = np.frombuffer(data, np.uint8).reshape(itemsize, -1).T.tobytes()
    return data


def _expand(data: bytes, length: int) -> bytes:
    """Undo LZF: runs of bytes as they are, and copies of what came before."""
    found, at = bytearray(), 0
    while at < len(data) and len(found) <= length:
        control, at = data[at], at + 1
        if control < 32:
            found += data[at : at + control + 1]
            at += control + 1
            continue
        size = control >> 5
        if size == 7:
            size, at = size + data[at], at + 1
        back, at = ((control & 31) << 8) + data[at] + 1, at + 1
        if back > len(found):
            raise ValueError("LZF refers to what is not there")
        for _ in range(size + 2):
            found.append(found[-back])
    return bytes(found)
