"""Tables of transitions with one row per pair, as CSV and as parquet.

Both have the columns source, video, object_id, category, window, frame, then y, x and area, each before and after, and
fps where a rate is known. In CSV, positions are float64, areas int64 and rates float32; a measured column of another
type says so in its name, as ``y_before:float32``. An unknown rate is an empty field, in parquet NaN.
Columns are known by name: their order and other columns do not matter, so that a table may have gone through pandas.
What is read here is checked here, and trusted by all that follows: texts, whole numbers and finite measures.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, UsageError
from datagen.extras import extra
from datagen.rates import wrong_rates
from datagen.transitions import Transitions

__all__ = ["COLUMNS", "need_pyarrow", "read_csv", "read_parquet", "write_csv", "write_parquet"]

_TEXTS = ("source", "video", "category")
_NUMBERS = ("object_id", "window", "frame")
_PLACES = ("source", "video", "object_id", "category", "window", "frame")
_MEASURED = tuple(f"{factor}_{when}" for factor in ("y", "x", "area") for when in ("before", "after"))

COLUMNS = (*_PLACES, *_MEASURED)
"""The columns of every such table."""

_RATE = "fps"
"""A column that may be wanting: no rate is known then."""

_ALL = (*COLUMNS, _RATE)

_TYPES = {
    **dict.fromkeys(("y", "x"), ("float64", "float32")),
    "area": ("int64", "float64", "float32"),
    "fps": ("float32",),
}
"""The types that a column of numbers with fractions can have; the first goes without saying."""

_BLOCK = 1 << 16  # rows of a CSV that are texts at one time
_WHOLE = float(1 << 53)  # up to here a float64 tells every whole number from the next
_MOST_TEXT = 1 << 28  # bytes of a column of texts, all of which are as wide as the longest, where it has a long one
_LONG = 255  # characters, as many as the name of a file can have


def write_csv(path: Path, table: Transitions) -> None:
    """Write a table of pairs as CSV; every number is read back as the same."""
    columns = _columns(table)
    names = [
        name if str(column.dtype) == _types(name)[0] else f"{name}:{column.dtype}"
        for name, column in columns.items()
        if name in _MEASURED
    ]
    texts = [column.astype(str).tolist() for column in columns.values()]  # the shortest text that gives the number
    if _RATE in columns:
        names.append(_RATE)
        texts[-1] = ["" if text == "nan" else text for text in texts[-1]]
    # A writer whose lines end in \n leaves a lone \r as it is, where a reader would end the line.
    torn = any("\r" in text for name in _TEXTS for text in set(columns[name].tolist()))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL if torn else csv.QUOTE_MINIMAL)
        writer.writerow([*_PLACES, *names])
        writer.writerows(zip(*texts, strict=True))


def read_csv(path: Path) -> Transitions:
    """Read a table that `write_csv` wrote, also after another program has read and written it.

    Columns are found by name. A byte order mark, quoted fields, other ends of line, further columns and whole numbers
    written as ``448.0`` are as good as what `write_csv` writes; areas that have fractions are taken as float64.

    Raises
    ------
    BadInputError
        If it is damaged; it says which line or row.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader)
            found = _find_columns(path, header)
            parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _ALL if name in found}
            rows = _rows(path, reader, len(header))
            first = 1
            while block := list(islice(rows, _BLOCK)):
                for full, fields in zip(header, zip(*block, strict=True), strict=True):
                    name, _, type_name = full.partition(":")
                    if name in found:
                        parts[name].append(_parse(path, name, type_name, fields, first))
                first += len(block)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(path, f"is damaged or no CSV ({error})") from None
    columns = {}
    for name, blocks in parts.items():
        if name in _TEXTS:
            _check_texts(path, name, blocks, sum(map(len, blocks)))
            columns[name] = np.concatenate([np.empty(0, dtype=object), *blocks]).astype(str)
        else:
            dtype = found[name].partition(":")[2] or _dtype(name)
            columns[name] = np.concatenate(blocks) if blocks else np.empty(0, dtype=dtype)
    return _table(path, columns)


