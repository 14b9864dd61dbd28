"""HDF5 files: read in part, and from other languages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from datagen.errors import BadInputError

__all__ = ["read", "write"]

_CHUNK_BYTES = 1 << 20


def write(path: Path, arrays: dict[str, NDArray[Any]], manifest_text: Callable[[], str]) -> None:
    """Write arrays and a manifest, deflated in chunks of whole rows."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            if array.dtype.kind == "U":
                file.create_dataset(name, data=array.astype(object), dtype=h5py.string_dtype())
            elif array.ndim > 1 and array.size:
                _write_chunks(file, name, np.asarray(array, order="C"))
            else:
                file.create_dataset(name, data=array)
        file.create_dataset("manifest", data=manifest_text(), dtype=h5py.string_dtype())


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


def read(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """Read arrays and the manifest's text."""
    try:
        with h5py.File(path, "r") as file:
            if "manifest" not in file:
                raise BadInputError(path, "holds no manifest, so it is no dataset of this program")
            text = file["manifest"].asstr()[()]
            arrays = {name: _array(item) for name, item in file.items() if name != "manifest"}
    except BadInputError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(path, f"is damaged or no HDF5 file ({str(error).splitlines()[0]})") from None
    return arrays, text


def _array(item: h5py.Dataset) -> NDArray[Any]:
    array: NDArray[Any] = np.array(item.asstr()[()], dtype=str) if h5py.check_string_dtype(item.dtype) else item[()]
    return array
