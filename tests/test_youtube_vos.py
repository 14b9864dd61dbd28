import json

import numpy as np
import pytest
from pngs import moving, painted, palette

from datagen.errors import BadInputError
from datagen.measure import measure
from datagen.readers import find_videos
from datagen.store import tables

LABELS = moving()
LABELS[2][LABELS[2] == 2] = 0  # it goes and comes back
FRAMES = [f"{5 * t:05d}" for t in range(4)]
OBJECTS = {"1": {"category": "ape", "frames": FRAMES}, "2": {"category": "dog", "frames": [*FRAMES[:2], FRAMES[3]]}}


def lay(root, objects=OBJECTS, labels=LABELS):
    root.mkdir(parents=True, exist_ok=True)
    (root / "meta.json").write_text(json.dumps({"videos": {"003234408d": {"objects": objects}}}))
    for name, each in zip(FRAMES, labels, strict=True):
        palette(root / "Annotations/003234408d" / f"{name}.png", each)
    return root


def test_objects_have_categories_and_come_and_go(tmp_path, recwarn):
    root = lay(tmp_path / "train")
    for source in (tmp_path, root, root / "Annotations", root / "Annotations/003234408d"):
        (video,) = find_videos(source)
        tracks = video.read()
        assert (tracks.source, tracks.video, tracks.frames_per_second) == ("youtube-vos", "003234408d", 6)
        np.testing.assert_array_equal(painted(tracks), LABELS)
        assert {tracks.category_names[number] for number in tracks.category_id.tolist()} == {"ape", "dog"}
        assert tracks.objects.tolist() == [[1, 1, 4], [2, 2, 4]]
        assert "youtube-vos/003234408d/00005.png" in tracks.inputs
    assert not recwarn.list


@pytest.mark.parametrize(
    ("objects", "problem"),
    [
        ({"1": OBJECTS["1"]}, "00000.png: holds object 2, which meta.json does not list"),
        (OBJECTS | {"3": {"category": "ape", "frames": ["00020"]}}, "frame 00020: there is no label map of it"),
    ],
)
def test_what_does_not_fit_the_list(tmp_path, objects, problem):
    (video,) = find_videos(lay(tmp_path, objects))
    with pytest.raises(BadInputError, match=problem):
        video.read()
    assert video.read(skip_bad=True).left_out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no list of objects of YouTube-VOS"),
        ("[]", "no list of objects of YouTube-VOS"),
        ('{"videos": {}}', "lists no video 003234408d"),
        ('{"videos": {"003234408d": {"objects": {"a": {"category": "ape"}}}}}', "video 003234408d: has an object a"),
    ],
)
def test_a_bad_list(tmp_path, text, problem):
    lay(tmp_path)
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(BadInputError, match=problem) as error:
        find_videos(tmp_path)
    assert "meta.json" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.realdata
def test_the_same_as_in_the_form_of_youtube_vis(realdata):
    case = realdata.parent / "cases/08_youtube_vos"
    mine = measure(case / "train").transitions()
    theirs = tables.load(case / "expected.csv")
    assert len(mine) == len(theirs) == 58
    # (Objects are counted by video here, in YouTube-VIS through all of them.)
    for name in ("video", "category", "window", "frame", "y", "x", "area"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
