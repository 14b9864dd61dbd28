"""What all commands share: how they answer, what options take, where outputs may lie, how the process ends."""

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time

import click
import pytest
from test_cli import run
from test_store import sprites

import cli.main
from cli import _common
from cli._common import ARGUMENTS, Numbers, Real, Whole, command_line
from datagen import store

HOSTILE = "[/] [red]\x1b[31m\x07\n\u202e\udcff$x^$"


@pytest.fixture
def file(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.npz")
    return tmp_path / "kitti.npz"


def process(*arguments, **kwargs):
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "datagen", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **kwargs)


def shell(command, **environment):
    """Run a line of bash, in which $DATAGEN is the command line."""
    environ = {**os.environ, "DATAGEN": f"{sys.executable} -m datagen", **environment}
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=120, env=environ, check=False
    )


# ---------------------------------------------------------------- answers


def test_tables_show_texts_as_they_are(capsys):
    _common.print_table(HOSTILE, [HOSTILE, "n"], [[HOSTILE, 1]])
    _common.echo(HOSTILE)
    out = capsys.readouterr().out
    assert "[/] [red]\\x1b[31m\\x07\\n\\u202e\\udcff$x^$" in out.splitlines()
    assert out.count("[/] [red]") == 4  # no markup either: title, heading, cell, line
    assert not {"\x1b", "\x07", "\u202e", "\udcff"} & set(out)


def test_json_has_no_nan(capsys):
    _common.print_json({"a": float("nan"), "b": [float("inf")]})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None]}


def test_names_of_files_are_shown_without_commands(capsys, file, tmp_path):
    for name in ("a\nb.npz", "a\x1b[31mb.npz", "[bold].npz", "\u202e.npz"):
        code, _, err = run(capsys, "info", tmp_path / name)
        assert (code, err.count("\n")) == (2, 1)
        file.rename(tmp_path / name)
        file = tmp_path / name
        code, out, err = run(capsys, "info", file)
        assert (code, err) == (0, "")
        assert not {"\x1b", "\u202e"} & set(out)


# ---------------------------------------------------------------- options


@pytest.mark.parametrize("text", ["", "x", "1_0", " 1", "٣", "1.5", "0x10", "1e3", "9" * 5000, "11", "-1", "nan"])
def test_what_is_no_whole_number_from_0_to_10(text):
    with pytest.raises(click.BadParameter) as error:
        Whole(0, 10).convert(text, None, None)
    assert len(error.value.message) < 120


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e400", "", "x", "1_0", "٣", " 1", "1e3", "1.2.3", "e5"])
def test_what_is_no_number_from_0_to_10(text):
    with pytest.raises(click.BadParameter):
        Real(0, 10).convert(text, None, None)


def test_numbers_are_taken():
    assert [Whole(0, 10).convert(text, None, None) for text in ("0", "10", "+5", 7)] == [0, 10, 5, 7]
    assert [Real(-1, 10).convert(text, None, None) for text in ("0", "-.5", "1e-320", "1.5e0")] == [
        0,
        -0.5,
        1e-320,
        1.5,
    ]
    numbers = Numbers(1, 9, most=3, otherwise="is no list")
    assert numbers.convert("1, 2,9", None, None) == (1, 2, 9)
    for text in ("", ",", "1,", "1,x", "0", "10", "1,2,3,4", "٣"):
        with pytest.raises(click.BadParameter):
            numbers.convert(text, None, None)


def _numeric_options():
    import importlib

    from cli.main import COMMANDS

    for name in COMMANDS:
        command = importlib.import_module(f"cli.{name.replace('-', '_')}").command
        for each in command.commands.values() if isinstance(command, click.Group) else [command]:
            for option in each.params:
                if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType | Numbers):
                    yield pytest.param(option.type, id=f"{name} {option.name}")


@pytest.mark.parametrize("kind", list(_numeric_options()))
def test_no_option_takes_numbers_beyond_reason(kind):
    """Numbers that once ended in a hang, an overflow or a traceback; also of options that are added later."""
    for text in ("-99999999999999999999", "99999999999999999999", "1e400", "nan", "inf", "", "٣", "1_0"):
        lowest = getattr(kind, "min", 0)
        if text.startswith("-") and lowest is None:
            continue  # the library says in words what is too few
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)


