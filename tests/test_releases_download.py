import gc
import gzip
import json
import threading
import time
from functools import partial

import numpy as np
import pytest
from test_cli import run
from zenodo_server import Fault, answer_of, serve

from datagen import store
from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.readers import annotated_sets
from datagen.releases import RELEASES, fetch, fetch_record, find_release, web
from datagen.releases.download import cache_folder
from datagen.releases.web import Retries
from datagen.releases.zenodo import parse_doi, parse_record

QUICK = Retries(attempts=4, backoff=0.01, timeout=0.5)
DATA = np.random.default_rng(0).bytes(300_000)
NAME = "kitti_peds_v2.pickle"
CONTENT = f"GET .*/{NAME}"


@pytest.fixture
def zenodo():
    with serve() as server:
        server.add(3931823, {NAME: DATA, "notes.txt": b"hello"})
        yield server


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Keep every test in its own cache, and away from the network of whoever runs it."""
    monkeypatch.setenv("DATAGEN_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path / "cache" / "zenodo-3931823"


def get(zenodo, *names, **arguments):
    return fetch_record(3931823, names, server=zenodo.url, retries=QUICK, **arguments)


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def test_a_release_comes_whole_and_is_not_fetched_again(zenodo, cache):
    path = fetch("kitti-masks", server=zenodo.url, retries=QUICK)
    assert path == cache / NAME
    assert path.read_bytes() == DATA
    assert names_in(cache) == {NAME, "zenodo-3931823.json"}
    assert all(request.headers["User-Agent"].startswith("datagen/") for request in zenodo.requests)
    assert [request.headers["Accept-Encoding"] for request in zenodo.asked(CONTENT)] == ["identity"]
    before = len(zenodo.requests)
    assert fetch("kitti-masks", server=zenodo.url) == path
    assert len(zenodo.requests) == before


def test_what_is_cached_needs_no_network(zenodo, cache):
    get(zenodo)
    assert fetch("kitti-masks", server="http://127.0.0.1:1", retries=QUICK) == cache / NAME
    assert fetch_record(3931823, ["notes.txt"], server="http://127.0.0.1:1", retries=QUICK) == [cache / "notes.txt"]
    (cache / NAME).write_bytes(DATA[:-1] + b"?")
    with pytest.raises(DatagenError, match="gave up after 4 attempts"):
        fetch("kitti-masks", server="http://127.0.0.1:1", retries=QUICK)
    assert get(zenodo, NAME)[0].read_bytes() == DATA  # a damaged file is fetched anew


@pytest.mark.parametrize("described", ["[]", "{", '{"files": [{}]}'])
def test_a_damaged_description_is_asked_for_anew(zenodo, cache, described):
    get(zenodo)
    (cache / "zenodo-3931823.json").write_text(described)
    before = len(zenodo.requests)
    get(zenodo)
    assert [request.path for request in zenodo.requests[before:]] == ["/api/records/3931823"]


@pytest.mark.parametrize("form", ["2020", "autumn 2023", "today", "software"])
def test_every_form_of_description_is_read(zenodo, form, tmp_path):
    zenodo.add(7, {"a.csv": b"1,2\n", "empty": b""}, form)
    paths = fetch_record(7, server=zenodo.url, retries=QUICK, root=tmp_path / "here")
    assert {path.name: path.read_bytes() for path in paths} == {"a.csv": b"1,2\n", "empty": b""}


def test_links_of_zenodo_lead_to_the_mirror_and_others_stay():
    answer = {
        "files": [
            {"key": "a", "size": 1, "checksum": "md5:" + "0" * 32, "links": {"self": "https://zenodo.org/api/a"}},
            {"key": "b", "size": 1, "checksum": "0" * 32, "links": {"self": "/api/b"}},
            {"key": "c", "size": 1, "checksum": "0" * 32, "links": {"self": "https://example.com/c"}},
        ]
    }
    urls = [file.url for file in parse_record(answer, "http://mirror/zenodo", "there").files]
    assert urls == ["http://mirror/zenodo/api/a", "http://mirror/zenodo/api/b", "https://example.com/c"]


FAULTS = [
    pytest.param([Fault(cut=100_000)], 2, id="cut once"),
    pytest.param([Fault(cut=100_000), Fault(cut=50_000), Fault(cut=0)], 4, id="cut three times"),
    pytest.param([Fault(cut=100_000), Fault(ignore_range=True)], 2, id="ignores Range"),
    pytest.param([Fault(cut=100_000), Fault(range_from=0)], 3, id="another range than asked"),
    pytest.param([Fault(cut=100_000), Fault(status=416)], 3, id="refuses the range"),
    pytest.param([Fault(length=5)], 2, id="announces too much"),
    pytest.param([Fault(length=-5)], 2, id="announces too little"),
    pytest.param([Fault(status=500), Fault(status=503)], 3, id="5xx"),
    pytest.param([Fault(status=429, headers={"Retry-After": "0"})], 2, id="429"),
    pytest.param([Fault(status=429, headers={"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"})], 2, id="429, a date"),
    pytest.param([Fault(status=429, headers={"Retry-After": "soon"})], 2, id="429, nonsense"),
    pytest.param([Fault(drip=60_000, pause=0.1)], 1, id="a slow drip"),
    pytest.param([Fault(drip=40_000, stall=120_000)], 2, id="a stall"),
]


@pytest.mark.parametrize(("faults", "requests"), FAULTS)
def test_what_breaks_in_passing_is_mended(zenodo, faults, requests):
    zenodo.faults = [(CONTENT, fault) for fault in faults]
    assert get(zenodo, NAME)[0].read_bytes() == DATA
    assert not zenodo.faults
    assert len(zenodo.asked(CONTENT)) == requests


def test_bytes_of_another_range_are_not_taken(zenodo, cache):
    zenodo.faults = [(CONTENT, Fault(cut=100_000)), (CONTENT, Fault(range_from=0))]
    with pytest.raises(DatagenError, match=r"cannot go on from byte \d+; starting over; gave up after 2 attempts"):
        fetch_record(3931823, [NAME], server=zenodo.url, retries=Retries(attempts=2, backoff=0.01))
    assert names_in(cache) == {"zenodo-3931823.json"}


def test_a_broken_download_goes_on_where_it_broke(zenodo, cache):
    zenodo.faults = [(CONTENT, Fault(cut=70_000))] * 4
    with pytest.raises(DatagenError, match=f"{NAME}.*gave up after 4 attempts"):
        get(zenodo, NAME)
    assert names_in(cache) == {f".{NAME}.part", "zenodo-3931823.json"}
    have = (cache / f".{NAME}.part").stat().st_size
    assert get(zenodo, NAME)[0].read_bytes() == DATA
    asked = [request.headers.get("Range") for request in zenodo.asked(CONTENT)]
    assert asked[-1] == f"bytes={have}-"
    assert have >= 4 * (70_000 - (1 << 15))  # of each answer at most a chunk is lost
    assert names_in(cache) == {NAME, "zenodo-3931823.json"}


def test_a_part_that_is_whole_already_is_only_checked(zenodo, cache):
    cache.mkdir(parents=True)
    (cache / f".{NAME}.part").write_bytes(DATA)
    get(zenodo, NAME)
    assert not zenodo.asked(CONTENT)


@pytest.mark.parametrize(
    "part", [b"x" * 1000, b"x" * len(DATA), b"x" * (len(DATA) + 1)], ids=["wrong start", "wrong whole", "too long"]
)
def test_a_wrong_part_is_thrown_away(zenodo, cache, part):
    cache.mkdir(parents=True)
    (cache / f".{NAME}.part").write_bytes(part)
    assert get(zenodo, NAME)[0].read_bytes() == DATA


@pytest.mark.parametrize(
    "fault",
    [
        Fault(body=b"<html>Please log in</html>" + DATA[26:]),
        Fault(body=DATA + b"and more"),
        Fault(body=DATA + DATA),
    ],
    ids=["another file", "a longer file", "a much longer file"],
)
def test_another_file_is_not_accepted(zenodo, cache, fault):
    zenodo.faults = [(CONTENT, fault)]
    with pytest.raises(BadInputError, match="it was not kept"):
        get(zenodo, NAME)
    assert names_in(cache) == {"zenodo-3931823.json"}
    assert len(zenodo.asked(CONTENT)) == 1


def test_a_body_without_end_is_not_read_to_its_end(zenodo):
    endless = DATA * 10
    zenodo.faults = [(CONTENT, Fault(body=endless, drip=100_000, pause=0.02))]
    with pytest.raises(BadInputError, match="served more than 300000 bytes"):
        get(zenodo, NAME)
    assert zenodo.sent < len(endless)


def test_a_shorter_file_is_not_accepted(zenodo, cache):
    zenodo.faults = [(CONTENT, Fault(body=DATA[:1000]))] * 4
    with pytest.raises(DatagenError, match="gave up"):
        get(zenodo, NAME)
    assert not (cache / NAME).exists()


def test_a_failed_download_leaves_an_older_file(zenodo, cache):
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(b"old")
    zenodo.faults = [(CONTENT, Fault(status=404))] * 2
    with pytest.raises(DatagenError, match="HTTP 404 Not now"):
        get(zenodo, NAME)
    assert (cache / NAME).read_bytes() == b"old"


def test_retry_after_is_honoured_up_to_a_limit(zenodo):
    zenodo.faults = [(CONTENT, Fault(status=429, headers={"Retry-After": "0.3"}))]
    get(zenodo, NAME)
    first, second = zenodo.asked(CONTENT)
    assert second.time - first.time >= 0.3
    assert QUICK.wait_before(1, asked=1e9) == 60
    assert [QUICK.wait_before(attempt) for attempt in (1, 2, 3)] == [0.01, 0.02, 0.04]


def test_a_redirect_to_another_host_is_followed_and_checked(zenodo, cache):
    with serve() as other:
        other.contents["/elsewhere"] = DATA
        zenodo.faults = [(CONTENT, Fault(redirect=f"{other.url}/elsewhere"))]
        assert get(zenodo, NAME)[0].read_bytes() == DATA
        (cache / NAME).unlink()
        other.contents["/elsewhere"] = DATA[::-1]
        zenodo.faults = [(CONTENT, Fault(redirect=f"{other.url}/elsewhere"))]
        with pytest.raises(BadInputError, match="it was not kept"):
            get(zenodo, NAME)
    assert not (cache / NAME).exists()


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "..", "", "a\\b", "C:evil", "a\0b"])
def test_a_name_that_points_outside_is_refused(zenodo, tmp_path, name):
    zenodo.add(8, {"good": b"1"})
    zenodo.records[8]["files"][0]["key"] = name
    with pytest.raises(BadInputError, match="no plain file name; nothing was fetched"):
        fetch_record(8, server=zenodo.url, retries=QUICK)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ([], "describes no record"),
        ({}, "lists no files"),
        ({"files": []}, "lists no files"),
        ({"files": [{"key": "a"}]}, "without a name, size"),
        ({"files": [{"key": "a", "size": 1, "checksum": "sha1:0", "links": {"self": "x"}}]}, "makes no sense"),
        ({"files": [{"key": "a", "size": -1, "checksum": "0" * 32, "links": {"self": "x"}}]}, "makes no sense"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(answer, problem):
    with pytest.raises(BadInputError, match=f"there: .*{problem}"):
        parse_record(answer, "http://mirror", "there")


@pytest.mark.parametrize("server", ["", "x", "http://", "http://[", "http://[::1", "http://a..b", "http://127.0.0.1:x"])
def test_an_address_that_is_none(server):
    with pytest.raises(DatagenError, match="cannot be asked"):
        fetch_record(3931823, server=server, retries=QUICK)


def test_a_server_that_is_none(zenodo):
    with pytest.raises(UsageError, match=r"No such record.*there is no record 9"):
        fetch_record(9, server=zenodo.url, retries=QUICK)
    with pytest.raises(UsageError, match=r"has no file b\.txt; it has kitti_peds_v2\.pickle, notes\.txt"):
        get(zenodo, "b.txt")
    with pytest.raises(DatagenError, match="cannot be asked"):
        fetch_record(9, server="nonsense", retries=QUICK)
    zenodo.faults = [("GET", Fault(status=403))] * 2
    with pytest.raises(DatagenError, match="HTTP 403"):
        get(zenodo)
    with serve() as other:
        other.contents["/any/api/records/9"] = b"<html>"
        with pytest.raises(BadInputError, match="the answer is not JSON"):
            fetch_record(9, server=f"{other.url}/any/", retries=QUICK)


def test_a_proxy_of_the_environment_is_used(zenodo, monkeypatch):
    monkeypatch.setenv("http_proxy", zenodo.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    fetch_record(3931823, ["notes.txt"], server="http://records.invalid", retries=QUICK)
    assert [request.path for request in zenodo.requests] == [
        "http://records.invalid/api/records/3931823",
        "http://records.invalid/api/records/3931823/files/notes.txt/content",
    ]


def test_the_cache_lies_where_it_is_told_to(monkeypatch, tmp_path):
    monkeypatch.setenv("DATAGEN_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("DATAGEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "system"))
    assert cache_folder().name == "datagen"


@pytest.mark.parametrize(
    ("doi", "record"),
    [
        ("10.5281/zenodo.3931823", 3931823),
        ("https://doi.org/10.5281/zenodo.3948069", 3948069),
        ("https://zenodo.org/record/3948069?x=1#files", 3948069),
        ("https://zenodo.org/records/3948069/files/a.csv", 3948069),
        (" doi:10.5281/ZENODO.1 ", 1),
    ],
)
def test_dois(doi, record):
    assert parse_doi(doi) == record


@pytest.mark.parametrize(
    "doi", ["10.1000/182", "3931823", "10.5281/zenodo.", "10.5281/zenodo.1/../2", "10.5281/zenodo.٣"]
)
def test_what_is_no_doi_of_zenodo(doi):
    with pytest.raises(UsageError, match="is no DOI of Zenodo"):
        parse_doi(doi)


def test_without_download_the_file_must_be_there(tmp_path):
    with pytest.raises(UsageError, match="pass download=True"):
        fetch("kitti-masks", tmp_path, download=False)
    (tmp_path / NAME).write_bytes(b"mine")
    assert fetch("kitti-masks", tmp_path, download=False) == tmp_path / NAME
    with pytest.raises(UsageError, match="is a file; give the folder"):
        fetch("kitti-masks", tmp_path / NAME)


@pytest.mark.parametrize("name", [*annotated_sets(), "imagenet"])
def test_raw_annotations_are_not_fetched(name):
    with pytest.raises(UsageError, match=r"cannot be fetched for you\. .*http|From the same page|unknown release"):
        find_release(name)


@pytest.fixture
def published(zenodo, kitti, monkeypatch, tmp_path):
    """Publish small files in the release's forms, on a server that everyone takes for Zenodo."""
    import datagen.releases.download as download

    store.save(kitti, tmp_path / "kitti.pickle")
    table = b"id,cat_id,t_0,t_1,t_2\n" + b"".join(
        b'%d,1,"[(1.5, 2.5, 200), None, None]","[(1.5, 2.5, %d), (1.0, 1.0, 9), None]",\n' % (n, 200 + n)
        for n in range(40)
    )
    zenodo.add(3931823, {NAME: (tmp_path / "kitti.pickle").read_bytes()})
    zenodo.add(3948069, {"downscale_keepaspect.csv": table})
    fetch = partial(fetch_record, server=zenodo.url, retries=QUICK)
    monkeypatch.setattr(download, "fetch_record", lambda record, names, root, *_: fetch(record, names, root))
    return zenodo