def _find_columns(path: Path, header: Sequence[str]) -> dict[str, str]:
    """Return the full name, with its type, of each of `COLUMNS`, and of the rate if there is one."""
    found: dict[str, str] = {}
    for full in header:
        name, _, type_name = full.partition(":")
        if name not in _ALL:
            continue
        if name in found:
            raise BadInputError(path, f"has the column {name} twice; remove one", "line 1")
        if type_name and (name not in _MEASURED or type_name not in _types(name)):
            wanted = " or ".join(_types(name)) if name in _MEASURED else "what goes without saying"
            raise BadInputError(path, f"column {name} is of type {repr(type_name[:40])[1:-1]}, not {wanted}", "line 1")
        found[name] = full
    if missing := [name for name in COLUMNS if name not in found]:
        raise BadInputError(
            path, f"its columns are not {', '.join(COLUMNS)}, in any order: {', '.join(missing)} wanting", "line 1"
        )
    return found


def _rows(path: Path, reader: Any, width: int) -> Iterator[list[str]]:
    """Yield the rows of a CSV but those that are empty; each has a field a column."""
    for row in reader:
        if len(row) == width:
            yield row
        elif row:
            raise BadInputError(path, f"has {len(row)} fields, not {width}", f"line {reader.line_num}")


def _parse(path: Path, name: str, type_name: str, fields: Sequence[str], first: int) -> NDArray[Any]:
    """Return a block of a column's fields as what they say, by the type in its name; `first` is its first row."""
    if name in _TEXTS:
        return np.array(fields, dtype=object)  # as an array of texts it would be as wide as the longest
    if name == _RATE:
        fields = [field or "nan" for field in fields]
    values = _to_numbers(name, type_name, fields)
    if values is None:
        place = next(place for place, field in enumerate(fields) if _to_numbers(name, type_name, [field]) is None)
        problem = f"{name} is {_shown(fields[place])}, no {type_name or _dtype(name)}"
        raise BadInputError(path, problem, f"row {first + place}")
    return values


def _to_numbers(name: str, type_name: str, fields: Sequence[str]) -> NDArray[Any] | None:
    """Return fields as numbers of their column's type, or None where one of them is none."""
    joined = "".join(fields)
    if not joined.isascii() or "_" in joined:  # Python's numbers may have digits of any script, and underscores
        return None
    dtype = type_name or _dtype(name)
    try:
        if dtype != "int64":
            with np.errstate(over="ignore"):  # what is not finite is refused for what it is
                return np.array(fields, dtype=dtype)
        try:
            return np.array(fields, dtype=np.int64)
        except ValueError:
            return np.array([_whole(field) for field in fields], dtype=np.int64)
    except (ValueError, OverflowError):
        if name in _NUMBERS or type_name:
            return None
    try:
        values = np.array(fields, dtype=np.float64)
    except ValueError:
        return None
    return None if (abs(values) > _WHOLE).any() else values  # areas with a fraction


def _whole(field: str) -> int:
    """Return a whole number that may be written as a float, ``448.0``; raise ValueError for another."""
    try:
        return int(field)
    except ValueError:
        value = float(field)
        if not value.is_integer() or abs(value) > _WHOLE:
            raise
        return int(value)


def write_parquet(path: Path, table: Transitions) -> None:
    """Write a table of pairs as parquet."""
    pyarrow = need_pyarrow(path)
    columns = {
        name: pyarrow.array(column.tolist()).dictionary_encode() if name in _TEXTS else column
        for name, column in _columns(table).items()
    }
    with path.open("wb") as file:  # pyarrow takes a path for an address, and only one in UTF-8
        pyarrow.parquet.write_table(pyarrow.table(columns), file)