# ---------------------------------------------------------------- outputs


def test_the_only_dataset_file_is_found(capsys, file, monkeypatch):
    monkeypatch.chdir(file.parent)
    code, _, err = run(capsys, "stats")
    first, *others = err.splitlines()
    assert (code, first) == (0, "FILE: kitti.npz, the only dataset file here")
    assert [line[:37] for line in others] == ["datagen: warning: kitti.npz: sources "]  # are of different rates
    for command in ("stats", "validate"):
        assert run(capsys, command, "--quiet") == (0, "", "")
    code, out, err = run(capsys, "stats", "--json")
    assert (code, json.loads(out)["file"], err) == (0, "kitti.npz", "")
    store.save(sprites(), "sprites.h5")
    code, _, err = run(capsys, "validate", "--train", "slowvae")
    assert (code, "name one of kitti.npz, sprites.h5" in err) == (2, True)
    for name in ("kitti.npz", "sprites.h5"):
        (file.parent / name).unlink()
    code, _, err = run(capsys, "stats")
    assert (code, "holds no dataset file" in err) == (2, True)


def test_every_output_is_checked_before_anything_is_built(capsys, mots, file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.npz")
    (tmp_path / "link.npz").symlink_to("kitti.npz")
    before = sorted(tmp_path.iterdir())
    build = ["kitti-masks", "--source", mots]
    for arguments, problem in (
        ([*build, "--out", "k.npz", "--transitions", "pairs.txt"], "no table has the suffix '.txt'"),
        ([*build, "--out", "k.npz", "--transitions", "pairs.npz"], "no table has the suffix"),
        ([*build, "--out", "pipe.npz", "--overwrite"], "is a pipe"),
        ([*build, "--out", "k.npz", "--transitions", "kitti.npz/pairs.csv"], "is no folder"),
        (["convert", "kitti.npz", "kitti.npz", "--overwrite"], "is an input, too"),
        (["convert", "kitti.npz", "link.npz", "--overwrite"], "is an input, too"),
        (["stats", "kitti.npz", "--report", "d.html", "--figures", "d.html"], "two outputs"),
        (["stats", "kitti.npz", "--figures", "pipe.npz"], "is no folder"),
        (["train", "kitti.npz", "--out", "kitti.npz"], "is no folder"),
        (["validate", "kitti.npz", "--out", "kitti.npz/x"], "is no folder"),
        (["package", "kitti.npz", "--out", "kitti.npz"], "is no folder"),
        (["sample", "mots", "--out", ".", "--overwrite"], "is of no sample"),
        (["evaluate", "nowhere", "--metrics", "mcc,nope"], "unknown metric 'nope'"),
        (["evaluate", "nowhere", "--metrics", "mgi"], "did you mean 'mig'"),
        (["kitti_maks"], "did you mean 'kitti-masks'"),
        (["sample", "youtubevis"], "did you mean 'youtube-vis'"),
        (["info", "kitti.npz", "--jsn"], "--json"),
        (["train", "kitti.npz", "--out", "run", "--preset", "quik"], "'quick'; did you mean 'quick'?"),
        (["train", "kitti.npz", "--out", "run", "--model", "slow-vea"], "did you mean 'slowvae'?"),
        ([*build, "--out", "k.npz", "--preset", "papr"], "did you mean 'paper'?"),
        (["download", "natural_sprite"], "did you mean 'natural-sprites'?"),
        (["masks", "--source", ".", "--out", "m.npz", "--format", "coco_vdi"], "did you mean 'coco-vid'?"),
    ):
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, ""), arguments
        assert problem in err, arguments
        assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_folders_of_outputs_are_made(capsys, file, mots, tmp_path):
    pytest.importorskip("matplotlib")
    for name, arguments in {
        "a/b/k.h5": ["convert", file],
        "c/d/p.png": ["preview", file, "--out"],
        "e/f/s.json": ["sample", "youtube-vis", "--videos", 1, "--frames", 2, "--out"],
        "g/h/m": ["sample", "mots", "--frames", 2, "--sequences", 1, "--out"],
        "i/j/f": ["stats", file, "--figures"],
        "k/l/r.html": ["stats", file, "--report"],
        "m/n/k.npz": ["kitti-masks", "--source", mots, "--transitions", tmp_path / "mm/nn/t.csv", "--out"],
        "o/p/s.json": ["sample", "youtube-vis", "--videos", 3, "--out"],
        "q/r/t.csv": ["transitions", "--source", tmp_path / "o/p/s.json", "--table", tmp_path / "qq/l.csv", "--out"],
        "s/t/s.h5": ["natural-sprites", "--transitions", tmp_path / "qq/l.csv", "--pairs", 9, "--out"],
        "uu/vv/d.npz": ["sample", "grid", "dsprites", "--small", "--out"],
        "u/v/g.h5": ["grid", "--source", tmp_path / "uu/vv/d.npz", "--out"],
        "w/x/p.npz": ["pairs", tmp_path / "u/v/g.h5", "--pairs", 9, "--out"],
        "y/z/p": ["package", file, "--out"],
        "aa/bb/v": ["validate", file, "--out"],
        "cc/dd/m.zarr": ["masks", "--source", mots, "--out"],
    }.items():
        code, out, _ = run(capsys, *arguments, tmp_path / name, "--quiet")
        assert code == 0 or arguments[0] == "validate", name  # which writes what it found wrong of so few data, too
        assert out == ""
        assert (tmp_path / name).exists()
    assert (tmp_path / "mm/nn/t.csv").exists()


