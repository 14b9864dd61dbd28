"""HDF5 files: read in part, and from other languages.

HDF5 can do much that a dataset file has no need of: keep an array in another file, follow links, run filters of others,
build an array from others or from itself. All that is refused before a byte of an array is read.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from datagen.errors import BadInputError
from datagen.store.checks import ARRAYS, LARGEST_TEXT, Header

__all__ = ["open_file", "write"]

_CHUNK_BYTES = 1 << 20

# The filters that come with h5py and are safe to run on a chunk whose length was checked, in the order h5py gives them.
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
_PLACE_OF_A_TEXT = 16
_MOST_CHUNKS = 10_000_000


def write(path: Path, arrays: dict[str, NDArray[Any]], manifest_text: Callable[[], str]) -> None:
    """Write arrays and a manifest, deflated in chunks of whole rows.

    HDF5 builds the file in memory: a disk that is full when it closes a file makes it crash.
    """
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        for name, array in arrays.items():
            if array.dtype.kind == "U":
                file.create_dataset(name, data=array.astype(object), dtype=h5py.string_dtype())
            elif array.ndim > 1 and array.size:
                _write_chunks(file, name, np.asarray(array, order="C"))
            else:
                file.create_dataset(name, data=array)
        file.create_dataset("manifest", data=manifest_text(), dtype=h5py.string_dtype())
    path.write_bytes(image.getbuffer())


def _write_chunks(file: h5py.File, name: str, array: NDArray[Any]) -> None:
    """Deflate with ISA-L, as for npz, and hand HDF5 the chunks as its own gzip filter would have made them."""
    rows = min(len(array), max(1, _CHUNK_BYTES // array[0].nbytes))
    dataset = file.create_dataset(
        name, shape=array.shape, dtype=array.dtype, chunks=(rows, *array.shape[1:]), compression="gzip"
    )
    for begin in range(0, len(array), rows):
        chunk = array[begin : begin + rows]
        if len(chunk) < rows:  # the last chunk is stored whole
            chunk = np.concatenate([chunk, np.zeros((rows - len(chunk), *array.shape[1:]), dtype=array.dtype)])
        deflated = isal_zlib.compress(chunk.reshape(-1).view(np.uint8), level=2, wbits=15)
        dataset.id.write_direct_chunk((begin, *[0] * (array.ndim - 1)), deflated)


@contextmanager
def open_file(path: Path) -> Iterator[Hdf5File]:
    """Open a file to read arrays from it, with one error for whatever is wrong with it."""
    try:
        with h5py.File(path, "r") as file:
            yield Hdf5File(path, file)
    except BadInputError:
        raise
    except _ERRORS as error:  # type: ignore[misc]  # isal has no types
        raise BadInputError(path, f"is damaged or no HDF5 file ({(str(error) or '?').splitlines()[0]})") from None


class Hdf5File:
    """An open HDF5 file. Only plain arrays that lie in the file itself are ever read."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._path, self._file = path, file
        self._size = path.stat().st_size
        self.names = {name for name in ARRAYS if self._is_there(name)}

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
        dataset = self._plain(name)
        return Header(_dtype(dataset), dataset.shape)

    def read(self, name: str) -> NDArray[Any]:
        """Read an array."""
        dataset = self._plain(name)
        self._check_stored(name, dataset.id)
        if _dtype(dataset) == "str":
            return self._texts(name, dataset)
        array: NDArray[Any] = np.asarray(dataset[()])
        return array

    def _plain(self, name: str) -> h5py.Dataset:
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
        space = found.get_space()
        if space.get_simple_extent_type() not in (h5py.h5s.SIMPLE, h5py.h5s.SCALAR):
            raise BadInputError(self._path, f"array {name!r} is empty")
        return h5py.Dataset(found)

    def _check_stored(self, name: str, found: Any) -> None:
        """Check that an array is in the file as a whole, before room is made for it."""
        plist, shape, kind = found.get_create_plist(), found.shape, found.get_type()
        # In the place of a text of any length stand its length and where it is.
        is_text = kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()
        itemsize = _PLACE_OF_A_TEXT if is_text else kind.get_size()
        if plist.get_layout() == h5py.h5d.CHUNKED:
            self._check_chunks(name, found, plist, shape, itemsize)
        elif not math.prod(shape) * itemsize == found.get_storage_size() <= self._size:
            raise BadInputError(self._path, f"array {name!r} is not in the file as a whole; the file is damaged")

    def _check_chunks(self, name: str, found: Any, plist: Any, shape: tuple[int, ...], itemsize: int) -> None:
        """Check that all chunks are there and each is as long as it should be, before HDF5 makes room for them.

        HDF5 would inflate a chunk to whatever length it has.
        """
        filters = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
        places = [_FILTERS.get(each, -1) for each in filters]
        if -1 in places or places != sorted(set(places)):
            raise BadInputError(self._path, f"array {name!r} is compressed in a way that is not read; use gzip")
        chunk = plist.get_chunk()
        length = math.prod(chunk) * itemsize
        counts = [-(-side // part) for side, part in zip(shape, chunk, strict=True)]
        expected = math.prod(counts)
        # Deflate packs a byte into at least 1/1032; nothing else that is read packs tighter.
        if expected > _MOST_CHUNKS or length * expected > 1032 * self._size or found.get_num_chunks() != expected:
            raise BadInputError(self._path, f"array {name!r} is not in the file as a whole; the file is damaged")
        for place in itertools.product(*(range(count) for count in counts)):
            skipped, stored = found.read_direct_chunk(tuple(a * b for a, b in zip(place, chunk, strict=True)))
            used = [each for number, each in enumerate(filters) if not skipped >> number & 1]
            if _unpacked_length(stored, used, length) != length:
                raise BadInputError(self._path, f"array {name!r} has a chunk of another length; the file is damaged")

    def _texts(self, name: str, dataset: h5py.Dataset) -> NDArray[Any]:
        """Read texts a few at a time: HDF5 does not say how long they are, and many can be one and the same."""
        if dataset.shape == ():
            return np.array(dataset.asstr()[()], dtype=str)
        step = max(1, LARGEST_TEXT // max(self._size, 1))
        texts: list[str] = []
        longest = 0
        for begin in range(0, len(dataset), step):
            part = dataset.asstr()[begin : begin + step].tolist()
            longest = max(longest, *map(len, part))
            if 4 * longest * len(dataset) > LARGEST_TEXT:
                raise BadInputError(
                    self._path, f"array {name!r} holds texts of {longest:,} letters; no dataset has such"
                )
            texts += part
        return np.array(texts, dtype=str)


def _dtype(dataset: h5py.Dataset) -> str:
    return "str" if h5py.check_string_dtype(dataset.dtype) else str(dataset.dtype)


def _unpacked_length(stored: bytes, filters: list[int], length: int) -> int:
    """Return the length of a chunk's data as far as it can be told without HDF5: one more than wanted at most."""
    if h5py.h5z.FILTER_DEFLATE in filters:
        return len(isal_zlib.decompressobj().decompress(stored, length + 1))
    if h5py.h5z.FILTER_LZF in filters:
        return length  # cannot be told; LZF packs a byte into at least 1/90, so memory stays bounded
    return len(stored) - (4 if h5py.h5z.FILTER_FLETCHER32 in filters else 0)