def read_parquet(path: Path) -> Transitions:
    """Read a table that `write_parquet` wrote, also after another program has read and written it.

    Columns are found by name; others are not read. Texts may be of any of Arrow's types of text, coded or not, or whole
    numbers; whole numbers of any width, or floats without fractions.

    Raises
    ------
    BadInputError
        If it is damaged, lacks columns or values, or holds others than such a table.
    """
    pyarrow = need_pyarrow(path)
    size = path.stat().st_size
    try:
        # Of one open file: what a path looks like says nothing here, where a data set takes columns from "window=3/".
        with path.open("rb") as stream, pyarrow.parquet.ParquetFile(stream) as file:
            names = list(file.schema_arrow.names)
            wanted = _ALL if _RATE in names else COLUMNS
            for name in wanted:
                if names.count(name) != 1:
                    problem = f"has the column {name} twice" if name in names else f"lacks the column {name}"
                    raise BadInputError(path, f"{problem}; it needs {', '.join(COLUMNS)}")
                _check_type(path, name, file.schema_arrow.field(name).type)
            _check_size(path, file.metadata, names, size)
            texts = [name for name in _TEXTS if not pyarrow.types.is_integer(file.schema_arrow.field(name).type)]
        with path.open("rb") as stream, pyarrow.parquet.ParquetFile(stream, read_dictionary=texts) as file:
            content = file.read(list(wanted))
        content.validate(full=True)  # the texts' codes, too
        columns = {name: _of_arrow(path, name, content[name]) for name in wanted}
    except BadInputError:
        raise
    except MemoryError:
        raise BadInputError(path, "needs more memory than there is") from None
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        type_name = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInputError(path, f"is damaged or no parquet file ({type_name[:200]})") from None
    return _table(path, columns)


def _check_type(path: Path, name: str, dtype: Any) -> None:
    """Refuse a column of a type that cannot be meant."""
    from pyarrow import types

    kind = dtype.value_type if types.is_dictionary(dtype) else dtype
    if name in _TEXTS:
        good = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
        good |= types.is_integer(dtype)  # names such as 0002 that another program took for numbers
        wanted: tuple[str, ...] = ("text",)
    elif name in _NUMBERS:
        good = types.is_integer(dtype) or types.is_float32(dtype) or types.is_float64(dtype)
        wanted = ("int64",)
    elif name == _RATE:
        good = types.is_integer(dtype) or types.is_float32(dtype) or types.is_float64(dtype)
        wanted = _types(name)
    else:
        wanted = _types(name)
        good = types.is_float32(dtype) or types.is_float64(dtype) or ("int64" in wanted and types.is_integer(dtype))
    if not good and not types.is_null(kind):  # all null, or of no rows
        raise BadInputError(path, f"column {name} is of type {dtype}, not {' or '.join(wanted)}")


