import errno
import multiprocessing
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen import files
from datagen.errors import DatagenError, OutputError, UsageError, printable
from datagen.files import atomic_folder, atomic_path, atomic_paths, check_folder, check_output
from datagen.records import json_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fill(folder, text):
    (folder / "a").write_text(text)
    (folder / "b").mkdir()
    (folder / "b/c").write_text(text)


@pytest.fixture(params=["one step", "two steps"])
def exchange(request, monkeypatch):
    """Replace folders as this system does, and as one does that cannot exchange two of them."""
    if request.param == "two steps":
        monkeypatch.setattr(files, "_exchange_call", lambda: None)
    return request.param


# ---------------------------------------------------------------- what is no place for an output


def test_what_an_output_cannot_be(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    for name, problem in {
        "folder": "is a folder",
        "": "is a folder",
        "file": "exists; pass --overwrite",
        "nowhere": "exists; pass --overwrite",
        "circle": "exists; pass --overwrite",
        "pipe": "is a pipe, a socket or a device",
        "socket": "is a pipe, a socket or a device",
        "file/x": "is no folder",
        "x" * 300: "cannot be written",
        "a\0b": "cannot be written",
    }.items():
        with pytest.raises(UsageError, match=problem):
            check_output(tmp_path / name)
    for name in ("folder", "pipe", "file/x"):
        with pytest.raises(UsageError):
            check_output(tmp_path / name, overwrite=True)
    assert check_output(str(tmp_path / "file"), overwrite=True) == tmp_path / "file"
    with pytest.raises(UsageError, match="device"):
        check_output("/dev/null", overwrite=True)
    with pytest.raises(UsageError, match="is no folder"):
        check_folder(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_of_others(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        check_output(tmp_path / "x")


def test_missing_folders_are_made_and_taken_back_if_it_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "a/b/c") as temporary:
        temporary.write_text(str(1 / 0))
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "a/b/c"):
        raise ZeroDivisionError
    assert names(tmp_path) == []
    assert check_output(tmp_path / "a/b/c") == tmp_path / "a/b/c"
    with atomic_path(tmp_path / "a/b/c") as temporary:
        temporary.write_text("x")
    with atomic_folder(tmp_path / "a/d/e") as made:
        fill(made, "x")
    assert (tmp_path / "a/b/c").read_text() == (tmp_path / "a/d/e/b/c").read_text() == "x"


# ---------------------------------------------------------------- files


def test_a_file_gets_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "file") as temporary:
            temporary.write_text("x")
        with atomic_folder(tmp_path / "folder") as made:
            fill(made, "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o750


def test_the_temporary_file_is_beside_hidden_and_of_the_same_suffix(tmp_path):
    for name in ("data.npz", "x" * 250 + ".h5", "é" * 100 + ".png"):
        with atomic_path(tmp_path / name) as temporary:
            assert temporary.parent == tmp_path
            assert temporary.name.startswith(".")
            assert temporary.suffix == (tmp_path / name).suffix
            assert names(tmp_path) == [temporary.name]
        assert names(tmp_path) == [name]
        (tmp_path / name).unlink()


def test_several_files_or_none(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_paths([tmp_path / "a", tmp_path / "b"]) as temporaries:
        temporaries[0].write_text(str(temporaries[1].write_text("new") / 0))
    assert names(tmp_path) == ["a", "b"]
    assert {(tmp_path / name).read_text() for name in ("a", "b")} == {"old"}
    with atomic_paths([tmp_path / "a", tmp_path / "b"]) as temporaries:
        for temporary in temporaries:
            temporary.write_text("new")
    assert {(tmp_path / name).read_text() for name in ("a", "b")} == {"new"}


def test_what_another_process_wrote_meanwhile_stays(tmp_path, exchange):
    with pytest.raises(UsageError, match="meanwhile"), atomic_paths([tmp_path / "a", tmp_path / "b"], False):
        (tmp_path / "a").write_text("theirs")
    (tmp_path / "theirs").mkdir()
    fill(tmp_path / "theirs", "theirs")
    with pytest.raises(UsageError, match="meanwhile"), atomic_folder(tmp_path / "f"):
        (tmp_path / "theirs").rename(tmp_path / "f")
    assert names(tmp_path) == ["a", "f"]
    assert (tmp_path / "a").read_text() == (tmp_path / "f/a").read_text() == "theirs"


def test_without_hard_links(tmp_path, monkeypatch):
    def link(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    with atomic_path(tmp_path / "a", overwrite=False) as temporary:
        temporary.write_text("mine")
    with pytest.raises(UsageError, match="exists"), atomic_path(tmp_path / "a", overwrite=False):
        pass
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "mine"


def _write_one(path, barrier, answers):
    try:
        with atomic_path(path, overwrite=False) as temporary:
            temporary.write_text(str(os.getpid()))
            barrier.wait()
        answers.put(os.getpid())
    except UsageError:
        answers.put(None)


def test_of_processes_that_write_one_file_one_succeeds(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(4), context.Queue()
    processes = [context.Process(target=_write_one, args=(tmp_path / "a", barrier, answers)) for _ in range(4)]
    for process in processes:
        process.start()
    answered = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert [(tmp_path / "a").read_text()] == [str(pid) for pid in answered if pid is not None]
    assert names(tmp_path) == ["a"]


def test_a_full_disk_is_reported_by_the_name_of_the_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OutputError) as error, atomic_path(path) as temporary:
            temporary.write_bytes(bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert str(error.value) == f"{path}: cannot be written (File too large); nothing was left behind"
    assert isinstance(error.value, OSError)
    assert error.value.errno == errno.EFBIG
    assert (names(tmp_path), path.read_text()) == (["file"], "old")


def test_errors_that_are_not_of_writing_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "file"):
        (tmp_path / "input").read_text()
    with (
        pytest.raises(OutputError, match=f"{tmp_path}/folder: cannot be written"),
        atomic_folder(tmp_path / "folder") as f,
    ):
        (f / "x/y").write_text("")
    assert names(tmp_path) == []


# ---------------------------------------------------------------- folders


def test_a_folder_is_replaced_whole(tmp_path, exchange):
    for text in ("old", "new"):
        with atomic_folder(tmp_path / "f", overwrite=True) as made:
            fill(made, text)
            (made / f"only-{text}").touch()
    assert names(tmp_path) == ["f"]
    assert names(tmp_path / "f") == ["a", "b", "only-new"]
    assert (tmp_path / "f/b/c").read_text() == "new"
    with pytest.raises(UsageError, match="exists; pass --overwrite"), atomic_folder(tmp_path / "f"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"), atomic_folder(tmp_path / "file", overwrite=True):
        pass


def test_a_folder_that_one_is_in_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "a/b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a/b")
    for path in (".", "..", tmp_path / "a", tmp_path / "a/b", "/"):
        with pytest.raises(UsageError, match="the folder that you are in, or above it"), atomic_folder(path, True):
            pass
    assert names(tmp_path / "a") == ["b"]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_failing_rename_loses_nothing(tmp_path, monkeypatch, failing):
    """Without an exchange: whichever of the two renames fails, after it was done or before."""
    monkeypatch.setattr(files, "_exchange_call", lambda: None)
    for after in (False, True):
        with atomic_folder(tmp_path / "f", overwrite=True) as made:
            fill(made, "old")
        rename, calls = Path.rename, []

        def fail(self, target, rename=rename, calls=calls, after=after):
            calls.append(target)
            if len(calls) != failing:
                return rename(self, target)
            if after:
                rename(self, target)
            raise SystemExit(143)

        monkeypatch.setattr(Path, "rename", fail)
        with pytest.raises(SystemExit), atomic_folder(tmp_path / "f", overwrite=True) as made:
            fill(made, "new")
        monkeypatch.setattr(Path, "rename", rename)
        assert names(tmp_path) == ["f"]
        assert (tmp_path / "f/b/c").read_text() == ("new" if after and failing == 2 else "old")


def test_a_folder_that_a_kill_left_aside_gets_its_name_back(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_exchange_call", lambda: None)
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom datagen import files\n"
        "files._exchange_call = lambda: None\n"
        "rename = Path.rename\n"
        "def kill(self, target):\n"
        "    rename(self, target)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "for text in ('old', 'new'):\n"
        "    with files.atomic_folder(sys.argv[1], overwrite=True) as made:\n"
        "        (made / 'a').write_text(text)\n"
        "        Path.rename = kill if text == 'new' else rename\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "f")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert "f" not in names(tmp_path)
    with pytest.raises(UsageError, match="exists"), atomic_folder(tmp_path / "f"):
        pass
    assert names(tmp_path) == ["f"]
    assert (tmp_path / "f/a").read_text() == "old"


# ---------------------------------------------------------------- signals, at every line of the code that writes

_STOPPED = """
import os, signal, sys
from pathlib import Path
from datagen import files
folder, where = Path(sys.argv[1]), int(sys.argv[2])
if sys.argv[3] == "two steps":
    files._exchange_call = lambda: None
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
def write():
    with files.atomic_folder(folder / "f", overwrite=True) as made:
        (made / "a").write_text("new")
    with files.atomic_paths([folder / "x", folder / "y"]) as temporaries:
        for temporary in temporaries:
            temporary.write_text("new")
count = 0
def trace(frame, event, argument):
    global count
    if frame.f_code.co_filename not in (files.__file__, "<string>") and "contextlib" not in frame.f_code.co_filename:
        return None
    count += 1
    if count == where:
        os.kill(os.getpid(), signal.SIGTERM)
    return trace
sys.settrace(trace)
write()
sys.settrace(None)
print(count)
"""


def _stop_at(folder, where, how):
    code = [sys.executable, "-c", _STOPPED, str(folder), str(where), how]
    return subprocess.run(code, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["one step", "two steps"])
def test_a_signal_at_any_line_leaves_old_or_new_and_nothing_else(tmp_path, how):
    def restore():
        with atomic_folder(tmp_path / "f", overwrite=True) as made:
            (made / "a").write_text("old")
        for name in ("x", "y"):
            (tmp_path / name).write_text("old")

    restore()
    lines = int(_stop_at(tmp_path, 0, how).stdout)
    assert lines > 100
    seen = set()
    for where in range(1, lines + 1, 7):  # every line would take minutes
        restore()
        done = _stop_at(tmp_path, where, how)
        assert done.returncode == 143, done.stderr
        assert done.stderr == ""
        assert names(tmp_path) == ["f", "x", "y"], where
        folder, x, y = ((tmp_path / name).read_text() for name in ("f/a", "x", "y"))
        assert x == y, where
        seen.add((folder, x))
    assert seen >= {("old", "old"), ("new", "old")}


# ---------------------------------------------------------------- texts


def test_json_has_no_nan():
    content = {"a": [float("nan"), 1.5, (float("-inf"), {"b": float("inf")})], "c": "é", "d": None, "e": True}
    assert (
        json_text(content, indent=None)
        == '{"a": [null, 1.5, [null, {"b": null}]], "c": "\\u00e9", "d": null, "e": true}'
    )


@given(st.text())
def test_what_is_printed_is_one_line_without_commands(text):
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
    assert shown == text or not text.isprintable()


def test_the_errors_of_outputs_are_of_both_kinds():
    error = OutputError("x.npz", OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(error, DatagenError)
    assert (error.exit_code, error.errno, error.filename) == (1, errno.ENOSPC, "x.npz")
    assert str(OutputError("x", RuntimeError("one\ntwo"))) == "x: cannot be written (one); nothing was left behind"
