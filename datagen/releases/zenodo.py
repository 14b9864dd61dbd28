"""Records of Zenodo, as its API has described them over the years."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import requests

from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.releases.web import Patience, explain, patiently, send

__all__ = ["SANDBOX", "ZENODO", "Record", "RemoteFile", "look_up", "parse_doi", "parse_record"]

ZENODO = "https://zenodo.org"
SANDBOX = "https://sandbox.zenodo.org"

_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?10\.5281/zenodo\.(\d+)", re.IGNORECASE)
_MD5 = re.compile(r"[0-9a-f]{32}")
# What a file may not be called: nothing that leads out of a folder, on any system.
_UNSAFE = re.compile(r"[/\\:\x00-\x1f]|^\.{0,2}$")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a record.

    Attributes
    ----------
    name : str
        Its name, without any folder.
    size : int
        Its size in bytes.
    md5 : str
        Its md5, in hexadecimal.
    url : str
        Where its bytes are.
    """

    name: str
    size: int
    md5: str
    url: str


@dataclass(frozen=True)
class Record:
    """A published record.

    Attributes
    ----------
    title : str
        Its title.
    files : tuple of RemoteFile
        Its files.
    """

    title: str
    files: tuple[RemoteFile, ...]


def parse_doi(doi: str) -> int:
    """Return the record number that a DOI of Zenodo names, e.g. of ``"10.5281/zenodo.3931823"``.

    Raises
    ------
    UsageError
        If it is no DOI of Zenodo.
    """
    found = _DOI.fullmatch(doi.strip())
    if found is None:
        raise UsageError(f"{doi!r} is no DOI of Zenodo; one looks like 10.5281/zenodo.3931823")
    return int(found[1])


def look_up(session: requests.Session, record: int, server: str, patience: Patience) -> Any:
    """Ask for a record, and return the answer as it came.

    Parameters
    ----------
    session : Session
        What to ask with.
    record : int
        The record's number.
    server : str
        Whom to ask.
    patience : Patience
        How long to go on trying.

    Raises
    ------
    UsageError
        If there is no such record.
    DatagenError
        If it cannot be had.
    """
    url = f"{server}/api/records/{record}"
    response = patiently(lambda: send(session, "GET", url, patience, headers={"Accept": "application/json"}), patience)
    if response.status_code in (404, 410):
        raise UsageError(f"{explain(response)}; there is no record {record}")
    if response.status_code != requests.codes.ok:
        raise DatagenError(explain(response))
    try:
        answer = response.json()
    except ValueError:
        raise BadInputError(url, "the answer is not JSON; is this a server of records?") from None
    return answer


def parse_record(answer: Any, server: str, place: str) -> Record:
    """Read a record's description.

    Files are a list, or, in the software's own form, the entries of a dictionary. A file's name is its `key` or
    `filename`, its size `size` or `filesize`, its checksum an md5 with or without the prefix ``md5:``. Its bytes are at
    `links.content` or `links.download` where there is one, else at `links.self`.

    Parameters
    ----------
    answer : dict
        What the server said, as JSON.
    server : str
        The server that stands in for Zenodo: links to Zenodo are turned into links to it.
    place : str
        Where the answer comes from, for errors.

    Raises
    ------
    BadInputError
        If it is no description of a record, or a file has a name that is no plain file name.
    """
    if not isinstance(answer, dict):
        raise BadInputError(place, "describes no record")
    files = answer.get("files")
    if isinstance(files, dict):
        files = files.get("entries")
    if isinstance(files, dict):
        files = list(files.values())
    if not isinstance(files, list) or not files:
        raise BadInputError(place, "the record lists no files; it may be restricted")
    metadata = answer.get("metadata")
    title = metadata.get("title") if isinstance(metadata, dict) else answer.get("title")
    return Record(str(title or ""), tuple(_parse_file(file, server, place) for file in files))


def _parse_file(file: Any, server: str, place: str) -> RemoteFile:
    try:
        name = str(file["key"] if "key" in file else file["filename"])
        size = int(file["size"] if "size" in file else file["filesize"])
        md5 = str(file["checksum"]).removeprefix("md5:").lower()
        links = file["links"]
        link = str(links.get("content") or links.get("download") or links["self"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadInputError(place, "a file is described without a name, size, checksum or link") from None
    if _UNSAFE.search(name):
        raise BadInputError(place, f"a file is called {name!r}, which is no plain file name; nothing was fetched")
    if not _MD5.fullmatch(md5) or size < 0:
        raise BadInputError(place, f"the size {size} or the checksum {md5!r} of {name} makes no sense")
    path = link.removeprefix(ZENODO)
    return RemoteFile(name, size, md5, server + path if path.startswith("/") else link)
