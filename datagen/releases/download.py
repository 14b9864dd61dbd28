"""Fetch the files of a release or of a set: from the cache if they are there, else whole and checked or not at all."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pooch

from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.files import atomic_path, make_folder
from datagen.grids.sets import find_set
from datagen.progress import byte_bar
from datagen.releases.registry import find_release
from datagen.releases.web import Client, Retries, Stream, TransientError, plain, retry, untrusted
from datagen.releases.zenodo import ZENODO, RemoteFile, look_up, parse_record

__all__ = ["cache_folder", "fetch", "fetch_record", "fetch_set"]

_LARGEST_DESCRIPTION = 1 << 25


def cache_folder() -> Path:
    """Return the folder of the cache: ``DATAGEN_CACHE``, by default where the system keeps caches."""
    return Path(os.environ.get("DATAGEN_CACHE") or pooch.os_cache("datagen"))


def fetch(
    name: str,
    root: str | Path | None = None,
    download: bool = True,
    server: str = ZENODO,
    show_progress: bool = False,
    retries: Retries | None = None,
) -> Path:
    """Return the file of a release, fetched unless it is there and right.

    Parameters
    ----------
    name : {"kitti-masks", "natural-sprites"}
        Which release.
    root : str or Path, optional
        The folder for it; by default one in the cache.
    download : bool
        Whether it may be fetched. If not, it must be there, and is taken as it is.
    server, show_progress, retries
        As for `fetch_record`.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If the name is unknown, `root` is a file, or the file is not there and may not be fetched.
    DatagenError
        If it cannot be fetched.

    Examples
    --------
    >>> fetch("kitti-masks")  # doctest: +SKIP
    PosixPath('/home/me/.cache/datagen/3931823/kitti_peds_v2.pickle')
    >>> fetch("kitti_mask")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    datagen.errors.UsageError: unknown release 'kitti_mask'; did you mean 'kitti-masks'? There are ...
    """
    release = find_release(name)
    if not download:
        path = _folder(root, release.record) / release.file
        if not path.is_file():
            raise UsageError(f"{path}: no such file; pass download=True to fetch it")
        return path
    return fetch_record(release.record, [release.file], root, server, show_progress, retries)[0]


def fetch_record(
    record: int,
    names: Sequence[str] = (),
    root: str | Path | None = None,
    server: str = ZENODO,
    show_progress: bool = False,
    retries: Retries | None = None,
) -> list[Path]:
    """Return files of a record of Zenodo, fetched unless they are there and right.

    A published record never changes. So its description is kept beside its files, and where all that is asked for is
    there with the size and md5 it states, nothing is asked of the network. A number that stands for all versions of a
    record is another matter: what is the newest is asked each time.

    Parameters
    ----------
    record : int
        The number of the record.
    names : sequence of str
        Which of its files; by default all.
    root : str or Path, optional
        The folder for them; by default one in the cache. It is made where there is none.
    server : str
        Whom to ask: Zenodo, or a mirror that answers as it does. A mirror is trusted as Zenodo is, since it states
        the checksums.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.
    retries : Retries, optional
        How often and how long to try.

    Returns
    -------
    list of Path
        In the order of `names`, or of the record.

    Raises
    ------
    UsageError
        If there is no such record, it has no such file, or `root` is a file.
    BadInputError
        If the record's description or what was served makes no sense. What was served is not kept.
    DatagenError
        If it cannot be fetched. What came of it is kept, and the next call goes on from there.

    Examples
    --------
    >>> fetch_record(3931823, ["kitti_peds_v2.pickle"], "data")  # doctest: +SKIP
    [PosixPath('data/kitti_peds_v2.pickle')]
    """
    folder = _folder(root, record)
    kept = folder / f"zenodo-{record}.json"
    if kept.is_file():
        try:
            known = parse_record(_read(kept), server, str(kept), names)
            if known.number in (None, record) and all(_is_right(folder / file.name, file) for file in known.files):
                return [folder / file.name for file in known.files]
        except DatagenError:
            pass  # damaged, or of another day: ask anew
    server = server.rstrip("/")
    with Client(retries or Retries()) as client:
        answer = look_up(client, record, server, _advice(server, record, folder))
        described = parse_record(answer, server, f"{server}/api/records/{record}", names)
        number = described.number or record
        folder = _folder(root, number)
        make_folder(folder)
        with atomic_path(folder / f"zenodo-{number}.json") as temporary:
            temporary.write_text(json.dumps(answer, indent=2, sort_keys=True), encoding="utf-8")
        advice = _advice(server, number, folder)
        return [_download(client, file, folder, show_progress, advice) for file in described.files]


def fetch_set(
    name: str,
    root: str | Path | None = None,
    mirror: str | None = None,
    show_progress: bool = False,
    retries: Retries | None = None,
) -> list[Path]:
    """Return the files of an established benchmark, fetched unless they are there and right.

    A file takes its name when it is whole: as long as is published, or as its server says, and with the checksum that
    is published, if one is. What is in it is checked when it is read (`datagen.grids.read_grid`).

    Parameters
    ----------
    name : str
        Which set (`datagen.grids.sets.SETS`).
    root : str or Path, optional
        The folder for them; by default one in the cache. It is made where there is none.
    mirror : str, optional
        The address of a folder of the web that has the files, by their names, to be asked instead of their authors.
    show_progress, retries
        As for `fetch_record`.

    Returns
    -------
    list of Path
        In the order of `GridSet.files`.

    Raises
    ------
    UsageError
        If there is no such set, or `root` is a file.
    BadInputError
        If what was served is not what is published. It is not kept.
    DatagenError
        If it cannot be fetched. What came of it is kept, and the next call goes on from there.

    Examples
    --------
    >>> fetch_set("shapes3d", "data")  # doctest: +SKIP
    [PosixPath('data/3dshapes.h5')]
    >>> fetch_set("shapes_3d")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    datagen.errors.UsageError: unknown set 'shapes_3d'; did you mean 'shapes3d'? There are ...
    """
    known = find_set(name)
    folder = _checked_folder(cache_folder() / name if root is None else Path(root))
    make_folder(folder)
    advice = (
        f"open {known.url} in a browser, put the files into {folder}, and give their path from there on instead of "
        "downloading"
    )
    paths = []
    with Client(retries or Retries()) as client:
        for file in known.files:
            urls = file.urls if mirror is None else (f"{mirror.rstrip('/')}/{file.name}",)
            remote = RemoteFile(file.name, file.size, file.checksum, urls[0], urls[1:])
            paths.append(_download(client, remote, folder, show_progress, advice))
    return paths


def _read(description: Path) -> Any:
    """Return a description that was kept."""
    if description.stat().st_size > _LARGEST_DESCRIPTION:
        raise BadInputError(description, "is too large for a description of a record")
    why = "is no description of a record"
    return untrusted(description.read_bytes(), Any, lambda _: BadInputError(description, why))


def _advice(server: str, record: int, folder: Path) -> str:
    host = server.partition("://")[2].partition("/")[0]  # an address that is none is found out when it is asked
    return (
        f"{plain(host)} may be blocking your network: try another, or open "
        f"{ZENODO}/records/{record} in a browser, put what you want of it into {folder}, and give its path from there "
        "on instead of downloading"
    )


def _folder(root: str | Path | None, record: int) -> Path:
    return _checked_folder(cache_folder() / f"zenodo-{record}" if root is None else Path(root))


def _checked_folder(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; give the folder to put a release in")
    return folder


def _is_right(path: Path, file: RemoteFile) -> bool:
    # Of what has its name and no published size all that is known is that it was whole.
    if not path.is_file() or path.stat().st_size != (path.stat().st_size or -1 if file.size is None else file.size):
        return False
    return not file.checksum or _checksum(path, file.checksum) == file.checksum


def _checksum(path: Path, like: str) -> str:
    """Return the checksum of a file, of the same kind as another."""
    kind = like.partition(":")[0]
    return f"{kind}:{pooch.file_hash(path, alg=kind)}"


def _download(client: Client, file: RemoteFile, folder: Path, show_progress: bool, advice: str) -> Path:
    """Fetch a file, unless it is there and right, going on from what an earlier attempt left."""
    target = folder / file.name
    part = folder / f".{file.name}.part"
    if target.is_dir():
        raise UsageError(f"{target}: is a folder, where a file of this name is to be put; move it away")
    with _alone(folder / f".{file.name}.lock"):
        # Whoever waited for another download of the same file finds it there.
        if _is_right(target, file):
            return target
        first: DatagenError | None = None
        for url in (file.url, *file.other_urls):
            try:
                size = file.size
                if size is None:
                    size = retry(lambda: _ask_size(client, url, advice), client.retries)  # noqa: B023
                sized = replace(file, size=size)
                with byte_bar(file.name, size, show_progress) as progress:
                    retry(lambda: _go_on(client, sized, url, part, progress, advice), client.retries)  # noqa: B023
            except DatagenError as error:  # the next address may be well
                first = first or error
            else:
                part.replace(target)
                return target
    assert first is not None
    raise first


def _ask_size(client: Client, url: str, advice: str) -> int:
    """Ask a server how long a file is.

    Raises
    ------
    DatagenError
        If it does not say, or refuses.
    """
    with client.fetch(url, {"Range": "bytes=0-0"}) as answer:
        if answer.status not in (200, 206):
            raise _refused(answer, advice)
        length = answer.content_length if answer.status == 200 else answer.content_range.rpartition("/")[2]
        if not re.fullmatch("[0-9]{1,15}", length) or not int(length):
            raise DatagenError(f"{plain(url)}: does not say how long the file is; {advice}")
        return int(length)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process at a time pass; two that write to one part would spoil it."""
    from filelock import FileLock

    with FileLock(lock):
        yield
        with suppress(OSError):
            lock.unlink()  # while it is held: those who wait for it see that it is gone, and make another