def _check_size(path: Path, metadata: Any, names: Sequence[str], size: int) -> None:
    """Refuse a small file that would take all memory: numbers that repeat take next to nothing until they are read."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    # Six measured floats that differ from row to row take more than eight bytes, however well they are packed.
    if rows > 1_000_000 + size // 8:
        raise BadInputError(path, f"claims {rows:,} rows in {size:,} bytes, which no table of transitions can")
    wanted = [place for place, name in enumerate(names) if name in _ALL] if groups else []
    if groups and groups[0].num_columns != len(names):  # nested columns beside ours: count them all
        wanted = list(range(groups[0].num_columns))
    unpacked = sum(group.column(place).total_uncompressed_size for group in groups for place in wanted)
    if unpacked > max(1 << 28, 32 * size):
        raise BadInputError(path, f"{size:,} bytes unpack to {unpacked:,}, which those of no table of transitions do")


def _of_arrow(path: Path, name: str, column: Any) -> NDArray[Any]:
    """Return a column of parquet as an array, checked."""
    from pyarrow import types

    if name == _RATE:
        if types.is_null(column.type):
            return np.full(len(column), np.nan, dtype=np.float32)
        return column.cast("float32").fill_null(np.nan).to_numpy()
    if column.null_count:
        raise BadInputError(path, f"lacks the column {name}, or values in it: {column.null_count:,} are null")
    if types.is_null(column.type) or (name in _TEXTS and not len(column)):
        return np.empty(0, dtype="str" if name in _TEXTS else _dtype(name))
    if name not in _TEXTS:
        if types.is_integer(column.type):
            return column.cast("int64").to_numpy()
        values = column.to_numpy()
        if name in _MEASURED:
            return values
        wrong = ~(abs(values) <= _WHOLE) | (values != np.rint(values))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise BadInputError(path, f"{name} is {values[row]}, no int64", f"row {row + 1}")
        return values.astype(np.int64)
    if types.is_integer(column.type):
        column = column.cast("string")
    coded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    known = coded.dictionary.to_pylist()
    if None in known:
        raise BadInputError(path, f"lacks the column {name}, or values in it: some are null")
    _check_texts(path, name, [np.array(known, dtype=object)], len(coded))
    return np.array(known, dtype=str)[coded.indices.to_numpy(zero_copy_only=False)]


def _columns(table: Transitions) -> dict[str, NDArray[Any]]:
    if table.length != 2:
        raise UsageError(f"rows of {table.length} frames: a file holds pairs; runs are had when it is loaded")
    for name in _TEXTS:
        for text in set(getattr(table, name).tolist()):
            if "\0" in text or not _is_utf8(text):
                raise UsageError(f"{name} {_shown(text)}: a file of text cannot hold this name; give it another")
    measured = {name: getattr(table, name.partition("_")[0])[:, name.endswith("after") * 1] for name in _MEASURED}
    rate = {} if np.isnan(table.fps).all() else {_RATE: table.fps}
    return {**{name: getattr(table, name) for name in _PLACES}, **measured, **rate}


def _table(path: Path, columns: dict[str, NDArray[Any]]) -> Transitions:
    for name in _MEASURED:
        wrong = ~np.isfinite(columns[name])
        if wrong.any():
            row = int(np.argmax(wrong))
            raise BadInputError(path, f"{name} is {columns[name][row]}; a measure is a finite number", f"row {row + 1}")
    fps = columns.get(_RATE)
    if fps is not None and (wrong := wrong_rates(fps)).any():
        row = int(np.argmax(wrong))
        raise BadInputError(
            path, f"fps is {fps[row]}; a rate is above 0, or left empty where it is unknown", f"row {row + 1}"
        )
    pairs = {
        factor: np.stack([columns[f"{factor}_before"], columns[f"{factor}_after"]], axis=1)
        for factor in ("y", "x", "area")
    }
    return Transitions(**{name: columns[name] for name in _PLACES}, **pairs, fps=fps)  # type: ignore[arg-type]


def _check_texts(path: Path, name: str, blocks: Sequence[NDArray[Any]], rows: int) -> None:
    """Refuse texts that an array cannot hold: with a zero at the end, or so long that all of them take too much."""
    for text in {text for block in blocks for text in block.tolist()}:
        if "\0" in text:
            raise BadInputError(path, f"{name} {_shown(text)} holds a zero byte; give it another name")
        if len(text) > _LONG and 4 * len(text) * rows > _MOST_TEXT:
            raise BadInputError(path, f"{name} {_shown(text)} has {len(text):,} characters; give it a shorter name")


def _shown(text: str) -> str:
    """Return a text as an error shows it."""
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}..."


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dtype(name: str) -> str:
    """Return the type of a column of numbers whose name says none."""
    return "int64" if name in _NUMBERS else _types(name)[0]


def _types(name: str) -> tuple[str, ...]:
    return _TYPES[name.partition("_")[0]]


def need_pyarrow(path: Path) -> ModuleType:
    """Return pyarrow, or say how to get it."""
    with extra("parquet", f"{path}: parquet"):
        import pyarrow
        import pyarrow.parquet

    return pyarrow
