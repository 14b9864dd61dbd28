"""npz files: plain numpy reads them, without pickle."""

from __future__ import annotations

import datetime
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from stream_zip import ZIP_64, MemberFile, stream_zip

from datagen.errors import BadInputError

__all__ = ["read", "write"]

_CHUNK = 1 << 20
# A constant, so that the same arrays give the same bytes.
_DATE = datetime.datetime(1980, 1, 1)


def write(path: Path, arrays: dict[str, NDArray[Any]], manifest_text: Callable[[], str]) -> None:
    """Write arrays and a manifest.

    numpy's own writer deflates with zlib; ISA-L deflates masks many times faster and as small, and the zip is
    streamed, so nothing is held twice.
    """

    def members() -> Iterator[MemberFile]:
        for name, array in arrays.items():
            yield f"{name}.npy", _DATE, 0o644, ZIP_64, _npy(array)
        yield "manifest.npy", _DATE, 0o644, ZIP_64, _npy(np.array(manifest_text()))

    with path.open("wb") as stream:
        for part in stream_zip(members(), get_compressobj=_compressor, chunk_size=_CHUNK):
            stream.write(part)


def _compressor() -> Any:
    # Level 2 with the smallest buffer gives the smallest masks of the levels that do not search for long.
    return isal_zlib.compressobj(level=2, wbits=-15, memLevel=1)


def _npy(array: NDArray[Any]) -> Iterator[bytes]:
    """Yield the bytes of an array in numpy's npy format."""
    array = np.asarray(array, order="C")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    yield header.getvalue()
    data = array.reshape(-1).view(np.uint8).data
    for begin in range(0, len(data), _CHUNK):
        yield data[begin : begin + _CHUNK]  # type: ignore[misc]  # every consumer takes any buffer


def read(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """Read arrays and the manifest's text."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, OSError, AttributeError) as error:
        raise BadInputError(path, f"is damaged or no npz file ({str(error).splitlines()[0]})") from None
    if "manifest" not in arrays:
        raise BadInputError(path, "holds no manifest, so it is no dataset of this program")
    return arrays, str(arrays.pop("manifest"))
