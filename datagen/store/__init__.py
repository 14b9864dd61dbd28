"""Dataset files: npz, HDF5 and the release's pickle behind one face.

A file holds a dataset's arrays by name, `factor_names` and the `manifest` as JSON text. The suffix says the format;
nothing outside this package knows more about formats than that.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, OutputError, UsageError
from datagen.files import atomic_path, check_input, check_output
from datagen.manifest import ManifestError, typed_manifest
from datagen.store import checks
from datagen.store.layouts import LAYOUTS

__all__ = [
    "SUFFIXES",
    "TABLE_SUFFIXES",
    "arrays_of",
    "check_suffix",
    "holds_manifest",
    "load",
    "load_to_verify",
    "save",
    "sha256_array",
]

SUFFIXES = {".npz": "npz", ".h5": "hdf5", ".hdf5": "hdf5", ".pickle": "release_pickle", ".pkl": "release_pickle"}
"""The module of this package that reads and writes files of each suffix."""

TABLE_SUFFIXES = (".csv", ".parquet")
"""Suffixes of tables of transitions (`datagen.store.tables`)."""


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


def holds_manifest(path: str | Path) -> bool:
    """Whether the format of a file, by its suffix, has a place for a manifest, and so for hashes of the arrays."""
    return check_suffix(path) != "release_pickle"


def save(dataset: Sequences, path: str | Path, overwrite: bool = False) -> dict[str, Any]:
    """Write a dataset file, whole or not at all.

    Parameters
    ----------
    dataset : Sequences
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
        If the suffix is of no format, the file exists, or the format cannot hold this kind.
    DatagenError
        If the file cannot be written, e.g. for want of room on the disk or because a name is not Unicode.
    """
    backend = _backend(path)
    path = check_output(path, overwrite)
    arrays = arrays_of(dataset)
    for name, array in arrays.items():
        problem = checks.text_problem(array) if array.dtype.kind == "U" else None
        if problem:
            raise DatagenError(f"{path}: cannot be written (array {name!r} {problem})")
    try:
        typed_manifest(dataset.manifest)
    except ManifestError as error:
        raise DatagenError(f"{path}: cannot be written ({error})") from None
    try:
        with atomic_path(path, overwrite) as temporary, ThreadPoolExecutor(1) as pool:
            # Hashing lets go of the interpreter lock, so it costs nothing beside compressing.
            digests = pool.map(sha256_array, list(arrays.values()))
            manifest: dict[str, Any] = {}

            def manifest_text() -> str:
                manifest.update(_complete_manifest(dataset, arrays, list(digests)))
                return json.dumps(manifest, ensure_ascii=True)

            backend.write(temporary, arrays, manifest_text)
    except (OSError, RuntimeError) as error:  # HDF5 reports a full disk as either
        raise OutputError(path, error) from error
    return manifest


def load(path: str | Path) -> Sequences:
    """Read a dataset file.

    Parameters
    ----------
    path : str or Path
        A file that `save` wrote, or the release's pickle of KITTI Masks.

    Returns
    -------
    Sequences
        What has passed `datagen.store.checks`: arrays of the types and shapes of its kind, offsets that rise, latents
        or factors that are finite and can be, texts in Unicode, a manifest as `datagen.manifest.Manifest` says.

    Raises
    ------
    UsageError
        If the file does not exist or its suffix is of no format.
    BadInputError
        If it is no plain file, damaged, or does not hold a dataset.
    """
    dataset = load_to_verify(path)
    problem = checks.factor_problem(dataset)
    if problem:
        raise BadInputError(path, problem)
    return dataset


def load_to_verify(path: str | Path) -> Sequences:
    """Read a dataset file as `load` does, but let pass latents or factors that cannot be right."""
    backend = _backend(path)
    path = check_input(path)
    try:
        with backend.open_file(path) as file:
            # Nothing large is read before all that the file says of itself has been checked.
            manifest = checks.check_manifest(path, file.manifest())
            layout = checks.layout_of(path, manifest)
            wanted = [*layout.dtypes, "factor_names"]
            headers = {name: file.header(name) for name in wanted if name in file.names}
            checks.check_headers(path, layout, headers)
            arrays: dict[str, Any] = {name: file.read(name) if name in headers else None for name in wanted}
    except MemoryError:
        raise BadInputError(path, "does not fit into memory") from None
    dataset = layout.dataset(arrays, manifest)
    checks.check_structure(path, layout, dataset, arrays)
    return dataset


def arrays_of(dataset: Sequences) -> dict[str, NDArray[Any]]:
    """Return the arrays of a dataset by name, as a file holds them."""
    return {**LAYOUTS[dataset.kind].arrays(dataset), "factor_names": np.array(dataset.factor_names)}


def sha256_array(array: NDArray[Any]) -> str:
    """Return the sha256 of an array's bytes in C order (of texts: in UTF-8, each ended by a zero byte)."""
    if array.dtype.kind == "U":
        return hashlib.sha256("".join(f"{text}\0" for text in array.ravel()).encode()).hexdigest()
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def _backend(path: str | Path) -> ModuleType:
    from importlib import import_module

    return import_module(f"datagen.store.{check_suffix(path)}")


def _complete_manifest(dataset: Sequences, arrays: dict[str, NDArray[Any]], digests: list[str]) -> dict[str, Any]:
    counts = {"sequences": dataset.num_sequences, "frames": dataset.num_frames}
    if dataset.holds_masks:
        counts["pairs"] = dataset.num_pairs
    described = {
        name: {
            "dtype": checks.Header.of(array).dtype,
            "shape": list(array.shape),
            "sha256": digest,
        }
        for (name, array), digest in zip(arrays.items(), digests, strict=True)
    }
    return {**dataset.manifest, "kind": dataset.kind, "counts": counts, "arrays": described}
