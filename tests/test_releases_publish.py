import hashlib
import inspect
import json
import os
import socket
import sys
import types

import pytest
from test_cli import run
from zenodo_server import TOKEN, Fault, answer_of, serve

from datagen import store
from datagen.errors import BadInputError, DatagenError, FailedCheckError, UsageError
from datagen.releases import publish as publishing
from datagen.releases import zenodo as zenodo_module
from datagen.releases.checksums import write_checksums
from datagen.releases.package import package
from datagen.releases.publish import publish_on_huggingface, publish_on_zenodo, rehearse_zenodo, zenodo_metadata
from datagen.releases.web import Retries
from datagen.releases.zenodo import ZENODO

QUICK = Retries(attempts=3, backoff=0.01, timeout=2)
NPZ = "kitti-masks.npz"


@pytest.fixture
def zenodo():
    with serve() as server:
        yield server


@pytest.fixture
def folder(kitti, tmp_path):
    package(kitti, tmp_path / "release", creators=["Doe, Jane"], date="2026-01-31")
    return tmp_path / "release"


def names_in(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def send(zenodo, folder, **arguments):
    return publish_on_zenodo(folder, TOKEN, zenodo.url, retries=QUICK, **arguments)


def test_a_draft_holds_the_package(zenodo, folder):
    deposit = send(zenodo, folder)
    (number, draft), *others = zenodo.drafts.items()
    assert not others
    assert deposit == publishing.Deposit(f"https://zenodo.org/uploads/{number}", False, names_in(folder), [], [])
    assert not draft["published"]
    assert {name: entry["data"] for name, entry in draft["files"].items()} == {
        path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")
    }
    metadata = draft["metadata"]
    assert metadata["title"] == "KITTI Masks"
    assert metadata["rights"] == [{"id": "cc-by-nc-sa-3.0"}]
    assert metadata["creators"] == [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jane"}}]
    assert metadata["publication_date"] == "2026-01-31"


def test_what_is_there_is_not_sent_again(zenodo, folder):
    send(zenodo, folder)
    before = len(zenodo.requests)
    deposit = send(zenodo, folder)
    assert (deposit.sent, deposit.kept) == ([], names_in(folder))
    assert len(zenodo.drafts) == 1
    assert {request.method for request in zenodo.requests[before:]} == {"GET", "PUT"}


@pytest.mark.parametrize(
    "fault", [Fault(cut=1000), Fault(status=500), Fault(status=429, headers={"Retry-After": "0"})], ids=str
)
def test_an_upload_that_breaks_in_passing_is_sent_again(zenodo, folder, fault):
    zenodo.faults = [(f"PUT .*{NPZ}/content", fault)]
    assert send(zenodo, folder).sent == names_in(folder)
    assert not zenodo.faults
    (draft,) = zenodo.drafts.values()
    assert draft["files"][NPZ]["data"] == (folder / NPZ).read_bytes()


def test_an_interrupted_upload_goes_on_file_by_file(zenodo, folder):
    zenodo.faults = [(f"PUT .*{NPZ}/content", Fault(cut=1000))] * QUICK.attempts
    with pytest.raises(DatagenError, match="gave up after 3 attempts"):
        send(zenodo, folder)
    (draft,) = zenodo.drafts.values()
    before = [name for name, entry in draft["files"].items() if entry["status"] == "completed"]
    assert 0 < len(before) < len(names_in(folder))
    deposit = send(zenodo, folder)
    assert deposit.kept == sorted(before)
    assert sorted(deposit.sent + deposit.kept) == names_in(folder)
    assert len(zenodo.drafts) == 1


def test_a_file_that_arrives_changed_is_sent_again(zenodo, folder):
    send(zenodo, folder)
    (draft,) = zenodo.drafts.values()
    draft["files"][NPZ]["data"] = b"rotten"
    draft["files"]["old.txt"] = {"key": "old.txt", "status": "completed", "data": b"of an older version"}
    deposit = send(zenodo, folder)
    assert (deposit.sent, deposit.removed) == ([NPZ], ["old.txt"])
    assert draft["files"].keys() == set(names_in(folder))


def test_a_checksum_that_is_never_right_fails(zenodo, folder, monkeypatch):
    import zenodo_server

    monkeypatch.setattr(zenodo_server, "_public", lambda entry: {**entry, "data": None, "checksum": "md5:0"})
    with pytest.raises(DatagenError, match=r"CITATION\.cff: arrived as md5:0, but is md5:.*gave up"):
        send(zenodo, folder)


def test_publishing_and_a_new_version(zenodo, folder, kitti):
    deposit = send(zenodo, folder, publish=True)
    (number,) = zenodo.drafts
    assert zenodo.drafts[number]["published"]
    assert (deposit.published, deposit.url) == (True, f"https://zenodo.org/records/{number}")
    with pytest.raises(UsageError, match=f"was published as record {number}"):
        send(zenodo, folder)
    package(kitti, folder, version="2.0.0", overwrite=True)
    zenodo.faults = [(f"PUT .*{NPZ}/content", Fault(cut=1000))] * QUICK.attempts
    with pytest.raises(DatagenError, match="gave up"):
        send(zenodo, folder, record=number)
    send(zenodo, folder, record=number)
    first, second = zenodo.drafts.values()
    assert second["of"] == [str(number)]
    assert (first["metadata"]["version"], second["metadata"]["version"]) == ("1.0.0", "2.0.0")
    assert second["files"].keys() == set(names_in(folder))


def test_a_draft_that_is_gone_is_made_anew(zenodo, folder):
    send(zenodo, folder)
    zenodo.drafts.clear()
    assert send(zenodo, folder).sent == names_in(folder)
    (folder / ".draft.json").write_text(json.dumps({"server": "another", "record": None, "draft": "1"}))
    assert send(zenodo, folder).sent == names_in(folder)
    assert len(zenodo.drafts) == 2


def test_what_is_sent_is_checked_first(zenodo, folder):
    (folder / "README.md").write_text("changed")
    with pytest.raises(FailedCheckError, match=r"README\.md has another sha256"):
        send(zenodo, folder)
    (folder / "croissant.json").write_text("{}")
    write_checksums(folder)
    with pytest.raises(BadInputError, match="no description"):
        send(zenodo, folder)
    (folder / "croissant.json").unlink()
    write_checksums(folder)
    with pytest.raises(BadInputError, match="is missing"):
        send(zenodo, folder)
    assert not zenodo.requests


def test_a_description_that_the_server_refuses(zenodo, folder):
    card = json.loads((folder / "croissant.json").read_text())
    (folder / "croissant.json").write_text(json.dumps({**card, "datePublished": ""}))
    write_checksums(folder)
    with pytest.raises(BadInputError, match=r"finds fault.*publication_date: Missing data"):
        send(zenodo, folder)
    (folder / "croissant.json").write_text(json.dumps({**card, "license": ["https://example.com/mine"]}))
    with pytest.raises(BadInputError, match="no licence of Creative Commons"):
        zenodo_metadata(folder)


@pytest.mark.parametrize("token", ["", "with space", "line\nbreak"])
def test_what_is_no_token_is_not_sent(zenodo, folder, token):
    with pytest.raises(UsageError) as error:
        publish_on_zenodo(folder, token, zenodo.url)
    assert not zenodo.requests
    assert not token or token not in str(error.value)


def test_the_token_is_seen_by_nobody(zenodo, folder, capsys, caplog, monkeypatch, tmp_path):
    wrong = "a-wrong-token"
    with pytest.raises(DatagenError, match=r"Permission denied to Bearer \*\*\*"):
        publish_on_zenodo(folder, wrong, zenodo.url, retries=QUICK)
    with serve() as other:
        zenodo.faults = [("POST /api/records", Fault(redirect=f"{other.url}/api/records"))]
        with pytest.raises(DatagenError, match="HTTP 302"):
            send(zenodo, folder)
        assert not other.requests
    monkeypatch.setattr(zenodo_module, "ZENODO", zenodo.url)
    monkeypatch.setenv("ZENODO_TOKEN", TOKEN)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    with caplog.at_level("DEBUG"):
        code, out, err = run(capsys, "publish", folder, "--zenodo")
    assert (code, err) == (0, "")
    assert "a draft" in out
    everything = (
        out
        + err
        + caplog.text
        + "".join(path.read_text(errors="replace") for path in folder.iterdir() if path.is_file())
    )
    assert TOKEN not in everything
    assert all(request.headers["Authorization"] == f"Bearer {TOKEN}" for request in zenodo.requests[-10:])


def test_a_rehearsal_is_what_would_be_sent(zenodo, folder):
    rehearsed = rehearse_zenodo(folder, zenodo.url, publish=True)
    assert not zenodo.requests
    send(zenodo, folder, publish=True)
    (number,) = zenodo.drafts
    assert len(rehearsed) == len(zenodo.requests)
    for recorded, request in zip(rehearsed, zenodo.requests, strict=True):
        assert recorded["method"] == request.method
        assert recorded["url"].replace("DRAFT", str(number)) == zenodo.url + request.path
        if "json" in recorded:
            assert recorded["json"] == json.loads(request.body)
        elif "file" in recorded:
            assert request.body == (folder / recorded["file"]).read_bytes()
            assert recorded["bytes"] == len(request.body)
        else:
            assert not request.body


@pytest.mark.parametrize("record", [None, 7])
def test_a_rehearsal_sends_nothing(folder, monkeypatch, record):
    def fail(*_, **__):
        raise AssertionError("something was sent")

    monkeypatch.setattr(socket.socket, "connect", fail)
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    (folder / ".draft.json").write_text("of an earlier attempt")
    draft = f"{ZENODO}/api/records/DRAFT/draft"
    metadata = zenodo_metadata(folder)
    expected = [{"method": "POST", "url": f"{ZENODO}/api/records", "json": metadata}]
    if record is not None:
        expected = [
            {"method": "POST", "url": f"{ZENODO}/api/records/7/versions"},
            {"method": "PUT", "url": draft, "json": metadata},
        ]
    expected.append({"method": "GET", "url": f"{draft}/files"})
    for name in names_in(folder):
        data = (folder / name).read_bytes()
        checksum = f"md5:{hashlib.md5(data).hexdigest()}"
        expected += [
            {"method": "GET", "url": f"{draft}/files"},
            {"method": "POST", "url": f"{draft}/files", "json": [{"key": name}]},
            {
                "method": "PUT",
                "url": f"{draft}/files/{name}/content",
                "file": name,
                "bytes": len(data),
                "checksum": checksum,
            },
            {"method": "POST", "url": f"{draft}/files/{name}/commit"},
        ]
    expected.append({"method": "POST", "url": f"{draft}/actions/publish"})
    assert rehearse_zenodo(folder, record=record, publish=True) == expected


def test_the_command(capsys, zenodo, folder, monkeypatch):
    monkeypatch.setattr(zenodo_module, "ZENODO", zenodo.url)
    monkeypatch.setattr(zenodo_module, "SANDBOX", zenodo.url)
    monkeypatch.delenv("ZENODO_TOKEN", raising=False)
    code, out, _ = run(capsys, "publish", folder, "--zenodo", "--dry-run")
    assert code == 0
    assert json.loads(out) == rehearse_zenodo(folder, zenodo.url)
    code, out, _ = run(capsys, "publish", folder, "--huggingface", "me/masks", "--dry-run")
    assert json.loads(out)[0] == {"dataset": "me/masks", "private": True}
    assert [each["file"] for each in json.loads(out)[1:]] == names_in(folder)
    assert not zenodo.requests
    code, _, err = run(capsys, "publish", folder, "--sandbox")
    assert (code, "ZENODO_TOKEN" in err) == (2, True)
    monkeypatch.setenv("ZENODO_TOKEN", TOKEN)
    code, out, _ = run(capsys, "publish", folder, "--sandbox", "--publish", "--json")
    assert (code, json.loads(out)["published"]) == (0, True)
    assert [draft["published"] for draft in zenodo.drafts.values()] == [True]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "say where to"),
        (["--zenodo", "--huggingface", "a/b"], "say where to"),
        (["--huggingface", "a/b", "--record", "3"], "--record is of Zenodo"),
    ],
)
def test_commands_that_contradict_themselves(capsys, folder, arguments, problem):
    code, _, err = run(capsys, "publish", folder, *arguments)
    assert (code, problem in err) == (2, True)


