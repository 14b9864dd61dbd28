import base64
import json
import os
from contextlib import suppress

import numpy as np
import pytest
from annotations import FIRST, HEIGHT, SECOND, WIDTH, annotation, as_list, as_text, coco_vid, write, youtube_vis

from datagen.errors import BadInputError, DatagenError, DatagenWarning, UsageError
from datagen.readers import find_videos, find_videos_of_all
from datagen.readers.instance_sets import YOUTUBE_VIS_NAMES


def read(path, content, **options):
    return [video.read(**options) for video in find_videos(write(path / "train.json", content))]


def test_tracks_of_native_files(tmp_path):
    # The second annotation is of another video, so that of the third comes again: annotations keep their order.
    first, empty, again = read(tmp_path, youtube_vis())
    assert [each.video for each in (first, empty, again)] == ["a", "b", "a"]
    assert first.frame.tolist() == [0, 1]
    assert first.object_id.tolist() == [11, 11]
    assert first.category_id.tolist() == [7, 7]
    assert np.array_equal(first.masks.paint(), [FIRST, SECOND])
    assert first.objects.tolist() == [[11, 7, 3]]
    assert len(empty) == 0
    assert empty.objects.tolist() == [[12, 1, 2]]
    assert again.frame.tolist() == [1, 2]
    assert first.category_names == {1: "person", 7: "ape"}
    assert first.source == "train"
    assert list(first.inputs) == ["train/train.json"]


def test_tracks_of_one_video_are_by_frame(tmp_path):
    content = youtube_vis()
    content["annotations"] = [content["annotations"][2], content["annotations"][0]]
    (tracks,) = read(tmp_path, content)
    assert tracks.frame.tolist() == [0, 1, 1, 2]
    assert tracks.object_id.tolist() == [11, 13, 11, 13]
    assert tracks.objects.tolist() == [[13, 1, 3], [11, 7, 3]]
    assert np.array_equal(tracks.masks.paint(), [FIRST, FIRST, SECOND, FIRST])


def test_keys_in_another_order_and_no_categories(tmp_path):
    content = youtube_vis()
    del content["categories"]
    content = {key: content[key] for key in sorted(content)}
    for entry in content["annotations"]:
        entry["segmentations"] = entry.pop("segmentations")
    tracks = read(tmp_path, content)[0]
    assert tracks.category_names == YOUTUBE_VIS_NAMES
    assert tracks.source == "youtube-vis"
    assert len(YOUTUBE_VIS_NAMES) == 40


def test_videos_of_one_name_are_called_by_their_number(tmp_path):
    content = youtube_vis()
    content["videos"][1]["file_names"] = ["a/0.jpg", "a/1.jpg"]
    assert [tracks.video for tracks in read(tmp_path, content)] == ["5", "6", "5"]


def test_instances_of_coco_vid(tmp_path):
    (tracks,) = read(tmp_path, coco_vid())
    assert tracks.frame.tolist() == [0, 1, 1, 2]
    assert tracks.object_id.tolist() == [3, 3, 9, 9]
    assert np.array_equal(tracks.masks.paint(), [FIRST, SECOND, FIRST, FIRST])
    assert tracks.objects.tolist() == [[3, 1, 3], [9, 1, 3]]


def test_size_of_a_coco_vid_video_may_stand_with_its_images(tmp_path):
    content = coco_vid()
    del content["videos"][0]["height"], content["videos"][0]["width"]
    for image in content["images"]:
        image.update(height=HEIGHT, width=WIDTH)
    assert len(read(tmp_path, content)[0]) == 4


def text_ids(content):
    for entry in content["annotations"]:
        entry.update(id=str(entry["id"]), video_id=str(entry["video_id"]))
    for entry in content["videos"]:
        entry.update(id=str(entry["id"]))


def float_ids(content):
    for entry in content["annotations"]:
        entry.update(category_id=float(entry["category_id"]))


def unused_nan(content):
    content["annotations"][0].update(areas=[float("nan"), float("inf"), None], score=-float("inf"))
    content["categories"][1]["name"] = 'NaN, "Infinity"'


