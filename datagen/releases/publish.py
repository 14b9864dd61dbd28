"""Publish a package: on Zenodo, through the API of its records and drafts, or on the Hugging Face Hub.

Zenodo's older API of deposits still answers, but makes a new version only of a record without files, so it is not used
(https://inveniordm.docs.cern.ch/reference/rest_api_drafts_records/ describes the one that is).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

import pooch
import requests

from datagen.errors import BadInputError, DatagenError, FailedCheckError, UsageError
from datagen.files import atomic_path
from datagen.progress import byte_bar
from datagen.releases.checksums import verify_folder
from datagen.releases.registry import PAPER
from datagen.releases.web import PassingError, Patience, explain, faults, new_session, patiently, send
from datagen.releases.zenodo import ZENODO

__all__ = [
    "Deposit",
    "publish_on_huggingface",
    "publish_on_zenodo",
    "rehearse_huggingface",
    "rehearse_zenodo",
    "zenodo_metadata",
]

_STATE = ".draft.json"
_TOKEN = re.compile(r"[\x21-\x7e]+")


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
    """Return what a draft on Zenodo is told of a package; it is taken from ``croissant.json``.

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
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        metadata = {
            "title": card["alternateName"],
            "description": f"<p>{html.escape(card['description'])}</p>",
            "resource_type": {"id": "dataset"},
            "publication_date": card["datePublished"],
            "version": card["version"],
            "creators": [{"person_or_org": _party(creator["name"])} for creator in card["creator"]],
            "rights": [{"id": _rights(url)} for url in card["license"]],
            "subjects": [{"subject": keyword} for keyword in card["keywords"]],
            "related_identifiers": [
                {"identifier": PAPER.arxiv, "scheme": "arxiv", "relation_type": {"id": "isdocumentedby"}},
            ],
            "publisher": "Zenodo",
        }
    except OSError:
        raise BadInputError(path, "is missing; `datagen package` writes it") from None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(path, f"is no description that `datagen package` writes ({error})") from None
    return {"access": {"record": "public", "files": "public"}, "files": {"enabled": True}, "metadata": metadata}


