"""Records of Zenodo, as its API has described them over the years."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.releases.web import Client, TransientError, plain, retry, untrusted

__all__ = ["SANDBOX", "ZENODO", "Record", "RemoteFile", "is_reference", "look_up", "parse_doi", "parse_record"]

ZENODO = "https://zenodo.org"
SANDBOX = "https://sandbox.zenodo.org"

_NUMBER = r"([0-9]{1,15})"
_REFERENCE = re.compile(
    rf"(?:(?:https?://(?:dx\.)?doi\.org/|doi:|https?://(?:www\.)?zenodo\.org/doi/)?10\.5281/zenodo\.{_NUMBER}/?"
    rf"|https?://(?:www\.)?zenodo\.org/records?/{_NUMBER}(?:[/?#].*)?)",
    re.IGNORECASE,
)
_SHOWN = 20

# What a file may not be called on any system, or here: our own hidden files and the kept description.
_UNSAFE = re.compile(
    r".*[\\:].*|.*[. ]|(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?|\..*\.(?:part|lock)|zenodo-[0-9]+\.json",
    re.IGNORECASE,
)
_LONGEST_NAME = 200  # in bytes; file systems take 255, and a part has a longer one


@dataclass(frozen=True)
class RemoteFile:
    """A file of a record, or of a set.

    Attributes
    ----------
    name : str
        Its name, without any folder.
    size : int or None
        Its size in bytes; None where only the server knows.
    checksum : str
        ``"md5:..."`` or ``"sha256:..."``, in hexadecimal; empty if none is published.
    url : str
        Where its bytes are.
    other_urls : tuple of str
        Where they are too, should they not be there.
    """

    name: str
    size: int | None
    checksum: str
    url: str
    other_urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """A published record.

    Attributes
    ----------
    number : int or None
        Its number, if it says; where a number stands for all versions of a record, that of the newest.
    title : str
        Its title.
    files : tuple of RemoteFile
        Its files, or those that were asked for.
    """

    number: int | None
    title: str
    files: tuple[RemoteFile, ...]


class _Links(msgspec.Struct):
    content: str | None = None
    download: str | None = None
    itself: str | None = msgspec.field(name="self", default=None)


class _Name(msgspec.Struct):
    key: str | None = None
    filename: str | None = None


class _File(msgspec.Struct):
    checksum: Annotated[str, msgspec.Meta(pattern=r"^(?:md5:)?[0-9a-fA-F]{32}\Z")]
    links: _Links
    size: int | float | None = None
    filesize: int | float | None = None


class _Metadata(msgspec.Struct):
    title: str | None = None


class _Described(msgspec.Struct):
    files: Any = None
    id: int | str | None = None
    metadata: _Metadata | None = None


def parse_doi(doi: str) -> int:
    """Return the record number that a DOI of Zenodo, or the address of a record there, names.

    Raises
    ------
    UsageError
        If it is neither.

    Examples
    --------
    >>> parse_doi("10.5281/zenodo.3931823"), parse_doi("https://zenodo.org/records/3931823")
    (3931823, 3931823)
    """
    found = _REFERENCE.fullmatch(doi.strip())
    if found is None or not int(found[1] or found[2]):
        raise UsageError(f"{plain(doi)!r} is no DOI of Zenodo; one looks like 10.5281/zenodo.3931823")
    return int(found[1] or found[2])


def is_reference(text: str) -> bool:
    """Whether a text names something by its DOI or address, so that it can be no name of a release."""
    return "/" in text or text.lower().startswith("doi:")


def look_up(client: Client, record: int, server: str, advice: str) -> Any:
    """Ask for a record, and return the answer as it came: objects of JSON.

    Parameters
    ----------
    client : Client
        What to ask with.
    record : int
        The record's number.
    server : str
        Whom to ask.
    advice : str
        What to do where the server refuses to answer.

    Raises
    ------
    UsageError
        If there is no such record.
    DatagenError
        If it cannot be had.
    """
    url = f"{server}/api/records/{record}"

    def once() -> Any:
        answer = client.ask("GET", url, headers={"Accept": "application/json"})
        if answer.status == 404:  # said now and then of records that exist
            none = UsageError(f"{answer.words}; there is no record {record}")
            raise TransientError(answer.words, attempts=2, lasting=none)
        if answer.status == 410:
            raise UsageError(f"{answer.words}; there is no record {record} any more")
        if answer.status == 403:
            raise TransientError(answer.words, attempts=2, lasting=DatagenError(f"{answer.words}; {advice}"))
        if answer.status != 200:
            raise DatagenError(answer.words)
        return untrusted(
            answer.body,
            Any,
            lambda why: BadInputError(plain(url), "the answer is not JSON; is this a server of records?"),
        )

    return retry(once, client.retries)


def parse_record(answer: Any, server: str, place: str, names: Sequence[str] = ()) -> Record:
    """Read a record's description; here it becomes trusted.

    Files are a list, or, in the software's own form, the entries of a dictionary. A file's name is its `key` or
    `filename`, its size `size` or `filesize`, its checksum an md5 with or without the prefix ``md5:``. Its bytes are at
    `links.content` or `links.download` where there is one, else at `links.self`. A name with folders is that of the
    file by its last part.

    Parameters
    ----------
    answer : dict
        What the server said, as JSON.
    server : str
        The server that stands in for Zenodo: links to Zenodo are turned into links to it.
    place : str
        Where the answer comes from, for errors.
    names : sequence of str
        Which files are wanted; by default all. What is wrong with others does not matter.

    Raises
    ------
    UsageError
        If it has no file of a wanted name, or several.
    BadInputError
        If it is no description of a record, or a file has a name that is no plain file name.
    """
    place = plain(place)
    if not isinstance(answer, dict):
        raise BadInputError(place, "describes no record")
    described = untrusted(answer, _Described, lambda why: BadInputError(place, f"describes no record{why}"))
    files = described.files
    if isinstance(files, dict):
        files = files.get("entries")
    if isinstance(files, dict):
        files = list(files.values())
    if not isinstance(files, list) or not files:
        raise BadInputError(place, "the record lists no files; it may be restricted")
    keys = [_key(file, place) for file in files]
    wanted = [_find(name, keys, place) for name in names] if names else range(len(keys))
    chosen = {number: _parse_file(files[number], keys[number], server, place) for number in wanted}
    by_name: dict[str, int] = {}
    for number, file in chosen.items():
        if file.name in by_name:
            both = f"{plain(keys[by_name[file.name]])} and {plain(keys[number])}"
            raise BadInputError(place, f"{both} would both be kept as {file.name}; name one of them")
        by_name[file.name] = number
    return Record(
        int(str(described.id)) if re.fullmatch(_NUMBER, str(described.id)) else None,
        (described.metadata and described.metadata.title) or "",
        tuple(chosen[number] for number in wanted),
    )


def _key(file: Any, place: str) -> str:
    """Return what a record calls a file."""
    name = untrusted(file, _Name, lambda why: BadInputError(place, f"a file is described without a name{why}"))
    key = name.filename if name.key is None else name.key
    if key is None:
        raise BadInputError(place, "a file is described without a name, size, checksum or link")
    return key


def _find(name: str, keys: Sequence[str], place: str) -> int:
    """Return the number of the file of a name, whole or without folders."""
    found = [number for number, key in enumerate(keys) if key == name]
    found = found or [number for number, key in enumerate(keys) if key.rsplit("/", 1)[-1] == name]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(plain(keys[number]) for number in found[:_SHOWN])
        raise UsageError(f"{place}: has several files {plain(name)}: {several}; give the whole name of one")
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    raise UsageError(f"the record has no file {plain(name)}; it has {', '.join(map(plain, keys[:_SHOWN]))}{more}")


def _parse_file(file: Any, key: str, server: str, place: str) -> RemoteFile:
    parts = key.split("/")
    name = parts[-1]
    if (
        not {"", ".", ".."}.isdisjoint(parts)
        or not name.isprintable()
        or len(name.encode("utf-8", "replace")) > _LONGEST_NAME
        or _UNSAFE.fullmatch(name)
    ):
        raise BadInputError(place, f"a file is called {plain(key)!r}, which is no plain file name; nothing was fetched")
    described = untrusted(
        file,
        _File,
        lambda why: BadInputError(
            place,
            f"{plain(name)} is described without a name, size, checksum or link, or one makes no sense{why}",
        ),
    )
    size = described.filesize if described.size is None else described.size
    if size is None or not 0 <= size < 1 << 53 or size != int(size):
        raise BadInputError(place, f"the size {plain(size)} of {plain(name)} makes no sense")
    links = dict.fromkeys(filter(None, (described.links.content, described.links.download, described.links.itself)))
    urls = [_place(link, server) for link in links]
    if not urls:
        raise BadInputError(place, f"{plain(name)} is described without a name, size, checksum or link")
    return RemoteFile(name, int(size), f"md5:{described.checksum[-32:].lower()}", urls[0], tuple(urls[1:]))


def _place(link: str, server: str) -> str:
    path = link.removeprefix(ZENODO)
    return server + path if path.startswith("/") else link
