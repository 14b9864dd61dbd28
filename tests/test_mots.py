import hashlib
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from datagen.errors import BadInputError, DatagenError, DatagenWarning, UsageError
from datagen.readers import find_videos as find_any_videos
from datagen.readers.mots import MotsImages, MotsText, find_videos
from datagen.readers.reader import Source
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


def test_motsynth(tmp_path):
    """Hidden objects have no encoding, or an empty one; crowds are all object 10000, of class 2."""
    hidden = '0 2003 2 8 10\n1 2003 2 8 10 \n2 2003 2 8 10 ""\n'
    crowds = f"1 10000 2 8 10 {LEFT}\n1 10000 2 8 10 {RIGHT}\n"
    text = f"0 2001 2 8 10 {LEFT}\n1 2001 2 8 10 {LEFT}\n0 3050 2 8 10 {RIGHT}\n1 3050 2 8 10 {RIGHT}\n"
    folder = tmp_path / "MOTSynth_mots_annotations/000"
    (folder / "gt").mkdir(parents=True)
    (folder / "gt/gt.txt").write_text(hidden + crowds + text)
    (folder / "seqinfo.ini").write_text("[Sequence]\nname=000\nframeRate=20\n")
    (video,) = find_any_videos(tmp_path)
    tracks = video.read()
    assert (tracks.source, tracks.video, tracks.frames_per_second) == ("motsynth", "0000", 20)
    assert tracks.left_out == []
    objects = tracks.object_id[tracks.category_id != 10]
    assert sorted(objects.tolist()) == [2001, 2001, 3050, 3050]
    (folder / "gt/gt.txt").write_text(text + "2 2001 2 8\n")
    with pytest.raises(BadInputError, match="line 5: has 4 fields"):
        video.read()


def lines(frames, size=(375, 1242), first=0):
    box = rle((5, 40, 5, 40), size)
    return "".join(f"{frame} 2001 2 {size[0]} {size[1]} {box}\n" for frame in range(first, first + frames))


@pytest.mark.parametrize(
    ("source", "name", "size", "frames", "rate"),
    [
        ("kitti-mots", "0000", (375, 1242), 154, 10),
        ("kitti-mots", "0000", (375, 1242), 155, None),
        ("kitti-mots", "0000", (370, 1224), 10, None),
        ("kitti-mots", "0014", (370, 1224), 106, 10),
        ("kitti-mots", "0020", (376, 1241), 10, 10),
        ("kitti-mots", "0021", (375, 1242), 10, None),
        ("motschallenge", "0002", (1080, 1920), 3, 30),
        ("motschallenge", "0005", (480, 640), 837, 14),
        ("motschallenge", "0005", (1080, 1920), 3, None),
        ("motschallenge", "0001", (480, 640), 3, None),
    ],
)
def test_the_rate_of_published_sequences(tmp_path, source, name, size, frames, rate):
    """Own data in the form of a set must not pass for it."""
    (tmp_path / f"{name}.txt").write_text(lines(frames, size, first=int(source == "motschallenge")))
    (video,) = find_videos(tmp_path)
    tracks = video.read(KittiView().sampling)
    assert (tracks.source, tracks.frames_per_second, tracks.rate_from) == (source, rate, "set")


def test_the_rate_of_published_label_maps(tmp_path):
    labels = np.zeros((375, 1242), np.uint16)
    labels[10:30, 10:30] = 2001
    for frame in range(2):
        for name in ("0000", "0050"):
            path = tmp_path / name / f"{frame:06}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), labels)
    known, unknown = find_videos(tmp_path)
    assert (known.read().frames_per_second, unknown.read().frames_per_second) == (10, None)


def seqinfo(tmp_path, text):
    folder = tmp_path / "MOTS20-77"
    (folder / "gt").mkdir(parents=True)
    (folder / "gt/gt.txt").write_text(lines(3, first=1))
    (folder / "seqinfo.ini").write_text(text)
    (video,) = find_videos(tmp_path)
    return video


@pytest.mark.parametrize("text", ["[Sequence]\nname=MOTS20-77\nframeRate=25\n", "[Sequence]\r\nFrameRate = 25.0\r\n"])
def test_seqinfo_says_the_rate(tmp_path, text):
    tracks = seqinfo(tmp_path, text).read()
    assert (tracks.frames_per_second, tracks.rate_from) == (25, "file")
    assert list(tracks.inputs) == ["motschallenge/MOTS20-77/gt/gt.txt", "motschallenge/0077/seqinfo.ini"]


