"""Files that a table of transitions can be had from, and those it is written to.

Beside a table that a command made lies its manifest, ``FILE.manifest.json``.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from datagen.errors import BadInputError, UsageError
from datagen.files import atomic_paths, check_input, check_output, sha256_file
from datagen.manifest import Rate, Source, typed_manifest
from datagen.measure import MeasuredVideo
from datagen.rates import rate_or_nan
from datagen.readers.instance_sets import YOUTUBE_VIS_NAMES
from datagen.records import json_text
from datagen.store import SUFFIXES, is_folder, long_table, release_csv
from datagen.store import load as load_dataset
from datagen.store.release_pickle import unpickle
from datagen.transitions import Transitions

__all__ = ["check_table", "load", "load_with_sources", "save", "save_measured", "save_tables"]

_WRITERS = {".csv": long_table.write_csv, ".parquet": long_table.write_parquet}
_PAIR_COLUMNS = ("id", "category", "y", "x", "area")
_MAX_MANIFEST = 1 << 26  # bytes; one that lists 100,000 bad annotations has a tenth of it
_LONGEST_NAME = 1000  # characters
_MAX_HEADER = 1 << 24  # bytes; a release's table of videos of a million frames has half of it


class _Manifest(msgspec.Struct):
    """What a table's manifest says that reading relies on."""

    sha256: str | None = None
    categories: dict[str, str] | None = None
    rates: list[Rate] = []
    sources: list[Source] = []


def check_table(path: str | Path, overwrite: bool = False) -> Path:
    """Say early that a table cannot be written; raises what `save` would."""
    path = check_output(path, overwrite)
    if path.suffix.lower() not in _WRITERS:
        raise UsageError(f"{path}: no table has the suffix {path.suffix!r}; use {' or '.join(_WRITERS)}")
    check_output(_manifest_path(path), overwrite)
    if path.suffix.lower() == ".parquet":
        long_table.need_pyarrow(path)
    return path


def save(table: Transitions, path: str | Path, overwrite: bool = False, manifest: dict[str, Any] | None = None) -> None:
    """Write a table of pairs, one row per pair, whole or not at all. `load` gives the same values and types back.

    Parameters
    ----------
    table : Transitions
        Pairs.
    path : str or Path
        The file, ``.csv`` or ``.parquet`` (which needs pyarrow).
    overwrite : bool
        Whether an existing file may be replaced.
    manifest : dict, optional
        How the table was made, to be written beside it as ``FILE.manifest.json``.

    Raises
    ------
    UsageError
        If the file exists and `overwrite` is false, its folder does not exist, its suffix is another, its rows are
        longer than pairs, or pyarrow is wanting.
    """
    save_tables({Path(path): table}, overwrite, manifest)


def save_measured(
    videos: Sequence[MeasuredVideo], path: str | Path, overwrite: bool = False, manifest: dict[str, Any] | None = None
) -> None:
    """Write measured masks as the release's own table; see `save_tables`."""
    save_tables({Path(path): videos}, overwrite, manifest)


def save_tables(
    tables: Mapping[Path, Transitions | Sequence[MeasuredVideo]],
    overwrite: bool = False,
    manifest: dict[str, Any] | None = None,
) -> None:
    """Write tables and their manifests: all of them, or none.

    Parameters
    ----------
    tables : mapping of Path to Transitions or sequence of MeasuredVideo
        By the file to write: pairs (``.csv``, ``.parquet``), or what was measured, for the release's own table
        (``.csv``).
    overwrite : bool
        Whether existing files may be replaced.
    manifest : dict, optional
        How they were made, to be written beside each. Without one, that of a table which is no more is removed.

    Raises
    ------
    UsageError
        If a file exists, or its suffix is another.
    """
    paths = [check_table(path, overwrite) for path in tables]
    beside = [] if manifest is None else [_manifest_path(path) for path in paths]
    with atomic_paths([*paths, *beside], overwrite) as temporaries:
        made = temporaries[: len(paths)]
        for path, temporary, table in zip(paths, made, tables.values(), strict=True):
            if isinstance(table, Transitions):
                _WRITERS[path.suffix.lower()](temporary, table)
            elif path.suffix.lower() == ".csv":
                release_csv.write(temporary, table)
            else:
                raise UsageError(f"{path}: the release's table is a .csv")
        for temporary, manifest_temporary in zip(made, temporaries[len(paths) :], strict=manifest is not None):
            text = json_text({**(manifest or {}), "sha256": sha256_file(temporary)})
            manifest_temporary.write_text(text + "\n", encoding="utf-8")
    if manifest is None:
        for path in paths:
            _manifest_path(path).unlink(missing_ok=True)


