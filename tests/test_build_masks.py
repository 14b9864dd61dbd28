"""Masks of any annotated video."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from annotations import write
from click.testing import CliRunner

from cli.main import datagen
from datagen import build, store
from datagen.build import build_masks, count_by_video
from datagen.checks import verify
from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.measure import measure
from datagen.moments import latents_of_masks
from datagen.releases.package import package
from datagen.store.tables import load
from datagen.tracks import Tracks


def runs(mask):
    """Encode a mask as a list of run lengths."""
    flat = np.concatenate([[0], mask.T.ravel().astype(int), [0]])
    edges = np.flatnonzero(np.diff(flat))
    return {"counts": np.diff(edges, prepend=0, append=mask.size).tolist(), "size": list(mask.shape)}


def boxes(height, width, length, seed=0):
    """Paint a box that moves, bool (length, height, width)."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((length, height, width), dtype=bool)
    top, left = height // 4, width // 4
    for t in range(length):
        masks[t, top : top + height // 3, left : left + width // 4] = True
        top, left = (int(v + rng.integers(-2, 3)) for v in (top, left))
    return masks


def video_file(*videos, category=1):
    """Return YouTube-VIS JSON of videos of one object each, given as painted masks."""
    return {
        "videos": [
            {"id": n, "name": f"v{n}", "height": each.shape[1], "width": each.shape[2], "length": len(each)}
            for n, each in enumerate(videos)
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": n, "video_id": n, "category_id": category + n % 2, "segmentations": [runs(mask) for mask in each]}
            for n, each in enumerate(videos)
        ],
    }


def parts(dataset: Sequences, video: str):
    return dataset.select(np.flatnonzero(dataset.columns["video"] == video))


def test_masks_are_those_of_the_video(tmp_path):
    masks = boxes(64, 128, 6)
    dataset = build_masks(write(tmp_path / "train.json", video_file(masks)), windows=2)
    whole = dataset.select(np.flatnonzero(dataset.columns["window"] == 0))
    # Frames of 64 rows are not resized; the first window is their left half.
    np.testing.assert_array_equal(whole.images, masks[:, :, :64])
    np.testing.assert_array_equal(dataset.factors, latents_of_masks(dataset.images))
    assert dataset.manifest["command"] == "masks"


@pytest.mark.parametrize("size", [(96, 128), (200, 90)])
def test_portrait_frames_are_landscape_on_its_side(tmp_path, size):
    masks = boxes(*size, 5)
    upright, lying = (
        build_masks(write(tmp_path / f"{name}.json", video_file(each)), windows=3)
        for name, each in (("a", masks), ("b", masks.transpose(0, 2, 1)))
    )
    assert upright.num_frames > 0
    np.testing.assert_array_equal(upright.offsets, lying.offsets)
    np.testing.assert_array_equal(upright.images, lying.images.transpose(0, 2, 1))
    np.testing.assert_array_equal(upright.factors, lying.factors[:, [1, 0, 2]])
    np.testing.assert_array_equal(upright.factors, latents_of_masks(upright.images))


def test_every_other_frame(tmp_path):
    masks = boxes(64, 64, 7)
    source = write(tmp_path / "train.json", video_file(masks))
    every, half = build_masks(source, windows=1), build_masks(source, windows=1, every=2)
    np.testing.assert_array_equal(half.images, every.images[::2])
    assert half.columns["first_frame"].tolist() == [0]


def test_frames_by_the_second_need_a_known_rate(tmp_path):
    source = write(tmp_path / "train.json", video_file(boxes(64, 64, 7)))
    with pytest.raises(BadInputError, match=r"its rate is not known.*--every N"):
        build_masks(source, frames_per_second=2)


def test_frames_that_are_several_numbers_apart_are_said_to_be(tmp_path):
    masks = np.zeros((6, 64, 64), bool)
    masks[::3] = boxes(64, 64, 2)  # the second frame of an object is 3 after its first
    with pytest.raises(DatagenError, match=r"2 frames running \(the nearest frames of one are 3 apart\); number anno"):
        build_masks(write(tmp_path / "gaps.json", video_file(masks)), windows=1)
    with pytest.raises(DatagenError, match=r"3000 pixels or more in 1 frame running$"):
        build_masks(tmp_path / "gaps.json", windows=1, min_area=3000, min_length=1)
    small = np.zeros((3, 64, 64), bool)
    small[:, :2, :2] = True
    source = write(tmp_path / "small.json", video_file(masks, small))
    for out in (None, tmp_path / "a.zarr"):  # one video has neighbours, which are too small
        with pytest.raises(DatagenError, match=r"30 pixels or more in 2 frames running$"):
            build_masks(source, out, windows=1)


class Rated:
    """A video of known rate."""

    source, name, path = "own", "v", "v"

    def __init__(self, masks, rate):
        self._tracks = Tracks.from_masks({7: masks}, frames_per_second=rate)

    def read(self, sampling=None, skip_bad=False):
        masks = self._tracks.masks
        return replace(
            self._tracks, masks=masks if sampling is None else masks.sample(sampling(masks.height, masks.width))
        )


@pytest.mark.parametrize(("wanted", "every"), [(6, 1), (3, 2), (2, 3), (1.5, 4)])
def test_frames_by_the_second(monkeypatch, wanted, every):
    masks = boxes(64, 64, 13)
    monkeypatch.setattr(build, "find_videos_of_all", lambda sources, *_, **__: [Rated(masks, 6)])
    dataset = build_masks("x", windows=1, frames_per_second=wanted)
    np.testing.assert_array_equal(dataset.images, masks[::every])


@pytest.mark.parametrize("wanted", [4, 7, 12])
def test_frames_by_the_second_that_are_no_part_of_the_rate(monkeypatch, wanted):
    monkeypatch.setattr(build, "find_videos_of_all", lambda sources, *_, **__: [Rated(boxes(64, 64, 13), 6)])
    with pytest.raises(BadInputError, match=f"6 frames a second are no multiple of {wanted}"):
        build_masks("x", frames_per_second=wanted)


class Unsampled(Rated):
    """A video whose reader does not look at `sampling`, or looks and reads at full size all the same."""

    def __init__(self, masks, asks):
        super().__init__(masks, 6)
        self._asks = asks

    def read(self, sampling=None, skip_bad=False):
        if sampling is not None and self._asks:
            sampling(*self._tracks.masks.paint().shape[1:])
        return self._tracks


@pytest.mark.parametrize("skip_bad", [False, True])
@pytest.mark.parametrize(("asks", "wanted"), [(False, ";"), (True, r" \(64 x 96 pixels\);")])
def test_a_reader_that_does_not_sample_is_refused(monkeypatch, skip_bad, asks, wanted):
    video = Unsampled(boxes(128, 192, 5), asks)
    for module in ("build", "measure"):
        monkeypatch.setattr(f"datagen.{module}.find_videos_of_all", lambda *_, **__: [video])
    problem = f"v, video v: its reader gives masks of 128 x 192 pixels, .* as the view asks{wanted}"
    for run in (build_masks, partial(measure, view="kitti")):
        with pytest.raises(BadInputError, match=problem):
            run("x", skip_bad=skip_bad)
    assert len(measure("x", view="frame").videos[0].frame) == 5  # which is of all pixels


def test_a_video_without_windows_is_left_out_and_named(tmp_path):
    source = write(tmp_path / "train.json", video_file(boxes(64, 100, 4)))
    with pytest.raises(DatagenError, match="no sequence"):
        build_masks(source, frames_per_second=2, skip_bad=True)


def test_one_frame_is_no_sequence(tmp_path):
    masks = boxes(64, 64, 5)
    masks[1] = False
    assert build_masks(write(tmp_path / "train.json", video_file(masks)), windows=1).lengths.tolist() == [3]


def test_categories_are_chosen_by_name(tmp_path):
    source = write(tmp_path / "train.json", video_file(boxes(64, 64, 4), boxes(64, 64, 4, seed=1)))
    assert set(build_masks(source, windows=1).columns["category"]) == {"person", "dog"}
    only = build_masks(source, windows=1, categories=["dog"])
    assert set(only.columns["category"]) == {"dog"}
    without = build_masks(source, windows=1, exclude=["dog"])
    assert set(without.columns["category"]) == {"person"}
    with pytest.raises(UsageError, match="no category cat in the annotations; there are dog, person"):
        build_masks(source, categories=["cat"])


def test_videos_are_chosen_by_name(tmp_path):
    videos = [boxes(64, 64, 4, seed=seed) for seed in range(25)]
    source = write(tmp_path / "train.json", video_file(*videos))
    chosen = build_masks(source, windows=1, videos=["v3", "v20"])
    assert set(chosen.columns["video"]) == {"v3", "v20"}
    assert chosen.manifest["parameters"]["sequences"] == ["train/v3", "train/v20"]
    assert {video.video for video in measure(source, videos=["v7"]).videos} == {"v7"}
    for build_any in (build_masks, measure):
        with pytest.raises(UsageError, match=r"no sequence x, y in the sources; there are v0, v1, .* and 5 more"):
            build_any(source, videos=["x", "v3", "y"])
    arguments = ["--source", str(source), "--sequences", "v3, v20"]
    assert CliRunner().invoke(datagen, ["masks", *arguments, "--out", str(tmp_path / "a.npz")]).exit_code == 0
    assert set(store.load(tmp_path / "a.npz").columns["video"]) == {"v3", "v20"}
    assert CliRunner().invoke(datagen, ["transitions", *arguments, "--table", str(tmp_path / "a.csv")]).exit_code == 0
    assert set(load(tmp_path / "a.csv").video) == {"v3", "v20"}


def test_names_of_videos_may_be_paths(tmp_path):
    content = video_file(boxes(64, 64, 4))
    content["videos"][0]["name"] = "YFCC100M/v/1"
    counted = count_by_video(build_masks(write(tmp_path / "train.json", content), windows=1))
    assert [(row["source"], row["video"], row["sequences"]) for row in counted] == [("train", "YFCC100M/v/1", 1)]


def test_shorter_sequences_are_left_out(tmp_path):
    masks = boxes(64, 64, 9)
    masks[4] = False
    source = write(tmp_path / "train.json", video_file(masks))
    assert build_masks(source, windows=1).lengths.tolist() == [4, 4]
    with pytest.raises(DatagenError, match=r"no sequence in 1 video \(8 masks read\).*in 5 frames running"):
        build_masks(source, windows=1, min_length=5)


def test_the_whole_frame_as_a_square(tmp_path):
    dataset = build_masks(write(tmp_path / "train.json", video_file(boxes(80, 40, 4))), view="square")
    assert dataset.images.shape == (4, 64, 64)
    np.testing.assert_array_equal(dataset.factors, latents_of_masks(dataset.images))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"view": "frame"}, "the view frame only measures"),
        ({"view": "coverage"}, "the view coverage only measures"),
        ({"view": "other"}, "unknown view"),
        ({"view": "square", "image_size": 32}, "windows of 64 pixels"),
        ({"every": 0}, "every=0"),
        ({"every": 2, "frames_per_second": 2}, r"^--every \(every\) and --fps \(frames_per_second\) both say"),
        ({"frames_per_second": float("nan")}, "must be above 0"),
        ({"min_area": 0}, "min_area=0"),
    ],
)
def test_arguments_that_cannot_be(tmp_path, options, message):
    source = write(tmp_path / "train.json", video_file(boxes(64, 64, 4)))
    with pytest.raises(UsageError, match=message):
        build_masks(source, **options)


