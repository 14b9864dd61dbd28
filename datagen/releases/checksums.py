"""Checksum lists: SHA256SUMS, as ``sha256sum`` writes and reads them."""

from __future__ import annotations

import re
from pathlib import Path

from datagen.errors import BadInputError, UsageError
from datagen.files import sha256_file
from datagen.verify import Check

__all__ = ["CHECKSUMS", "read_checksums", "verify_folder", "write_checksums"]

CHECKSUMS = "SHA256SUMS"
"""The name of the list."""

_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def write_checksums(folder: str | Path) -> None:
    """List the sha256 of every file of a folder, by name."""
    folder = Path(folder)
    lines = [f"{sha256_file(folder / name)}  {name}\n" for name in _files(folder)]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def read_checksums(folder: str | Path) -> dict[str, str]:
    """Return the sha256 that a folder's list tells of every file.

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
    digests = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise BadInputError(path, "is not a sha256, two spaces and a name", f"line {number}")
        name = Path(found[2])
        if name.is_absolute() or ".." in name.parts:
            raise BadInputError(path, f"names a file outside the folder, {found[2]}", f"line {number}")
        digests[found[2]] = found[1].lower()
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
        One a file, of the list and of the folder; files whose name begins with a dot are not looked at.

    Raises
    ------
    UsageError, BadInputError
        As `read_checksums`.
    """
    folder = Path(folder)
    digests = read_checksums(folder)
    checks = []
    for name, digest in digests.items():
        if not (folder / name).is_file():
            checks.append(Check(name, False, "is missing"))
        elif sha256_file(folder / name) != digest:
            checks.append(Check(name, False, "has another sha256 than the list says"))
        else:
            checks.append(Check(name, True, "as listed"))
    return checks + [Check(name, False, "is not listed") for name in _files(folder) if name not in digests]


def _files(folder: Path) -> list[str]:
    """Return the names of the files of a folder and of those below it, sorted, without the list and hidden files."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    shown = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    return sorted(path.as_posix() for path in shown if path.as_posix() != CHECKSUMS)