def absent(content):
    content["annotations"][0]["segmentations"][2] = {}
    content["annotations"][2]["segmentations"][0] = {"size": [HEIGHT, WIDTH], "counts": ""}


@pytest.mark.parametrize("change", [text_ids, float_ids, unused_nan, absent])
def test_forms_that_mean_the_same(tmp_path, change):
    expected, content = read(tmp_path, youtube_vis()), youtube_vis()
    change(content)
    changed = read(tmp_path, content)
    assert len(changed) == len(expected) == 3
    for first, second in zip(expected, changed, strict=True):
        assert first.frame.tolist() == second.frame.tolist()
        assert first.objects.tolist() == second.objects.tolist()
        assert np.array_equal(first.masks.paint(), second.masks.paint())
        assert second.left_out == []
    if change is unused_nan:
        assert changed[0].category_names[7] == 'NaN, "Infinity"'


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    (first, *_), (second, *_) = (
        read(tmp_path, start + json.dumps(youtube_vis()).encode()) for start in (b"", b"\xef\xbb\xbf")
    )
    assert np.array_equal(first.masks.paint(), second.masks.paint())


@pytest.mark.parametrize(
    "bad", [[[float("nan"), 1, 5, 1, 5, 5]], {"counts": [float("nan"), 600], "size": [HEIGHT, WIDTH]}]
)
def test_a_mask_with_nan_is_bad(tmp_path, bad):
    content = youtube_vis()
    content["annotations"][0]["segmentations"][2] = bad
    with pytest.raises(BadInputError, match="annotation 11, frame 2"):
        read(tmp_path, content)


def test_a_part_of_a_polygon_is_dropped_and_named(tmp_path):
    good = [3, 2, 12, 2, 12, 9, 3, 9]
    content = youtube_vis()
    content["annotations"] = [annotation(1, 5, 1, [[good], [good, [1, 1, 2, 2]], [[], good]])]
    (tracks,) = read(tmp_path, content)
    assert (tracks.masks.paint() == tracks.masks.paint()[0]).all()
    assert tracks.frame.tolist() == [0, 1, 2]
    assert len(tracks.left_out) == 2
    assert "annotation 1, frame 1: a part of its polygon has 4 numbers" in tracks.left_out[0]
    assert "annotation 1, frame 2: a part of its polygon has 0 numbers" in tracks.left_out[1]


def test_track_id_and_frame_index_of_tao(tmp_path):
    (expected,) = read(tmp_path, coco_vid())
    content = coco_vid()
    for entry in content["annotations"]:
        entry["track_id"] = entry.pop("instance_id")
    for image in content["images"]:
        image["frame_index"] = image.pop("frame_id")
    (tracks,) = read(tmp_path, content)
    assert tracks.object_id.tolist() == expected.object_id.tolist()
    assert tracks.frame.tolist() == expected.frame.tolist()


def test_gaps_between_the_frames_of_coco_vid_are_named(tmp_path):
    content = coco_vid()
    content["images"][2]["frame_id"] = 6
    with pytest.warns(DatagenWarning, match=r"frames of 1 of 1 videos .* \(video 5: 0, 1, 6, \.\.\.\)"):
        read(tmp_path, content)


@pytest.mark.parametrize("counts", ["b'abc'", "ZF0xZDBkMTAwMDA="])
def test_other_ways_to_write_an_encoding_are_named(tmp_path, counts):
    content = youtube_vis()
    content["annotations"][0]["segmentations"][0]["counts"] = counts
    if counts.startswith("Z"):
        text = as_text(FIRST)["counts"].encode()
        content["annotations"][0]["segmentations"][0]["counts"] = base64.b64encode(text).decode()
    with pytest.raises(BadInputError, match=r"Python bytes|base64"):
        read(tmp_path, content)


