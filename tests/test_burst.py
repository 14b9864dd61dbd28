import warnings

import numpy as np
import pytest
from annotations import FIRST, HEIGHT, SECOND, WIDTH, as_text, write

from datagen.errors import BadInputError, DatagenError, DatagenWarning
from datagen.readers import find_videos


def mask(pixels, **more):
    return {"rle": as_text(pixels)["counts"], "is_gt": True, "score": 1.0, **more}


def sequence(name="a", **changes):
    paths = [f"{number:04}.jpg" for number in range(61)]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "id": 1,
        "seq_name": name,
        "dataset": "LaSOT",
        "fps": 30,
        "all_image_paths": paths,
        "annotated_image_paths": paths[::30],
        "track_category_ids": {"4": 10, "7": 3},
        "segmentations": [{"4": mask(FIRST)}, {"7": mask(SECOND), "4": mask(FIRST)}, {"7": mask(SECOND, is_gt=False)}],
    } | changes


def burst(*sequences):
    return {
        "sequences": list(sequences),
        "categories": [{"id": 3, "name": "bear", "synset": "bear.n.01"}, {"id": 10, "name": "ship"}],
        "split": "train",
    }


def read(path, content, skip_bad=False, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DatagenWarning)
        return [
            each.read(skip_bad=skip_bad) for each in find_videos(write(path / "all_classes.json", content), **options)
        ]


def test_tracks_of_a_file(tmp_path):
    first, second = read(tmp_path, burst(sequence(), sequence("b")), automatic=True)
    assert (first.source, first.video, second.video) == ("burst", "LaSOT/a", "LaSOT/b")
    assert first.frame.tolist() == [0, 1, 1, 2]
    assert first.object_id.tolist() == [4, 7, 4, 7]
    assert first.category_id.tolist() == [10, 3, 10, 3]
    assert np.array_equal(first.masks.paint(), [FIRST, SECOND, FIRST, SECOND])
    assert first.objects.tolist() == [[4, 10, 3], [7, 3, 3]]
    assert first.category_names == {3: "bear", 10: "ship"}
    assert first.frames_per_second == 1
    assert list(first.inputs) == ["burst/all_classes.json"]


def test_what_a_machine_made_is_read_on_request(tmp_path):
    path = write(tmp_path / "all_classes.json", burst(sequence()))
    with pytest.warns(DatagenWarning, match=r"a machine made \(`is_gt` false\) are not read; .* --automatic"):
        (video,) = find_videos(path)
    assert video.read().frame.tolist() == [0, 1, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(find_videos(path, automatic=True)[0].read()) == 4


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({"fps": 1}, 1),  # of the annotated frames
        ({"fps": 24, "annotated_image_paths": [f"{number:04}.jpg" for number in (0, 4, 8)]}, 6),
        ({"fps": None}, None),
        ({"all_image_paths": None}, None),
        ({"annotated_image_paths": ["x", "y", "z"]}, None),
    ],
)
def test_the_rate_is_that_of_annotated_frames(tmp_path, changes, rate):
    (tracks,) = read(tmp_path, burst(sequence(**changes)))
    assert tracks.frames_per_second == rate


BAD = {
    "a sequence without name": ({"seq_name": None}, r"sequences\[1\]: .*seq_name"),
    "a sequence twice": ({"seq_name": "a"}, r"sequences\[1\]: a sequence before it is LaSOT/a too"),
    "no list": ({"segmentations": {}}, "sequence LaSOT/b: its segmentations are no list of masks"),
    "a size that is none": ({"width": 10**9}, "sequence LaSOT/b: no frame has 20 x 1000000000"),
    "a frame too few": ({"annotated_image_paths": ["0.jpg"]}, "it has 3 segmentations, but 1 annotated_image_paths"),
    "no category": ({"segmentations": [{"5": mask(FIRST)}]}, "track 5, frame 0: track_category_ids does not have"),
    "a category without name": ({"track_category_ids": {"4": 10, "7": 5}}, "track 7, frame 1: category 5 has no name"),
    "no mask": ({"segmentations": [{"4": {"rle": None}}]}, "track 4, frame 0: .*null"),
    "null": ({"segmentations": [{"4": None}]}, "track 4, frame 0: .*null"),
    "a bad mask": ({"segmentations": [{"4": {"rle": "~"}}]}, "track 4, frame 0: the run-length encoding"),
}


@pytest.mark.parametrize(("changes", "problem"), BAD.values(), ids=BAD)
def test_bad_sequences_are_named_or_left_out(tmp_path, changes, problem):
    if "segmentations" in changes:
        changes = {"annotated_image_paths": None, **changes}
    content = burst(sequence(), sequence("b", **changes))
    with pytest.raises(BadInputError, match=problem) as caught:
        read(tmp_path, content)
    assert "--skip-bad" in str(caught.value)
    tracks = read(tmp_path, content, skip_bad=True)
    assert len(tracks[0]) == 3
    left_out = [line for each in tracks for line in each.left_out]
    with pytest.raises(DatagenError, match=problem):
        raise DatagenError(left_out[0])


def test_files_without_a_sequence(tmp_path):
    with pytest.raises(BadInputError, match="holds no sequences"):
        read(tmp_path, burst())
    with pytest.raises(BadInputError, match=r"sequences\[0\]"):
        read(tmp_path, burst({}))
    with pytest.raises(BadInputError, match="is no file of BURST"):
        read(tmp_path, {"sequences": {}})
