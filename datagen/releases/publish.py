"""Publish a package: on Zenodo, through the API of its records and drafts, or on the Hugging Face Hub.

Zenodo's older API of deposits still answers, but makes a new version only of a record without files, so it is not used
(https://inveniordm.docs.cern.ch/reference/rest_api_drafts_records/ describes the one that is).
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar
from urllib.parse import quote

import msgspec
import pooch
import requests
import urllib3

from datagen.errors import BadInputError, DatagenError, FailedCheckError, UsageError
from datagen.extras import extra
from datagen.files import atomic_path
from datagen.progress import byte_bar
from datagen.releases.checksums import verify_folder
from datagen.releases.web import Answer, Client, Fault, Retries, TransientError, plain, retry, untrusted
from datagen.releases.zenodo import ZENODO

__all__ = [
    "Deposit",
    "publish_on_huggingface",
    "publish_on_zenodo",
    "rehearse_huggingface",
    "rehearse_zenodo",
    "zenodo_metadata",
]

T = TypeVar("T")

_STATE = ".draft.json"
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_LARGEST_CARD = 1 << 26

# What the server and the folder say becomes trusted by these.
_Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z-]{0,63}\Z")]
_Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[!-~]{1,2000}\Z")]
# No other number of characters and no dots alone: it becomes a part of an address.
_FileName = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"^(?!\.{1,2}\Z)")]


class _Links(msgspec.Struct):
    self_html: _Url


class _Draft(msgspec.Struct):
    """A draft, or the record that it became."""

    id: _Id | Annotated[int, msgspec.Meta(ge=1)]
    links: _Links
    errors: list[Fault] = msgspec.field(default_factory=list)


class _File(msgspec.Struct):
    """A file of a draft."""

    key: _FileName
    status: str | None = None
    checksum: str | None = None


class _Files(msgspec.Struct):
    entries: list[_File]


class _Committed(msgspec.Struct):
    checksum: str


class _Remembered(msgspec.Struct):
    """The draft of an earlier attempt."""

    server: str
    record: int | None
    draft: _Id


class _Creator(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    type: str | None = msgspec.field(name="@type", default=None)
    identifier: str | None = None


class _Card(msgspec.Struct):
    """What a draft takes from ``croissant.json``."""

    title: str = msgspec.field(name="alternateName")
    description: str
    version: str
    creator: Annotated[list[_Creator], msgspec.Meta(min_length=1)]
    license: list[str]
    keywords: list[str]
    date: str | None = msgspec.field(name="datePublished", default=None)
    based_on: list[str] = msgspec.field(name="isBasedOn", default_factory=list)


@dataclass(frozen=True)
class Deposit:
    """What became of a package.

    Attributes
    ----------
    url : str
        The page of the draft, or of the record once it is published.
    published : bool
        Whether it is published.
    sent, kept, removed : list of str
        Files that were sent, that were there and right already, and that were there and are not of the package.
    """

    url: str
    published: bool
    sent: list[str]
    kept: list[str]
    removed: list[str]


def zenodo_metadata(folder: str | Path) -> dict[str, Any]:
    """Return the metadata of a draft on Zenodo of a package; they are taken from ``croissant.json``.

    Parameters
    ----------
    folder : str or Path
        The package.

    Raises
    ------
    BadInputError
        If the description is missing or lacks something.
    """
    path = Path(folder) / "croissant.json"
    if not path.is_file():
        raise BadInputError(path, "is missing; `datagen package` writes it")
    if path.stat().st_size > _LARGEST_CARD:
        raise BadInputError(path, "is too large for a description that `datagen package` writes")

    def wrong(why: str) -> BadInputError:
        return BadInputError(path, f"is no description that `datagen package` writes{why}")

    card = untrusted(path.read_bytes(), _Card, wrong)
    metadata = {
        "title": card.title,
        "description": f"<p>{html.escape(card.description)}</p>",
        "resource_type": {"id": "dataset"},
        # A package without a date is as old as its publication.
        "publication_date": datetime.now(UTC).date().isoformat() if card.date is None else card.date,
        "version": card.version,
        "creators": [{"person_or_org": _party(creator)} for creator in card.creator],
        "rights": [{"id": _rights(url, wrong)} for url in card.license],
        "subjects": [{"subject": keyword} for keyword in card.keywords],
        "related_identifiers": [_related(url) for url in card.based_on],
        "publisher": "Zenodo",
    }
    return {"access": {"record": "public", "files": "public"}, "files": {"enabled": True}, "metadata": metadata}


def publish_on_zenodo(
    folder: str | Path,
    token: str,
    server: str = ZENODO,
    record: int | None = None,
    publish: bool = False,
    show_progress: bool = False,
    retries: Retries | None = None,
) -> Deposit:
    """Send a package to Zenodo as a draft.

    What the server has of an interrupted attempt is kept: the draft is remembered in the folder, in a hidden file, and
    a file that is there whole and right is not sent again.

    Parameters
    ----------
    folder : str or Path
        The package, with its ``SHA256SUMS``.
    token : str
        A token with the scopes ``deposit:write`` and ``deposit:actions``. It is sent to `server` alone and is in no
        error's text.
    server : str
        Zenodo or its sandbox.
    record : int, optional
        Make a new version of this record instead of a new record.
    publish : bool
        Publish the draft, which cannot be undone.
    show_progress : bool
        Draw progress bars where standard error is a terminal.
    retries : Retries, optional
        How often and how long to try.

    Returns
    -------
    Deposit

    Raises
    ------
    UsageError
        If there is no token or no list of checksums, or the folder was published before.
    FailedCheckError
        If the folder is not as its list says.
    BadInputError
        If the description is missing or the server finds fault with it.
    DatagenError
        If the server refuses or cannot be reached. Calling again goes on from there.
    """
    if not _TOKEN.fullmatch(token):
        raise UsageError("the token is empty or has characters that none has; put one of your account in ZENODO_TOKEN")
    with Client(retries or Retries(), token) as client:
        api = _Zenodo(client, server)
        try:
            deposit = _deposit(api, Path(folder), record, publish, Path(folder) / _STATE, show_progress)
        except DatagenError as error:
            if client.hide(str(error)) != str(error):  # a server may repeat what it was sent
                raise DatagenError(client.hide(str(error))) from None
            raise
        return replace(
            deposit, url=client.hide(deposit.url), removed=[plain(client.hide(name)) for name in deposit.removed]
        )


def rehearse_zenodo(
    folder: str | Path, server: str = ZENODO, record: int | None = None, publish: bool = False
) -> list[dict[str, Any]]:
    """Return the requests that `publish_on_zenodo` would send for a new draft, in order, and send none.

    Returns
    -------
    list of dict
        ``method`` and ``url``; ``json``, or ``file``, ``bytes`` and ``checksum``, where there is a body. The number of
        the draft, which only the server knows, is ``DRAFT``.

    Raises
    ------
    UsageError, FailedCheckError, BadInputError
        As `publish_on_zenodo`.
    """
    recorder = _Recorder()
    with Client(Retries(), adapter=recorder) as client:
        _deposit(_Zenodo(client, server), Path(folder), record, publish, state=None)
    return recorder.requests


def _deposit(
    api: _Zenodo, folder: Path, record: int | None, publish: bool, state: Path | None, show_progress: bool = False
) -> Deposit:
    files = _checked_files(folder)
    wanted = {"server": api.server, "record": record}
    draft = _open_draft(api, state, zenodo_metadata(folder), wanted)
    if draft.errors:
        faults = plain("; ".join(map(str, draft.errors[:10])))
        raise BadInputError(folder / "croissant.json", f"the server finds fault with it ({faults})")
    place = f"/api/records/{draft.id}/draft"
    removed = sorted(set(_files_of(api, place)) - {path.name for path in files})
    for name in removed:
        api.find("DELETE", f"{place}/files/{quote(name, safe='')}", Any, "answer")
    sent: list[str] = []
    kept: list[str] = []
    for path in files:
        was_sent = retry(partial(_send_file, api, place, path, show_progress), api.client.retries)
        (sent if was_sent else kept).append(path.name)
    if publish:
        draft = api.call("POST", f"{place}/actions/publish", _Draft, "record; it may be published all the same")
    return Deposit(draft.links.self_html, publish, sent, kept, removed)


def _checked_files(folder: Path) -> list[Path]:
    """Return the files of a package that is as its list of checksums says, and holds nothing but plain files."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue  # is not sent
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            raise FailedCheckError(f"{path}: is a folder, and a package has none below it; package it again")
        if not stat.S_ISREG(mode):
            raise FailedCheckError(f"{path}: is a link, a pipe or a device, and only plain files are sent; remove it")
    wrong = [check for check in verify_folder(folder) if not check.passed]
    if wrong:
        raise FailedCheckError(f"{folder}: {wrong[0].name} {wrong[0].detail}; package it again")
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _remembered(state: Path) -> _Remembered | None:
    """Return what is remembered of an earlier attempt, if there was one."""
    if not state.exists():
        return None
    problem = "is no note of a draft that `datagen publish` wrote; remove it to make a new draft"
    if not state.is_file() or state.stat().st_size > _LARGEST_CARD:
        raise BadInputError(state, problem)
    return untrusted(state.read_bytes(), _Remembered, lambda why: BadInputError(state, problem + why))