@pytest.mark.parametrize("text", ["", "[Sequence]\nseqLength=3\n", "frameRate=0", "frameRate=x", "frameRate=1.2.3"])
def test_seqinfo_that_says_none(tmp_path, text):
    video = seqinfo(tmp_path, text)
    with pytest.raises(BadInputError, match=r"seqinfo\.ini: says no rate \(frameRate=30\)"):
        video.read()
    tracks = video.read(skip_bad=True)
    assert (tracks.frames_per_second, len(tracks)) == (None, 3)
    assert "seqinfo.ini: says no rate" in tracks.left_out[0]


@pytest.mark.realdata
def test_the_rates_of_the_real_sets(realdata):
    kitti = find_videos(realdata / "kitti-mots")
    assert [video.read(KittiView().sampling).frames_per_second for video in kitti[::5]] == [10] * 5
    others = find_videos(realdata / "motschallenge", "txt")
    assert [video.read(KittiView().sampling).frames_per_second for video in others] == [30, 14, 30, 30]


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
    assert tracks.masks.find_overlaps(tracks.frame) == []
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


@pytest.mark.parametrize("root", ["s", "."])
def test_what_is_left_out_is_reported_by_the_words_of_its_error(tmp_path, images, monkeypatch, root):
    """The folder's name is not taken out of the sentence as well: every "s" of it, or every full stop."""
    sequence = tmp_path / "s" / "0000"
    shutil.copytree(images.path, sequence)
    spoil_8_bit(sequence / "000003.png")
    monkeypatch.chdir(tmp_path if root == "s" else tmp_path / "s")
    video = replace(images, source="kitti-mots", root=Path(root), path=Path(root) / "0000")
    said = "kitti-mots/0000/000003.png: is an 8-bit grey image; MOTS label maps are 16-bit grey"
    assert video.read(skip_bad=True).left_out == [said]


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


def lay(folder, text=GOOD):
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text(text)
    return folder


def names(source, *options):
    return [(video.source, video.name) for video in find_videos(source, *options)]


def test_the_layout_of_motchallenge_net(tmp_path):
    from_one = GOOD.replace("1 2001", "2 2001").replace("0 ", "1 ", 1)
    lay(tmp_path / "train/MOTS20-02/gt/gt.txt", from_one)
    lay(tmp_path / "train/MOTS20-11/gt/gt.txt", from_one)
    expected = [("motschallenge", "0002"), ("motschallenge", "0011")]
    assert names(tmp_path) == names(tmp_path / "train") == expected
    for place in ("", "gt", "gt/gt.txt"):
        assert names(tmp_path / "train/MOTS20-02" / place) == expected[:1]
    lay(tmp_path / "kitti/instances_txt/0000.txt")
    assert names(tmp_path) == [("kitti-mots", "0000"), *expected]


def test_pictures_and_boxes_beside_annotations_are_none(tmp_path, recwarn):
    lay(tmp_path / "instances_txt/0004.txt")
    lay(tmp_path / "label_02/0004.txt", "0 0 Car 0 0 1 1 1 1 1 1 1 1 1 1 1 1\n")
    lay(tmp_path / "oxts/0004.txt", "1 2 3 4 5 6 7 8\n")
    for folder, pixels in (("images", np.zeros((8, 10, 3), np.uint8)), ("image_02", np.zeros((8, 10), np.uint8))):
        (tmp_path / folder / "0004").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / folder / "0004/000000.png"), pixels)
    assert names(tmp_path) == [("kitti-mots", "0004")]
    assert not recwarn.list
    # Where there is nothing else, reading them says what they are.
    with pytest.raises(BadInputError, match="8-bit RGB image"):
        find_videos(tmp_path / "images")[0].read()
    with pytest.raises(BadInputError, match="line 1: has 17 fields"):
        find_videos(tmp_path / "label_02")[0].read()


def test_other_annotations_beside_good_ones_are_named(tmp_path):
    lay(tmp_path / "mots/0000.txt")
    lay(tmp_path / "vos/meta.json", "{}")
    (tmp_path / "vos/Annotations/bear").mkdir(parents=True)
    lay(tmp_path / "results/0001.txt", "1,1,2,3,4,5,1,-1,-1\n")
    lay(tmp_path / "vis/train.json", '{"videos": [], "annotations": []}')
    with pytest.warns(DatagenWarning) as warned:
        assert names(tmp_path) == [("kitti-mots", "0000")]
    (warning,) = warned
    for folder, what in (("results", "no MOTS annotations"), ("vis", "train.json"), ("vos", "YouTube-VOS")):
        assert f"{tmp_path / folder} " in str(warning.message)
        assert what in str(warning.message)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (["Annotations/480p/bear/00000.png"], "DAVIS"),
    ],
)
def test_layouts_that_are_not_read_are_named(tmp_path, files, what):
    for file in files:
        lay(tmp_path / file, "")
    assert what in Source(tmp_path).others_than([])[0].what
    with pytest.raises(DatagenError, match=f"no annotations here that are read: .*{what}") as error:
        find_any_videos(tmp_path)
    assert "\n" not in str(error.value)


