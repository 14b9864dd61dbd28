"""Sources and outputs at an address: an S3 server of moto, and the local file system by its address."""

import pytest
from click.testing import CliRunner

from cli.main import datagen
from datagen import remote, store
from datagen.errors import DatagenError, UsageError
from datagen.samples import sample_sa_v

pytest.importorskip("fsspec")


@pytest.fixture(scope="module")
def bucket():
    """Give an empty bucket, and the way to it for s3fs."""
    server = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patched.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("bucket")
        yield "s3://bucket"
        s3fs.S3FileSystem.clear_instance_cache()
    running.stop()


@pytest.fixture(scope="module")
def sa_v(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sa-v") / "sa-v"
    sample_sa_v(folder, videos=2, frames=6)
    return folder


def run(*arguments):
    return CliRunner().invoke(datagen, list(map(str, arguments)))


@pytest.mark.parametrize("name", ["a.zarr", "a.npz"])
def test_from_bucket_to_bucket(bucket, sa_v, tmp_path, name):
    remote.upload(sa_v, f"{bucket}/{name}-source")
    assert run("masks", "--source", sa_v, "--out", tmp_path / name, "--windows", 2).exit_code == 0
    done = run("masks", "--source", f"{bucket}/{name}-source", "--out", f"{bucket}/{name}", "--windows", 2)
    assert done.exit_code == 0, done.output
    copy = remote.fetch(f"{bucket}/{name}", tmp_path / "copy")
    assert store.load(copy).manifest == store.load(tmp_path / name).manifest
    assert run("verify", f"{bucket}/{name}").exit_code == 0
    again = run("masks", "--source", sa_v, "--out", f"{bucket}/{name}")
    assert (again.exit_code, str(again.exception)) == (1, f"{bucket}/{name}: exists; pass --overwrite to replace it")
    assert isinstance(again.exception, UsageError)


def test_a_store_is_replaced_and_what_was_more_is_gone(bucket, sa_v, tmp_path):
    run("masks", "--source", sa_v, "--out", tmp_path / "a.zarr", "--windows", 2)
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr/old").write_text("old")
    (tmp_path / "b.zarr/zarr.json").write_text("{}")
    remote.upload(tmp_path / "b.zarr", f"{bucket}/c.zarr")
    remote.upload(tmp_path / "a.zarr", f"{bucket}/c.zarr")
    copy = remote.fetch(f"{bucket}/c.zarr", tmp_path / "copy")
    assert sorted(each.relative_to(copy) for each in copy.rglob("*")) == sorted(
        each.relative_to(tmp_path / "a.zarr") for each in (tmp_path / "a.zarr").rglob("*")
    )


def test_an_upload_that_is_cut_short_is_no_store(sa_v, tmp_path, monkeypatch):
    run("masks", "--source", sa_v, "--out", tmp_path / "a.zarr", "--windows", 2)
    import fsspec

    sent = []
    put = fsspec.get_filesystem_class("file").put_file

    def put_file(self, path, target, *arguments, **options):
        if len(sent) == 8:
            raise OSError(28, "No space left on device")
        sent.append(target)
        return put(self, path, target, *arguments, **options)

    monkeypatch.setattr(fsspec.get_filesystem_class("file"), "put_file", put_file)
    remote_path = tmp_path / "there/a.zarr"
    with pytest.raises(DatagenError, match=r"a\.zarr: cannot be written \(.*No space left on device"):
        remote.upload(tmp_path / "a.zarr", f"file://{remote_path}")
    assert remote_path.is_dir()
    with pytest.raises(DatagenError, match=r"zarr\.json"):
        store.load(remote_path)


def test_nothing_is_sent_where_the_command_fails(tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("masks", "--source", f"file://{tmp_path}/empty", "--out", f"file://{tmp_path}/a.npz")
    assert done.exit_code == 1
    assert not (tmp_path / "a.npz").exists()


@pytest.mark.parametrize(
    ("address", "kind", "problem"),
    [
        ("file:///no/such/place", UsageError, "no such file or folder"),
        ("nonsense://a/b", DatagenError, "cannot be read .*nonsense"),
    ],
)
def test_what_is_not_there(tmp_path, address, kind, problem):
    with pytest.raises(kind, match=problem) as error:
        remote.fetch(address, tmp_path)
    assert "\n" not in str(error.value)


def test_no_such_bucket(bucket, tmp_path):
    with pytest.raises(UsageError, match="s3://other/a: no such file or folder"):
        remote.fetch("s3://other/a", tmp_path)


def test_a_name_that_leads_elsewhere(tmp_path, monkeypatch):
    import fsspec

    (tmp_path / "a").write_text("a")
    monkeypatch.setattr(
        fsspec.get_filesystem_class("file"), "find", lambda self, path: [f"{path}/../../../../etc/passwd"]
    )
    with pytest.raises(DatagenError, match="leads elsewhere"):
        remote.fetch(f"file://{tmp_path}/a", tmp_path / "copy")


def test_other_processes_do_not_see_copies(sa_v, tmp_path):
    done = run("masks", "--source", f"file://{sa_v}", "--out", tmp_path / "a.zarr", "--scheduler", "tcp://x")
    assert done.exit_code == 2
    assert "do not see what is copied here" in done.output


def test_without_fsspec(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(UsageError, match="s3:// needs fsspec; pip install fsspec, or datagen with its extra 'remote'"):
        remote.fetch("s3://bucket/a", tmp_path)
