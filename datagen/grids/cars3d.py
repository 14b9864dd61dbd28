"""Cars3D, from its archive or the folder in it: a MATLAB file a car, ``cars/*_mesh.mat``, sorted by name.

Its ``im`` is uint8 (128, 128, 3, 24, 4): pixels, colours, azimuths, elevations. Each picture becomes 64 x 64 pixels by
Pillow's ``thumbnail`` with LANCZOS. The release takes the files in the order of the disk, and so numbers cars by
chance.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datagen.datasets import Factor
from datagen.errors import BadInputError, quote
from datagen.grids.found import Found, head_of, sized_factors
from datagen.grids.images import OrderedImages
from datagen.grids.sets import SETS
from datagen.progress import progress_bar

__all__ = ["find"]

_SET = SETS["cars3d"]
_MEMBER = re.compile(r"(?:.*/)?cars/[^/]+_mesh\.mat")
_FOLDERS = (".", "cars", "data/cars")
_SIDE, _SMALL = 128, 64
_MOST_BYTES = 1 << 25
"""That a car's file may have, packed or unpacked; the true ones have at most 6 MB."""
_LONGEST_NAME = 1 << 20
_MATRIX, _COMPRESSED = 14, 15
_ERRORS = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


def find(path: Path) -> Found | None:
    """Return the set if a file is its archive, or a folder holds its files."""
    if path.is_dir():
        for below in _FOLDERS:
            files = tuple(sorted((path / below).glob("*_mesh.mat"), key=lambda each: each.name))
            if files:
                return Found(_SET, files, partial(_read_folder, path, files))
        return None
    head = head_of(path)
    packed = head.startswith(b"\x1f\x8b")
    if packed:
        try:
            head = zlib.decompressobj(31).decompress(head, 512)
        except zlib.error:
            return None
    if head[257:262] != b"ustar" and not _is_old_tar(head):
        return None
    return Found(_SET, (path,), partial(_read_archive, path, packed))


def _read_folder(path: Path, files: tuple[Path, ...], show_progress: bool) -> tuple[Any, tuple[Factor, ...]]:
    return _read(path, _of_folder(files, show_progress))


def _read_archive(path: Path, packed: bool, show_progress: bool) -> tuple[Any, tuple[Factor, ...]]:
    return _read(path, _of_archive(path, packed, show_progress))


class _Member(tarfile.TarInfo):
    """A member of an archive whose name takes no memory without bounds."""

    def _proc_member(self, tarfile_: tarfile.TarFile) -> Any:
        names = (*b"xgXLK",)
        if self.type[0] in names and self.size > _LONGEST_NAME:
            raise tarfile.ReadError("a name without end")
        return super()._proc_member(tarfile_)  # type: ignore[misc]


def _is_old_tar(head: bytes) -> bool:
    """Whether bytes begin a tar file as before 1988, which has no signature: they hold a name and octal numbers."""
    return len(head) >= 156 and bool(re.fullmatch(rb"[0-7 ]{6,7}[ \0]{1,2}", head[100:108])) and head[0] not in b"\0"


def _of_folder(files: tuple[Path, ...], show_progress: bool) -> Iterator[tuple[str, bytes]]:
    for file in progress_bar(files, "reading cars", show=show_progress):
        if not file.is_file() or file.stat().st_size > _MOST_BYTES:
            raise BadInputError(file, "is no file of a car: no plain file, or too large")
        yield file.name, file.read_bytes()