def test_the_torch_datasets_fetch_the_releases(published, kitti, tmp_path):
    from kitti_masks import KittiMasks
    from natsprites import NaturalSprites

    for kind, size in ((KittiMasks, kitti.num_pairs), (NaturalSprites, None)):
        root = tmp_path / kind.__name__
        root.mkdir()
        with pytest.raises(UsageError, match="pass download=True"):
            kind(root)
        data = kind(root, download=True)
        assert len(data) == size or size is None
        asked = len(published.requests)
        assert len(kind(root)) == len(kind(root, download=True)) == len(data)
        assert len(published.requests) == asked
    with pytest.raises(UsageError, match="is a file"):
        KittiMasks(tmp_path / "KittiMasks" / NAME, download=True)


def test_a_rebuild_is_compared_with_the_release(capsys, published, kitti, tmp_path):
    store.save(kitti, tmp_path / "mine.npz")
    code, out, _ = run(capsys, "verify", tmp_path / "mine.npz", "--against", "release")
    assert (code, f"{kitti.num_sequences} sequences equal, 0 different" in out) == (0, True)
    table = tmp_path / "mine.csv"
    table.write_bytes(published.contents["/api/records/3948069/files/downscale_keepaspect.csv/content"])
    code, out, _ = run(capsys, "verify", table, "--against", "release")
    assert (code, "40 rows equal, 0 different, 0 missing, 0 extra" in out) == (0, True)
    table.write_bytes(table.read_bytes().replace(b"239", b"238"))
    code, out, _ = run(capsys, "verify", table, "--against", "release")
    assert code == 1
    assert "differs: object 39, window 0, frame 0: area [200, 238] instead of [200, 239]" in out
    assert run(capsys, "verify", table)[0] == 2


