"""JSON: small files that the program keeps with its work, read into checked types, and text that every reader takes.

What `read_record` returns can be relied on: every field is there, of its type and in its range. Nothing behind it asks
again.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, TypeVar

from datagen.errors import BadInputError
from datagen.files import atomic_path, check_input

__all__ = ["finite", "json_text", "read_record", "write_record"]

Record = TypeVar("Record")

_MAX_BYTES = 64 << 20


def read_record(path: str | Path, kind: type[Record], remedy: str) -> Record:
    """Read a JSON file as a type.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : type
        A ``msgspec.Struct``, a dataclass, or any type that `msgspec` can decode.
    remedy : str
        What to do about a file that is damaged, for the error.

    Returns
    -------
    object
        Of type `kind`.

    Raises
    ------
    UsageError
        If there is no such file.
    BadInputError
        If it is no plain file, too large, no JSON, or not of the type; it says which field.
    """
    import msgspec

    path = check_input(path)
    if path.stat().st_size > _MAX_BYTES:
        raise BadInputError(path, f"has {path.stat().st_size:,} bytes, far more than such a file needs; {remedy}")
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.ValidationError as error:  # "Expected `int`, got `str` - at `$.settings.z_dim`"
        problem, _, place = str(error).partition(" - at ")
        raise BadInputError(path, f"is damaged ({problem}); {remedy}", place.strip("`$.") or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        raise BadInputError(path, f"is damaged; {remedy}") from None


def write_record(path: str | Path, record: Any) -> None:
    """Write JSON types to a file, whole or not at all; a number that is not finite becomes null.

    Parameters
    ----------
    path : str or Path
        The file.
    record : dict or list
        JSON types only.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json_text(record) + "\n", encoding="utf-8")


def json_text(content: Any, indent: int | None = 2) -> str:
    """Return JSON that every reader takes: NaN and infinity, which JSON has not, are null.

    Parameters
    ----------
    content : object
        JSON types, tuples too.
    indent : int, optional
        Of each level; None for a single line.
    """
    return json.dumps(finite(content), indent=indent, allow_nan=False)


def finite(value: Any) -> Any:
    """Return JSON types with None for every number that JSON cannot hold.

    Half a character, as of a file's name that is not UTF-8, which readers refuse, comes out as Python writes it.

    Examples
    --------
    >>> finite({"low": float("-inf"), "high": 2.5})
    {'low': None, 'high': 2.5}
    """
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return None if isinstance(value, float) and not math.isfinite(value) else value
