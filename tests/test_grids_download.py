"""Downloads of the established benchmarks, from a server on this machine."""

import hashlib
from dataclasses import replace
from functools import partial

import grids
import pytest
from zenodo_server import Fault, serve

from cli.main import main
from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.grids.sets import SETS
from datagen.releases import find_release
from datagen.releases.download import fetch_set
from datagen.releases.web import Retries

QUICK = Retries(attempts=4, backoff=0.01, timeout=0.5)
DSPRITES = SETS["dsprites"].files[0].name


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Keep every test in its own cache, and away from the network of whoever runs it."""
    monkeypatch.setenv("DATAGEN_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server():
    with serve() as running:
        running.contents[f"/sets/{DSPRITES}"] = grids.sample("dsprites").read_bytes()
        yield running


@pytest.fixture
def get(server):
    return partial(fetch_set, mirror=f"{server.url}/sets/", retries=QUICK)


def test_a_file_comes_whole_and_is_not_fetched_again(server, get, cache):
    (path,) = get("dsprites")
    assert path == cache / "dsprites" / DSPRITES
    assert path.read_bytes() == grids.sample("dsprites").read_bytes()
    asked = len(server.requests)
    assert get("dsprites") == [path]
    assert len(server.requests) == asked
    assert [each.name for each in path.parent.iterdir()] == [DSPRITES]


@pytest.mark.parametrize("fault", [Fault(cut=10_000), Fault(status=503), Fault(ignore_range=True), Fault(length=5)])
def test_what_breaks_off_goes_on(server, get, fault):
    server.faults = [("GET /sets", Fault()), ("GET /sets", fault)]
    (path,) = get("dsprites")
    assert path.read_bytes() == grids.sample("dsprites").read_bytes()


def test_a_server_that_knows_no_ranges_says_the_length_all_the_same(server, get):
    server.faults = [("GET /sets", Fault(ignore_range=True))] * 2
    assert get("dsprites")[0].read_bytes() == grids.sample("dsprites").read_bytes()


def test_what_does_not_come_is_one_line(server, get, cache):
    server.contents.clear()
    with pytest.raises(DatagenError) as caught:
        get("dsprites")
    assert "HTTP 404" in str(caught.value)
    assert not (cache / "dsprites" / DSPRITES).exists()


def test_every_address_is_tried(server, monkeypatch, cache):
    file = SETS["dsprites"].files[0]
    known = replace(
        SETS["dsprites"], files=(replace(file, urls=(f"{server.url}/gone", f"{server.url}/sets/{DSPRITES}")),)
    )
    monkeypatch.setattr("datagen.releases.download.find_set", lambda name: known)
    assert fetch_set("dsprites", retries=QUICK)[0].exists()


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_checksum_that_is_published_is_compared(server, get, monkeypatch, cache, kind):
    data = server.contents[f"/sets/{DSPRITES}"]
    checksum = f"{kind}:{hashlib.new(kind, data).hexdigest()}"
    file = replace(SETS["dsprites"].files[0], size=len(data), checksum=checksum)
    known = replace(SETS["dsprites"], files=(file,))
    monkeypatch.setattr("datagen.releases.download.find_set", lambda name: known)
    (path,) = get("dsprites")
    path.write_bytes(data[:-1] + b"x")
    assert get("dsprites")[0].read_bytes() == data  # what is wrong is fetched anew
    server.contents[f"/sets/{DSPRITES}"] = data[:-1] + b"x"
    path.unlink()
    with pytest.raises(BadInputError, match=f"served a file with the {kind}"):
        get("dsprites")
    assert not path.exists()


def test_another_file_than_the_published_is_refused(server, get):
    for file in SETS["smallnorb"].files:
        server.contents[f"/sets/{file.name}"] = b"not what was published"
    with pytest.raises(DatagenError, match=r"training-dat\.mat\.gz: cannot go on from byte 22"):
        get("smallnorb")


def test_the_command(server, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["download", "dsprites", "--out", str(tmp_path / "data"), "--mirror", f"{server.url}/sets"])
    assert stopped.value.code == 0
    assert f"data/{DSPRITES}: 0.3 MB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "hint"), [("shapes-3d", "shapes3d"), ("MPI3D_toy", "mpi3d-toy"), ("dsprite", "dsprites")]
)
def test_a_name_that_is_nearly_one_gets_a_hint(name, hint):
    with pytest.raises(UsageError, match=f"did you mean '{hint}'"):
        find_release(name)


def test_every_set_says_what_is_needed():
    for name, each in SETS.items():
        assert name == each.name
        assert all(text for what, text in each.described().items() if (name, what) != ("cars3d", "licence"))
        assert each.files
        for file in each.files:
            assert all(url.startswith("http") and url.endswith(file.name) for url in file.urls)
            kind, _, digest = file.checksum.partition(":")
            assert len(digest) == {"": 0, "md5": 32, "sha256": 64}[kind]
            assert (file.size is None) == (kind == "")
