import importlib
import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner
from PIL import Image
from test_store import sprites

from cli.main import COMMANDS, datagen, main
from datagen import store


def run(capsys, *arguments):
    """Run the command line in this process, and return its exit code, output and errors."""
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return done.value.code or 0, captured.out, captured.err


@pytest.fixture
def file(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.npz")
    return tmp_path / "kitti.npz"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    result = CliRunner().invoke(datagen, [name, "--help"])
    assert "[default: (" not in result.output  # where click shows a text in place of the value
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert f"datagen {name}" in result.output
    assert importlib.import_module(f"cli.{name.replace('-', '_')}").command.name == name


@pytest.mark.parametrize("arguments", [["--help"], ["kitti-masks", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    code = (
        "import sys; from cli.main import datagen\n"
        f"try: datagen({arguments})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'scipy', 'numba', 'h5py', 'matplotlib', 'rich'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_importing_loads_nothing_heavy():
    code = "import sys, datagen, kitti_masks; print(sorted({'torch', 'cv2', 'scipy', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_demo(capsys, tmp_path):
    code, out, _ = run(capsys, "sample", "mots", "--out", tmp_path / "mots", "--frames", 8)
    assert (code, "4 sequences, 32 frames" in out) == (0, True)
    code, out, _ = run(capsys, "kitti-masks", "--source", tmp_path / "mots", "--out", tmp_path / "kitti.npz")
    assert code == 0
    assert "found and used" in out
    assert "motschallenge" in out
    code, out, _ = run(capsys, "info", tmp_path / "kitti.npz")
    assert (code, "by source" in out, "CC BY-NC-SA 3.0" in out) == (0, True, True)
    code, out, _ = run(capsys, "verify", tmp_path / "kitti.npz")
    assert (code, "FAIL" in out) == (0, False)


def test_the_same_seed_gives_the_same_sample(capsys, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run(capsys, "sample", "mots", "--out", tmp_path / name, "--seed", seed, "--frames", 3, "--quiet") == (
            0,
            "",
            "",
        )

    def contents(name):
        return {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }

    assert contents("a") == contents("b") != contents("c")
    code, _, err = run(capsys, "sample", "mots", "--out", tmp_path / "a")
    assert (code, "exists; pass --overwrite" in err) == (2, True)
    assert run(capsys, "sample", "mots", "--out", tmp_path / "a", "--seed", 2, "--frames", 3, "--overwrite")[0] == 0
    assert contents("a") == contents("c")


def test_json(capsys, mots, tmp_path):
    out = tmp_path / "kitti.npz"
    code, text, err = run(capsys, "kitti-masks", "--source", mots, "--out", out, "--json", "--preset", "clean")
    answer = json.loads(text)
    assert (code, err) == (0, "")
    assert answer["bytes"] == out.stat().st_size
    assert answer["counts"]["frames"] == sum(video["frames"] for video in answer["found"])
    assert answer["mended"]["added_sequences"] >= 0
    info = json.loads(run(capsys, "info", out, "--json")[1])
    assert info["summary"]["frames"] == answer["counts"]["frames"]
    assert list(info["factors"]) == ["y", "x", "area"]
    assert "factor sizes" not in info["summary"]  # of masks, all are continuous
    code, text, _ = run(capsys, "verify", out, "--against", out, "--json")
    assert (code, json.loads(text)["against"]["equal"]) == (0, True)


def test_options_of_kitti_masks(capsys, mots, tmp_path):
    out = tmp_path / "kitti.h5"
    options = ["--image-size", 32, "--windows", 3, "--min-area", 8, "--sequences", "0001, 0000", "--include-cars"]
    code, text, err = run(
        capsys, "kitti-masks", "--source", mots / "kitti-mots", "--source", mots / "motschallenge",
        "--out", out, "--workers", 2, "--annotations", "png", "--quiet", *options,
    )  # fmt: skip
    assert (code, text, err) == (0, "", "")
    dataset = store.load(out)
    assert dataset.images.shape[1:] == (32, 32)
    assert set(dataset.columns["window"]) <= {0, 1, 2}
    assert set(dataset.columns["category"]) == {"car", "pedestrian"}
    parameters = dataset.manifest["parameters"]
    assert (parameters["min_area"], parameters["annotations"]) == (8, ["png"])


def test_the_table_of_pairs(capsys, mots, tmp_path):
    from datagen.store.tables import load

    for name, rotate in (("plain", ()), ("turned", ("--rotate", 45))):
        arguments = ["--out", tmp_path / f"{name}.npz", "--transitions", tmp_path / f"{name}.csv", *rotate]
        assert run(capsys, "kitti-masks", "--source", mots, *arguments)[0] == 0
    plain, turned = load(tmp_path / "plain.csv"), load(tmp_path / "turned.csv")
    expected = store.load(tmp_path / "plain.npz").transitions()
    np.testing.assert_array_equal(plain.y, expected.y)
    np.testing.assert_array_equal(plain.area, expected.area)
    assert len(turned) == len(plain)
    assert (turned.x != plain.x).any()
    code, _, err = run(capsys, "kitti-masks", "--source", mots, "--out", tmp_path / "x.npz", "--rotate", 45)
    assert (code, "give --transitions" in err) == (2, True)


def test_converting_round(capsys, kitti, file, tmp_path):
    for source, target in (("kitti.npz", "a.h5"), ("a.h5", "b.pickle"), ("b.pickle", "c.npz"), ("a.h5", "d.npz")):
        assert run(capsys, "convert", tmp_path / source, tmp_path / target, "--quiet") == (0, "", "")
    np.testing.assert_array_equal(store.load(tmp_path / "c.npz").images, kitti.images)
    assert store.load(tmp_path / "d.npz").manifest == store.load(file).manifest


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_previews(capsys, file, tmp_path, suffix):
    assert run(capsys, "preview", file, "--out", tmp_path / f"kitti{suffix}", "--quiet") == (0, "", "")
    store.save(sprites(), tmp_path / "sprites.npz")
    assert run(capsys, "preview", tmp_path / "sprites.npz", "--out", tmp_path / f"sprites{suffix}")[0] == 0
    with Image.open(tmp_path / f"kitti{suffix}") as image:
        pixels = np.asarray(image.convert("RGB"))
        assert getattr(image, "n_frames", 1) == (12 if suffix == ".gif" else 1)
    assert (pixels == (230, 60, 40)).all(axis=2).any()  # a cross
    assert (pixels == 255).all(axis=2).any()  # a mask


@pytest.mark.golden
def test_a_rebuild_equals_the_release(capsys, golden, tmp_path):
    source = golden / "release/inputs/data/kitti"
    assert run(capsys, "kitti-masks", "--source", source, "--out", tmp_path / "k.npz", "--quiet")[0] == 0
    code, out, _ = run(capsys, "verify", tmp_path / "k.npz", "--against", golden / "release/kitti_peds_v2.pickle")
    assert (code, "38 sequences equal, 0 different, 0 missing, 0 extra" in out) == (0, True)
    args = ["--source", source, "--out", tmp_path / "clean.npz", "--preset", "clean", "--quiet"]
    assert run(capsys, "kitti-masks", *args)[0] == 0
    code, out, _ = run(capsys, "verify", tmp_path / "clean.npz", "--against", golden / "release/kitti_peds_v2.pickle")
    assert code == 1
    assert "extra: sequence" in out


ERRORS = [
    pytest.param(["kitti-masks", "--source", "{mots}"], 2, "Missing option '--out'", id="no --out"),
    pytest.param(["kitti-masks", "--source", "{mots}", "--out", "{tmp}/k.zip"], 2, "no format", id="unknown suffix"),
    pytest.param(
        ["kitti-masks", "--source", "{mots}", "--out", "{file}/k.npz"], 2, "is no folder", id="a file as the folder"
    ),
    pytest.param(["kitti-masks", "--source", "{tmp}/no", "--out", "{tmp}/k.npz"], 2, "no such folder", id="no source"),
    pytest.param(
        ["kitti-masks", "--source", "{tmp}", "--out", "{tmp}/k.npz"], 1, "no MOTS sequences", id="empty source"
    ),
    pytest.param(["kitti-masks", "--source", "{mots}", "--out", "{file}"], 2, "exists", id="an output that exists"),
    pytest.param(
        ["kitti-masks", "--source", "{mots}", "--out", "{tmp}/k.npz", "--min-area", "4096"],
        1,
        "no sequence",
        id="nobody",
    ),
    pytest.param(
        ["kitti-masks", "--source", "{mots}", "--out", "{tmp}/k.npz", "--preset", "mine"], 2, "'mine'", id="bad choice"
    ),
    pytest.param(["info", "{tmp}/no.npz"], 2, "no such file", id="no file"),
    pytest.param(["info", "{tmp}/bad.npz"], 1, "damaged", id="damaged file"),
    pytest.param(["preview", "{file}", "--out", "{tmp}/k.jpg"], 2, "a preview is", id="unknown picture"),
    pytest.param(["convert", "{tmp}/bad.npz", "{tmp}/k.h5"], 1, "damaged", id="damaged input"),
    pytest.param(["nonsense"], 2, "No such command 'nonsense'", id="unknown command"),
]


@pytest.mark.parametrize(("arguments", "code", "problem"), ERRORS)
def test_errors_are_one_line_and_leave_nothing(capsys, mots, file, tmp_path, arguments, code, problem):
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 nonsense")
    before = sorted(tmp_path.iterdir())
    filled = [argument.format(mots=mots, file=file, tmp=tmp_path) for argument in arguments]
    found, out, err = run(capsys, *filled)
    assert (found, out) == (code, "")
    assert problem in err
    assert err.startswith("datagen: ")
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_bad_line_is_named_by_the_command(capsys, mots, tmp_path):
    shutil.copytree(mots, tmp_path / "mots")
    text = tmp_path / "mots/kitti-mots/instances_txt/0001.txt"
    lines = text.read_text().splitlines()
    text.write_text("\n".join([*lines[:6], lines[6][:-4], *lines[7:]]))
    arguments = ["kitti-masks", "--source", tmp_path / "mots", "--out", tmp_path / "kitti.npz"]
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert "0001.txt, line 7: " in err
    assert not (tmp_path / "kitti.npz").exists()
    code, out, _ = run(capsys, *arguments, "--skip-bad")
    assert code == 0
    assert "left out: kitti-mots/instances_txt/0001.txt, line 7" in out
    assert len(store.load(tmp_path / "kitti.npz").manifest["left_out"]) == 1


def test_ctrl_c_says_so(tmp_path):
    code = (
        "import cli.main, datagen.samples, signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with it ignored\n"
        "def work(*_):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "datagen.samples.sample_mots = work\n"
        "cli.main.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "sample", "mots", "--out", str(tmp_path / "m")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "datagen: stopped; nothing was written\n")


def test_shells_complete_commands_options_and_choices():
    shell = BashComplete(datagen, {}, "datagen", "_DATAGEN_COMPLETE")
    for before, begun, expected in (
        ([], "kitti", "kitti-masks"),
        (["train"], "--pre", "--preset"),
        (["train", "--preset"], "q", "quick"),
    ):
        assert expected in [each.value for each in shell.get_completions(before, begun)]
