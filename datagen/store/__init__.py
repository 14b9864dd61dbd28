"""Dataset files: npz, HDF5 and the release's pickle behind one face.

A file holds a dataset's arrays by name, `factor_names` and the `manifest` as JSON text. The suffix says the format;
nothing outside this package knows more about formats than that.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.datasets import Dataset, MaskSequences, SpriteSequences
from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.files import atomic_path, check_output

__all__ = ["SUFFIXES", "arrays_of", "check_suffix", "load", "save", "sha256_array"]

SUFFIXES = {".npz": "npz", ".h5": "hdf5", ".hdf5": "hdf5", ".pickle": "release_pickle", ".pkl": "release_pickle"}
"""The module of this package that reads and writes files of each suffix."""

_KINDS: dict[str, type[Dataset]] = {kind.kind: kind for kind in (MaskSequences, SpriteSequences)}
_DTYPES = {
    "masks": "bool",
    "latents": "float32",
    "images": "uint8",
    "factors": "float32",
    "offsets": "int64",
    "object_id": "int64",
    "window": "int64",
    "first_frame": "int64",
    "factor_sizes": "int64",
    "transition": "int64",
    "source": "str",
    "sequence": "str",
    "category": "str",
}


def check_suffix(path: str | Path) -> str:
    """Return the name of the format of a file, by its suffix.

    Raises
    ------
    UsageError
        If the suffix is of no format.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: no format has the suffix {suffix!r}; use {', '.join(SUFFIXES)}")
    return SUFFIXES[suffix]


def save(dataset: Dataset, path: str | Path, overwrite: bool = False) -> dict[str, Any]:
    """Write a dataset file, whole or not at all.

    Parameters
    ----------
    dataset : MaskSequences or SpriteSequences
        What to write.
    path : str or Path
        The file. ``.npz`` and ``.h5`` hold everything; ``.pickle`` is the release's file of KITTI Masks (masks and
        latents only).
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    dict
        The manifest as written: that of the dataset with its kind, its counts and the sha256 of every array.

    Raises
    ------
    UsageError
        If the suffix is of no format, the file exists or its folder does not, or the format cannot hold this kind.
    DatagenError
        If the file cannot be written, e.g. for want of room on the disk.
    """
    backend = _backend(path)
    path = check_output(path, overwrite)
    arrays = arrays_of(dataset)
    try:
        with atomic_path(path) as temporary, ThreadPoolExecutor(1) as pool:
            # Hashing lets go of the interpreter lock, so it costs nothing beside compressing.
            digests = pool.map(sha256_array, list(arrays.values()))
            manifest: dict[str, Any] = {}

            def manifest_text() -> str:
                manifest.update(_complete_manifest(dataset, arrays, list(digests)))
                return json.dumps(manifest, ensure_ascii=True)

            backend.write(temporary, arrays, manifest_text)
    except (OSError, RuntimeError) as error:  # HDF5 reports a full disk as either
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise DatagenError(f"{path}: cannot be written ({reason}); nothing was left behind") from error
    return manifest


def load(path: str | Path) -> Dataset:
    """Read a dataset file.

    Parameters
    ----------
    path : str or Path
        A file that `save` wrote, or the release's pickle of KITTI Masks.

    Returns
    -------
    MaskSequences or SpriteSequences

    Raises
    ------
    UsageError
        If the file does not exist or its suffix is of no format.
    BadInputError
        If it is damaged, or does not hold a dataset.
    """
    backend = _backend(path)
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    try:
        arrays, text = backend.read(path)
    except MemoryError:
        raise BadInputError(path, "does not fit into memory") from None
    return _dataset_of(path, arrays, text)


def arrays_of(dataset: Dataset) -> dict[str, NDArray[Any]]:
    """Return the arrays of a dataset by name, as a file holds them."""
    names = [item.name for item in fields(dataset) if item.name != "manifest"]
    arrays = {name: getattr(dataset, name) for name in names if getattr(dataset, name) is not None}
    return {**arrays, "factor_names": np.array(dataset.factor_names)}