NAMES_2021 = (
    "airplane bear bird boat car cat cow deer dog duck earless_seal elephant fish flying_disc fox frog giant_panda "
    "giraffe horse leopard lizard monkey motorbike mouse parrot person rabbit shark skateboard snake snowboard "
    "squirrel surfboard tennis_racket tiger train truck turtle whale zebra"
)


@pytest.mark.parametrize(
    ("name", "changes", "source", "rate"),
    [
        ("train", {"categories": None}, "youtube-vis", 6),
        (
            "instances",
            {"categories": [{"id": i, "name": n} for i, n in enumerate(NAMES_2021.split(), 1)]},
            "youtube-vis-2021",
            6,
        ),
        ("train", {"info": {"description": "OVIS"}}, "ovis", None),
        ("train", {"info": {"description": "UVO"}}, "uvo", 30),
        ("UVO_video_train_dense", {}, "uvo", 30),
        ("train", {"categories": [{"id": i, "name": f"n{i}"} for i in range(1196)]}, "lv-vis", None),
        ("mine", {"info": {"description": ["OVIS"]}}, "mine", None),
    ],
)
def test_the_set_of_a_file(tmp_path, name, changes, source, rate):
    tracks = find_videos(write(tmp_path / f"{name}.json", youtube_vis() | changes))[0].read()
    assert (tracks.source, tracks.frames_per_second) == (source, rate)


def test_interpolated_masks_are_read_on_request(tmp_path):
    path = write(tmp_path / "UVO_video_train_dense_with_interpolation.json", youtube_vis())
    with pytest.raises(BadInputError, match=r"holds interpolated masks; .* --automatic"):
        find_videos(path)
    assert len(find_videos(path, automatic=True)) == 3


@pytest.mark.parametrize("closed", [False, True])
def test_polygons_that_are_boxes_are_refused(tmp_path, closed):
    content = coco_vid()
    for left, entry in enumerate(content["annotations"]):
        entry["segmentation"] = [[left, 2, left, 9, 12, 9, 12, 2] + [left, 2] * closed]
    with pytest.raises(BadInputError, match=r"its polygons are boxes, as TAO's, and boxes are no masks; BURST"):
        read(tmp_path, content)
    for other in ([1, 2, 1, 9, 12, 9, 13, 2], [1, 2, 1, 9, 12, 9]):
        content["annotations"][0]["segmentation"] = [other]
        assert len(read(tmp_path, content)) == 1


@pytest.mark.parametrize("size", [(1, 2**31 - 1), (46340, 46340), (10**9, 10**9), (-5, -5), (1, 300)])
def test_sizes_that_no_frame_has(tmp_path, size):
    content = youtube_vis()
    content["videos"][0].update(height=size[0], width=size[1])
    with pytest.raises(BadInputError, match="video 5 has no possible height and width"):
        read(tmp_path, content)


def test_deep_nesting_where_it_is_not_read(tmp_path):
    text = json.dumps(youtube_vis())[:-1] + ', "info": ' + "[" * 100_000 + "]" * 100_000 + "}"
    with suppress(BadInputError):
        assert len(read(tmp_path, text)) == 3


@pytest.mark.realdata
def test_the_same_video_in_both_forms(realdata):
    native, coco = (
        find_videos(realdata / name)[0].read()
        for name in ("youtube-vis-tfds/train.json", "youtube-vis-mmtracking/ann.json")
    )
    assert native.source == coco.source == "youtube-vis"
    assert native.video == coco.video == "0043f083b5"
    masks = [
        sorted((int(frame), mask.tobytes()) for frame, mask in zip(tracks.frame, tracks.masks.paint(), strict=True))
        for tracks in (native, coco)
    ]
    assert len(masks[0]) == 30
    assert masks[0] == masks[1]
    assert {native.category_names[number] for number in native.category_id.tolist()} == {"sedan"}


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["youtube-vis-tfds/train.json", "ovis-labelformat/annotations_train.json"])
def test_masks_have_the_stated_boxes(realdata, name):
    content = json.loads((realdata / name).read_text())
    boxes = {
        (each["id"], frame): box
        for each in content["annotations"]
        for frame, box in enumerate(each["bboxes"])
        if box is not None
    }
    found = {}
    for video in find_videos(realdata / name):
        tracks = video.read()
        for frame, track, mask in zip(tracks.frame, tracks.object_id, tracks.masks.paint(), strict=True):
            y, x = np.nonzero(mask)
            found[int(track), int(frame)] = [x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]
    assert found == boxes
    assert tracks.source == ("ovis" if "ovis" in name else "youtube-vis")


