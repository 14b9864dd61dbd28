import json

import numpy as np
import pytest
from click.testing import CliRunner

from cli.main import datagen, main
from datagen import store
from datagen.errors import UsageError
from datagen.store.tables import load
from natsprites import build

pytestmark = pytest.mark.golden


@pytest.fixture
def table(golden):
    return str(golden / "release" / "downscale_keepaspect.csv")


def run(*arguments):
    return CliRunner().invoke(datagen, ["natural-sprites", *arguments])


def test_it_writes_what_build_gives(table, tmp_path):
    out = tmp_path / "sprites.npz"
    result = run("--transitions", table, "--out", str(out), "--pairs", "20", "--seed", "4", "--workers", "2")
    assert result.exit_code == 0, result.output
    assert "231 of 263 transitions are no outliers" in result.output
    dataset, expected = store.load(out), build(load(table), pairs=20, seed=4)
    np.testing.assert_array_equal(dataset.images, expected.images)
    np.testing.assert_array_equal(dataset.factors, expected.factors)
    assert list(dataset.manifest["inputs"]) == ["downscale_keepaspect.csv"]


def test_options_reach_the_dataset(table, tmp_path):
    out = tmp_path / "sprites.h5"
    options = ["--shapes", "circle, star_5", "--colors", "red,#0000ff", "--image-size", "32", "--length", "3", "--json"]
    result = run("--transitions", table, "--out", str(out), "--pairs", "6", *options)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert answer["factor_sizes"] == [0, 0, 0, 40, 2]
    assert answer["parameters"]["colors"] == [[1, 0, 0], [0, 0, 1]]
    assert store.load(out).images.shape == (18, 32, 32, 3)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".zarr"])
def test_the_files_that_its_help_names(table, tmp_path, suffix):
    out = tmp_path / f"sprites{suffix}"
    assert "The dataset file: .npz, .h5 or .zarr." in " ".join(run("--help").output.split())
    result = run("--transitions", table, "--out", str(out), "--pairs", "6", "--image-size", "32", "--quiet")
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(store.load(out).images, build(load(table), pairs=6, seed=0, image_size=32).images)


def test_another_law_of_motion_is_reported_with_what_it_lost(table, tmp_path):
    out = tmp_path / "sprites.npz"
    result = run(
        "--transitions", table, "--out", str(out), "--pairs", "40", "--motion", "gennorm:0.5", "--factors-only"
    )
    assert result.exit_code == 0, result.output
    expected = build(load(table), pairs=40, seed=0, motion="gennorm:0.5", factors_only=True)
    np.testing.assert_array_equal(store.load(out).factors, expected.factors)
    assert f"{expected.manifest['parameters']['changes_drawn_again']:.1%} of the changes led out" in result.output
    refused = run("--transitions", table, "--out", str(tmp_path / "other.npz"), "--motion", "gennorm:fast")
    assert isinstance(refused.exception, UsageError)
    assert "no number follows the colon" in str(refused.exception)


def test_factors_only_and_quiet(table, tmp_path):
    out = tmp_path / "factors.npz"
    result = run("--transitions", table, "--out", str(out), "--pairs", "6", "--factors-only", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert store.load(out).images is None


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--shapes", "heart"], 2, "unknown shape 'heart'"),
        (["--colors", "octarine"], 2, "no colour 'octarine'"),
        (["--pairs", "0"], 2, "0 pairs"),
        (["--discrete"], 1, "of the 32 bins of"),
        (["--length", "1"], 2, "at least 2"),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(table, tmp_path, capsys, options, code, message):
    with pytest.raises(SystemExit) as leaving:
        main(["natural-sprites", "--transitions", table, "--out", str(tmp_path / "sprites.npz"), *options])
    assert leaving.value.code == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_annotations_give_what_their_table_gives(table, golden, tmp_path):
    source = golden / "release/inputs/data/youtube_voc/train.json"
    outs = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for out, given in zip(outs, (["--transitions", table], ["--source", str(source)]), strict=True):
        result = run(*given, "--out", str(out), "--pairs", "30")
        assert result.exit_code == 0, result.output
    a, b = (store.load(out) for out in outs)
    np.testing.assert_array_equal(a.images, b.images)
    np.testing.assert_array_equal(a.columns["transition"], b.columns["transition"])
    assert list(b.manifest["inputs"]) == ["youtube-vis/train.json"]


@pytest.mark.parametrize("given", [[], ["--transitions", "a.csv", "--source", "b.json"]], ids=["neither", "both"])
def test_one_input_is_needed(given, capsys, tmp_path):
    with pytest.raises(SystemExit) as done:
        main(["natural-sprites", *given, "--out", str(tmp_path / "s.npz")])
    assert done.value.code == 2
    assert "either --transitions or --source" in capsys.readouterr().err
