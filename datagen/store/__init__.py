"""Dataset files: npz, HDF5, zarr and the release's pickle behind one face.

A file (of zarr, a folder) holds a dataset's arrays by name, `factor_names` and the `manifest` as JSON. The suffix says
the format; nothing outside this package knows more about formats than that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, OutputError, UsageError, shown
from datagen.files import as_path, atomic_folder, atomic_path, check_input, check_output, sha256_file
from datagen.lazy import public_names
from datagen.lazy_array import AnyArray, LazyArray, parts
from datagen.manifest import ManifestError, typed_manifest
from datagen.parallel import Spread
from datagen.progress import byte_bar
from datagen.store import checks
from datagen.store.layouts import LAYOUTS

__all__ = [
    "SUFFIXES",
    "TABLE_SUFFIXES",
    "arrays_of",
    "check_suffix",
    "content_hash",
    "fingerprint",
    "holds_manifest",
    "is_folder",
    "load",
    "load_to_verify",
    "save",
    "sha256_array",
    "write_store",
]

__dir__ = public_names(__name__)

SUFFIXES = {
    **{".npz": "npz", ".h5": "hdf5", ".hdf5": "hdf5", ".zarr": "zarr"},
    **{".pickle": "release_pickle", ".pkl": "release_pickle"},
}
"""The module of this package that reads and writes files of each suffix."""

TABLE_SUFFIXES = (".csv", ".parquet")
"""Suffixes of tables of transitions (`datagen.store.tables`)."""


def check_suffix(path: str | Path) -> str:
    """Return the name of the format of a file, by its suffix.

    Raises
    ------
    UsageError
        If the suffix is of no format.

    Examples
    --------
    >>> check_suffix("kitti.h5")
    'hdf5'
    """
    suffix = as_path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: no format has the suffix {suffix!r}; use {', '.join(SUFFIXES)}")
    return SUFFIXES[suffix]


def holds_manifest(path: str | Path) -> bool:
    """Whether the format of a file, by its suffix, has a place for a manifest, and so for hashes of the arrays.

    Examples
    --------
    >>> holds_manifest("kitti.npz"), holds_manifest("kitti_peds_v2.pickle")
    (True, False)
    """
    return check_suffix(path) != "release_pickle"


def is_folder(path: str | Path) -> bool:
    """Whether a dataset of this name is a folder, as zarr's are, not a file; False of names of other things.

    Examples
    --------
    >>> is_folder("sa-v.zarr"), is_folder("kitti.npz")
    (True, False)
    """
    return as_path(path).suffix.lower() == ".zarr"


def fingerprint(path: str | Path) -> str:
    """Return what tells a dataset file from others: its sha256, or that of the metadata, with the hashes of all arrays.

    Raises
    ------
    UsageError
        If it does not exist.

    Examples
    --------
    >>> import tempfile
    >>> dataset = Sequences.from_masks([np.ones((2, 4, 4), dtype=bool)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = save(dataset, f"{folder}/mine.npz")
    ...     len(fingerprint(f"{folder}/mine.npz"))
    64
    """
    if is_folder(path):
        return sha256_file(check_input(check_input(path, folder=True) / "zarr.json"))
    return sha256_file(check_input(path))


def content_hash(dataset: Sequences, columns: Sequence[str] = ()) -> str:
    """Return what tells the content of a dataset from others, whatever the format of its file and its manifest.

    Parameters
    ----------
    dataset : Sequences
        Images that are read lazily are read once, part by part.
    columns : sequence of str
        Columns that count too, such as those that a split goes by.

    Returns
    -------
    str
        The sha256 of those of its images, factors with their names, and offsets. They are computed, not those that the
        manifest claims.
    """
    digest = hashlib.sha256("".join(f"{name}\0" for name in dataset.factor_names).encode())
    arrays: list[AnyArray] = [dataset.factors, dataset.offsets, *(dataset.columns[name] for name in columns)]
    for array in arrays if dataset.images is None else [dataset.images, *arrays]:
        digest.update(f"{array.shape} {sha256_array(array)}\0".encode())
    return digest.hexdigest()


def save(
    dataset: Sequences,
    path: str | Path,
    overwrite: bool = False,
    spread: Spread | None = None,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Write a dataset file, whole or not at all.

    Parameters
    ----------
    dataset : Sequences
        What to write.
    path : str or Path
        The file. ``.npz``, ``.h5`` and ``.zarr`` (a folder) hold everything; ``.pickle`` is the release's file of KITTI
        Masks (masks and latents only). Images that are read lazily are written part by part.
    overwrite : bool
        Whether an existing file may be replaced.
    spread : Spread, optional
        What writes the shards of a zarr store; by default threads.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

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

    Examples
    --------
    >>> import tempfile
    >>> dataset = Sequences.from_masks([np.ones((2, 4, 4), dtype=bool)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = save(dataset, f"{folder}/mine.npz")
    >>> manifest["counts"]
    {'sequences': 1, 'frames': 2, 'pairs': 1}
    """
    if not isinstance(dataset, Sequences):
        raise UsageError(f"dataset={shown(dataset)}: must be a Sequences; datagen.store.tables.save writes tables")
    backend = _backend(path)
    path = check_output(path, overwrite, folder=is_folder(path))
    if is_folder(path):
        with atomic_folder(path, overwrite) as folder:
            return write_store(dataset, folder, path, spread, show_progress)
    arrays = _checked(dataset, path)
    try:
        with atomic_path(path, overwrite) as temporary, ThreadPoolExecutor(1) as pool:
            # Hashing lets go of the interpreter lock, so it costs nothing beside compressing.
            digests = pool.map(sha256_array, list(arrays.values()))
            manifest: dict[str, Any] = {}

            def manifest_text() -> str:
                manifest.update(_complete_manifest(dataset, arrays, dict(zip(arrays, digests, strict=True))))
                return json.dumps(manifest, ensure_ascii=True)

            total, done = sum(array.nbytes for array in arrays.values()), 0
            with byte_bar(f"writing {path.name}", total, show_progress) as bar:

                def wrote(size: int) -> None:
                    nonlocal done
                    done += size
                    bar(done)

                backend.write(temporary, arrays, manifest_text, wrote)
    except (OSError, RuntimeError) as error:  # HDF5 reports a full disk as either
        raise OutputError(path, error) from error
    return manifest


def write_store(
    dataset: Sequences, folder: Path, path: Path, spread: Spread | None = None, show_progress: bool = False
) -> dict[str, Any]:
    """Write a zarr store into a folder that may hold some of its shards already, and return the manifest as written.

    Hashes are those of the arrays as they are read back from it.

    Parameters
    ----------
    dataset : Sequences
        What to write.
    folder : Path
        Where.
    path : Path
        Its name in the end.
    spread, show_progress
        As of `save`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     masks = Sequences.from_masks([np.ones((2, 4, 4), dtype=bool)])
    ...     write_store(masks, Path(folder), Path("mine.zarr"))["counts"]
    {'sequences': 1, 'frames': 2, 'pairs': 1}
    """
    from datagen.store import zarr

    arrays = _checked(dataset, path)
    zarr.write_shards(folder, arrays, spread, show_progress)
    stored = zarr.ZarrStore(folder)
    digests = {
        name: sha256_array(stored.lazy(name) if isinstance(array, LazyArray) else array)
        for name, array in arrays.items()
    }
    manifest = _complete_manifest(dataset, arrays, digests)
    zarr.finish(folder, json.dumps(manifest, ensure_ascii=True))
    return manifest


def _checked(dataset: Sequences, path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a dataset if they and its manifest can be written."""
    arrays = arrays_of(dataset)
    for name, array in arrays.items():
        problem = checks.text_problem(array) if not isinstance(array, LazyArray) and array.dtype.kind == "U" else None
        if problem:
            raise DatagenError(f"{path}: cannot be written (array {name!r} {problem})")
    try:
        typed_manifest(dataset.manifest)
    except ManifestError as error:
        raise DatagenError(f"{path}: cannot be written ({error})") from None
    return arrays


def load(path: str | Path, lazy: bool = False) -> Sequences:
    """Read a dataset file.

    Parameters
    ----------
    path : str or Path
        A file that `save` wrote, or the release's pickle of KITTI Masks.
    lazy : bool
        Leave images where they are until they are asked for (`datagen.lazy_array`), where the format can: zarr, HDF5.

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

    Examples
    --------
    >>> import tempfile
    >>> dataset = Sequences.from_masks([np.ones((2, 4, 4), dtype=bool)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = save(dataset, f"{folder}/mine.npz")
    ...     load(f"{folder}/mine.npz").lengths
    array([2])
    """
    dataset = load_to_verify(path, lazy)
    problem = checks.factor_problem(dataset)
    if problem:
        raise BadInputError(path, problem)
    return dataset


def load_to_verify(path: str | Path, lazy: bool = False) -> Sequences:
    """Read a dataset file as `load` does, but let pass latents or factors that cannot be right.

    Examples
    --------
    >>> import tempfile
    >>> dataset = Sequences.from_masks([np.ones((2, 4, 4), dtype=bool)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = save(dataset, f"{folder}/mine.npz")
    ...     load_to_verify(f"{folder}/mine.npz").num_frames
    2
    """
    backend = _backend(path)
    path = check_input(path, folder=is_folder(path))
    try:
        with backend.open_file(path) as file:
            # Nothing large is read before all that the file says of itself has been checked.
            manifest = checks.check_manifest(path, file.manifest())
            layout = checks.layout_of(path, manifest)
            wanted = [*layout.dtypes, "factor_names"]
            headers = {name: file.header(name) for name in wanted if name in file.names}
            checks.check_headers(path, layout, headers)
            arrays: dict[str, Any] = dict.fromkeys(wanted)
            for name in headers:
                stays = lazy and name == layout.images and hasattr(file, "lazy")
                arrays[name] = file.lazy(name) if stays else file.read(name)
    except MemoryError:
        raise BadInputError(path, "does not fit into memory") from None
    checks.check_texts(path, layout, arrays)
    dataset = layout.dataset(path, arrays, manifest)
    checks.check_structure(path, layout, dataset, arrays)
    return dataset


def arrays_of(dataset: Sequences) -> dict[str, AnyArray]:
    """Return the arrays of a dataset by name, as a file holds them.

    Examples
    --------
    >>> list(arrays_of(Sequences.from_masks([np.ones((2, 4, 4), dtype=bool)])))[:3]
    ['masks', 'latents', 'offsets']
    """
    return {**LAYOUTS[dataset.kind].arrays(dataset), "factor_names": np.array(dataset.factor_names)}


def sha256_array(array: AnyArray) -> str:
    """Return the sha256 of an array's bytes in C order (of texts: in UTF-8, each ended by a zero byte).

    Examples
    --------
    >>> sha256_array(np.zeros(3, dtype=np.uint8))[:8]
    '709e80c8'
    """
    if isinstance(array, np.ndarray) and array.dtype.kind == "U":
        return hashlib.sha256("".join(f"{text}\0" for text in array.ravel()).encode()).hexdigest()
    digest = hashlib.sha256()
    for _, part in parts(array):
        digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _backend(path: str | Path) -> ModuleType:
    from importlib import import_module

    return import_module(f"datagen.store.{check_suffix(path)}")


def _complete_manifest(
    dataset: Sequences, arrays: Mapping[str, AnyArray], digests: Mapping[str, str]
) -> dict[str, Any]:
    counts = {"sequences": dataset.num_sequences, "frames": dataset.num_frames}
    if dataset.holds_masks:
        counts["pairs"] = dataset.num_pairs
    described = {
        name: {
            "dtype": checks.Header.of(array).dtype,
            "shape": list(array.shape),
            "sha256": digests[name],
        }
        for name, array in arrays.items()
    }
    return {**dataset.manifest, "kind": dataset.kind, "counts": counts, "arrays": described}
