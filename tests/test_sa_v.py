import json

import numpy as np
import pytest
from annotations import FIRST, HEIGHT, SECOND, WIDTH, as_text, write

from datagen.errors import BadInputError, DatagenError, DatagenWarning, UsageError
from datagen.measure import measure
from datagen.readers import archives, find_videos, find_videos_of_all
from datagen.readers.reader import Source

NOTHING = np.zeros_like(FIRST)


def sa_v(**changes):
    """Return a video of 4 annotated frames of 13 with the objects 4 and 7."""
    masks = [(FIRST, NOTHING), (FIRST, SECOND), (NOTHING, SECOND), (FIRST, SECOND)]
    return {
        "video_id": "sav_000001",
        "video_duration": 13 / 24,
        "video_frame_count": 13.0,
        "video_height": float(HEIGHT),
        "video_width": float(WIDTH),
        "masklet": [[as_text(mask) for mask in frame] for frame in masks],
        "masklet_id": [4, 7],
        "masklet_type": ["manual", "manual"],
    } | changes


AUTOMATIC = sa_v(masklet_type=["auto", "auto"])


def read(path, **options):
    return [video.read(**options) for video in find_videos(path)]


def test_tracks_of_a_file(tmp_path):
    (tracks,) = read(write(tmp_path / "sav_000001_manual.json", sa_v()))
    assert (tracks.source, tracks.video) == ("sa-v", "sav_000001")
    assert tracks.frame.tolist() == [0, 1, 1, 2, 3, 3]
    assert tracks.object_id.tolist() == [4, 4, 7, 7, 4, 7]
    assert np.array_equal(tracks.masks.paint(), [FIRST, FIRST, SECOND, SECOND, FIRST, SECOND])
    assert tracks.objects.tolist() == [[4, 1, 4], [7, 1, 4]]
    assert {tracks.category_names[number] for number in tracks.category_id.tolist()} == {"object"}
    assert tracks.frames_per_second == 6
    assert list(tracks.inputs) == ["sa-v/sav_000001_manual.json"]


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({"video_duration": 13 / 23.97}, 6),  # rounded
        ({"video_duration": 13 / 60}, 15),
        ({"video_duration": 13 / 24, "video_frame_count": 4}, 4 / (13 / 24)),
        ({"video_duration": None}, 6),
        ({"video_duration": 0}, 6),
        ({"video_frame_count": 2}, 6),
    ],
)
def test_the_rate_is_that_of_annotated_frames(tmp_path, changes, rate):
    (tracks,) = read(write(tmp_path / "a_manual.json", sa_v(**changes)))
    assert tracks.frames_per_second == pytest.approx(rate)


def test_objects_without_ids_are_counted(tmp_path):
    content = sa_v()
    del content["masklet_id"]
    (tracks,) = read(write(tmp_path / "a_manual.json", content))
    assert set(tracks.object_id.tolist()) == {0, 1}


def test_a_folder_has_one_video_per_file(tmp_path):
    for number in (2, 1):
        folder = tmp_path / f"sav_00{number}"
        folder.mkdir()
        write(folder / f"sav_00000{number}_manual.json", sa_v())
    write(tmp_path / "notes.json", {})
    assert "holds SA-V's annotations" in Source(tmp_path).others_than([])[0].what  # to those who want MOTS
    assert [(video.source, video.name) for video in find_videos(tmp_path)] == [
        ("sa-v", "sav_000001"),
        ("sa-v", "sav_000002"),
    ]
    write(tmp_path / "sav_000001_manual.json", sa_v())
    with pytest.raises(UsageError, match="sa-v/sav_000001 is there twice"):
        find_videos_of_all(tmp_path)


def test_what_a_machine_made_is_read_on_request(tmp_path):
    manual = write(tmp_path / "sav_000001_manual.json", sa_v())
    automatic = write(tmp_path / "sav_000001_auto.json", AUTOMATIC)
    with pytest.warns(DatagenWarning, match=r"1 files of masks that a machine made .* --automatic"):
        (video,) = find_videos(tmp_path)
    assert video.path == manual
    with pytest.raises(BadInputError, match=r"that a machine made; .* --automatic"):
        find_videos(automatic)
    assert [video.name for video in find_videos(tmp_path, automatic=True)] == ["sav_000001_auto", "sav_000001"]
    assert find_videos(automatic, automatic=True)[0].name == "sav_000001_auto"
    assert len(measure(tmp_path, automatic=True).videos) == 2
    manual.unlink()
    with pytest.raises(DatagenError, match=r"that a machine made .* --automatic"):
        find_videos(tmp_path)


BAD = {
    "another form": (sa_v(masklet={}), "is no file of SA-V .*got `object`"),
    "no size": (sa_v(video_height=None), r"is no file of SA-V .*video_height"),
    "a size that is none": (sa_v(video_height=10**9), "no video has 1000000000 x 30 pixels"),
    "an object twice": (sa_v(masklet_id=[4, 4]), "lists an object twice"),
    "an object too few": (sa_v(masklet_id=[4]), "frame 0: it has 2 masks, the video 1 object"),
    "a mask of another size": (sa_v(video_width=WIDTH + 1), "object 4, frame 0: its segmentation is of 20 x 30"),
    "a bad mask": (
        sa_v(masklet=[[as_text(FIRST), {"counts": "~", "size": [HEIGHT, WIDTH]}]]),
        "object 7, frame 0: the run-length encoding",
    ),
    "no JSON": (b'{"masklet": ', "damaged or no JSON"),
}


@pytest.mark.parametrize(("content", "problem"), BAD.values(), ids=BAD)
def test_bad_files_are_named_or_left_out(tmp_path, content, problem):
    path = write(tmp_path / "b_manual.json", content)
    write(tmp_path / "a_manual.json", sa_v())
    with pytest.raises(BadInputError, match=problem) as caught:
        read(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    good, bad = read(tmp_path, skip_bad=True)
    assert len(good) == 6
    assert bad.left_out
    with pytest.raises(DatagenError, match=problem):
        raise DatagenError(bad.left_out[0])


def test_a_folder_with_far_too_many_below_it(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_FOLDERS", 2)
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(UsageError, match="more than 2 folders"):
        archives.files_below(tmp_path, "_manual.json")


@pytest.mark.realdata
def test_the_real_example(realdata):
    folder = realdata / "sav-example"
    for name, objects in (("manual", 5), ("auto", 9)):
        path = folder / f"sav_000001_{name}.json"
        (tracks,) = (video.read() for video in find_videos(path, automatic=True))
        content = json.loads(path.read_text())
        assert tracks.frames_per_second == 6
        assert tracks.objects.tolist() == [[number, 1, 121] for number in range(objects)]
        areas = tracks.masks.areas()
        means = [areas[tracks.object_id == number].mean() for number in content["masklet_id"]]
        assert np.allclose(means, content["masklet_size_abs"])  # as the file says
    with pytest.warns(DatagenWarning, match="1 files of masks that a machine made") as warned:
        measured = measure(folder)
    assert len(warned) == 1
    assert len(measured.transitions()) == 1055
    assert measured.manifest["counts"]["masks"] == 480
