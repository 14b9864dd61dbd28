import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from datagen.errors import BadInputError, UsageError
from datagen.readers.mots import MotsImages, MotsText, find_videos
from datagen.views import KittiView


def rle(box, size=(8, 10)):
    top, bottom, left, right = box
    pixels = np.zeros(size, dtype=np.uint8, order="F")
    pixels[top:bottom, left:right] = 1
    return coco.encode(pixels)["counts"].decode()


LEFT, RIGHT = rle((1, 5, 1, 4)), rle((2, 6, 6, 9))
GOOD = f"0 2001 2 8 10 {LEFT}\n0 1001 1 8 10 {RIGHT}\n1 2001 2 8 10 {LEFT}\n"


def read(folder, text, **options):
    path = folder / "0007.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return MotsText("kitti-mots", "0007", folder, path).read(**options)


def test_text_is_read(tmp_path):
    tracks = read(tmp_path, GOOD)
    assert tracks.frame.tolist() == [0, 0, 1]
    assert tracks.object_id.tolist() == [2001, 1001, 2001]
    assert tracks.category_id.tolist() == [2, 1, 2]
    assert tracks.masks.areas().tolist() == [12, 12, 12]
    assert tracks.left_out == []
    assert list(tracks.inputs) == ["kitti-mots/0007.txt"]


def test_lines_may_stand_in_any_order_and_end_as_windows_does(tmp_path):
    lines = GOOD.splitlines()
    tracks = read(tmp_path, "\r\n".join([lines[2], "", lines[0], lines[1]]))
    assert tracks.frame.tolist() == [0, 0, 1]
    assert tracks.object_id.tolist() == [2001, 1001, 2001]


BAD_LINES = [
    pytest.param(f"2 2001 2 8 10 {LEFT} 7", "has 7 fields", id="too many fields"),
    pytest.param("2 2001 2 8 10", "has 5 fields", id="too few fields"),
    pytest.param(f"2 x 2 8 10 {LEFT}", "whole numbers", id="not a number"),
    pytest.param(f"-2 2001 2 8 10 {LEFT}", "whole numbers", id="a negative frame"),
    pytest.param(f"{10**30} 2001 2 8 10 {LEFT}", "whole numbers", id="a huge frame"),
    pytest.param(f"2 3001 3 8 10 {LEFT}", "class other than 1", id="an unknown class"),
    pytest.param(f"2 1001 2 8 10 {LEFT}", "not class \\* 1000", id="an id of another class"),
    pytest.param(f"2 2001 2 9 10 {LEFT}", "another size", id="another size"),
    pytest.param(f"2 2001 2 8 10 {LEFT[:-1]}", "run-length|runs do not fill", id="a short encoding"),
    pytest.param(f"2 2001 2 8 10 {LEFT}{LEFT}", "runs do not fill|negative", id="a long encoding"),
    pytest.param("2 2001 2 8 10 \x7f\x7f", "alphabet", id="garbage"),
    pytest.param(f"1 2001 2 8 10 {RIGHT}", "a second time", id="an object twice in a frame"),
    pytest.param(f"1 2002 2 8 10 {LEFT}", "overlaps object 2001", id="an overlap"),
]


@pytest.mark.parametrize(("line", "problem"), BAD_LINES)
def test_a_bad_line_is_named(tmp_path, line, problem):
    with pytest.raises(BadInputError, match=problem) as error:
        read(tmp_path, f"{GOOD}{line}\n")
    assert "0007.txt, line 4" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("line", "problem"), BAD_LINES)
def test_a_bad_line_can_be_left_out(tmp_path, line, problem):
    tracks = read(tmp_path, f"{GOOD}{line}\n2 1001 1 8 10 {RIGHT}\n", skip_bad=True)
    assert tracks.frame.tolist() == [0, 0, 1, 2]
    assert tracks.masks.areas().tolist() == [12, 12, 12, 12]
    assert len(tracks.left_out) == 1
    assert "line 4" in tracks.left_out[0]