def _open_draft(api: _Zenodo, state: Path | None, metadata: dict[str, Any], wanted: dict[str, Any]) -> _Draft:
    """Return the draft of an earlier attempt at the same, else a new one, with its metadata set."""
    known = None if state is None else _remembered(state)
    if state is not None and known is not None and (known.server, known.record) == tuple(wanted.values()):
        found = api.find("PUT", f"/api/records/{known.draft}/draft", _Draft, "draft", metadata)
        if found is not None:
            return found
        if api.find("GET", f"/api/records/{known.draft}", Any, "record") is not None:
            raise UsageError(f"{state.parent}: was published as record {known.draft}; package a new version")
    if wanted["record"] is None:
        draft = api.call("POST", "/api/records", _Draft, "draft", metadata)
    else:
        version = api.find("POST", f"/api/records/{wanted['record']}/versions", _Draft, "draft")
        if version is None:
            raise UsageError(f"there is no record {wanted['record']} on {wanted['server']}, or it is not yours")
        draft = version
    if state is not None:
        with atomic_path(state) as temporary:
            temporary.write_text(json.dumps({**wanted, "draft": str(draft.id)}), encoding="utf-8")
    if wanted["record"] is not None:
        draft = api.call("PUT", f"/api/records/{draft.id}/draft", _Draft, "draft", metadata)
    return draft


