"""zarr stores (version 3): a folder of shards, written by many at once and read in part; for sets beyond memory.

Every array is cut along its first axis into shards, one file each, and a shard into chunks, each compressed by itself.
The manifest is the attribute of that name of the group. The zarr library writes, and any zarr library reads. Here the
shards are read by what the format says of them: a store can name codecs that run what they are given, and chunks that
unfold to more than memory holds, so only what `write_shards` writes is read, and nothing larger than it says.
"""

from __future__ import annotations

import math
import os
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, quote
from datagen.lazy_array import AnyArray, LazyArray
from datagen.parallel import Spread, Threads
from datagen.progress import progress_bar
from datagen.store.checks import LARGEST_TEXT, Header
from datagen.store.layouts import ARRAYS

__all__ = ["StoredArray", "ZarrStore", "finish", "open_file", "write_shards"]

_CHUNK_BYTES = 1 << 20
_CHUNKS_OF_SHARD = 64
_LARGEST_CHUNK = 1 << 26
_LEVEL = 1
"""Masks come out no smaller at higher levels until those that take ten times as long."""
_EXPANSION = 1 << 15
"""How many bytes one byte of zstd can stand for at most: a block of one repeated byte is 4 bytes for 128 KiB."""
_METADATA = "zarr.json"
_MOST_ROWS = 1 << 48
_DTYPES = ("bool", "uint8", "int64", "float32")