def test_an_empty_file_is_a_video_without_objects(tmp_path):
    assert len(read(tmp_path, "")) == 0


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([line.encode() for line in GOOD.splitlines()]))))
def test_no_text_breaks_the_reader(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("fuzz")
    tracks = read(folder, b"\n".join(lines), skip_bad=True)
    assert len(tracks) == len(tracks.masks)
    assert tracks.masks.find_overlap(tracks.frame) is None
    if tracks.left_out:
        with pytest.raises(BadInputError, match="line"):
            read(folder, b"\n".join(lines))
    else:
        strict = read(folder, b"\n".join(lines))
        np.testing.assert_array_equal(strict.masks.paint(), tracks.masks.paint())


def test_text_and_label_maps_hold_the_same(mots):
    texts, images = find_videos(mots, "txt"), find_videos(mots, "png")
    assert [(video.source, video.name) for video in texts] == [(video.source, video.name) for video in images]
    for text, image in zip(texts, images, strict=True):
        for sampling in (None, KittiView().grid):
            a, b = text.read(sampling), image.read(sampling)
            seen = a.masks.areas() > 0
            assert a.frame[seen].tolist() == b.frame.tolist()
            assert a.object_id[seen].tolist() == b.object_id.tolist()
            np.testing.assert_array_equal(a.masks.select(seen).paint(), b.masks.paint())


@pytest.fixture
def images(mots, tmp_path):
    """Return a sequence of label maps that may be spoilt."""
    root = tmp_path / "set"
    shutil.copytree(mots / "kitti-mots", root)
    return MotsImages("kitti-mots", "0000", root, root / "instances" / "0000")


def spoil_missing(path):
    path.unlink()


def spoil_cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def spoil_8_bit(path):
    cv2.imwrite(str(path), np.zeros((375, 1242), np.uint8))


def spoil_size(path):
    cv2.imwrite(str(path), np.zeros((370, 1224), np.uint16))


def spoil_class(path):
    cv2.imwrite(str(path), np.full((375, 1242), 3001, np.uint16))


def spoil_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (spoil_missing, "no label map of frame 3"),
        (spoil_cut, "damaged or cut off"),
        (spoil_8_bit, "8-bit grey"),
        (spoil_size, "is 370 x 1224 pixels, the frames before it 375 x 1242"),
        (spoil_class, "holds label 3001"),
        (spoil_folder, "cannot be read"),
    ],
)
def test_a_bad_label_map_is_named_or_left_out(images, spoil, problem):
    whole = images.read()
    spoil(images.path / "000003.png")
    with pytest.raises(BadInputError, match=problem) as error:
        images.read()
    assert "\n" not in str(error.value)
    assert "3" in str(error.value)
    tracks = images.read(skip_bad=True)
    assert len(tracks.left_out) == 1
    assert str(images.root) not in tracks.left_out[0]
    assert tracks.object_id.tolist() == whole.object_id[whole.frame != 3].tolist()


def test_sets_are_taken_apart_kitti_first(mots):
    names = [(video.source, video.name) for video in find_videos(mots)]
    assert names == [(s, n) for s in ("kitti-mots", "motschallenge") for n in ("0000", "0001")]
    assert all(isinstance(video, MotsText) for video in find_videos(mots))
    assert all(isinstance(video, MotsImages) for video in find_videos(mots, "png"))


def test_a_set_may_lie_directly_in_the_folder(mots):
    assert len(find_videos(mots / "kitti-mots" / "instances_txt")) == 2
    assert len(find_videos(mots / "kitti-mots" / "instances")) == 2


def test_the_layout_of_the_release(golden):
    videos = find_videos(golden / "release/inputs/data/kitti")
    assert [video.name for video in videos] == ["0000", "0001", "0002", "0005"]


def test_no_folder_and_an_empty_one(tmp_path):
    assert find_videos(tmp_path) == []
    with pytest.raises(UsageError, match="no such folder"):
        find_videos(Path(tmp_path / "nowhere"))