def _of_archive(path: Path, packed: bool, show_progress: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the cars' files of the archive; nothing is unpacked to the disk."""
    try:
        with path.open("rb") as file:
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as archive:
                for member in progress_bar(archive, "reading cars", show=show_progress):
                    name = PurePosixPath(member.name)
                    if name.is_absolute() or ".." in name.parts:
                        raise BadInputError(path, f"holds {quote(member.name)}, which leads outside; nothing is read")
                    if not _MEMBER.fullmatch(member.name):
                        continue
                    if not member.isreg() or member.size > _MOST_BYTES:
                        raise BadInputError(path, f"{quote(member.name)} is no file of a car: a link, or too large")
                    content = archive.extractfile(member)
                    assert content is not None
                    yield name.name, content.read()
            while stream.read(1 << 20):  # to the end, where the checksum is
                pass
    except _ERRORS as error:
        raise BadInputError(path, f"is cut short or damaged ({error})") from None


def _read(path: Path, cars: Iterator[tuple[str, bytes]]) -> tuple[Any, tuple[Factor, ...]]:
    names: list[str] = []
    views: tuple[int, ...] = ()
    spool = tempfile.TemporaryFile()  # noqa: SIM115  # without a name, there until the images are not needed any more
    for name, data in cars:
        images = _images(path, name, data)
        if name in names:
            raise BadInputError(path, f"holds {quote(name)} twice")
        if views and images.shape[:2] != views:
            raise BadInputError(path, f"{quote(name)} has {images.shape[:2]} views, and those before {views}")
        views = images.shape[:2]
        names.append(name)
        for of_azimuth in images:
            for image in of_azimuth:
                picture = Image.fromarray(image)
                picture.thumbnail((_SMALL, _SMALL), Image.Resampling.LANCZOS)
                spool.write(picture.tobytes())
    if not names:
        raise BadInputError(path, "holds no car (cars/*_mesh.mat)")
    spool.flush()
    azimuths, elevations = views
    factors = sized_factors(path, _SET, (elevations, azimuths, len(names)))
    # In the file: car (as they came), azimuth, elevation.
    shape = (len(names), azimuths, elevations)
    stored = np.memmap(spool, np.uint8, "r", shape=(int(np.prod(shape)), _SMALL, _SMALL, 3))
    order = np.arange(len(stored)).reshape(shape)[np.argsort(names)].transpose(2, 1, 0).ravel()
    return OrderedImages(stored, order), factors


def _images(path: Path, name: str, data: bytes) -> NDArray[np.uint8]:
    """Return the pictures of a car, uint8 (azimuth, elevation, 128, 128, 3)."""
    from scipy import io as matlab  # takes long to import

    try:
        _check_elements(data)
        described = {each: (shape, kind) for each, shape, kind in matlab.whosmat(io.BytesIO(data))}
        shape, kind = described.get("im", ((), ""))
        if len(shape) != 5 or shape[:3] != (_SIDE, _SIDE, 3) or 0 in shape or kind != "uint8":
            what = f"im is {kind} {shape}" if "im" in described else "has no array im"
            raise BadInputError(path, f"{quote(name)}: {what}, not uint8 ({_SIDE}, {_SIDE}, 3, azimuths, elevations)")
        image = matlab.loadmat(io.BytesIO(data), variable_names=["im"])["im"]
    except BadInputError:
        raise
    except Exception as error:  # scipy raises whatever comes: its own errors, struct's, zlib's, TypeError, KeyError
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise BadInputError(path, f"{quote(name)} is damaged or no MATLAB file of version 5 ({quote(why)})") from None
    if image.shape != shape or image.dtype != np.uint8:
        raise BadInputError(path, f"{quote(name)}: im is not what the file says it is")
    return np.ascontiguousarray(image.transpose(3, 4, 0, 1, 2))


def _check_elements(data: bytes) -> None:
    """Check that no element of a MATLAB file unpacks to more than a car has; scipy makes room for whatever is said.

    Raises
    ------
    ValueError
        If one does, or the file is of another form.
    """
    if len(data) < 128 or data[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise ValueError("it does not begin as one does")
    order = "<" if data[126:128] == b"IM" else ">"
    at = 128
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind not in (_MATRIX, _COMPRESSED) or size > len(data) - at - 8:
            raise ValueError("cut short" if kind in (_MATRIX, _COMPRESSED) else f"an element of kind {kind}")
        if kind == _COMPRESSED:
            inflated = zlib.decompressobj().decompress(data[at + 8 : at + 8 + size], _MOST_BYTES + 1)
            if len(inflated) > _MOST_BYTES:
                raise ValueError("it unpacks to more than a car has")
        at += 8 + size
