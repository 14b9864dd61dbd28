"""Tables of transitions with a row a pair, as CSV and as parquet.

Both have the columns source, video, object_id, category, window, frame, then y, x and area, each before and after. In
CSV, positions are float64 and areas int64; a column of another type says so in its name, as ``y_before:float32``.
"""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, UsageError
from datagen.files import atomic_path
from datagen.transitions import Transitions

__all__ = ["HEADER", "read_csv", "read_parquet", "write_csv", "write_parquet"]

_TEXTS = ("source", "video", "category")
_NUMBERS = ("object_id", "window", "frame")
_PLACES = ("source", "video", "object_id", "category", "window", "frame")
_MEASURED = tuple(f"{factor}_{when}" for factor in ("y", "x", "area") for when in ("before", "after"))

_TYPES = {"y": ("float64", "float32"), "x": ("float64", "float32"), "area": ("int64", "float64", "float32")}
"""The types that a measured column can have; the first goes without saying."""

HEADER = ",".join(_PLACES).encode()
"""How every such CSV begins."""


def write_csv(path: Path, table: Transitions) -> None:
    """Write a table of pairs as CSV, whole or not at all; every number is read back as the same."""
    columns = _columns(table)
    names = [
        name if str(column.dtype) == _types(name)[0] else f"{name}:{column.dtype}"
        for name, column in columns.items()
        if name in _MEASURED
    ]
    texts = [column.astype(str).tolist() for column in columns.values()]  # the shortest text that gives the number
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*_PLACES, *names])
        writer.writerows(zip(*texts, strict=True))


def read_csv(path: Path) -> Transitions:
    """Read a table that `write_csv` wrote.

    Raises
    ------
    BadInputError
        If it is damaged; it says which line.
    """
    fields: list[str] = []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader)
            types = dict(name.partition(":")[::2] for name in header[len(_PLACES) :])
            if tuple(header[: len(_PLACES)]) != _PLACES or tuple(types) != _MEASURED:
                raise BadInputError(path, f"its columns are not {', '.join((*_PLACES, *_MEASURED))}", "line 1")
            for row in reader:
                if len(row) != len(header):
                    raise BadInputError(path, f"has {len(row)} fields, not {len(header)}", f"line {reader.line_num}")
                fields += row
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(path, f"is damaged or no CSV ({error})") from None
    texts = {name: fields[place :: len(header)] for place, name in enumerate((*_PLACES, *_MEASURED))}
    columns: dict[str, NDArray[Any]] = {}
    for name, text in texts.items():
        dtype = "str" if name in _TEXTS else "int64" if name in _NUMBERS else types[name] or _types(name)[0]
        if name in _MEASURED and dtype not in _types(name):
            raise BadInputError(path, f"column {name} is of type {dtype}, not {' or '.join(_types(name))}", "line 1")
        try:
            columns[name] = np.array(text, dtype=dtype)
        except (ValueError, OverflowError):
            number = next(number for number, value in enumerate(text) if not _is_number(value, dtype))
            raise BadInputError(path, f"{name} is {text[number]!r}, no {dtype}", f"row {number + 1}") from None
    return _table(path, columns)


def write_parquet(path: Path, table: Transitions) -> None:
    """Write a table of pairs as parquet, whole or not at all."""
    pyarrow = _pyarrow(path)
    columns = {
        name: pyarrow.array(column.tolist()).dictionary_encode() if name in _TEXTS else column
        for name, column in _columns(table).items()
    }
    with atomic_path(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(columns), temporary)


def read_parquet(path: Path) -> Transitions:
    """Read a table that `write_parquet` wrote.

    Raises
    ------
    BadInputError
        If it is damaged or lacks columns.
    """
    pyarrow = _pyarrow(path)
    try:
        content = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise BadInputError(path, f"is damaged or no parquet file ({str(error).splitlines()[0]})") from None
    columns: dict[str, NDArray[Any]] = {}
    for name in (*_PLACES, *_MEASURED):
        if name not in content.column_names or content[name].null_count:
            raise BadInputError(path, f"lacks the column {name}, or values in it")
        column = content[name]
        if name in _TEXTS:
            coded = column.cast("string").combine_chunks().dictionary_encode()
            known = np.array(coded.dictionary.to_pylist(), dtype=str)
            columns[name] = known[coded.indices.to_numpy()]
            continue
        columns[name] = column.to_numpy()
        wanted = ("int64",) if name in _NUMBERS else _types(name)
        if str(columns[name].dtype) not in wanted:
            raise BadInputError(path, f"column {name} is of type {column.type}, not {' or '.join(wanted)}")
    return _table(path, columns)


def _columns(table: Transitions) -> dict[str, NDArray[Any]]:
    if table.length != 2:
        raise UsageError(f"rows of {table.length} frames: a file holds pairs; runs are had when it is loaded")
    measured = {name: getattr(table, name.partition("_")[0])[:, name.endswith("after") * 1] for name in _MEASURED}
    return {**{name: getattr(table, name) for name in _PLACES}, **measured}


def _table(path: Path, columns: dict[str, NDArray[Any]]) -> Transitions:
    for name in _MEASURED:
        wrong = ~np.isfinite(columns[name])
        if wrong.any():
            row = int(np.argmax(wrong))
            raise BadInputError(path, f"{name} is {columns[name][row]}; a measure is a finite number", f"row {row + 1}")
    pairs = {factor: np.stack([columns[f"{factor}_before"], columns[f"{factor}_after"]], axis=1) for factor in _TYPES}
    return Transitions(**{name: columns[name] for name in _PLACES}, **pairs)


def _types(name: str) -> tuple[str, ...]:
    return _TYPES[name.partition("_")[0]]


def _is_number(text: str, dtype: str) -> bool:
    try:
        np.array([text], dtype=dtype)
    except (ValueError, OverflowError):
        return False
    return True


def _pyarrow(path: Path) -> ModuleType:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            f"{path}: parquet needs pyarrow; pip install 'datagen-natural[parquet]', or use .csv"
        ) from None
    return pyarrow
