"""Fetch the files of a release: from the cache if they are there, else from Zenodo, whole and checked or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pooch
import requests

from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.files import atomic_path
from datagen.progress import byte_bar
from datagen.releases.registry import find_release
from datagen.releases.web import BROKEN, PassingError, Patience, broken, explain, new_session, patiently, send
from datagen.releases.zenodo import ZENODO, RemoteFile, look_up, parse_record

__all__ = ["cache_folder", "fetch", "fetch_record"]

_CHUNK = 1 << 15


def cache_folder() -> Path:
    """Return the folder of the cache: ``DATAGEN_CACHE``, by default where the system keeps caches."""
    return Path(os.environ.get("DATAGEN_CACHE") or pooch.os_cache("datagen"))


def fetch(
    name: str,
    root: str | Path | None = None,
    download: bool = True,
    server: str = ZENODO,
    show_progress: bool = False,
    patience: Patience | None = None,
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
    server, show_progress, patience
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
    """
    release = find_release(name)
    if not download:
        path = _folder(root, release.record) / release.file
        if not path.is_file():
            raise UsageError(f"{path}: no such file; pass download=True to fetch it")
        return path
    return fetch_record(release.record, [release.file], root, server, show_progress, patience)[0]


def fetch_record(
    record: int,
    names: Sequence[str] = (),
    root: str | Path | None = None,
    server: str = ZENODO,
    show_progress: bool = False,
    patience: Patience | None = None,
) -> list[Path]:
    """Return files of a record of Zenodo, fetched unless they are there and right.

    A published record never changes. So its description is kept beside its files, and where all that is asked for is
    there with the size and md5 it tells of, nothing is asked of the network.

    Parameters
    ----------
    record : int
        The number of the record.
    names : sequence of str
        Which of its files; by default all.
    root : str or Path, optional
        The folder for them; by default one in the cache. It is made where there is none.
    server : str
        Whom to ask: Zenodo, or a mirror that answers as it does. A mirror is trusted as Zenodo is, since it tells the
        checksums.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.
    patience : Patience, optional
        How long to go on trying.

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
    """
    folder = _folder(root, record)
    described = folder / f"zenodo-{record}.json"
    if described.is_file():
        try:
            known = _choose(json.loads(described.read_text(encoding="utf-8")), names, server, str(described))
        except (ValueError, DatagenError):
            known = []  # damaged, or of another day: ask anew
        if known and all(_is_right(folder / file.name, file) for file in known):
            return [folder / file.name for file in known]
    patience = patience or Patience()
    server = server.rstrip("/")
    with new_session() as session:
        answer = look_up(session, record, server, patience)
        chosen = _choose(answer, names, server, f"{server}/api/records/{record}")
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(described) as temporary:
            temporary.write_text(json.dumps(answer, indent=2, sort_keys=True), encoding="utf-8")
        return [_download(session, file, folder, show_progress, patience) for file in chosen]


def _folder(root: str | Path | None, record: int) -> Path:
    folder = cache_folder() / f"zenodo-{record}" if root is None else Path(root)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; give the folder to put a release in")
    return folder


def _choose(answer: Any, names: Sequence[str], server: str, place: str) -> list[RemoteFile]:
    """Return the wanted files of a record."""
    files = {file.name: file for file in parse_record(answer, server, place).files}
    unknown = [name for name in names if name not in files]
    if unknown:
        raise UsageError(f"the record has no file {', '.join(unknown)}; it has {', '.join(files)}")
    return [files[name] for name in names or files]


def _is_right(path: Path, file: RemoteFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size and pooch.file_hash(path, alg="md5") == file.md5


def _download(
    session: requests.Session, file: RemoteFile, folder: Path, show_progress: bool, patience: Patience
) -> Path:
    """Fetch a file, unless it is there and right, going on from what an earlier attempt left."""
    target = folder / file.name
    if _is_right(target, file):
        return target
    part = folder / f".{file.name}.part"
    with byte_bar(file.name, file.size, show_progress) as tell:
        patiently(lambda: _go_on(session, file, part, tell, patience), patience)
    part.replace(target)
    return target


def _go_on(
    session: requests.Session, file: RemoteFile, part: Path, tell: Callable[[int], None], patience: Patience
) -> None:
    """Fetch what is missing of a file, and check the whole.

    Raises
    ------
    PassingError
        If it broke off, or what was put together of several answers is not right (and was removed).
    BadInputError
        If one answer gave a whole file, and the wrong one.
    """
    have = part.stat().st_size if part.is_file() else 0
    if have > file.size:
        part.unlink()
        have = 0
    in_one_piece = False
    if have < file.size or not part.is_file():
        # Bytes are counted and hashed as stored, so nobody may pack them on the way.
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        with send(session, "GET", file.url, patience, headers=headers, stream=True) as response:
            status = response.status_code
            if status == requests.codes.ok:
                have = 0  # a server that does not know ranges sends the whole
            elif have and status in (requests.codes.partial_content, requests.codes.requested_range_not_satisfiable):
                if not _goes_on_from(response, have):
                    part.unlink()
                    raise PassingError(f"{file.url}: cannot go on from byte {have}; starting over")
            else:
                raise DatagenError(explain(response))
            in_one_piece = not have
            have = _write(response, file, part, have, tell)
    if have < file.size:
        raise PassingError(f"{file.url}: broke off after {have} of {file.size} bytes")
    md5 = pooch.file_hash(part, alg="md5")
    if have > file.size or md5 != file.md5:
        part.unlink()
        what = f"more than {file.size} bytes" if have > file.size else f"a file with the md5 {md5}"
        problem = f"served {what}, but the record says {file.size} bytes with {file.md5}; it was not kept"
        raise BadInputError(file.url, problem) if in_one_piece else PassingError(f"{file.url}: {problem}")


def _goes_on_from(response: requests.Response, have: int) -> bool:
    """Whether an answer holds the bytes that follow the first `have`."""
    begin = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return begin is not None and int(begin[1]) == have


def _write(response: requests.Response, file: RemoteFile, part: Path, have: int, tell: Callable[[int], None]) -> int:
    """Write an answer's body behind the first `have` bytes, at most a little too much, and return the new size."""
    with part.open("ab" if have else "wb") as stream:
        try:
            for chunk in response.iter_content(_CHUNK):
                stream.write(chunk)
                have += len(chunk)
                tell(have)
                if have > file.size:
                    break
        except BROKEN as error:
            raise broken(file.url, error) from None
        stream.flush()
        os.fsync(stream.fileno())
    return have