def _files_of(api: _Zenodo, place: str) -> dict[str, _File]:
    return {entry.key: entry for entry in api.call("GET", f"{place}/files", _Files, "list of files").entries}


def _send_file(api: _Zenodo, place: str, path: Path, show_progress: bool) -> bool:
    """Send a file, unless the draft has it whole and right, and return whether it was sent."""
    checksum = f"md5:{pooch.file_hash(path, alg='md5')}"
    there = _files_of(api, place).get(path.name)
    entry = f"{place}/files/{quote(path.name, safe='')}"
    if there is not None:
        if there.status == "completed" and there.checksum == checksum:
            return False
        api.find("DELETE", entry, Any, "answer")
    api.call("POST", f"{place}/files", Any, "answer", [{"key": path.name}])
    api.upload(f"{entry}/content", path, show_progress)
    answer = api.call("POST", f"{entry}/commit", _Committed, "file")
    if answer.checksum != checksum:
        raise TransientError(f"{path.name}: arrived as {plain(answer.checksum, 100)}, but is {checksum}")
    return True


@dataclass(frozen=True)
class _Zenodo:
    """The API of a server."""

    client: Client
    server: str

    def call(self, method: str, path: str, kind: type[T], what: str, body: Any = None) -> T:
        """Send JSON, if any, and return the answer, checked."""
        return self._checked(self._ask(method, path, body), kind, what)

    def find(self, method: str, path: str, kind: type[T], what: str, body: Any = None) -> T | None:
        """Do so; return None if there is nothing at that place."""
        answer = self._ask(method, path, body)
        return None if answer.status in (404, 410) else self._checked(answer, kind, what)

    def _ask(self, method: str, path: str, body: Any) -> Answer:
        def once() -> Answer:
            return self.client.ask(method, self.server + path, json=body)

        # What is posted twice may be there twice; whoever runs the command again finds what arrived.
        return once() if method == "POST" else retry(once, self.client.retries)

    def _checked(self, answer: Answer, kind: type[T], what: str) -> T:
        if not 200 <= answer.status < 300:
            raise DatagenError(answer.words)
        return answer.read(kind, what) if answer.body or kind is not Any else None  # type: ignore[return-value]

    def upload(self, path: str, file: Path, show_progress: bool) -> None:
        """Send a file's bytes."""
        size = file.stat().st_size
        headers = {"Content-Type": "application/octet-stream"}
        with file.open("rb") as stream, byte_bar(file.name, size, show_progress) as progress:
            body = _Body(stream, size, progress)
            answer = self.client.ask("PUT", self.server + path, data=body, headers=headers)
        if answer.status != 200:
            raise DatagenError(answer.words)


class _Body:
    """A file that reports how much of it was read."""

    def __init__(self, stream: BinaryIO, size: int, progress: Callable[[int], None]) -> None:
        self.name = Path(stream.name).name
        self._stream, self._size, self._progress = stream, size, progress

    def __len__(self) -> int:
        return self._size

    def read(self, count: int = -1) -> bytes:
        data = self._stream.read(count)
        self._progress(self._stream.tell())
        return data


