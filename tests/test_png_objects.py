import warnings

import numpy as np
import pytest
from annotations import write
from PIL import Image
from pngs import moving, painted, palette, picture

from datagen.errors import BadInputError, DatagenError, DatagenWarning, UsageError
from datagen.measure import measure
from datagen.readers import find_videos, find_videos_of_all
from datagen.views import KittiView

LABELS = moving()


def lay(folder, labels=LABELS, name="{:05d}.png", numbers=None, write=palette):
    for number, each in zip(numbers or range(len(labels)), labels, strict=True):
        write(folder / name.format(number), each)
    return folder


def names(source):
    return [(video.source, video.name) for video in find_videos(source)]


@pytest.mark.parametrize(
    ("place", "source", "rate"),
    [
        ("DAVIS/Annotations/480p/bear", "davis-2017", 24),
        ("MOSE/train/Annotations/00246b2f", "mose", None),
        ("LVOS_V2/train/Annotations/0tCWPOrc", "lvos", 6),
        ("cutie_output/bear", "cutie_output", None),
        ("mine/Annotations/bear", "mine", None),
        ("mine/0001", "mine", None),
    ],
)
def test_the_set_is_known_by_its_layout(tmp_path, place, source, rate):
    lay(tmp_path / place)
    top = tmp_path / place.split("/")[0]
    for each in (top, (tmp_path / place).parent, tmp_path / place):
        (video,) = find_videos(each)
        tracks = video.read()
        assert (tracks.source, tracks.video, tracks.frames_per_second) == (source, place.split("/")[-1], rate)
        assert tracks.category_names[1] == "object"
        assert next(iter(tracks.inputs)) == f"{source}/{video.name}/00000.png"
        np.testing.assert_array_equal(painted(tracks), LABELS)


@pytest.mark.parametrize("place", ["train_meta.json", "train/train_meta.json"])
def test_lvos_says_the_categories_of_its_objects(tmp_path, place):
    for name in ("0tCW", "other", "unlisted"):
        lay(tmp_path / f"LVOS/train/Annotations/{name}", name="{:08d}.png", numbers=range(5, 9))
    ranges = {"0": {"start": "00000005", "end": "00000008", "frame_nums": "4"}}
    objects = {"1": {"category": "zebra", "frame_range": ranges}, "2": {"frame_range": ranges}, "x": {"category": "y"}}
    listed = {"0tCW": {"objects": objects}, "other": {"objects": {"2": {"category": "ape"}}}}
    write(tmp_path / "LVOS" / place, {"videos": listed})
    for source in (tmp_path, tmp_path / "LVOS/train"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            first, second, third = (video.read() for video in find_videos(source))
        named = [
            {(number, tracks.category_names[category]) for number, category in zip(*each, strict=True)}
            for tracks in (first, second, third)
            for each in [(tracks.object_id.tolist(), tracks.category_id.tolist())]
        ]
        assert named == [{(1, "zebra"), (2, "object")}, {(1, "object"), (2, "ape")}, {(1, "object"), (2, "object")}]
        assert first.frames_per_second == 6
    write(tmp_path / "LVOS" / place, '{"videos": [3]}')
    with pytest.raises(BadInputError, match="is damaged or no list of objects of LVOS"):
        find_videos(tmp_path)


def test_the_folder_may_be_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(lay(tmp_path / "results/bear"))
    assert names(".") == [("results", "bear")]
    assert len(find_videos(".")[0].read().inputs) == 4


def test_one_object_in_white(tmp_path):
    lay(tmp_path / "Annotations/480p/libby", np.where(LABELS > 0, 255, 0).astype(np.uint8), write=picture)
    (video,) = find_videos(tmp_path)
    tracks = video.read()
    assert tracks.source == "davis-2016"
    np.testing.assert_array_equal(painted(tracks), LABELS > 0)


def test_void_belongs_to_nobody(tmp_path):
    labels = LABELS.copy()
    labels[:, 60:] = 255
    labels[:, 55:60] = 254
    lay(tmp_path / "Annotations/480p/a", labels)
    lay(tmp_path / "Annotations/480p/b", labels, write=picture)
    for video in find_videos(tmp_path):
        np.testing.assert_array_equal(painted(video.read()), LABELS)


@pytest.mark.parametrize(("first", "step"), [(0, 5), (17, 5), (12345, 3)])
def test_frames_that_step_are_counted_one_by_one(tmp_path, first, step):
    numbers = [first + step * t for t in range(4)]
    lay(tmp_path / "LVOS/Annotations/v", name="{:08d}.png", numbers=numbers)
    tracks = find_videos(tmp_path)[0].read(KittiView().grid)
    assert np.unique(tracks.frame).tolist() == [0, 1, 2, 3]
    lay(tmp_path / "whole/v", numbers=range(7, 11))
    assert np.unique(find_videos(tmp_path / "whole")[0].read().frame).tolist() == [7, 8, 9, 10]


def test_a_frame_that_is_missing_stays_a_gap(tmp_path):
    lay(tmp_path / "out/v", numbers=[0, 5, 15, 20])
    (video,) = find_videos(tmp_path)
    with pytest.raises(BadInputError, match="v, frame 10: there is no label map of frame 10"):
        video.read()
    tracks = video.read(skip_bad=True)
    assert np.unique(tracks.frame).tolist() == [0, 1, 3, 4]
    assert tracks.left_out == ["out/v, frame 10: there is no label map of frame 10"]
    lay(tmp_path / "other/v", numbers=[0, 2, 4, 7])
    with pytest.raises(BadInputError, match="frames 4 and 7 are no multiple of 2 apart"):
        find_videos(tmp_path / "other")[0].read()


def spoil_depth(path):
    picture(path, np.zeros((72, 128), np.uint16))


def spoil_colour(path):
    picture(path, np.zeros((72, 128, 3), np.uint8))


def spoil_size(path):
    palette(path, np.zeros((70, 128), np.uint8))


def spoil_cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def spoil_palette(path):
    data = path.read_bytes()
    path.write_bytes(data.replace(data[data.index(b"PLTE") - 4 : data.index(b"IDAT") - 4], b""))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (spoil_depth, "is no 8-bit grey or palette image"),
        (spoil_colour, "is no 8-bit grey or palette image"),
        (spoil_size, "is 70 x 128 pixels, the frames before it 72 x 128"),
        (spoil_cut, "is damaged or cut off"),
        (spoil_palette, "beyond its palette of 0"),
    ],
)
def test_a_bad_frame_is_named_or_left_out(tmp_path, spoil, problem):
    folder = lay(tmp_path / "out/v")
    spoil(folder / "00001.png")
    (video,) = find_videos(tmp_path)
    with pytest.raises(BadInputError, match=f"00001.png: .*{problem}"):
        video.read()
    tracks = video.read(skip_bad=True)
    assert np.unique(tracks.frame).tolist() == [0, 2, 3]
    assert len(tracks.left_out) == 1
    assert tracks.left_out[0].startswith("out/v/00001.png: ")


