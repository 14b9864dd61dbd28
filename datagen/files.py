"""Files written whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from datagen.errors import BadInputError, UsageError

__all__ = ["atomic_folder", "atomic_path", "check_input", "check_output", "sha256_file"]


def check_input(path: str | Path) -> Path:
    """Say, before it is opened, that an input is no file that can be read to its end.

    A pipe or a device could block for ever, or never end.

    Parameters
    ----------
    path : str or Path
        The file to be read.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    UsageError
        If there is no such file, or it is a folder.
    BadInputError
        If it is a pipe, a socket or a device.

    Examples
    --------
    >>> check_input("nowhere.npz")
    Traceback (most recent call last):
    ...
    datagen.errors.UsageError: nowhere.npz: no such file
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # a name too long, a zero byte in it, no permission, links in a circle
        raise UsageError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path}: is a folder; give the name of a file")
    if not stat.S_ISREG(mode):
        raise BadInputError(path, "is a pipe, a socket or a device; give a plain file")
    return path


def check_output(path: str | Path, overwrite: bool = False) -> Path:
    """Say early, before any work is done, that an output cannot be written.

    Parameters
    ----------
    path : str or Path
        The file that will be written.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    UsageError
        If the file exists and `overwrite` is false, if it is a folder, or if its folder does not exist.
    """
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; give the name of a file")
    _check_place(path, overwrite)
    return path


def _check_place(path: Path, overwrite: bool) -> None:
    """Refuse a path that is taken and may not be replaced, or that has no folder to lie in."""
    if path.exists() and not overwrite:
        raise UsageError(f"{path}: exists; pass --overwrite to replace it")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent}: no such folder; create it first")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its name when the block ends well.

    The temporary file lies in the same folder (a rename is atomic only within one file system) and is flushed
    to disk before the rename, so a kill or a power cut leaves the old file or the new one, never a part.
    When the block raises, the temporary file is removed.

    Parameters
    ----------
    path : str or Path
        The final file.

    Yields
    ------
    Path
        A new empty file to write to. It keeps the suffix of `path`.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; a dataset gets the permissions that a plain open() would have given it.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        _flush(temporary)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def atomic_folder(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a new folder beside `path` that takes its name when the block ends well, so no half a folder has the name.

    All that is in it is flushed to disk before. A kill leaves hidden folders at most, named after `path`.

    Parameters
    ----------
    path : str or Path
        The final folder.
    overwrite : bool
        Whether a folder that exists may be replaced.

    Yields
    ------
    Path
        A new empty folder, which has the same name.

    Raises
    ------
    UsageError
        If the path exists and `overwrite` is false, if it is a file, or if its folder does not exist.
    """
    path = Path(path)
    if path.is_file():
        raise UsageError(f"{path}: is a file; give the name of a folder")
    _check_place(path, overwrite)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as temporary:
        made = Path(temporary) / path.name
        made.mkdir()
        yield made
        for inside in made.rglob("*"):
            _flush(inside)
        _flush(made)
        if path.exists():  # out of the way first: to remove it takes longer than to rename it
            path.rename(Path(temporary) / "before")
        made.rename(path)
        _flush(path.parent)


def _flush(path: Path) -> None:
    """Have a file or folder written to the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows flushes no folders, and files only that may be written to
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_file(path: str | Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
