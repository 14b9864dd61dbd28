import json

import numpy as np
import pytest
from annotations import FIRST, HEIGHT, SECOND, WIDTH, as_list, as_text, write

from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.measure import measure
from datagen.readers import find_videos, find_videos_of_all


def label(name, mask, category="car", **more):
    return {"id": name, "category": category, "rle": mask, "attributes": None, **more}


def frame(video, index, *labels):
    return {"name": f"{video}-{index}.jpg", "videoName": video, "frameIndex": index, "labels": list(labels)}


def scalabel(first="12", second="3"):
    """Return two videos, of which the frames of the first do not stand in order."""
    return [
        frame("a", 1, label(second, as_list(SECOND), "rider"), label(first, as_text(FIRST))),
        frame("a", 0, label(first, as_text(FIRST))),
        frame("b", 4, label("0", as_text(SECOND), "trailer"), label("1", as_text(FIRST), attributes={"crowd": True})),
        frame("b", 5) | {"labels": None},
        frame("b", 6, label("0", as_text(SECOND), "trailer"), label("1", as_text(FIRST), attributes={"ignored": True})),
    ]


def read(path, **options):
    return [video.read(**options) for video in find_videos(path)]


@pytest.mark.parametrize("wrap", [lambda frames: frames, lambda frames: {"frames": frames, "config": {}}])
def test_tracks_of_a_file(tmp_path, wrap):
    first, second = read(write(tmp_path / "a.json", wrap(scalabel())))
    assert (first.source, first.video, second.video) == ("bdd100k-mots", "a", "b")
    assert first.frame.tolist() == [0, 1, 1]
    assert first.object_id.tolist() == [12, 3, 12]  # whole numbers stay as they are
    assert first.category_id.tolist() == [3, 2, 3]
    assert np.array_equal(first.masks.paint(), [FIRST, SECOND, FIRST])
    assert first.objects.tolist() == [[12, 3, 2], [3, 2, 2]]
    assert first.category_names == {3: "car", 2: "rider"}
    assert second.frame.tolist() == [4, 6]  # a crowd and what is ignored are no objects
    assert {second.category_names[number] for number in second.category_id.tolist()} == {"trailer"}
    assert first.frames_per_second == second.frames_per_second == 5


def test_objects_whose_ids_are_texts_are_numbered_as_they_are_seen(tmp_path):
    (first, _) = read(write(tmp_path / "a.json", scalabel("00012", "3")))
    assert first.object_id.tolist() == [1, 2, 1]


def test_a_folder_has_one_video_per_file(tmp_path):
    (tmp_path / "train").mkdir()
    for name in "ab":
        frames = [each for each in scalabel() if each["videoName"] == name]
        write(tmp_path / "train" / f"{name}.json", frames)
    write(tmp_path / "other.json", {"videoNames": []})
    assert [video.name for video in find_videos(tmp_path)] == ["a", "b"]
    assert [len(tracks) for tracks in read(tmp_path)] == [3, 2]
    assert len(measure(tmp_path).videos) == 2
    write(tmp_path / "train" / "c.json", scalabel())
    with pytest.raises(BadInputError, match=r"c\.json: holds 2 videos; give the file itself"):
        read(tmp_path)
    assert "holds 2 videos" in read(tmp_path, skip_bad=True)[2].left_out[0]


def test_a_video_in_a_folder_has_its_own_name_not_that_of_its_file(tmp_path):
    frames = scalabel()[:2]
    truth, results = (write(tmp_path / f"{name}.json", frames) for name in ("truth", "results"))
    assert [(video.name, video.path) for video in find_videos(tmp_path)] == [("a", results), ("a", truth)]
    with pytest.raises(UsageError, match="bdd100k-mots/a is there twice") as error:
        find_videos_of_all(tmp_path)
    assert str(results) in str(error.value)
    assert str(truth) in str(error.value)
    assert (
        read(write(tmp_path / "truth.json", [frame('"\u00e4\\', 0, *frames[0]["labels"])]).parent)[1].video
        == '"\u00e4\\'
    )
    for name in (None, "", 3):
        write(tmp_path / "truth.json", [frames[0] | {"videoName": name}, frames[1]])
        assert [video.name for video in find_videos(tmp_path)] == ["a", "truth"]
        with pytest.raises(BadInputError, match=r"truth\.json, frames\[0\]"):
            read(tmp_path)