# ---------------------------------------------------------------- surroundings


def test_streams_that_are_closed_or_full(file):
    environment = {"FILE": str(file)}
    for command, code, err in (
        ("$DATAGEN info $FILE > /dev/full", 1, "datagen: standard output: No space left on device\n"),
        ("$DATAGEN --help > /dev/full", 1, "datagen: No space left on device\n"),
        ("$DATAGEN info $FILE 2> /dev/full", 0, ""),
        ("$DATAGEN info nowhere.npz 2> /dev/full", 2, ""),
        ("$DATAGEN info $FILE 2>&-", 0, ""),
        ("$DATAGEN info $FILE >&-", 0, ""),
        ("$DATAGEN convert $FILE $FILE.h5 <&- >&- 2>&-", 0, ""),
        ("set -o pipefail; $DATAGEN info $FILE | true", None, ""),
    ):
        done = shell(command, **environment)
        assert done.stderr == err, command
        assert done.returncode in ((0, 1) if code is None else (code,)), command
    assert store.load(f"{file}.h5").num_frames


def test_surroundings_that_libraries_stumble_over(file):
    done = shell("$DATAGEN verify $FILE", FILE=str(file), NUMBA_NUM_THREADS="0", OMP_NUM_THREADS="x", COLUMNS="-5")
    assert done.returncode == 0
    assert sorted(line.split("=")[0] for line in done.stderr.splitlines()) == [
        "datagen: NUMBA_NUM_THREADS",
        "datagen: OMP_NUM_THREADS",
    ]
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell("$DATAGEN info $FILE", FILE=str(file), **ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no file names that are not UTF-8")
def test_file_names_that_are_not_utf8(capsys, kitti, tmp_path):
    def path(end):
        return tmp_path / os.fsdecode(b"a\xff" + end)

    store.save(kitti, path(b".npz"))
    for arguments in (
        ("convert", path(b".npz"), path(b".h5")),
        ("package", path(b".h5"), "--out", path(b"_release")),
        ("verify", path(b"_release")),
        ("preview", path(b".npz"), "--out", path(b".gif")),
        ("sample", "youtube-vis", "--videos", 2, "--out", path(b".json")),
        ("transitions", "--source", path(b".json"), "--table", path(b".parquet")),
        ("stats", path(b".parquet"), "--report", path(b".html")),
        ("train", path(b".npz"), "--out", path(b"_run"), "--iterations", 1, "--batch-size", 2, "--device", "cpu"),
        ("evaluate", path(b"_run"), "--data", path(b".npz"), "--metrics", "mcc"),
    ):
        code, out, err = run(capsys, *arguments)
        assert code == 0, err
        assert "\udcff" not in out + err


def _start(*arguments):
    # A shell that starts tests in the background has some signals ignored, which children inherit.
    def heed():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    command = [sys.executable, "-m", "datagen", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed)


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (signal.SIGINT, 130, "datagen: stopped; nothing was written\n"),
        (signal.SIGTERM, 143, ""),
        (signal.SIGHUP, -signal.SIGHUP, ""),
    ],
)
def test_signals_leave_nothing_behind(tmp_path, number, code, message):
    folder = tmp_path / "out"
    folder.mkdir()
    working = _start("sample", "youtube-vis", "--videos", 100_000, "--out", folder / "train.json")
    while not any(folder.iterdir()) and working.poll() is None:
        time.sleep(0.001)
    working.send_signal(number)
    working.send_signal(number)  # impatience changes nothing
    out, err = working.communicate(timeout=60)
    assert (working.returncode, out, err) == (code, "", message)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "stopped_in", "state"),
    [
        (["info", "{file}"], "datagen.info.describe", "nothing was written"),
        (["convert", "{file}", "{tmp}/k.h5"], "datagen.files.size_of", "written before: {tmp}/k.h5"),
        (["train", "{file}", "--out", "{tmp}/run"], "slowvae.pipeline.load", "what was trained is kept in "),
        (["validate", "{file}", "--train", "slowvae"], "cli.validate.validate", "with --out the trainings are kept"),
        (
            ["validate", "{file}", "--train", "slowvae", "--out", "{tmp}/v"],
            "cli.validate.validate",
            "the same command goes on with what was trained, in {tmp}/v",
        ),
        (
            ["masks", "--source", "{tmp}", "--out", "{tmp}/m.zarr"],
            "datagen.build.build_masks",
            "what was done is kept in m.zarr.partial, and the same command goes on with it",
        ),
        (["download", "dsprites"], "datagen.releases.fetch_set", "what was fetched is kept"),
    ],
)
def test_ctrl_c_says_what_it_leaves_and_how_to_go_on(capsys, monkeypatch, file, tmp_path, arguments, stopped_in, state):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(stopped_in, stop)
    code, _, err = run(capsys, *(each.format(file=file, tmp=tmp_path) for each in arguments))
    assert code == 130
    assert err.startswith("datagen: stopped; ")
    assert state.format(tmp=tmp_path) in err
    assert err.count("\n") == 1