class _Recorder(requests.adapters.BaseAdapter):
    """Sends nothing, keeps what would be sent, and answers as a server does whose draft is empty and all right."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[dict[str, Any]] = []
        self._checksum = ""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        recorded: dict[str, Any] = {"method": request.method, "url": request.url}
        body: Any = request.body
        if isinstance(body, _Body):
            digest = hashlib.md5(usedforsecurity=False)
            while block := body.read(1 << 20):
                digest.update(block)
            self._checksum = f"md5:{digest.hexdigest()}"
            recorded |= {"file": body.name, "bytes": len(body), "checksum": self._checksum}
        elif body is not None:
            recorded["json"] = json.loads(body)
        self.requests.append(recorded)
        answer = {"id": "DRAFT", "entries": [], "checksum": self._checksum, "links": {"self_html": ZENODO}}
        response = requests.Response()
        response.status_code = 200
        response.raw = urllib3.HTTPResponse(BytesIO(json.dumps(answer).encode()), preload_content=False)
        return response

    def close(self) -> None:
        pass


def _party(creator: _Creator) -> dict[str, Any]:
    """Return a person, who has a comma in the name, or an organisation."""
    family, comma, given = creator.name.partition(", ")
    if not comma:
        return {"type": "organizational", "name": creator.name}
    person: dict[str, Any] = {"type": "personal", "family_name": family, "given_name": given}
    orcid = (creator.identifier or "").removeprefix("https://orcid.org/")
    return {**person, "identifiers": [{"scheme": "orcid", "identifier": orcid}]} if orcid else person


def _rights(url: str, wrong: Callable[[str], BadInputError]) -> str:
    """Return the identifier that Zenodo has for a licence, by its address."""
    found = re.fullmatch(r"https://creativecommons\.org/licenses/([a-z-]+)/([0-9]\.[0-9])/", url)
    if found is None:
        raise wrong(f"; {plain(url)} is no licence of Creative Commons")
    return f"cc-{found[1]}-{found[2]}"


def _related(url: str) -> dict[str, Any]:
    """Return how Zenodo describes a thing that the dataset is made from or by."""
    for prefix, scheme, relation in (
        ("https://arxiv.org/abs/", "arxiv", "isdocumentedby"),
        ("https://doi.org/", "doi", "isderivedfrom"),
        ("", "url", "isderivedfrom"),
    ):
        if url.startswith(prefix):
            return {"identifier": url.removeprefix(prefix), "scheme": scheme, "relation_type": {"id": relation}}
    raise AssertionError


def rehearse_huggingface(folder: str | Path, repository: str, publish: bool = False) -> list[dict[str, Any]]:
    """Return what `publish_on_huggingface` would send, and send nothing.

    Returns
    -------
    list of dict
        The dataset that would be made where there is none, then ``file`` and ``bytes`` of every file.

    Raises
    ------
    UsageError, FailedCheckError
        As `publish_on_huggingface`.
    """
    _check_repository(repository)
    files = _checked_files(Path(folder))
    return [
        {"dataset": repository, "private": not publish},
        *({"file": path.name, "bytes": path.stat().st_size} for path in files),
    ]


def publish_on_huggingface(folder: str | Path, repository: str, publish: bool = False) -> str:
    """Send a package to the Hugging Face Hub, as the whole content of a dataset there.

    Parameters
    ----------
    folder : str or Path
        The package, with its ``SHA256SUMS``.
    repository : str
        ``"OWNER/NAME"``. It is made where there is none.
    publish : bool
        Make it public; a new one is private otherwise, and one that exists stays as it is.

    Returns
    -------
    str
        The page of the dataset.

    Raises
    ------
    UsageError
        If huggingface_hub is not installed, or there is no list of checksums.
    FailedCheckError
        If the folder is not as its list says.
    DatagenError
        If the Hub refuses or cannot be reached.
    """
    with extra("huggingface", "the Hugging Face Hub"):
        from huggingface_hub import HfApi, get_token

    _check_repository(repository)
    _checked_files(Path(folder))
    token = None
    try:
        token = get_token()
        api = HfApi()
        api.create_repo(repository, repo_type="dataset", private=not publish, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=str(folder),
            repo_type="dataset",
            ignore_patterns=[".*"],
            delete_patterns=["*"],
            commit_message="Publish the dataset",
        )
        if publish:
            api.update_repo_settings(repository, private=False, repo_type="dataset")
    except Exception as error:  # whatever it and its libraries raise at odd answers
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        said = said.replace(token, "***") if token else said  # a server may repeat what it was sent
        raise DatagenError(f"{repository}: {plain(said)}") from None
    return f"https://huggingface.co/datasets/{repository}"


def _check_repository(repository: str) -> None:
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"{plain(repository)!r} is no dataset of the Hub; one is called OWNER/NAME")