def test_panoptic_maps_are_named(tmp_path):
    (tmp_path / "panoptic_maps/0000").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "panoptic_maps/0000/000000.png"), np.zeros((8, 10, 3), np.uint8))
    assert find_videos(tmp_path) == []
    assert "KITTI-STEP" in Source(tmp_path).others_than([])[0].what


def test_links_in_a_circle_lead_nowhere(tmp_path):
    lay(tmp_path / "a/instances_txt/0010.txt")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/self").symlink_to("self")
    assert names(tmp_path) == [("kitti-mots", "0010")]


def test_a_sequence_to_which_a_link_leads_is_read_once(tmp_path):
    text = lay(tmp_path / "a/instances_txt/0010.txt")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/instances_txt").symlink_to(text.parent)
    (tmp_path / "c").mkdir()
    (tmp_path / "c/0010.txt").symlink_to(text)
    assert [(video.name, video.path) for video in find_videos(tmp_path)] == [("0010", text)]
    shutil.copy(text, tmp_path / "c/0011.txt")
    assert names(tmp_path) == [("kitti-mots", "0010"), ("kitti-mots", "0011")]


def test_annotations_in_json_beside_a_set_are_named(tmp_path):
    lay(tmp_path / "instances_txt/0010.txt")
    (tmp_path / "train.json").write_text('{"videos": [], "annotations": []}')
    (tmp_path / "notes.json").write_text("{}")
    with pytest.warns(DatagenWarning, match=r"train\.json") as warned:
        assert names(tmp_path) == [("kitti-mots", "0010")]
    assert "notes" not in str(warned[0].message)


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = lay(tmp_path / "a/0010.txt")
    marked = tmp_path / "b/0010.txt"
    marked.parent.mkdir()
    marked.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (first,), (second,) = find_videos(path.parent), find_videos(marked.parent)
    assert (second.source, second.name) == (first.source, first.name) == ("kitti-mots", "0010")
    assert second.read().object_id.tolist() == first.read().object_id.tolist()
    assert list(second.read().inputs.values()) == [hashlib.sha256(marked.read_bytes()).hexdigest()]


