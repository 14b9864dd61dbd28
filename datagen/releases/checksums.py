"""Checksum lists: SHA256SUMS, as ``sha256sum`` writes and reads them."""

from __future__ import annotations

import re
import stat
from pathlib import Path, PureWindowsPath

from datagen.checks import Check
from datagen.errors import BadInputError, UsageError
from datagen.files import atomic_path, sha256_file

__all__ = ["CHECKSUMS", "read_checksums", "verify_folder", "write_checksums"]

CHECKSUMS = "SHA256SUMS"
"""The name of the list."""

_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
_LARGEST_LIST = 1 << 24


def write_checksums(folder: str | Path) -> None:
    """List the sha256 of every file of a folder, by name.

    Raises
    ------
    BadInputError
        If the folder holds something that is no plain file, or whose name is not a line of text.
    """
    folder = Path(folder)
    lines = []
    for name in _files(folder):
        problem = _problem(folder, name)
        if problem or not name.isprintable() or "\\" in name:
            raise BadInputError(folder, f"{name!r} {problem or 'has a name that no list can hold'}; take it away")
        lines.append(f"{sha256_file(folder / name)}  {name}\n")
    with atomic_path(folder / CHECKSUMS) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8", newline="\n")


def read_checksums(folder: str | Path) -> dict[str, str]:
    """Return the sha256 of every file by a folder's list.

    Raises
    ------
    UsageError
        If the folder has no list.
    BadInputError
        If a line is none of such a list, or names a file outside the folder.
    """
    path = Path(folder) / CHECKSUMS
    if not path.is_file():
        raise UsageError(f"{folder}: has no {CHECKSUMS} to check it against")
    if path.is_symlink() or path.stat().st_size > _LARGEST_LIST:
        raise BadInputError(path, "is a link, or too large for a list of checksums")
    digests: dict[str, str] = {}
    # Only a newline ends a line: a name may hold what else splitlines() takes for an end.
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), start=1):
        if not line:
            continue
        found = _LINE.fullmatch(line.removesuffix("\r"))
        where = f"line {number}"
        if found is None:
            raise BadInputError(path, "is not a sha256, two spaces and a name", where)
        name = found[2]
        parts = re.split(r"[/\\]", name)
        if Path(name).is_absolute() or PureWindowsPath(name).drive or ".." in parts:
            raise BadInputError(path, f"names a file outside the folder, {name!r}", where)
        if not name.isprintable() or not {"", "."}.isdisjoint(parts):
            raise BadInputError(path, f"names no file, {name[:100]!r}", where)
        if name in digests:
            raise BadInputError(path, f"names {name} a second time", where)
        digests[name] = found[1].lower()
    return digests


def verify_folder(folder: str | Path) -> list[Check]:
    """Check the files of a folder against its list.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Returns
    -------
    list of Check
        One per file, of the list and of the folder; files whose name begins with a dot are not looked at.

    Raises
    ------
    UsageError, BadInputError
        As `read_checksums`.
    """
    folder = Path(folder)
    digests = read_checksums(folder)
    checks = []
    for name, digest in digests.items():
        if problem := _problem(folder, name):
            checks.append(Check(name, "fail", None, problem))
        elif sha256_file(folder / name) != digest:
            checks.append(Check(name, "fail", None, "has another sha256 than the list says"))
        else:
            checks.append(Check(name, "pass", None, "as listed"))
    return checks + [Check(name, "fail", None, "is not listed") for name in _files(folder) if name not in digests]


def _files(folder: Path) -> list[str]:
    """Return the names of what is in a folder and in those below it, sorted, without the list and hidden files."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    shown = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    return sorted(path.as_posix() for path in shown if path.as_posix() != CHECKSUMS)


def _problem(folder: Path, name: str) -> str:
    """Say why a name is none of a plain file of a folder; an empty text if it is one.

    A link could lead out of the folder, a pipe block and a device never end, so none is read.
    """
    place = folder
    try:
        for part in Path(name).parts:
            place = place / part
            if place.is_symlink():
                return "is a link, which is not followed"
        mode = place.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "is missing"
    except (OSError, ValueError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    return "" if stat.S_ISREG(mode) else "is no plain file"
