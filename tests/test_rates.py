import math
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import natsprites
from cli.main import datagen
from datagen import store
from datagen.build import build_masks
from datagen.checks import verify
from datagen.datasets import Sequences
from datagen.errors import BadInputError, UsageError
from datagen.measure import measure
from datagen.rates import RatedVideo, describe_rates, wrong_rates
from datagen.readers import find_videos_of_all
from datagen.samples import sample_mots
from datagen.store.tables import load
from datagen.tracks import Tracks
from datagen.transitions import Transitions

SQUARE = np.zeros((8, 48, 96), np.uint8)
for _frame in range(8):
    SQUARE[_frame, 10:30, 8 + 3 * _frame : 30 + 3 * _frame] = 1


@pytest.fixture
def source(tmp_path):
    """Label maps of which nobody knows the rate."""
    np.save(tmp_path / "own.npy", SQUARE)
    return tmp_path / "own.npy"


@pytest.mark.parametrize(
    ("rate", "wrong"),
    [(1e-3, False), (29.97, False), (math.nan, False), (0, True), (-1, True), (math.inf, True), (-math.inf, True)],
)
def test_a_rate_is_above_0_or_unknown(rate, wrong):
    assert wrong_rates(np.array([rate], np.float32)).tolist() == [wrong]


def test_a_manifest_says_who_says_so():
    own = Tracks.from_label_maps(SQUARE)
    six = Tracks.from_label_maps(SQUARE, frames_per_second=6)
    videos = [six, own, replace(six, source="a", rate_from="set"), replace(six, frames_per_second=3.0), six]
    assert describe_rates(videos) == [
        {"source": "a", "frames_per_second": 6, "rate_from": "set", "videos": 1},
        {"source": "arrays", "frames_per_second": None, "rate_from": None, "videos": 1},
        {"source": "arrays", "frames_per_second": 3, "rate_from": "user", "videos": 1},
        {"source": "arrays", "frames_per_second": 6, "rate_from": "user", "videos": 2},
    ]


def test_a_rate_that_a_user_gives(source):
    (video,) = find_videos_of_all(source)
    assert video.read().frames_per_second is None
    (rated,) = find_videos_of_all(source, fps_of_source=25)
    assert (rated.source, rated.name, rated.path) == (video.source, video.name, video.path)
    tracks = rated.read()
    assert (tracks.frames_per_second, tracks.rate_from) == (25, "user")


@pytest.mark.parametrize(("given", "same"), [(30, True), (29.97, True), (25, False), (15, False)])
def test_another_rate_than_the_known_one_is_an_error(given, same):
    class Video:
        source, name, path = "own", "v", "place"

        def read(self, sampling=None, skip_bad=False):
            return replace(Tracks.from_label_maps(SQUARE, frames_per_second=30), rate_from="set")

    video = RatedVideo(Video(), given)
    if same:
        assert (video.read().frames_per_second, video.read().rate_from) == (30, "set")
    else:
        with pytest.raises(BadInputError, match=f"place, video v: its data set is known to have 30 .* not {given:g}"):
            video.read(skip_bad=True)


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
def test_what_is_no_rate(source, rate):
    with pytest.raises(UsageError, match=r"fps_of_source=.*must be above 0"):
        find_videos_of_all(source, fps_of_source=rate)


@pytest.mark.parametrize(("every", "rate"), [(1, 24), (2, 12), (4, 6)])
def test_datasets_hold_the_rate_of_the_frames_that_are_taken(source, tmp_path, every, rate):
    dataset = build_masks(source, every=every, windows=2, fps_of_source=24)
    assert dataset.fps.tolist() == [rate] * dataset.num_sequences
    assert dataset.fps.dtype == np.float32
    expected = [{"source": "own", "frames_per_second": rate, "rate_from": "user", "videos": 1}]
    assert dataset.manifest["rates"] == expected
    by_the_second = build_masks(source, frames_per_second=rate, windows=2, fps_of_source=24)
    np.testing.assert_array_equal(by_the_second.images, dataset.images)
    assert by_the_second.manifest["rates"] == expected
    for suffix in (".npz", ".h5"):
        store.save(dataset, tmp_path / f"x{suffix}")
        assert store.load(tmp_path / f"x{suffix}").fps.tolist() == dataset.fps.tolist()
    assert dataset.transitions().fps.tolist() == [rate] * dataset.num_pairs