def test_a_sequence_without_text_is_read_from_its_label_maps(mots, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(mots / "kitti-mots", root)
    (root / "instances_txt/0001.txt").unlink()
    videos = find_videos(root)
    assert [type(video) for video in videos] == [MotsText, MotsImages]
    assert [len(find_videos(root, kind)) for kind in ("txt", "png")] == [1, 2]


def test_a_sequence_in_two_places_of_a_set(tmp_path):
    lay(tmp_path / "0000.txt")
    lay(tmp_path / "instances_txt/0000.txt")
    with pytest.raises(BadInputError, match="sequence 0000 twice"):
        find_videos(tmp_path)


def test_own_numbers_and_classes(tmp_path):
    plain = GOOD.replace("2001", "5").replace("1001", "3050")
    assert read(tmp_path, plain).object_id.tolist() == [5, 3050, 5]
    assert read(tmp_path, plain).category_id.tolist() == [2, 1, 2]
    own = GOOD.replace("2001 2", "3001 3")
    video = find_videos(lay(tmp_path / "0007.txt", own), None, False)[0]
    assert video.read().category_id.tolist() == [3, 1, 3]
    assert video.read().category_names[3] == "3"
    with pytest.raises(BadInputError, match="line 1: has a class other than"):
        read(tmp_path, own)
    with pytest.raises(BadInputError, match="of another class on a line before"):
        read(tmp_path, plain.replace("1 5 2", "1 5 1"))


def test_overlaps_are_read_where_they_may_be(tmp_path):
    text = f"{GOOD}1 2002 2 8 10 {LEFT}\n1 2003 2 8 10 {LEFT}\n1 2004 2 8 10 {RIGHT}\n"
    assert find_videos(lay(tmp_path / "0007.txt", text), None, False)[0].read().masks.areas().tolist() == [12] * 6
    kept = read(tmp_path, text, skip_bad=True)
    assert kept.object_id.tolist() == [2001, 1001, 2001, 2004]
    assert [line.split(":")[0][-6:] for line in kept.left_out] == ["line 4", "line 5"]


@pytest.mark.parametrize("quotes", ["b'{}'", 'b"{}"'])
def test_an_encoding_printed_by_python_is_named(tmp_path, quotes):
    with pytest.raises(BadInputError, match="line 1: the run-length encoding is printed as Python bytes"):
        read(tmp_path, GOOD.replace(LEFT, quotes.format(LEFT)))


@pytest.mark.parametrize("size", ["46340 46340", "1 999999", "999999 2147", "0 0"])
def test_sizes_that_no_frame_has(tmp_path, size):
    with pytest.raises(BadInputError, match="line 1: has an impossible height or width"):
        read(tmp_path, GOOD.replace("8 10", size))
    assert len(read(tmp_path, GOOD.replace("8 10", size), skip_bad=True)) == 0


def test_numbers_of_frames_that_are_far_off(images):
    whole = images.read()
    for name in ("000040", "1000000", "99999999999999999999", "1", "\u0661"):
        shutil.copy(images.path / "000003.png", images.path / f"{name}.png")
    with pytest.raises(BadInputError, match="two label maps of frame 1"):
        images.read()
    tracks = images.read(skip_bad=True)
    assert tracks.frame.tolist() == [*whole.frame.tolist(), *[40] * (whole.frame == 3).sum()]
    assert len(tracks.left_out) == 4
    assert any("no label map of frames 12 to 39" in line for line in tracks.left_out)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_opened(tmp_path, images, make):
    make(tmp_path / "0003.txt")
    with pytest.raises(BadInputError, match=r"0003\.txt: cannot be read \(is a folder|0003\.txt: is a pipe"):
        find_videos(tmp_path, "txt")[-1].read()
    (images.path / "000003.png").unlink()
    make(images.path / "000003.png")
    with pytest.raises(BadInputError, match=r"000003\.png"):
        images.read()
    assert len(images.read(skip_bad=True).left_out) == 1


def test_many_label_maps_are_taken_some_at_a_time(images, monkeypatch):
    whole = images.read()
    monkeypatch.setattr("datagen.readers.label_maps._LABELS_AT_ONCE", 375 * 1242 * 5)
    parts = images.read()
    assert parts.frame.tolist() == whole.frame.tolist()
    assert parts.object_id.tolist() == whole.object_id.tolist()
    np.testing.assert_array_equal(parts.masks.paint(), whole.masks.paint())


def test_no_folder_and_an_empty_one(tmp_path):
    assert find_videos(tmp_path) == []
    with pytest.raises(UsageError, match="no such folder"):
        find_videos(Path(tmp_path / "nowhere"))


def test_samples_are_the_same_without_opencv(tmp_path, monkeypatch):
    from PIL import Image

    from datagen.samples import sample_mots

    sample_mots(tmp_path / "with", sequences=1, frames=2)
    monkeypatch.setitem(sys.modules, "cv2", None)  # as where libGL is absent: importing it fails
    sample_mots(tmp_path / "without", sequences=1, frames=2)
    names = sorted(path.relative_to(tmp_path / "with") for path in (tmp_path / "with").rglob("*.*"))
    assert names
    for name in names:
        if name.suffix == ".png":
            mine, theirs = (np.asarray(Image.open(tmp_path / place / name)) for place in ("with", "without"))
            assert mine.dtype == np.uint16
            np.testing.assert_array_equal(mine, theirs)
        else:
            assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


@pytest.mark.parametrize("command", ["masks", "transitions"])
def test_own_data_in_the_form_of_kitti_have_not_its_licence(tmp_path, command):
    """Neither are they 10 frames a second, nor did the authors of KITTI MOTS make them."""
    from datagen.build import build_masks
    from datagen.measure import measure
    from datagen.samples import sample_mots

    sample_mots(tmp_path / "kitti", frames=4)
    texts = tmp_path / "kitti/kitti-mots/instances_txt"
    own = tmp_path / "own/instances_txt"
    own.mkdir(parents=True)
    lines = (texts / "0000.txt").read_text()
    (own / "0500.txt").write_text(lines)

    def licences(source, **options):
        built = build_masks(source, **options) if command == "masks" else measure(source, **options)
        return {each["id"]: each.get("licence", "") for each in built.manifest["sources"]}

    assert licences(texts)["kitti-mots"].startswith("CC BY-NC-SA")
    assert licences(own.parent) == {"kitti-mots": ""}
    assert licences(own.parent, fps_of_source=25) == {"kitti-mots": ""}