def test_a_hangup_that_is_ignored_stays_so(tmp_path):
    code = (
        "import os, signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from cli import _group\nfrom cli.main import main\n"
        "_group.datagen.main = lambda **_: os.kill(os.getpid(), signal.SIGHUP)\nmain([])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_handlers_are_given_back(capsys):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    run(capsys, "--version")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_terminal_gets_no_commands(file, tmp_path):
    """On a real terminal, where the tables are coloured: what is not ours comes out in letters."""
    name = tmp_path / "a\x1b]0;title\x07[bold]b.npz"
    file.rename(name)
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "datagen", "info", name], stdout=follower, stderr=follower, check=False
    )
    os.close(follower)
    text = b""
    try:
        while part := os.read(leader, 65536):
            text += part
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    assert done.returncode == 0
    assert b"\x07" not in text
    assert b"\x1b]0;" not in text


def test_few_file_handles(file):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    done = process("info", file, preexec_fn=few)
    assert done.returncode in (0, 1)
    assert len(done.stderr.splitlines()) == done.returncode


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 bytes")])
def test_memory_that_runs_out_is_said_in_one_line(monkeypatch, capsys, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("cli._group.datagen.main", fail)
    with pytest.raises(SystemExit) as stop:
        cli.main.main(["info", "x.npz"])
    assert stop.value.code == 1
    assert capsys.readouterr().err.startswith("datagen: out of memory; use fewer workers")


def test_another_error_is_no_lack_of_memory(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr("cli._group.datagen.main", fail)
    with pytest.raises(RuntimeError, match="a fault of the program"):
        cli.main.main(["info", "x.npz"])


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("my masks.npz", "'my masks.npz'"),
        ("s3://bucket/a?.npz", "'s3://bucket/a?.npz'"),
        ("s3://me:secret@bucket/a.npz", "s3://bucket/a.npz"),
        ("https://host.org/a.npz?token=secret", "https://host.org/a.npz"),
        ("a?b", "'a?b'"),
    ],
)
def test_a_command_is_shown_without_what_logs_in(argument, shown):
    with click.Context(click.Command("datagen")) as context:
        context.meta[ARGUMENTS] = ("stats", argument)
        assert command_line() == f"datagen stats {shown}"