BAD_LABELS = {
    "null": (None, "got `null`"),
    "no id": ({"category": "car"}, "required field `id`"),
    "no mask": (label("7", None), r"it has no mask"),
    "a polygon": (label("7", None, poly2d=[{}]), r"a polygon \(of Bezier curves\)"),
    "no category": (label("7", as_text(FIRST), None), "object 7 has no category"),
    "an object twice": (label("12", as_text(FIRST)), "object 12 is in this frame a second time"),
    "a mask of another size": (label("7", as_text(FIRST.T)), "object 7, frame 1: its segmentation is of 30 x 20"),
    "a bad mask": (label("7", {"counts": "~", "size": [HEIGHT, WIDTH]}), "object 7, frame 1: the run-length"),
}


@pytest.mark.parametrize(("bad", "problem"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_bad_labels_are_named_or_left_out(tmp_path, bad, problem):
    content = scalabel()[:2]
    content[0]["labels"].append(bad)
    path = write(tmp_path / "a.json", content)
    with pytest.raises(BadInputError, match=f"video a, .*{problem}") as caught:
        read(path)
    assert "frame 1" in str(caught.value)
    assert "--skip-bad" in str(caught.value)
    (tracks,) = read(path, skip_bad=True)
    assert len(tracks) == 3
    assert len(tracks.left_out) == 1
    with pytest.raises(DatagenError, match=problem):
        raise DatagenError(tracks.left_out[0])


def test_an_object_of_two_categories(tmp_path):
    content = scalabel()[:2]
    content[0]["labels"][1]["category"] = "bus"
    with pytest.raises(BadInputError, match="object 12 is a car before, a bus here"):
        read(write(tmp_path / "a.json", content))


def test_a_size_that_no_frame_has(tmp_path):
    content = [frame("a", 0, label("1", {"counts": "", "size": [10**9, 10**9]}))]
    path = write(tmp_path / "a.json", content)
    with pytest.raises(BadInputError, match="video a: no frame has 1000000000 x"):
        read(path)
    assert read(path, skip_bad=True)[0].left_out


BAD_FRAMES = {
    "no number": ({"videoName": "a", "labels": []}, "required field `frameIndex`"),
    "a number far off": (frame("a", 10**6), "<= 999999|< 1000000"),
    "no video": ({"name": "a-1.jpg", "labels": []}, "required field `videoName`"),
}


@pytest.mark.parametrize(("bad", "problem"), BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_bad_frames_are_named_or_left_out(tmp_path, bad, problem):
    path = write(tmp_path / "a.json", [bad])
    with pytest.raises(BadInputError, match=rf"frames\[0\]: .*{problem}"):
        find_videos(path)
    path = write(tmp_path / "a.json", [*scalabel(), bad])
    with pytest.raises(BadInputError, match=rf"frames\[5\]: .*{problem}"):
        read(path)
    first, second = read(path, skip_bad=True)
    assert len(first.left_out) == 1
    assert second.left_out == []


def test_a_frame_twice_and_no_frames(tmp_path):
    with pytest.raises(BadInputError, match=r"frames\[2\]: video a has a frame 0 before it"):
        read(write(tmp_path / "a.json", [*scalabel()[:2], frame("a", 0)]))
    with pytest.raises(BadInputError, match="holds no frames"):
        find_videos(write(tmp_path / "a.json", {"frames": []}))


@pytest.mark.realdata
def test_the_real_sequence(realdata):
    path = realdata / "bdd100k-segtrack-scalabel" / "seg_track_sample.json"
    (tracks,) = (video.read() for video in find_videos(path))
    labels = [
        (entry["frameIndex"], int(each["id"]), each["category"])
        for entry in json.loads(path.read_text())
        for each in entry["labels"]
        if not each["attributes"]["crowd"]
    ]
    assert len(labels) == 1768 - 17
    names = [tracks.category_names[number] for number in tracks.category_id.tolist()]
    assert sorted(zip(tracks.frame.tolist(), tracks.object_id.tolist(), names, strict=True)) == sorted(labels)
    results = find_videos(realdata / "bdd100k-segtrack-scalabel" / "seg_track_preds.json")[0].read()
    assert len(results) == 1567
    with pytest.raises(UsageError, match=r"b1c66a42-6f7d68ca is there twice: .*seg_track_preds\.json and .*sample"):
        find_videos_of_all(path.parent)