def test_the_command_and_what_follows_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "train.json", video_file(boxes(64, 100, 12), boxes(100, 64, 12, seed=1)))
    arguments = ["masks", "--source", "train.json", "--out", "own.npz", "--json"]
    result = CliRunner().invoke(datagen, arguments)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert [(row["video"], row["objects"]) for row in answer["found"]] == [("v0", 1), ("v1", 1)]
    dataset = store.load("own.npz")
    assert answer["found"] == count_by_video(dataset)
    assert all(check.passed for check in verify("own.npz"))
    for command in (
        ["info", "own.npz"],
        ["preview", "own.npz", "--out", "own.png"],
        ["convert", "own.npz", "own.h5"],
        ["stats", "own.npz"],
    ):
        assert CliRunner().invoke(datagen, command).exit_code == 0, command
    with pytest.raises(DatagenError, match="the licence of train is not known"):
        package(dataset, tmp_path / "folder")


@pytest.mark.parametrize("names", ["", ",", "person,"])
def test_a_name_that_is_missing_is_not_all_categories(tmp_path, names):
    source = write(tmp_path / "train.json", video_file(boxes(64, 64, 4)))
    for option in ("--categories", "--exclude"):
        arguments = ["masks", "--source", str(source), "--out", str(tmp_path / "own.npz"), option, names]
        result = CliRunner().invoke(datagen, arguments)
        assert isinstance(result.exception, UsageError)
        assert "no category" in str(result.exception)
    assert not (tmp_path / "own.npz").exists()


