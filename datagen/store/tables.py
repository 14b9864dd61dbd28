"""Files that a table of transitions can be had from, and those it is written to.

Beside a table that a command made lies its manifest, ``FILE.manifest.json``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datagen.errors import BadInputError, UsageError
from datagen.files import atomic_path, check_output, sha256_file
from datagen.measure import MeasuredVideo
from datagen.readers.annotation_file import YOUTUBE_VIS_NAMES
from datagen.store import SUFFIXES, load, long_table, release_csv
from datagen.store.release_pickle import unpickle
from datagen.transitions import Transitions

__all__ = ["check_table", "read", "write", "write_measured"]

_WRITERS = {".csv": long_table.write_csv, ".parquet": long_table.write_parquet}
_PAIR_COLUMNS = ("id", "category", "y", "x", "area")


def check_table(path: str | Path, overwrite: bool = False) -> Path:
    """Say early that a table cannot be written; raises what `write` would."""
    path = check_output(path, overwrite)
    if path.suffix.lower() not in _WRITERS:
        raise UsageError(f"{path}: no table has the suffix {path.suffix!r}; use {' or '.join(_WRITERS)}")
    return path


def write(
    table: Transitions, path: str | Path, overwrite: bool = False, manifest: dict[str, Any] | None = None
) -> None:
    """Write a table of pairs, a row a pair; see `datagen.transitions.save`."""
    path = check_table(path, overwrite)
    _WRITERS[path.suffix.lower()](path, table)
    _write_manifest(path, manifest)


def write_measured(
    videos: Sequence[MeasuredVideo], path: str | Path, overwrite: bool = False, manifest: dict[str, Any] | None = None
) -> None:
    """Write measured masks as the release's own table.

    Parameters
    ----------
    videos : sequence of MeasuredVideo
        What was measured.
    path : str or Path
        The file, ``.csv``.
    overwrite : bool
        Whether an existing file may be replaced.
    manifest : dict, optional
        How it was made, to be written beside it.

    Raises
    ------
    UsageError
        If the file exists, its folder does not, or its suffix is another.
    """
    path = check_table(path, overwrite)
    if path.suffix.lower() != ".csv":
        raise UsageError(f"{path}: the release's table is a .csv")
    release_csv.write(path, videos)
    _write_manifest(path, manifest)


def _manifest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.manifest.json")


def _write_manifest(path: Path, manifest: dict[str, Any] | None) -> None:
    beside = _manifest_path(path)
    if manifest is None:
        beside.unlink(missing_ok=True)  # that of a table which is no more
        return
    with atomic_path(beside) as temporary:
        temporary.write_text(json.dumps({**manifest, "sha256": sha256_file(path)}, indent=2) + "\n")


def read(path: str | Path) -> Transitions:
    """Read the pairs of neighbouring frames from a file; see `datagen.transitions.load`."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path)
    if suffix == ".parquet":
        return long_table.read_parquet(path)
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: no table has the suffix {suffix!r}; use {', '.join([*_WRITERS, *SUFFIXES])}")
    if SUFFIXES[suffix] == "release_pickle":
        with path.open("rb") as stream:
            data = unpickle(stream, path)
        if isinstance(data, dict) and data.keys() >= set(_PAIR_COLUMNS):
            return _of_pair_lists(path, data)
    dataset = load(path)
    if not hasattr(dataset, "transitions"):
        raise BadInputError(path, f"is a dataset of {dataset.kind}, which has no table of transitions")
    return dataset.transitions()


def _read_csv(path: Path) -> Transitions:
    with path.open("rb") as stream:
        header = stream.readline()
    if header.startswith(release_csv.HEADER):
        return release_csv.read(path, _category_names(path))
    if header.startswith(long_table.HEADER):
        return long_table.read_csv(path)
    raise BadInputError(
        path,
        f"is no table of transitions: its first line begins neither with {release_csv.HEADER.decode()} "
        f"nor with {long_table.HEADER.decode()}",
    )


def _category_names(path: Path) -> dict[int, str]:
    """Return the names of the categories of a release's table: as its manifest says, else those of YouTube-VIS 2019."""
    beside = _manifest_path(path)
    if not beside.is_file():
        return YOUTUBE_VIS_NAMES
    try:
        return {int(number): str(name) for number, name in json.loads(beside.read_text())["categories"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInputError(beside, "is no manifest of a table; mend or remove it") from None


def _of_pair_lists(path: Path, data: dict[str, Any]) -> Transitions:
    """Take the release's dictionary of pairs, ``kitti_dict_p_v2.pkl``: a list a column, `id` the sequence."""
    try:
        y, x, area = (np.array(data[name]) for name in ("y", "x", "area"))
        sequence = np.array(data["id"], dtype=np.int64)
        # A sequence's pairs stand in the order of time.
        begins = np.flatnonzero(np.append(True, np.diff(sequence) != 0))[: len(sequence)]
        lengths = np.diff(np.append(begins, len(sequence)))
        table = Transitions(
            source=np.full(len(sequence), ""),
            video=np.full(len(sequence), ""),
            object_id=sequence,
            category=np.array(data["category"], dtype=str),
            window=np.full(len(sequence), -1, dtype=np.int64),
            frame=np.arange(len(sequence)) - np.repeat(begins, lengths),
            y=y,
            x=x,
            area=area,
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInputError(path, f"is no table of pairs ({str(error).splitlines()[0]})") from None
    if any(values.dtype.kind not in "fi" for values in (y, x, area)):
        raise BadInputError(path, "is no table of pairs (a position or an area is no number)")
    return table