def _size(part: Path) -> int:
    """Return how much of a file an earlier attempt left.

    Raises
    ------
    BadInputError
        If something else is in the way, which might lead elsewhere or block.
    """
    try:
        status = part.lstat()
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(status.st_mode):
        raise BadInputError(part, "is no plain file, but in the way of a download; remove it")
    return status.st_size


def _go_on(
    client: Client, file: RemoteFile, url: str, part: Path, progress: Callable[[int], None], advice: str
) -> None:
    """Fetch what is missing of a file, and check the whole.

    Raises
    ------
    TransientError
        If it broke off, or what was put together of several answers is not right (and was removed).
    BadInputError
        If one answer gave a whole file, and the wrong one.
    """
    assert file.size is not None
    shown = plain(url)
    have = _size(part)
    if have > file.size:
        part.unlink()
        have = 0
    in_one_piece = False
    if have < file.size or not part.exists():
        with client.fetch(url, {"Range": f"bytes={have}-"} if have else {}) as answer:
            if answer.status == 200:
                have = 0  # a server that does not know ranges sends the whole
            elif have and answer.status in (206, 416):
                if not _goes_on_from(answer, have):
                    part.unlink()
                    raise TransientError(f"{shown}: cannot go on from byte {have}; starting over")
            else:
                raise _refused(answer, advice)
            in_one_piece = not have
            have = _write(answer, file, part, have, progress)
    if have < file.size:
        raise TransientError(f"{shown}: broke off after {have} of {file.size} bytes")
    found = _checksum(part, file.checksum) if file.checksum else ""
    if have > file.size or found != file.checksum:
        part.unlink()
        kind, _, digest = found.partition(":")
        what = f"more than {file.size} bytes" if have > file.size else f"a file with the {kind} {digest}"
        wanted = f" with {file.checksum.partition(':')[2]}" if file.checksum else ""
        problem = f"served {what}, but the record says {file.size} bytes{wanted}; it was not kept"
        raise BadInputError(shown, problem) if in_one_piece else TransientError(f"{shown}: {problem}")


def _refused(answer: Stream, advice: str) -> DatagenError:
    """Say that a file is not to be had; 403 and 404 are said now and then of files that are there."""
    words = answer.whole().words
    error = DatagenError(f"{words}; {advice}" if answer.status == 403 else words)
    return TransientError(words, attempts=2, lasting=error) if answer.status in (403, 404) else error


def _goes_on_from(answer: Stream, have: int) -> bool:
    """Whether an answer holds the bytes that follow the first `have`."""
    begin = re.match(r"bytes ([0-9]{1,18})-", answer.content_range)
    return begin is not None and int(begin[1]) == have


def _write(answer: Stream, file: RemoteFile, part: Path, have: int, progress: Callable[[int], None]) -> int:
    """Write an answer's body behind the first `have` bytes, at most a little too much, and return the new size."""
    assert file.size is not None
    with part.open("ab" if have else "wb") as stream:
        for block in answer.blocks:
            stream.write(block)
            have += len(block)
            progress(have)
            if have > file.size:
                break
        stream.flush()
        os.fsync(stream.fileno())
    return have
