"""The release's own file of KITTI Masks, ``kitti_peds_v2.pickle``.

A dictionary of two lists: ``pedestrians``, a bool array (T, H, W) a sequence, and ``pedestrians_latents``, a float32
array (T, 3). It holds nothing of where a sequence comes from. Pickles can run code when they are read, so reading goes
through `RestrictedUnpickler`.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from datagen.datasets import MaskSequences
from datagen.errors import BadInputError, UsageError

__all__ = ["RestrictedUnpickler", "read", "unpickle", "write"]

# Protocol 4 is what the release wrote, and what its Python 3.7 reads.
_PROTOCOL = 4

# What a pickle of numpy arrays and scalars names, in today's numpy and in those before 2.0.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),  # how Python 2 protocols spell bytes
}


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that admits containers, numbers, texts and numpy arrays, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle names, if it is one of the few harmless things."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which data have no need of")
        return super().find_class(module, name)


def unpickle(stream: BinaryIO, path: Path) -> Any:
    """Read a pickle of plain data.

    Parameters
    ----------
    stream : binary file
        The pickle.
    path : Path
        Its name, for errors.

    Raises
    ------
    BadInputError
        If it is damaged, or asks for anything but plain data and numpy arrays.
    """
    try:
        return RestrictedUnpickler(stream).load()
    except (MemoryError, KeyboardInterrupt):
        raise
    except pickle.UnpicklingError as error:
        raise BadInputError(path, f"refused: {error}") from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise BadInputError(path, f"is damaged or no pickle ({type(error).__name__})") from None


def write(path: Path, arrays: dict[str, NDArray[Any]], manifest_text: Callable[[], str]) -> None:
    """Write masks and latents as the release does; the format has no place for the rest."""
    if "masks" not in arrays:
        raise UsageError(f"{path.suffix} holds masks only (it is the release's format); use .npz or .h5")
    manifest_text()
    bounds = list(zip(arrays["offsets"][:-1], arrays["offsets"][1:], strict=True))
    data = {
        "pedestrians": [arrays["masks"][a:b] for a, b in bounds],
        "pedestrians_latents": [arrays["latents"][a:b] for a, b in bounds],
    }
    with path.open("wb") as stream:
        pickle.dump(data, stream, protocol=_PROTOCOL)


def read(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """Read arrays, and a manifest that says what the file does not."""
    with path.open("rb") as stream:
        data = unpickle(stream, path)
    masks, latents = _lists_of(data, path)
    lengths = [len(each) for each in masks]
    count = len(masks)
    arrays: dict[str, NDArray[Any]] = {
        "masks": np.concatenate(masks),
        "latents": np.concatenate(latents),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "source": np.full(count, ""),
        "sequence": np.full(count, ""),
        "object_id": np.full(count, -1, dtype=np.int64),
        "category": np.full(count, "pedestrian"),
        "window": np.full(count, -1, dtype=np.int64),
        "first_frame": np.full(count, -1, dtype=np.int64),
    }
    return arrays, json.dumps({"kind": MaskSequences.kind, "tool": None, "command": None, "sources": [], "inputs": {}})


def _lists_of(data: Any, path: Path) -> tuple[list[NDArray[np.bool_]], list[NDArray[np.float32]]]:
    if not isinstance(data, dict) or not {"pedestrians", "pedestrians_latents"} <= data.keys():
        raise BadInputError(path, "is no file of KITTI Masks: it lacks 'pedestrians' and 'pedestrians_latents'")
    masks, latents = data["pedestrians"], data["pedestrians_latents"]
    if not isinstance(masks, list) or not isinstance(latents, list) or len(masks) != len(latents) or not masks:
        raise BadInputError(path, "'pedestrians' and 'pedestrians_latents' are not two lists of one length")
    for number, (mask, latent) in enumerate(zip(masks, latents, strict=True)):
        where = f"sequence {number}"
        if not isinstance(mask, np.ndarray) or mask.ndim != 3 or mask.dtype != bool:
            raise BadInputError(path, "its masks are not a bool array (T, H, W)", where)
        if mask.shape[1:] != masks[0].shape[1:]:
            raise BadInputError(path, f"its masks are {mask.shape[1:]}, those before {masks[0].shape[1:]}", where)
        if not isinstance(latent, np.ndarray) or latent.dtype != np.float32 or latent.shape != (len(mask), 3):
            raise BadInputError(path, f"its latents are not a float32 array ({len(mask)}, 3)", where)
    return masks, latents