def sha256_array(array: NDArray[Any]) -> str:
    """Return the sha256 of an array's bytes in C order (of texts: in UTF-8, each ended by a zero byte)."""
    if array.dtype.kind == "U":
        return hashlib.sha256("".join(f"{text}\0" for text in array.ravel()).encode()).hexdigest()
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def _backend(path: str | Path) -> ModuleType:
    from importlib import import_module

    return import_module(f"datagen.store.{check_suffix(path)}")


def _complete_manifest(dataset: Dataset, arrays: dict[str, NDArray[Any]], digests: list[str]) -> dict[str, Any]:
    counts = (
        {"sequences": dataset.num_sequences, "frames": dataset.num_frames, "pairs": dataset.num_pairs}
        if isinstance(dataset, MaskSequences)
        else {"sequences": len(dataset.factors), "frames": int(np.prod(dataset.factors.shape[:2]))}
    )
    described = {
        name: {
            "dtype": "str" if array.dtype.kind == "U" else str(array.dtype),
            "shape": list(array.shape),
            "sha256": digest,
        }
        for (name, array), digest in zip(arrays.items(), digests, strict=True)
    }
    return {**dataset.manifest, "kind": dataset.kind, "counts": counts, "arrays": described}


def _dataset_of(path: Path, arrays: dict[str, NDArray[Any]], text: str) -> Dataset:
    """Put a dataset together from what a file holds, or say what is wrong with it."""
    try:
        manifest = json.loads(text)
    except ValueError:
        raise BadInputError(path, "its manifest is not JSON; the file is damaged") from None
    kind = _KINDS.get(str(manifest.get("kind")) if isinstance(manifest, dict) else "")
    if kind is None:
        raise BadInputError(path, "holds no dataset of this program (its manifest names no known kind)")
    given: dict[str, Any] = {}
    for item in fields(kind):
        if item.name == "manifest":
            continue
        if item.name not in arrays:
            if item.name == "images":  # a file of factors only
                given[item.name] = None
                continue
            raise BadInputError(path, f"lacks the array {item.name!r}")
        array = arrays[item.name]
        dtype = "str" if array.dtype.kind == "U" else str(array.dtype)
        if dtype != _DTYPES[item.name]:
            raise BadInputError(path, f"array {item.name!r} is {dtype}, not {_DTYPES[item.name]}")
        given[item.name] = array
    dataset = kind(**given, manifest=manifest)
    _check_shapes(path, dataset)
    return dataset


def _check_shapes(path: Path, dataset: Dataset) -> None:
    if isinstance(dataset, MaskSequences):
        masks, latents, offsets = dataset.masks, dataset.latents, dataset.offsets
        if masks.ndim != 3:
            raise BadInputError(path, f"masks have the shape {masks.shape}, not (N, H, W)")
        if latents.shape != (len(masks), 3):
            raise BadInputError(path, f"latents have the shape {latents.shape}, not ({len(masks)}, 3)")
        if offsets.ndim != 1 or not len(offsets):
            raise BadInputError(path, f"offsets have the shape {offsets.shape}, not (S + 1,)")
        if offsets[0] != 0 or offsets[-1] != len(masks) or (np.diff(offsets) < 1).any():
            raise BadInputError(path, f"offsets do not rise from 0 to the number of frames, {len(masks)}")
        rows = len(offsets) - 1
        per_row = ["source", "sequence", "object_id", "category", "window", "first_frame"]
    else:
        factors, images = dataset.factors, dataset.images
        if factors.ndim != 3 or factors.shape[2] != len(dataset.factor_names):
            raise BadInputError(path, f"factors have the shape {factors.shape}, not (N, T, 5)")
        if images is not None and images.shape[:2] != factors.shape[:2]:
            raise BadInputError(path, f"images {images.shape} and factors {factors.shape} are not of the same runs")
        rows, per_row = len(factors), ["transition"]
    for name in per_row:
        if getattr(dataset, name).shape != (rows,):
            raise BadInputError(path, f"array {name!r} has the shape {getattr(dataset, name).shape}, not ({rows},)")