def write_shards(
    folder: Path, arrays: dict[str, AnyArray], spread: Spread | None = None, show_progress: bool = False
) -> None:
    """Write arrays into a folder, or go on with one that was left unfinished.

    Parameters
    ----------
    folder : Path
        Shards that are there already are kept: the caller answers for their being of the same arrays.
    arrays : dict of str to ndarray or LazyArray
        What to write.
    spread : Spread, optional
        What does the work; by default threads. A shard is written whole by one task, so the store is the same.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.
    """
    import zarr
    from zarr.codecs import ZstdCodec

    root = zarr.open_group(str(folder), mode="a", zarr_format=3)
    tasks: list[tuple[Path, int, AnyArray]] = []
    for name, array in arrays.items():
        rows, rows_of_shard = _rows(array)
        if not (folder / name / _METADATA).exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that texts are of an extension of the format
                root.create_array(
                    name,
                    shape=array.shape,
                    dtype=str if array.dtype.kind == "U" else array.dtype,
                    chunks=(rows, *array.shape[1:]),
                    shards=(rows_of_shard, *array.shape[1:]),
                    compressors=ZstdCodec(level=_LEVEL, checksum=True),
                )
        for begin in range(0, len(array), rows_of_shard):
            end = min(begin + rows_of_shard, len(array))
            # A shard takes its name when it is whole.
            if not _shard(folder / name, begin // rows_of_shard, array.ndim).exists():
                part = array.narrow(begin, end) if isinstance(array, LazyArray) else array[begin:end]
                tasks.append((folder / name, begin, part))
    done = (spread or Threads()).map(_write_shard, tasks)
    for _ in progress_bar(done, "writing shards", total=len(tasks), show=show_progress):
        pass


def finish(folder: Path, manifest_text: str) -> None:
    """Write the manifest: the store is finished."""
    import zarr

    # zarr writes a file under another name first, which a process that is killed leaves behind.
    for left in folder.rglob("*.partial"):
        left.unlink(missing_ok=True)
    root = zarr.open_group(str(folder), mode="r+", zarr_format=3)
    root.update_attributes({"manifest": msgspec.json.decode(manifest_text)})


def _rows(array: AnyArray) -> tuple[int, int]:
    """Return how many rows make a chunk, and how many a shard."""
    row_bytes = max(64 if array.dtype.kind == "U" else 1, math.prod(array.shape[1:]) * array.dtype.itemsize)
    rows = min(max(1, _CHUNK_BYTES // row_bytes), max(1, len(array)))
    return rows, rows * min(_CHUNKS_OF_SHARD, max(1, -(-len(array) // rows)))


def _shard(folder: Path, number: int, ndim: int) -> Path:
    """Return the file of a shard, as the format's default encoding of chunk keys names it."""
    return folder.joinpath("c", str(number), *["0"] * (ndim - 1))


def _write_shard(task: tuple[Path, int, AnyArray]) -> None:
    """Write one shard: its first row in the whole array, and the array or a lazy one that gives its rows."""
    import zarr

    folder, begin, array = task
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A chunk of zeros is written like any other, so that one that is missing is known to be lost.
        stored = zarr.open_array(str(folder), mode="r+", zarr_format=3).with_config({"write_empty_chunks": True})
        rows = stored.shards[0]  # type: ignore[index]
        end = min(begin + rows, stored.shape[0])
        part = array.read(begin, end) if isinstance(array, LazyArray) else array
        stored[begin:end] = part.astype(object) if part.dtype.kind == "U" else part


class _Configuration(msgspec.Struct):
    chunk_shape: list[int] | None = None
    separator: str | None = None
    endian: str | None = None
    codecs: list[_Named] | None = None
    index_codecs: list[_Named] | None = None
    index_location: str = "end"


class _Named(msgspec.Struct):
    name: str
    configuration: _Configuration = msgspec.field(default_factory=_Configuration)


class _Array(msgspec.Struct, tag_field="node_type", tag="array"):
    zarr_format: Literal[3]
    shape: list[int]
    data_type: str
    chunk_grid: _Named
    chunk_key_encoding: _Named
    codecs: list[_Named]


class _Attributes(msgspec.Struct):
    manifest: msgspec.Raw = msgspec.Raw(b"")


class _Group(msgspec.Struct, tag_field="node_type", tag="group"):
    zarr_format: Literal[3]
    attributes: _Attributes


@contextmanager
def open_file(path: Path) -> Iterator[ZarrStore]:
    """Open a store to read arrays from it, with one error for whatever is wrong with it."""
    try:
        yield ZarrStore(path)
    except OSError as error:
        raise BadInputError(path, f"cannot be read ({error.strerror or error})") from None


class ZarrStore:
    """An open store. Only what lies in its folder, plainly, is ever read.

    Parameters
    ----------
    path : Path
        Its folder.

    Attributes
    ----------
    names : set of str
        The arrays of a dataset that are there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes = dict(_files_below(path))
        self._group = self._metadata(_METADATA, _Group)
        self.names = {name for name in ARRAYS if f"{name}/{_METADATA}" in self._sizes}
        self._arrays: dict[str, StoredArray] = {}

    def manifest(self) -> str:
        """Read the manifest's text."""
        text = self._group.attributes.manifest
        if not bytes(text):
            raise BadInputError(self._path, "holds no manifest: it is unfinished, or no dataset of this program")
        return bytes(text).decode()

    def header(self, name: str) -> Header:
        """Read the type and shape of an array."""
        stored = self._array(name)
        return Header("str" if stored.dtype == object else str(stored.dtype), stored.shape)

    def read(self, name: str) -> NDArray[Any]:
        """Read an array."""
        stored = self._array(name)
        if stored.dtype != object:
            return np.asarray(stored)
        texts = stored[:].tolist()
        if 4 * max(map(len, texts), default=0) * len(texts) > LARGEST_TEXT:
            raise BadInputError(self._path, f"array {name!r} holds texts that are too long; no dataset has such")
        return np.array(texts, dtype=str).reshape(stored.shape)

    def lazy(self, name: str) -> LazyArray:
        """Return an array of numbers that is read when it is asked for."""
        return self._array(name)

    def _array(self, name: str) -> StoredArray:
        if name not in self._arrays:
            self._arrays[name] = self._described(name, self._metadata(f"{name}/{_METADATA}", _Array))
        return self._arrays[name]

    def _metadata(self, name: str, kind: type[Any]) -> Any:
        size = self._sizes.get(name)
        if size is None:
            raise BadInputError(self._path, f"lacks {name}, so it is no zarr store of version 3")
        if size > LARGEST_TEXT:
            raise BadInputError(self._path, f"{name} has {size:,} bytes; no dataset has so many")
        try:
            return msgspec.json.decode((self._path / name).read_bytes(), type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadInputError(
                self._path, f"{name} does not describe a zarr array or group ({quote(error)})"
            ) from None

    def _described(self, name: str, found: _Array) -> StoredArray:
        """Return an array if it lies as `write_shards` lays them, and all of its shards are there."""
        shape, grid = found.shape, found.chunk_grid
        shard = grid.configuration.chunk_shape or []
        codec = found.codecs[0] if len(found.codecs) == 1 else _Named("")
        chunk = codec.configuration.chunk_shape or []
        inner, index = codec.configuration.codecs or [], codec.configuration.index_codecs or []
        is_text = found.data_type == "string"
        first = "vlen-utf8" if is_text else "bytes"
        as_written = (
            (is_text or found.data_type in _DTYPES)
            and len(shape) > 0
            and len(shape) == len(shard) == len(chunk)
            and min(shape[1:], default=1) > 0
            and shape[1:] == shard[1:] == chunk[1:]
            and shape[0] >= 0
            and 0 < chunk[0] <= shard[0]
            and shard[0] % chunk[0] == 0
            and grid.name == "regular"
            and (found.chunk_key_encoding.name, found.chunk_key_encoding.configuration.separator) == ("default", "/")
            and codec.name == "sharding_indexed"
            and codec.configuration.index_location == "end"
            and [each.name for each in inner] == [first, "zstd"]
            and [each.name for each in index] == ["bytes", "crc32c"]
            and all(each.configuration.endian in (None, "little") for each in (*inner, *index))
        )
        if not as_written:
            what = f"array {name!r} lies in a way that is not read; read it with zarr and save it as a dataset"
            raise BadInputError(self._path, what)
        dtype = np.dtype(object if is_text else found.data_type)
        row_bytes = math.prod(shape[1:]) * (1 if is_text else dtype.itemsize)
        if row_bytes * chunk[0] > _LARGEST_CHUNK or max(shape[0], shard[0]) > _MOST_ROWS:
            raise BadInputError(self._path, f"array {name!r} is of a size that no dataset has")
        count = -(-shape[0] // shard[0])
        files = [
            _shard(Path(name), number, len(shape)).as_posix() for number in range(min(count, len(self._sizes) + 1))
        ]
        sizes = [self._sizes.get(file) for file in files]
        if None in sizes:
            raise BadInputError(self._path, f"lacks {files[sizes.index(None)]}, a part of the array {name!r}")
        stored = sum(size for size in sizes if size is not None)
        if 16 * (shard[0] // chunk[0]) * count > stored or shape[0] * row_bytes > _EXPANSION * stored:
            raise BadInputError(self._path, f"array {name!r} is not in the store as a whole; the store is damaged")
        return StoredArray(self._path, name, tuple(shape), dtype, chunk[0], shard[0])


class StoredArray(LazyArray):
    """An array of a store, whose chunks are read as they are asked for.

    Parameters
    ----------
    store : Path
        The folder of the store.
    name : str
        Name of the array.
    shape, dtype
        As `LazyArray`'s; texts are objects.
    rows, rows_of_shard : int
        How many rows make a chunk, and a shard.
    """

    def __init__(
        self, store: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], rows: int, rows_of_shard: int
    ) -> None:
        super().__init__(shape, dtype, rows)
        self._store, self._name, self._rows_of_shard = store, name, rows_of_shard

    def read(self, begin: int, end: int) -> NDArray[Any]:
        """Return the rows from `begin` to before `end`.

        Raises
        ------
        BadInputError
            If a shard is damaged.
        """
        found = np.empty((end - begin, *self.shape[1:]), self.dtype)
        for shard in range(begin // self._rows_of_shard, -(-end // self._rows_of_shard)):
            at = shard * self._rows_of_shard
            path = _shard(self._store / self._name, shard, self.ndim)
            try:
                with path.open("rb") as stream:
                    for first, data in self._chunks(
                        path, stream, max(begin, at) - at, min(end, at + self._rows_of_shard) - at
                    ):
                        rows = self._decoded(path, data, at + first)
                        low, high = max(begin, at + first), min(end, at + first + len(rows))
                        found[low - begin : high - begin] = rows[low - at - first : high - at - first]
            except OSError as error:
                raise BadInputError(path, f"cannot be read ({error.strerror or error})") from None
        return found

    def _chunks(self, path: Path, stream: BinaryIO, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Yield the chunks that hold some rows of a shard: the first row of each in the shard, and its bytes."""
        from google_crc32c import value as crc32c

        length = 16 * (self._rows_of_shard // self.rows_of_part)
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - length - 4))
        table = stream.read(length + 4)
        if len(table) < length + 4 or struct.unpack("<I", table[-4:])[0] != crc32c(table[:-4]):
            raise BadInputError(path, "its table of chunks is damaged")
        for number in range(begin // self.rows_of_part, -(-end // self.rows_of_part)):
            place, stored = struct.unpack_from("<QQ", table, 16 * number)
            if place + stored > size - length - 4:
                raise BadInputError(path, f"chunk {number} is not there; the store is damaged")
            stream.seek(place)
            yield number * self.rows_of_part, stream.read(stored)

    def _decoded(self, path: Path, data: bytes, first: int) -> NDArray[Any]:
        """Return the rows of a chunk; those beyond the end of the array are cut off."""
        from numcodecs import zstd

        is_text = self.dtype == object
        expected = self.rows_of_part * math.prod(self.shape[1:]) * self.dtype.itemsize
        size = _content_size(data)
        if size is None or (size > LARGEST_TEXT if is_text else size != expected):
            raise BadInputError(path, f"the chunk of row {first} is of another length; the store is damaged")
        try:
            raw = zstd.decompress(data)
            rows = _texts(raw) if is_text else np.frombuffer(raw, self.dtype)
            rows = rows.reshape(self.rows_of_part, *self.shape[1:])
        except (RuntimeError, ValueError, struct.error) as error:
            raise BadInputError(path, f"the chunk of row {first} is damaged ({quote(error)})") from None
        if self.dtype == bool and rows.view(np.uint8).max(initial=0) > 1:
            raise BadInputError(path, f"the chunk of row {first} holds a byte that is neither 0 nor 1")
        return rows[: len(self) - first]


def _content_size(data: bytes) -> int | None:
    """Return how many bytes a frame of zstd unfolds to, by its header (RFC 8878, section 3.1.1); None if it is none."""
    if len(data) < 14 or data[:4] != b"\x28\xb5\x2f\xfd":
        return None
    descriptor = data[4]
    single, flag = descriptor >> 5 & 1, descriptor >> 6
    begin = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
    length = (single, 2, 4, 8)[flag]
    if not length:
        return None
    return int.from_bytes(data[begin : begin + length], "little") + (256 if flag == 1 else 0)


def _texts(raw: bytes) -> NDArray[Any]:
    """Read texts: how many, then each with its length in bytes before it, in UTF-8."""
    (count,) = struct.unpack_from("<I", raw)
    if 4 + 4 * count > len(raw):
        raise ValueError("texts are cut short")
    texts, at = np.empty(count, object), 4
    for number in range(count):
        (length,) = struct.unpack_from("<I", raw, at)
        at += 4 + length
        if at > len(raw):
            raise ValueError("texts are cut short")
        texts[number] = raw[at - length : at].decode()
    return texts


def _files_below(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the files of a store by their names in it, and their sizes; links and devices are refused."""
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            entry = Path(folder, name)
            found = entry.lstat()
            if stat.S_ISREG(found.st_mode):
                yield entry.relative_to(path).as_posix(), found.st_size
            elif not stat.S_ISDIR(found.st_mode):
                raise BadInputError(path, f"{quote(entry.relative_to(path))} is no plain file; only such are read")
