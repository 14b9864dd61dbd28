"""Files and folders of object stores and other places with an address, by fsspec: s3://, gs://, hf:// and friends.

They are copied here before they are read, and sent there when they are written: annotations and masks are small, and
whatever reads and writes them needs to know of files alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from datagen.errors import DatagenError, UsageError, quote
from datagen.extras import extra

__all__ = ["exists", "fetch", "is_remote", "local_name", "upload"]

_LAST = "zarr.json"
"""The file of a folder that is sent last: without it a zarr store is unfinished."""


def is_remote(place: object) -> bool:
    """Say whether a text is an address, not a path."""
    return isinstance(place, str) and "://" in place


def local_name(address: str) -> Path:
    """Return the relative path that a copy of an address has.

    Examples
    --------
    >>> local_name("s3://bucket/sa-v/train.json").as_posix()
    's3/bucket/sa-v/train.json'
    """
    scheme, _, rest = address.partition("://")
    return Path(scheme.replace(":", "-"), *(part for part in rest.split("/") if part not in ("", ".", "..")))


@contextmanager
def _opened(address: str, to: str) -> Iterator[tuple[Any, str]]:
    """Give the file system of an address and the path in it, with one error for whatever goes wrong."""
    with extra("remote", f"{address.partition('://')[0]}://"):
        import fsspec
    try:
        yield fsspec.core.url_to_fs(address)
    except DatagenError:
        raise
    except FileNotFoundError:
        raise UsageError(f"{quote(address)}: no such file or folder") from None
    except Exception as error:  # every store has errors of its own: no rights, no such bucket, no network
        reason = quote(str(error).strip().partition("\n")[0] or type(error).__name__)
        raise DatagenError(f"{quote(address)}: cannot be {to} ({reason})") from None


def exists(address: str) -> bool:
    """Say whether there is a file or folder at an address."""
    with _opened(address, "reached") as (files, path):
        return bool(files.exists(path))


def fetch(address: str, folder: str | Path) -> Path:
    """Copy a file, or a folder and all below it, from an address.

    Parameters
    ----------
    address : str
        Where it lies, e.g. ``"s3://bucket/sa-v"``.
    folder : str or Path
        Where to copy it, under the name that `local_name` gives.

    Returns
    -------
    Path
        The copy.

    Raises
    ------
    UsageError
        If there is nothing at the address, or fsspec or the library of its scheme is not installed.
    DatagenError
        If it cannot be read, or a name in it leads out of it.
    """
    target = Path(folder, local_name(address))
    with _opened(address, "read") as (files, path):
        names = files.find(path)
        if not names:
            raise FileNotFoundError(path)
        for name in names:
            below = PurePosixPath(name[len(path.rstrip("/")) :].lstrip("/"))
            if ".." in below.parts:
                raise DatagenError(f"{quote(address)}: holds {quote(name)}, which leads elsewhere")
            to = target / below
            to.parent.mkdir(parents=True, exist_ok=True)
            files.get_file(name, str(to))
    return target


def upload(path: str | Path, address: str) -> None:
    """Send a file, or a folder and all below it, to an address, in place of what is there.

    Of a zarr store the metadata are sent last, so that one that is cut short is unfinished, never wrong.

    Parameters
    ----------
    path : str or Path
        What to send.
    address : str
        Its address there.

    Raises
    ------
    UsageError
        If fsspec or the library of its scheme is not installed.
    DatagenError
        If it cannot be written.
    """
    path = Path(path)
    with _opened(address, "written") as (files, target):
        if path.is_file():
            files.makedirs(files._parent(target), exist_ok=True)
            files.put_file(str(path), target)
            return
        target = target.rstrip("/")
        names = sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file())
        before = {name[len(target) :].lstrip("/") for name in files.find(target)} if files.exists(target) else set()
        if _LAST in before:
            files.rm_file(f"{target}/{_LAST}")
        for name in sorted(names, key=lambda name: name == _LAST):
            files.makedirs(files._parent(f"{target}/{name}"), exist_ok=True)
            files.put_file(str(path / name), f"{target}/{name}")
        for name in before.difference(names):
            files.rm_file(f"{target}/{name}")