class Hub:
    """Stands for the Hub's client and notes what it is asked."""

    def __init__(self, calls, fails=False):
        self._calls, self._fails = calls, fails

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self._calls.append((name, args, kwargs))
            if self._fails:
                raise OSError("401 Client Error\nand more")

        return call


@pytest.mark.parametrize("publish", [False, True])
def test_the_hub_gets_the_folder(folder, monkeypatch, publish):
    calls = []
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    monkeypatch.setattr(hub, "HfApi", lambda: Hub(calls))
    assert publish_on_huggingface(folder, "me/masks", publish) == "https://huggingface.co/datasets/me/masks"
    assert [name for name, _, _ in calls] == ["create_repo", "upload_folder", "update_repo_settings"][: 2 + publish]
    assert calls[0][2]["private"] is not publish
    assert calls[1][2]["folder_path"] == str(folder)
    for name, args, kwargs in calls:  # as the real client takes them
        assert hub.hf_api.HfApi.__dict__[name]
        inspect.signature(getattr(hub.hf_api.HfApi, name)).bind(None, *args, **kwargs)
    monkeypatch.setattr(hub, "HfApi", lambda: Hub(calls, fails=True))
    with pytest.raises(DatagenError, match=r"^me/masks: 401 Client Error$"):
        publish_on_huggingface(folder, "me/masks")


