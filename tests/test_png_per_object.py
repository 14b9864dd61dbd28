import numpy as np
import pytest
from pngs import moving, palette, picture

from datagen.errors import BadInputError
from datagen.readers import find_videos
from datagen.views import KittiView

FIRST, SECOND = moving(objects=(1,)), moving(objects=(1, 1))


def lay(video, write=palette, value=1):
    for t in range(4):
        write(video / "000" / f"{4 * t:05d}.png", FIRST[t] * np.uint8(value))
        if t != 1:
            write(video / "002" / f"{4 * t:05d}.png", SECOND[t] * np.uint8(value))
    return video


@pytest.mark.parametrize(
    ("place", "source", "rate"),
    [("sa-v/sav_val/Annotations_6fps/sav_000001", "sa-v", 6), ("out/bear", "out", None)],
)
@pytest.mark.parametrize(("write", "value"), [(palette, 1), (picture, 255)])
def test_objects_have_folders_and_may_overlap(tmp_path, place, source, rate, write, value, recwarn):
    lay(tmp_path / place, write, value)
    (video,) = find_videos(tmp_path)
    assert (video.source, video.name) == (source, place.split("/")[-1])
    tracks = video.read()
    assert tracks.frames_per_second == rate
    assert list(zip(tracks.frame.tolist(), tracks.object_id.tolist(), strict=True)) == [
        (t, number) for t in range(4) for number in (0, 2) if (t, number) != (1, 2)
    ]
    for frame, number, mask in zip(tracks.frame, tracks.object_id, tracks.masks.paint(), strict=True):
        np.testing.assert_array_equal(mask, (FIRST if number == 0 else SECOND)[frame] > 0)
    assert f"{source}/{video.name}/002/00008.png" in tracks.inputs
    assert len(video.read(KittiView().grid)) == 7
    assert not recwarn.list


def test_a_single_video_of_sa_v(tmp_path):
    video = lay(tmp_path / "Annotations_6fps/sav_000001")
    assert [(each.source, each.name) for each in find_videos(video)] == [("sa-v", "sav_000001")]


def test_objects_that_are_never_seen(tmp_path):
    for t in range(3):
        palette(tmp_path / "Annotations_6fps/v/000" / f"{t:05d}.png", np.zeros((72, 128)))
    assert len(find_videos(tmp_path)[0].read()) == 0


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: palette(path, moving()[0]), "holds 1 and 2; a picture of one object"),
        (lambda path: palette(path, np.zeros((70, 128))), "is 70 x 128 pixels"),
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), "is damaged or cut off"),
    ],
)
def test_a_bad_picture_is_named_or_left_out(tmp_path, spoil, problem):
    folder = lay(tmp_path / "Annotations_6fps/v")
    spoil(folder / "002/00008.png")
    (video,) = find_videos(tmp_path)
    with pytest.raises(BadInputError, match=f"002/00008.png: .*{problem}"):
        video.read()
    tracks = video.read(skip_bad=True)
    assert len(tracks) == 6
    assert tracks.left_out[0].startswith("sa-v/v/002/00008.png: ")


def test_videos_that_are_called_by_three_digits(tmp_path):
    for name in ("001", "002"):
        for t, labels in enumerate(moving()):
            palette(tmp_path / "set/val" / name / f"{t:05d}.png", labels)
    assert [(video.source, video.name) for video in find_videos(tmp_path)] == [("val", "001"), ("val", "002")]