def test_the_command(capsys, zenodo, tmp_path):
    arguments = ["download", "--mirror", zenodo.url, "--out", tmp_path / "data"]
    code, out, err = run(capsys, *arguments, "kitti-masks")
    assert (code, err) == (0, "")
    assert out == f"{tmp_path / 'data' / NAME}: 0.3 MB\n"
    code, out, _ = run(capsys, *arguments, "--doi", "10.5281/zenodo.3931823", "--json")
    assert [each["bytes"] for each in json.loads(out)] == [len(DATA), 5]
    code, out, _ = run(capsys, *arguments, "--zenodo", 3931823, "notes.txt", "--quiet")
    assert (code, out) == (0, "")


def test_the_list(capsys):
    code, out, _ = run(capsys, "download", "--list")
    assert code == 0
    assert "2,120 sequences" in out
    answer = json.loads(run(capsys, "download", "--list", "--json")[1])
    assert answer["releases"]["kitti-masks"]["counts"]["pairs"] == 82506
    assert "Register at" in answer["raw_annotations"]["youtube-vis"]["by_hand"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "name a release"),
        (["--zenodo", "1", "--doi", "10.5281/zenodo.1"], "exclude each other"),
        (["imagenet"], "unknown release 'imagenet'"),
        (["youtube-vis"], "cannot be fetched for you"),
    ],
)
def test_commands_that_make_no_sense(capsys, arguments, problem):
    code, out, err = run(capsys, "download", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert problem in err


def test_the_description_is_kept_as_it_came(zenodo, cache):
    get(zenodo)
    assert json.loads((cache / "zenodo-3931823.json").read_text()) == zenodo.records[3931823]


def test_every_release_is_complete():
    sets = annotated_sets()
    for name, release in RELEASES.items():
        assert find_release(name) is release
        assert release.url == f"https://doi.org/10.5281/zenodo.{release.record}"
        assert set(release.sources) <= set(sets)
        assert {sets[source].licence for source in release.sources} == {release.licence}


def test_zenodo_is_told_whom_to_contact(zenodo):
    get(zenodo, "notes.txt")
    assert all("(+https://" in request.headers["User-Agent"] for request in zenodo.requests)


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("what", ["GET /api/records/3931823$", CONTENT])
def test_a_refusal_that_passes_is_asked_about_once_more(zenodo, cache, status, what):
    zenodo.faults = [(what, Fault(status=status))]
    assert get(zenodo, NAME)[0].read_bytes() == DATA
    (cache / NAME).unlink()
    (cache / "zenodo-3931823.json").unlink()
    before = len(zenodo.asked(what))
    zenodo.faults = [(what, Fault(status=status))] * 2
    with pytest.raises(DatagenError, match=f"HTTP {status}") as error:
        get(zenodo, NAME)
    assert len(zenodo.asked(what)) == before + 2
    if status == 403:  # says where to put what is fetched by hand
        assert str(cache) in str(error.value)
        assert "https://zenodo.org/records/3931823" in str(error.value)
    assert str(error.value).count("\n") == 0


def test_a_number_of_all_versions_leads_to_the_newest_each_time(zenodo, tmp_path):
    for version in (101, 102):
        zenodo.add(version, {"data.bin": b"of %d" % version})
        zenodo.records[100] = zenodo.records[version]
        (path,) = fetch_record(100, server=zenodo.url, retries=QUICK, root=tmp_path / "here")
        assert path.read_bytes() == b"of %d" % version
        (path,) = fetch_record(100, server=zenodo.url, retries=QUICK)
        assert path.parent.name == f"zenodo-{version}"
    assert names_in(tmp_path / "here") == {"data.bin", "zenodo-101.json", "zenodo-102.json"}


def test_a_name_with_folders_is_kept_by_its_last_part(zenodo, tmp_path):
    zenodo.add(8, {"owner/repo-v1.zip": b"1", "a/same": b"2", "b/same": b"3", "plain": b"4"})
    get = partial(fetch_record, 8, server=zenodo.url, retries=QUICK, root=tmp_path)
    assert get(["repo-v1.zip"]) == [tmp_path / "repo-v1.zip"]
    assert get(["owner/repo-v1.zip", "plain"])[1].read_bytes() == b"4"
    assert get(["b/same"])[0].read_bytes() == b"3"
    with pytest.raises(UsageError, match=r"several files same: a/same, b/same"):
        get(["same"])
    with pytest.raises(BadInputError, match="a/same and b/same would both be kept as same"):
        get()


@pytest.mark.parametrize(
    "name", [".data.bin.part", "zenodo-8.json", "CON", "x" * 300, "a\x1b[31m", "\u202egpj.exe", "a."]
)
def test_names_that_are_in_the_way_are_refused(zenodo, name):
    zenodo.add(8, {"good": b"1"})
    zenodo.records[8]["files"][0]["key"] = name
    with pytest.raises(BadInputError, match="no plain file name") as error:
        fetch_record(8, server=zenodo.url, retries=QUICK)
    assert str(error.value).isprintable()


def test_every_address_of_a_file_is_tried(zenodo):
    file = zenodo.records[3931823]["files"][0]
    file["links"]["download"] = "https://zenodo.org/broken"
    assert get(zenodo, NAME)[0].read_bytes() == DATA


def test_a_machine_that_is_offline_is_told_so_soon(monkeypatch):
    slept = []
    monkeypatch.setattr(web.time, "sleep", slept.append)
    with pytest.raises(DatagenError, match="cannot be reached") as error:
        fetch_record(9, server="http://127.0.0.1:1")
    assert sum(slept) <= 3
    assert "\n" not in str(error.value)
    begun = time.monotonic()
    with pytest.raises(DatagenError, match="cannot be reached"):
        fetch_record(9, server="http://nowhere.invalid", retries=Retries(attempts=50, backoff=0, offline=0.2))
    assert time.monotonic() - begun < 20  # the resolver may take its time, but is not asked 50 times


@pytest.mark.parametrize(
    "raw", [answer_of(b"{}" + b" " * 1000), b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000], ids=["body", "headers"]
)
@pytest.mark.parametrize("what", ["GET /api/records", CONTENT])
def test_a_server_that_trickles_is_given_up(zenodo, raw, what):
    zenodo.faults = [(what, Fault(raw=raw, pause=0.05))] * 2
    begun = time.monotonic()
    with pytest.raises(DatagenError, match=r"too slow, not whole within 0\.3 s"):
        fetch_record(3931823, [NAME], server=zenodo.url, retries=Retries(attempts=2, backoff=0, timeout=0.3))
    assert time.monotonic() - begun < 20  # at its pace it would take a minute, and be renewed by every byte


ODD = {
    "no HTTP": b"hello\r\n",
    "nothing": b"",
    "status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "a long header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    "a chunk of letters": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a huge chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
    "packed": answer_of(gzip.compress(json.dumps({"files": []}).encode()), Content_Encoding="gzip"),
    "packed by what is unknown": answer_of(b"{}", Content_Encoding="x"),
    "null": answer_of(b"null"),
    "NaN": answer_of(b'{"files": NaN}'),
    "not UTF-8": answer_of(b"\xff"),
    "deep": answer_of(b"[" * 100_000),
    "errors of another kind": answer_of(b'{"errors": {"a": 5}, "message": ["x"]}', "400 Bad"),
    "a message with control characters": answer_of(b'{"message": "\\u001b[31m \\n x"}', "400 Bad"),
    "elsewhere: a file": answer_of(b"", "302 Found", Location="file:///etc/passwd"),
    "elsewhere: nonsense": answer_of(b"", "302 Found", Location="http://["),
    "elsewhere: itself": answer_of(b"", "302 Found", Location="/api/records/3931823"),
}


@pytest.mark.parametrize("what", ["GET /api/records/3931823$", CONTENT])
@pytest.mark.parametrize("raw", ODD.values(), ids=ODD)
def test_odd_answers_give_one_line(zenodo, cache, what, raw):
    zenodo.faults = [(what, Fault(raw=raw))] * 30
    gc.collect()  # what tests before left behind must not be finalised at the depth of a JSON that nests too far
    with pytest.raises(DatagenError) as error:
        get(zenodo, NAME)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1500
    assert not (cache / NAME).exists()


def test_an_answer_without_end_is_not_read_to_its_end(zenodo, monkeypatch):
    monkeypatch.setattr(web, "_LARGEST_ANSWER", 1000)
    zenodo.faults = [("GET /api/records", Fault(raw=answer_of(b" " * 100_000)))]
    with pytest.raises(DatagenError, match="answers with more than"):
        get(zenodo)


@pytest.mark.parametrize(
    "wait", ["nan", "inf", "9" * 5000, "Tue, 01 Jan 99999 00:00:00 GMT", "1 Jan 0001 00:00:00 +2359", ","]
)
def test_any_retry_after_is_borne(wait):
    seconds = web._retry_after(wait)
    assert seconds is None or QUICK.wait_before(1, seconds) <= 60


@pytest.mark.parametrize("size", [1.5, "5", None, True, 2**60, [1]])
def test_a_size_that_is_none_is_refused(size):
    links = {"self": "https://zenodo.org/a"}
    with pytest.raises(BadInputError):
        parse_record({"files": [{"key": "a", "size": size, "checksum": "0" * 32, "links": links}]}, "http://x", "there")


def test_two_downloads_of_one_file_wait_for_each_other(zenodo, cache):
    zenodo.faults = [(CONTENT, Fault(drip=20_000, pause=0.03))]
    found = []
    threads = [threading.Thread(target=lambda: found.append(get(zenodo, NAME)[0].read_bytes())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [DATA] * 4
    assert len(zenodo.asked(CONTENT)) == 1
    assert names_in(cache) == {NAME, "zenodo-3931823.json"}


def test_a_part_that_leads_elsewhere_is_not_followed(zenodo, cache, tmp_path):
    cache.mkdir(parents=True)
    (tmp_path / "mine").write_bytes(b"precious")
    (cache / f".{NAME}.part").symlink_to(tmp_path / "mine")
    with pytest.raises(BadInputError, match="is no plain file"):
        get(zenodo, NAME)
    assert (tmp_path / "mine").read_bytes() == b"precious"


@pytest.mark.parametrize(
    "text", ["10.5281/zenodo.3931823", "https://zenodo.org/records/3931823", "doi:10.5281/zenodo.3931823"]
)
def test_a_record_is_named_as_typed(capsys, zenodo, tmp_path, text):
    arguments = ["download", "--mirror", zenodo.url, "--out", tmp_path, "--json"]
    assert len(json.loads(run(capsys, *arguments, text)[1])) == 2
    assert [each["bytes"] for each in json.loads(run(capsys, *arguments, text, "notes.txt")[1])] == [5]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("kitti_mask", "did you mean 'kitti-masks'?"), ("3931823", "--zenodo 3931823"), ("zzz", "there are")],
)
def test_a_release_that_is_none_gets_a_hint(name, hint):
    with pytest.raises(UsageError) as error:
        find_release(name)
    assert hint in str(error.value)