@pytest.mark.parametrize("spoil", [spoil_depth, spoil_colour])
@pytest.mark.parametrize("name", ["00002.png", "00003.png"])  # those that are looked at to know the format
def test_a_picture_of_another_kind_is_named_wherever_it_stands(tmp_path, spoil, name):
    folder = lay(tmp_path / "out/v")
    spoil(folder / name)
    (video,) = find_videos(tmp_path)
    with pytest.raises(BadInputError, match=f"v/{name}: is no 8-bit grey or palette image"):
        video.read()


def test_pictures_beside_label_maps_are_none(tmp_path, recwarn):
    lay(tmp_path / "set/Annotations/v")
    scene = np.random.default_rng(0).integers(0, 255, (72, 128)).astype(np.uint8)
    lay(tmp_path / "set/JPEGImages/v", [np.stack([scene] * 3, -1)], write=picture)
    lay(tmp_path / "set/images/v", [scene], write=picture)
    Image.fromarray(scene).save(tmp_path / "set/Annotations/v/00000.jpg")
    assert names(tmp_path) == [("set", "v")]
    assert not recwarn.list
    lay(tmp_path / "set/scenes/v", [scene], write=picture)
    with pytest.warns(DatagenWarning, match="scenes/v holds 8-bit grey pictures, no label maps"):
        assert names(tmp_path) == [("set", "v")]


def test_all_readers_of_folders_are_asked(tmp_path, mots):
    (tmp_path / "mots").symlink_to(mots)
    lay(tmp_path / "vos/Annotations/480p/bear")
    assert {source for source, _ in names(tmp_path)} == {"davis-2017", "kitti-mots", "motschallenge"}
    lay(tmp_path / "copy/Annotations/480p/bear")
    with pytest.raises(UsageError, match="davis-2017/bear is there twice"):
        find_videos_of_all([tmp_path])


def test_pictures_that_cannot_be_read_are_named(tmp_path):
    lay(tmp_path / "out/v")
    (tmp_path / "out/w").mkdir()
    (tmp_path / "out/w/00000.png").write_bytes(b"")
    with pytest.warns(DatagenWarning, match="out/w holds pictures that cannot be read"):
        assert names(tmp_path) == [("out", "v")]
    (tmp_path / "no").mkdir()
    with pytest.raises(DatagenError, match="no annotations here"):
        find_videos(tmp_path / "no")


@pytest.mark.realdata
def test_real_davis(realdata):
    measured = measure([realdata / "davis2016-val-gt"], "kitti")
    assert len(measured.videos) == 20
    assert sum(len(video.frame) for video in measured.videos) > 1300
    videos = {video.name: video for video in find_videos(realdata / "davis-interactive-testdata")}
    assert {video.source for video in videos.values()} == {"davis-2017"}
    tennis = videos["tennis"].read()
    assert sorted(set(tennis.object_id.tolist())) == [1, 2]
    path = videos["tennis"].path / "00000.png"
    truth = np.asarray(Image.open(path)).astype(int)
    np.testing.assert_array_equal(painted(tennis)[0], np.where(truth == 255, 0, truth))