def publish_on_zenodo(
    folder: str | Path,
    token: str,
    server: str = ZENODO,
    record: int | None = None,
    publish: bool = False,
    show_progress: bool = False,
    patience: Patience | None = None,
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
    patience : Patience, optional
        How long to go on trying.

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
    with new_session() as session:
        session.auth = _Bearer(token)
        api = _Zenodo(session, server, patience or Patience())
        try:
            return _deposit(api, Path(folder), server, record, publish, Path(folder) / _STATE, show_progress)
        except DatagenError as error:
            if token in str(error):  # a server may repeat what it was sent
                raise DatagenError(str(error).replace(token, "***")) from None
            raise


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
    api = _Rehearsal(server)
    _deposit(api, Path(folder), server, record, publish, state=None)
    return api.requests


class _Api(Protocol):
    """Zenodo, or a rehearsal of it."""

    patience: Patience

    def call(self, method: str, path: str, told: Any = None) -> Any:
        """Send JSON, if any, and return the answer; None if there is nothing at that place."""

    def upload(self, path: str, file: Path, show_progress: bool) -> None:
        """Send a file's bytes."""


def _deposit(
    api: _Api,
    folder: Path,
    server: str,
    record: int | None,
    publish: bool,
    state: Path | None,
    show_progress: bool = False,
) -> Deposit:
    files = _checked_files(folder)
    wanted = {"server": server, "record": record}
    draft = _open_draft(api, state, zenodo_metadata(folder), wanted)
    if found := faults(draft):
        raise BadInputError(folder / "croissant.json", f"the server finds fault with it ({'; '.join(found)})")
    place = f"/api/records/{draft['id']}/draft"
    removed = sorted(set(_files_of(api, place)) - {path.name for path in files})
    for name in removed:
        api.call("DELETE", f"{place}/files/{quote(name)}")
    sent: list[str] = []
    kept: list[str] = []
    for path in files:
        was_sent = patiently(partial(_send_file, api, place, path, show_progress), api.patience)
        (sent if was_sent else kept).append(path.name)
    if publish:
        draft = api.call("POST", f"{place}/actions/publish")
    return Deposit(draft["links"]["self_html"], publish, sent, kept, removed)


def _checked_files(folder: Path) -> list[Path]:
    """Return the files of a package that is as its list of checksums says."""
    wrong = [check for check in verify_folder(folder) if not check.passed]
    if wrong:
        raise FailedCheckError(f"{folder}: {wrong[0].name} {wrong[0].detail}; package it again")
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _open_draft(api: _Api, state: Path | None, metadata: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the draft of an earlier attempt at the same, else a new one, with its metadata set."""
    if state is not None and state.is_file():
        known = json.loads(state.read_text(encoding="utf-8"))
        if known["server"] == wanted["server"] and known["record"] == wanted["record"]:
            draft = api.call("PUT", f"/api/records/{known['draft']}/draft", metadata)
            if draft is not None:
                return draft
            if api.call("GET", f"/api/records/{known['draft']}") is not None:
                raise UsageError(f"{state.parent}: was published as record {known['draft']}; package a new version")
    if wanted["record"] is None:
        draft = api.call("POST", "/api/records", metadata)
    else:
        draft = api.call("POST", f"/api/records/{wanted['record']}/versions")
    if draft is None:
        raise UsageError(f"there is no record {wanted['record']} on {wanted['server']}, or it is not yours")
    if state is not None:
        with atomic_path(state) as temporary:
            temporary.write_text(json.dumps({**wanted, "draft": draft["id"]}), encoding="utf-8")
    if wanted["record"] is not None:
        draft = api.call("PUT", f"/api/records/{draft['id']}/draft", metadata)
    return draft


def _files_of(api: _Api, place: str) -> dict[str, Any]:
    return {entry["key"]: entry for entry in api.call("GET", f"{place}/files")["entries"]}


def _send_file(api: _Api, place: str, path: Path, show_progress: bool) -> bool:
    """Send a file, unless the draft has it whole and right, and return whether it was sent."""
    checksum = f"md5:{pooch.file_hash(path, alg='md5')}"
    there = _files_of(api, place).get(path.name)
    entry = f"{place}/files/{quote(path.name)}"
    if there is not None:
        if there.get("status") == "completed" and there.get("checksum") == checksum:
            return False
        api.call("DELETE", entry)
    api.call("POST", f"{place}/files", [{"key": path.name}])
    api.upload(f"{entry}/content", path, show_progress)
    answer = api.call("POST", f"{entry}/commit")
    if answer["checksum"] != checksum:
        raise PassingError(f"{path.name}: arrived as {answer.get('checksum')}, but is {checksum}")
    return True


class _Bearer(requests.auth.AuthBase):
    """Authorization by a token; a header of the session would give way to a password in ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass
class _Zenodo:
    """The real thing."""

    session: requests.Session
    server: str
    patience: Patience

    def call(self, method: str, path: str, told: Any = None) -> Any:
        def once() -> requests.Response:
            return self._send(method, path, json=told)

        # What is posted twice may be there twice; whoever runs the command again finds what arrived.
        response = once() if method == "POST" else patiently(once, self.patience)
        if response.status_code in (404, 410):
            return None
        if not 200 <= response.status_code < 300:
            raise DatagenError(explain(response))
        try:
            return response.json() if response.content else {}
        except ValueError:
            raise DatagenError(f"{response.url}: the answer is not JSON; is this Zenodo?") from None

    def upload(self, path: str, file: Path, show_progress: bool) -> None:
        size = file.stat().st_size
        headers = {"Content-Type": "application/octet-stream"}
        with file.open("rb") as stream, byte_bar(file.name, size, show_progress) as tell:
            response = self._send("PUT", path, data=_Body(stream, size, tell), headers=headers)
        if response.status_code != requests.codes.ok:
            raise DatagenError(explain(response))

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        # Nothing is sent on to where a redirect points: the token and the data are for this server.
        return send(self.session, method, self.server + path, self.patience, allow_redirects=False, **arguments)


class _Body:
    """A file that tells how much of it was read."""

    def __init__(self, stream: BinaryIO, size: int, tell: Callable[[int], None]) -> None:
        self._stream, self._size, self._tell = stream, size, tell

    def __len__(self) -> int:
        return self._size

    def read(self, count: int = -1) -> bytes:
        data = self._stream.read(count)
        self._tell(self._stream.tell())
        return data


class _Rehearsal:
    """A server that writes down what it would be sent, and finds it all right."""

    patience = Patience()

    def __init__(self, server: str) -> None:
        self._server = server
        self._checksum = ""
        self.requests: list[dict[str, Any]] = []

    def call(self, method: str, path: str, told: Any = None) -> Any:
        request = {"method": method, "url": self._server + path}
        self.requests.append(request if told is None else {**request, "json": told})
        return {"id": "DRAFT", "entries": [], "checksum": self._checksum, "links": {"self_html": self._server}}

    def upload(self, path: str, file: Path, show_progress: bool) -> None:
        self._checksum = f"md5:{pooch.file_hash(file, alg='md5')}"
        body = {"file": file.name, "bytes": file.stat().st_size, "checksum": self._checksum}
        self.requests.append({"method": "PUT", "url": self._server + path, **body})


def _party(name: str) -> dict[str, str]:
    """Return a person, who has a comma in the name, or an organisation."""
    family, comma, given = name.partition(", ")
    if not comma:
        return {"type": "organizational", "name": name}
    return {"type": "personal", "family_name": family, "given_name": given}


def _rights(url: str) -> str:
    """Return the identifier that Zenodo has for a licence, by its address."""
    found = re.fullmatch(r"https://creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)/", url)
    if found is None:
        raise ValueError(f"{url} is no licence of Creative Commons")
    return f"cc-{found[1]}-{found[2]}"


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
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise UsageError("this needs huggingface_hub; install the package with its extra 'huggingface'") from None

    _checked_files(Path(folder))
    api = HfApi()
    try:
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
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise DatagenError(f"{repository}: {str(error).splitlines()[0]}") from None
    return f"https://huggingface.co/datasets/{repository}"