def test_an_unknown_rate_stays_unknown(source):
    dataset = build_masks(source, windows=2)
    assert np.isnan(dataset.fps).all()
    assert np.isnan(dataset.transitions().fps).all()
    assert dataset.manifest["rates"] == [
        {"source": "own", "frames_per_second": None, "rate_from": None, "videos": 1},
    ]


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_files_that_have_no_rates_are_read_as_they_are(kitti, tmp_path, suffix):
    columns = {name: column for name, column in kitti.columns.items() if name != "fps"}
    store.save(replace(kitti, columns=columns), tmp_path / f"old{suffix}")
    assert "fps" not in store.arrays_of(store.load(tmp_path / f"old{suffix}"))
    assert np.isnan(store.load(tmp_path / f"old{suffix}").fps).all()
    assert all(check.passed for check in verify(tmp_path / f"old{suffix}"))
    with_rates = store.save(kitti, tmp_path / f"new{suffix}")["arrays"]
    without = store.save(replace(kitti, columns=columns), tmp_path / f"again{suffix}")["arrays"]
    assert with_rates.keys() - without.keys() == {"fps"}
    assert {name: with_rates[name] for name in without} == without


def test_the_releases_pickle_has_no_place_for_rates(kitti, tmp_path):
    store.save(kitti, tmp_path / "x.pickle")
    columns = {name: column for name, column in kitti.columns.items() if name != "fps"}
    store.save(replace(kitti, columns=columns), tmp_path / "y.pickle")
    assert (tmp_path / "x.pickle").read_bytes() == (tmp_path / "y.pickle").read_bytes()


def test_own_masks_with_a_rate():
    masks = [SQUARE[:3] > 0, SQUARE[:4] > 0]
    assert Sequences.from_masks(masks, fps=[6, np.nan]).fps.tolist()[0] == 6
    assert np.isnan(Sequences.from_masks(masks).fps).all()
    for wrong in (0, -3, np.inf, [1, 0]):
        with pytest.raises(UsageError, match="fps must hold frames a second"):
            Sequences.from_masks(masks, fps=wrong)
    with pytest.raises(UsageError, match="fps holds <U1; it must hold numbers"):
        Sequences.from_masks(masks, fps="6")


def test_measuring(source, tmp_path):
    assert measure(source, fps_of_source=5).transitions().fps.tolist() == [5] * len(measure(source).transitions())
    assert np.isnan(measure(source).transitions().fps).all()


def test_sprites_have_the_rate_of_their_motion(source, tmp_path):
    np.save(tmp_path / "other.npy", SQUARE)
    tables = [measure(source, fps_of_source=5).transitions(), measure(tmp_path / "other.npy").transitions()]
    table = Transitions.concatenate(tables)
    dataset = natsprites.build(table, 20, image_size=8)
    np.testing.assert_array_equal(dataset.fps, table.fps[dataset.columns["transition"]])
    assert {5} < set(np.nan_to_num(dataset.fps).tolist())
    for suffix in (".npz", ".h5"):
        store.save(dataset, tmp_path / f"s{suffix}")
        np.testing.assert_array_equal(store.load(tmp_path / f"s{suffix}").fps, dataset.fps)
    assert "fps" not in natsprites.build(tables[1], 20, image_size=8).columns
    store.save(dataset.with_columns(fps=np.zeros(20, np.float32)), tmp_path / "bad.npz")
    with pytest.raises(BadInputError, match="'fps' holds a number that is no rate"):
        store.load(tmp_path / "bad.npz")


def test_the_commands_take_a_rate(tmp_path, source, monkeypatch):
    """Of tables, the release's too, in whose form there is no place for it but in the manifest beside it."""
    monkeypatch.chdir(tmp_path)
    sample_mots(tmp_path / "mots", sequences=1, frames=6)
    (tmp_path / "mots/motschallenge").rename(tmp_path / "unknown")
    rate = ["--fps-of-source", "25"]
    for command in (
        ["masks", "--source", str(source), "--out", "a.npz", *rate],
        ["kitti-masks", "--source", "unknown", "--out", "b.npz", "--preset", "clean", *rate],
        ["transitions", "--source", str(source), "--out", "c.csv", *rate],
        ["transitions", "--source", str(source), "--table", "d.csv", *rate],
        ["natural-sprites", "--source", str(source), "--out", "e.npz", "--pairs", "2", *rate],
    ):
        result = CliRunner().invoke(datagen, command)
        assert result.exit_code == 0, result.output
    for name in ("a.npz", "b.npz", "c.csv", "d.csv"):
        assert set(load(name).fps.tolist()) == {25}, name
    for command in (
        ["kitti-masks", "--source", "mots", "--out", "f.npz", "--preset", "clean", *rate],
        ["masks", "--source", "mots", "--out", "f.npz", *rate],
        ["transitions", "--source", "mots", "--out", "f.csv", *rate],
    ):
        error = CliRunner().invoke(datagen, command).exception
        assert isinstance(error, BadInputError)
        assert "its data set is known to have 10 frames a second, not 25" in str(error)
    for option in (rate, ["--format", "sa-v"], ["--automatic"]):
        result = CliRunner().invoke(datagen, ["natural-sprites", "--transitions", "c.csv", "--out", "g.npz", *option])
        assert result.exit_code == 2
        assert f"{option[0]} is of --source" in result.output