def _manifest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.manifest.json")


def load(path: str | Path, sequence: int = 2) -> Transitions:
    """Read a table of transitions.

    Parameters
    ----------
    path : str or Path
        A table that `save` wrote (``.csv``, ``.parquet``), the release's table of YouTube-VOS
        (``downscale_keepaspect.csv``) or one written like it, the release's pairs of KITTI Masks
        (``kitti_dict_p_v2.pkl``), or a dataset file of masks (``.npz``, ``.h5``, ``.zarr``,
        ``.pickle``).
    sequence : int
        Number of frames of a row; more than 2 are had by chaining pairs (`Transitions.runs`).

    Returns
    -------
    Transitions

    Raises
    ------
    UsageError
        If the file does not exist, its suffix is of no table, or `sequence` is below 2.
    BadInputError
        If it is damaged or holds no transitions.
    """
    return load_with_sources(path)[0].runs(sequence)


def load_with_sources(path: str | Path) -> tuple[Transitions, list[Source]]:
    """Read the pairs of neighbouring frames, and what the file or its manifest says of the data sets they are from.

    Parameters
    ----------
    path : str or Path
        As of `load`, which raises the same.

    Returns
    -------
    table : Transitions
    sources : list of Source
        Licences and authors by the id that is in the column `source`; none where nothing says them.
    """
    path = check_input(path, folder=is_folder(path))
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path)
    if suffix == ".parquet":
        manifest = _read_manifest(path)
        return long_table.read_parquet(path), _sources(manifest)
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: no table has the suffix {suffix!r}; use {', '.join([*_WRITERS, *SUFFIXES])}")
    if SUFFIXES[suffix] == "release_pickle":
        with path.open("rb") as stream:
            data = unpickle(stream, path)
        if isinstance(data, dict) and data.keys() >= set(_PAIR_COLUMNS):
            return _of_pair_lists(path, data), []
    dataset = load_dataset(path, lazy=True)
    if not dataset.holds_masks:
        raise BadInputError(path, f"is a dataset of {dataset.kind}, which has no table of transitions")
    return dataset.transitions(), typed_manifest(dataset.manifest).sources


def _sources(manifest: _Manifest | None) -> list[Source]:
    return [] if manifest is None else manifest.sources


def _read_csv(path: Path) -> tuple[Transitions, list[Source]]:
    with path.open("rb") as stream:
        line = stream.readline(_MAX_HEADER)
    try:
        text = line.decode("utf-8-sig")
        header = next(csv.reader([text]), [])
    except (UnicodeDecodeError, csv.Error):
        text, header = "", []
    if release_csv.is_header(header):
        manifest = _read_manifest(path)
        table = release_csv.read(path, _category_names(path, manifest), _rate(path, manifest))
        return table, _sources(manifest)
    if {name.partition(":")[0] for name in header} & set(long_table.COLUMNS):
        manifest = _read_manifest(path)
        return long_table.read_csv(path), _sources(manifest)
    if len(header) < 2 and (separator := re.search(r"(?:id|source|_before)\"?([;\t|])", text)):
        raise BadInputError(path, f"its columns are parted by {separator[1]!r}; part them by commas", "line 1")
    raise BadInputError(
        path,
        "is no table of transitions: its first line names neither id and cat_id (the release's) "
        f"nor {', '.join(long_table.COLUMNS)}",
    )


def _rate(path: Path, manifest: _Manifest | None) -> float:
    """Return the rate of a release's table, NaN if its manifest does not tell one of all its videos."""
    rates = {each.frames_per_second for each in manifest.rates} if manifest else set()
    rate = rate_or_nan(rates.pop() if len(rates) == 1 else None)
    if rate <= 0:
        raise BadInputError(_manifest_path(path), f"{rate:g} is no rate; correct or remove it")
    return rate