def test_the_hub_needs_its_client(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", types.ModuleType("huggingface_hub"))
    with pytest.raises(UsageError, match="extra 'huggingface'"):
        publish_on_huggingface(folder, "me/masks")


def test_a_package_of_the_release_can_be_published(zenodo, kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.pickle")
    package(store.load(tmp_path / "kitti.pickle"), tmp_path / "out")
    assert send(zenodo, tmp_path / "out").sent == names_in(tmp_path / "out")


REQUESTS = [
    "POST /api/records$",
    "GET .*/draft/files$",
    "POST .*/draft/files$",
    "PUT .*/content$",
    "POST .*/commit$",
    "publish$",
]
ODD = [
    b"", b"[]", b"null", b"5", b"<html>", b"\xff", b"[" * 100_000, b'{"id": null}', b'{"id": "../../x"}',
    b'{"id": "7", "links": {"self_html": null}}', b'{"id": "7", "links": {"self_html": "\\u001b[31m"}}',
    b'{"entries": 5}', b'{"entries": [{"key": ".."}]}', b'{"checksum": null}',
    b'{"errors": ["x"], "id": "7", "links": {"self_html": "http://x"}}',
]  # fmt: skip


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("body", ODD, ids=lambda body: str(body[:40]))
def test_odd_answers_give_one_line(zenodo, folder, what, body):
    zenodo.faults = [(what, Fault(raw=answer_of(body)))] * 30
    try:
        send(zenodo, folder, publish=True)
    except DatagenError as error:
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert what in ("POST .*/draft/files$", "PUT .*/content$")  # nothing of their answers is used


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("status", [301, 400, 403, 404, 500])
def test_a_server_that_repeats_the_token_does_not_get_it_printed(zenodo, folder, what, status):
    escaped = "".join(f"\\u{ord(each):04x}" for each in TOKEN)
    body = f'{{"message": "{"x" * 290} {TOKEN}", "errors": [{{"field": "{escaped}", "messages": ["{TOKEN}"]}}]}}'
    raw = answer_of(body.encode(), f"{status} {TOKEN}", Location=f"http://127.0.0.1:1/{TOKEN}")
    zenodo.faults = [(what, Fault(raw=raw))] * 10
    with pytest.raises(DatagenError) as error:
        send(zenodo, folder, publish=True)
    assert TOKEN[:12] not in str(error.value)  # nor a part of it


def test_what_is_printed_at_the_end_has_no_token(zenodo, folder):
    body = json.dumps({"id": "1000", "links": {"self_html": f"https://zenodo.org/{TOKEN}"}}).encode()
    zenodo.faults = [("publish$", Fault(raw=answer_of(body)))]
    assert send(zenodo, folder, publish=True).url == "https://zenodo.org/***"


def test_a_file_of_a_draft_is_removed_by_its_whole_name(zenodo, folder):
    send(zenodo, folder)
    (draft,) = zenodo.drafts.values()
    draft["files"]["../../1"] = {"key": "../../1", "status": "completed", "data": b""}
    assert send(zenodo, folder).removed == ["../../1"]
    assert zenodo.asked("DELETE")[0].path.endswith("/draft/files/..%2F..%2F1")


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")], ids=["pipe", "folder", "link"]
)
def test_only_plain_files_are_sent(zenodo, folder, make):
    make(folder / "extra")
    with pytest.raises(FailedCheckError, match="extra"):
        send(zenodo, folder)
    with pytest.raises(FailedCheckError, match="extra"):
        publish_on_huggingface(folder, "me/masks")
    assert not zenodo.requests


@pytest.mark.parametrize(
    "state", ["", "[]", '{"server": 1}', "[" * 100_000, '{"server": "x", "record": null, "draft": "../x"}']
)
def test_a_damaged_note_of_a_draft_is_named(zenodo, folder, state):
    (folder / ".draft.json").write_text(state)
    with pytest.raises(BadInputError, match=r"\.draft\.json: is no note of a draft"):
        send(zenodo, folder)
    assert not zenodo.requests


def test_a_package_without_a_date_is_as_old_as_its_publication(kitti, tmp_path):
    package(kitti, tmp_path / "out")
    metadata = zenodo_metadata(tmp_path / "out")["metadata"]
    assert metadata["publication_date"].startswith("20")
    assert metadata["creators"] == [{"person_or_org": {"type": "organizational", "name": "anonymous"}}]
    assert {"identifier": "2007.10930", "scheme": "arxiv", "relation_type": {"id": "isdocumentedby"}} in metadata[
        "related_identifiers"
    ]


@pytest.mark.parametrize("name", ["", "a", "a/b/c", "../x", "a/b c", "\x1b[31m/x", "a/" + "x" * 500])
def test_what_is_no_dataset_of_the_hub(folder, name):
    with pytest.raises(UsageError, match="OWNER/NAME"):
        publish_on_huggingface(folder, name)


def test_the_hub_does_not_get_its_token_printed(folder, monkeypatch):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    monkeypatch.setenv("HF_TOKEN", "hf_" + TOKEN)

    def fail(*_, **__):
        raise KeyError(f"hf_{TOKEN} is not good")

    monkeypatch.setattr(hub.HfApi, "create_repo", fail)
    with pytest.raises(DatagenError, match=r"me/masks: .*\*\*\* is not good"):
        publish_on_huggingface(folder, "me/masks")