BAD_FILES = {
    "nothing": (b"", "truncated"),
    "no JSON": (b"{", "truncated"),
    "a broken end": (b'{"videos": [], "annotations": [1, 2}', "byte 35.*malformed"),
    "not a number for an annotation": (b'{"videos": [], "annotations": [NaN]}', r"annotations\[0\]: .*got `null`"),
    "half a number": (b'{"videos": [], "annotations": [NaM]}', "byte 31.*malformed"),
    "UTF-16": (json.dumps(youtube_vis()).encode("utf-16"), "UTF-16; save it as UTF-8"),
    "a validation split": ({"videos": [], "annotations": None}, "holds no annotations .*validation or test split"),
    "a name of a megabyte": ({"videos": [{"id": 1, "name": "x" * 2**20}], "annotations": []}, "a name of 1048576"),
    "YouTube-VOS": ({"videos": {"003234408d": {"objects": {}}}}, "YouTube-VOS's own form"),
    "COCO": ({"images": [], "annotations": []}, "COCO's form for single pictures"),
    "two images of one frame": (
        {**coco_vid(), "images": [{"id": i, "video_id": 5, "frame_id": 0} for i in (1, 2)]},
        r"images\[1\]: image 1 is frame 0 of video 5 too",
    ),
    "an image without frame": ({**coco_vid(), "images": [{"id": 1, "video_id": 5}]}, "has no `frame_id`"),
    "a zip": (b"PK\x03\x04" + bytes(99), "is a zip archive; unpack it"),
    "a gzip": (b"\x1f\x8b\x08" + bytes(99), "is a gzip archive; unpack it"),
    "a tar": (bytes(257) + b"ustar" + bytes(250), "is a tar archive; unpack it"),
    "bytes": (bytes(range(256)), "damaged or no JSON"),
    "deep": (b"[" * 100_000, "no file of video annotations|damaged"),
    "a list": ([], "got `array`"),
    "no videos": ({"annotations": []}, "missing required field `videos`"),
    "no annotations": ({"videos": []}, "missing required field `annotations`"),
    "an empty list": ({"videos": [], "annotations": []}, "holds no annotations"),
    "a video without id": ({"videos": [{"height": 3}], "annotations": []}, r"`id` - at `\$.videos"),
    "a category without id": ({"videos": [], "annotations": [], "categories": [{"name": "a"}]}, r"`\$.categories"),
    "a video twice": ({**youtube_vis(), "videos": youtube_vis()["videos"] * 2}, "lists video 5 twice"),
    "an image twice": ({**coco_vid(), "images": coco_vid()["images"] * 2}, r"images\[3\]: an image before it"),
    "a frame far off": (
        {**coco_vid(), "images": [{"id": 1, "video_id": 5, "frame_id": 10**6}]},
        r"images\[0\]: .*<= 999999",
    ),
    "a frame before the first": ({**coco_vid(), "images": [{"id": 1, "video_id": 5, "frame_id": -1}]}, ">= 0"),
    "an image without id": ({**coco_vid(), "images": [{"video_id": 5}]}, r"images\[0\]"),
}