def test_workers_do_not_change_the_result(tmp_path):
    source = write(tmp_path / "train.json", video_file(*(boxes(64, 100, 6, seed) for seed in range(5))))
    one, three = (build_masks(source, workers=workers) for workers in (1, 3))
    for name, array in store.arrays_of(one).items():
        np.testing.assert_array_equal(array, store.arrays_of(three)[name])


@pytest.mark.realdata
def test_real_annotations_of_any_video(realdata):
    dataset = build_masks(realdata / "youtube-vis-tfds/train.json", view="square", min_area=1)
    assert dataset.num_frames > 0
    np.testing.assert_array_equal(dataset.factors, latents_of_masks(dataset.images))
    pedestrians = build_masks(realdata / "kitti-mots", categories=["pedestrian"])
    assert pedestrians.num_sequences > 600


def test_what_every_video_gave_is_counted(tmp_path):
    hidden = boxes(64, 100, 12)
    hidden[5] = False
    source = write(tmp_path / "train.json", video_file(hidden, boxes(64, 100, 9, seed=1), np.zeros((4, 64, 64), bool)))
    dataset = build_masks(source, windows=3, min_area=1)
    found = count_by_video(dataset)
    assert [row["video"] for row in found] == ["v0", "v1", "v2"]
    for row in found:
        chosen = dataset.columns["video"] == row["video"]
        assert row["objects"] == len(set(dataset.columns["object_id"][chosen]))
        assert row["sequences"] == chosen.sum()
        assert row["frames"] == dataset.lengths[chosen].sum()
    assert found[0]["sequences"] > found[0]["objects"] == 1
    assert found[2]["frames"] == 0


def test_two_frames_are_a_sequence_unless_more_are_asked_for(tmp_path):
    masks = boxes(64, 64, 8)
    masks[[2, 6]] = False
    source = write(tmp_path / "train.json", video_file(masks))
    assert build_masks(source, windows=1).lengths.tolist() == [2, 3]
    assert build_masks(source, windows=1, min_length=3).lengths.tolist() == [3]


def test_many_categories_are_named_in_part(tmp_path):
    content = video_file(boxes(64, 64, 4))
    content["categories"] = [{"id": number, "name": f"c{number:02}"} for number in range(1, 24)]
    source = write(tmp_path / "train.json", content)
    with pytest.raises(UsageError, match=r"there are c01, c02, .*, c20 and 3 more"):
        build_masks(source, categories=["cat"])
    content["categories"] = content["categories"][:20]
    source = write(tmp_path / "train.json", content)
    with pytest.raises(UsageError, match=r"c19, c20$"):
        build_masks(source, categories=["cat"])


def test_no_workers(tmp_path):
    with pytest.raises(UsageError, match="0 workers: must be at least 1"):
        build_masks(write(tmp_path / "train.json", video_file(boxes(64, 64, 4))), workers=0)