def _category_names(path: Path, manifest: _Manifest | None) -> dict[int, str]:
    """Return the names of the categories of a release's table: as its manifest says, else those of YouTube-VIS 2019."""
    if manifest is None:
        return YOUTUBE_VIS_NAMES
    beside = _manifest_path(path)
    try:
        names = {int(number): name for number, name in (manifest.categories or {"": ""}).items()}
    except ValueError:
        problem = "is no manifest of a table (it gives no names of categories by their numbers); correct or remove it"
        raise BadInputError(beside, problem) from None
    for name in names.values():
        if "\0" in name or len(name) > _LONGEST_NAME:
            raise BadInputError(beside, f"{name[:40]!r} is no name of a category; correct or remove it")
    return names


def _read_manifest(path: Path) -> _Manifest | None:
    """Return the manifest beside a table, or None if there is none.

    Raises
    ------
    BadInputError
        If it is no manifest, or describes another table: whoever reads it must not take it for this table's.
    """
    beside = _manifest_path(path)
    if not os.path.lexists(beside):
        return None
    try:
        if check_input(beside).stat().st_size > _MAX_MANIFEST:
            raise BadInputError(beside, f"is larger than {_MAX_MANIFEST:,} bytes; no manifest of a table is")
        manifest = msgspec.json.decode(beside.read_bytes(), type=_Manifest)
    except UsageError as error:
        raise BadInputError(beside, str(error).removeprefix(f"{beside}: ")) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInputError(beside, f"is no manifest of a table ({error}); correct or remove it") from None
    if manifest.sha256 is not None and manifest.sha256 != sha256_file(path):
        raise BadInputError(
            beside,
            f"is of another table than {path.name}, or that was changed since (its sha256 is another); "
            "remove it to read the table without",
        )
    return manifest


def _of_pair_lists(path: Path, data: dict[str, Any]) -> Transitions:
    """Take the release's dictionary of pairs, ``kitti_dict_p_v2.pkl``: one list per column, `id` the sequence."""
    for name in _PAIR_COLUMNS:
        if not isinstance(data[name], list | np.ndarray) or len(data[name]) != len(data["id"]):
            raise BadInputError(path, f"is no table of pairs ({', '.join(_PAIR_COLUMNS)} are not lists of one length)")
    try:
        sequence, category, y, x, area = (np.array(data[name]) for name in _PAIR_COLUMNS)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInputError(path, f"is no table of pairs ({str(error).splitlines()[0]})") from None
    rows = len(sequence)
    if sequence.ndim != 1 or (rows and (sequence.dtype.kind, category.dtype.kind) != ("i", "U")):
        raise BadInputError(path, "is no table of pairs (id is no list of whole numbers, or category none of texts)")
    measured: dict[str, Any] = {}
    for name, values in (("y", y), ("x", x), ("area", area)):
        if rows and (values.shape != (rows, 2) or values.dtype.kind not in "fi"):
            raise BadInputError(path, f"is no table of pairs ({name} is no list of two numbers a row)")
        counted = name == "area" and values.dtype.kind == "i"
        dtype = np.int64 if counted else np.float32 if values.dtype == np.float32 else np.float64
        measured[name] = values.reshape(rows, 2).astype(dtype)
        wrong = ~np.isfinite(measured[name]).all(axis=1)
        if wrong.any():
            raise BadInputError(path, f"{name} is no finite number", f"pair {int(np.argmax(wrong))}")
    # A sequence's pairs stand in the order of time.
    begins = np.flatnonzero(np.append(True, np.diff(sequence) != 0))[:rows]
    lengths = np.diff(np.append(begins, rows))
    return Transitions(
        source=np.full(rows, ""),
        video=np.full(rows, ""),
        object_id=-1 - np.unique(sequence, return_inverse=True)[1].astype(np.int64),
        category=category.astype(str),
        window=np.full(rows, -1, dtype=np.int64),
        frame=np.arange(rows) - np.repeat(begins, lengths),
        **measured,
    )