@pytest.mark.parametrize(("content", "problem"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files(tmp_path, content, problem):
    path = write(tmp_path / "train.json", content)
    with pytest.raises(BadInputError, match=problem) as caught:
        find_videos(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


GOOD = annotation(1, 5, 1, [as_list(FIRST), None, None])
BAD_ANNOTATIONS = {
    "an unknown video": (annotation(2, 99, 1, [None]), "annotation 2: video 99 is not among"),
    "an unknown category": (annotation(2, 5, 3, [None] * 3), "annotation 2: category 3 has no name"),
    "a category without name": (annotation(2, 5, 8, [None] * 3), "annotation 2: category 8 has no name"),
    "a video without size": (annotation(2, 7, 1, [None]), "annotation 2: video 7 has no possible height"),
    "too few frames": (annotation(2, 5, 1, [None] * 2), "annotation 2: it has 2 segmentations, its video 3 frames"),
    "the id of another": (annotation(1, 5, 1, [None] * 3), "annotation 1: an annotation before it has the same id"),
    "no id": ({"video_id": 5, "category_id": 1, "segmentations": []}, r"annotations\[1\]: .*`id`"),
    "no segmentations": ({"id": 2, "video_id": 5, "category_id": 1}, r"annotations\[1\]: .*`segmentations`"),
    "a huge id": (
        annotation(2**70, 5, 1, [None] * 3),
        r"annotations\[1\]: .*`int` <= 9223372036854775807|out of range",
    ),
    "null": (None, r"annotations\[1\]: .*got `null`"),
    "a bad mask": (
        annotation(2, 5, 1, [None, {"counts": [9], "size": [HEIGHT, WIDTH]}, None]),
        "annotation 2, frame 1: the runs do not fill",
    ),
    "a mask of another size": (
        annotation(2, 5, 1, [None, None, as_list(FIRST.T)]),
        "annotation 2, frame 2: .*30 x 20 pixels, its video of 20 x 30",
    ),
}


@pytest.mark.parametrize(("bad", "problem"), BAD_ANNOTATIONS.values(), ids=BAD_ANNOTATIONS)
def test_bad_annotations_are_named_or_left_out(tmp_path, bad, problem):
    content = youtube_vis()
    content["videos"].append({"id": 7})
    content["categories"].append({"id": 8})
    content["annotations"] = [GOOD, bad]
    with pytest.raises(BadInputError, match=problem) as caught:
        read(tmp_path, content)
    assert "--skip-bad" in str(caught.value)
    (tracks,) = read(tmp_path, content, skip_bad=True)
    assert np.array_equal(tracks.masks.paint(), [FIRST])
    assert len(tracks.left_out) == 1
    with pytest.raises(DatagenError, match=problem):
        raise DatagenError(tracks.left_out[0])


BAD_INSTANCES = {
    "an unknown image": ({"image_id": 1}, "image 1 is not among"),
    "an unknown category": ({"category_id": 2}, "category 2 has no name"),
    "no instance": ({"instance_id": None}, "got `null`"),
    "an instance twice": ({"image_id": 100}, "instance 3 is in image 100 a second time"),
    "another category": ({"category_id": 4}, "instance 3 is of category 1 before, of 4 here"),
    "a bad mask": ({"segmentation": [[1, 2]]}, "has 2 numbers"),
}


@pytest.mark.parametrize(("change", "problem"), BAD_INSTANCES.values(), ids=BAD_INSTANCES)
def test_bad_instances_are_named_or_left_out(tmp_path, change, problem):
    content = coco_vid()
    content["categories"].append({"id": 4, "name": "dog"})
    content["annotations"][1].update(change)
    with pytest.raises(BadInputError, match=problem):
        read(tmp_path, content)
    (tracks,) = read(tmp_path, content, skip_bad=True)
    assert len(tracks) == 3
    assert len(tracks.left_out) == 1


def test_sources_that_are_none(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        find_videos(tmp_path / "train.json")
    with pytest.raises(DatagenError, match="no annotations here"):
        find_videos(tmp_path)
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(BadInputError, match="a pipe"):
        find_videos(tmp_path / "pipe.json")


def test_a_video_is_read_once(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (write(tmp_path / name / "train.json", youtube_vis()) for name in ("a", "b"))
    assert len(find_videos_of_all([first])) == 3
    for again in (first, second):
        with pytest.raises(UsageError, match="train/a is there twice") as error:
            find_videos_of_all([first, again])
        assert str(first) in str(error.value)
        assert str(again) in str(error.value)
