import numpy as np
import pytest
from pngs import moving, painted, picture

from datagen.errors import BadInputError
from datagen.readers import find_videos


def labels(objects=(1, 2)):
    return moving(objects=objects).astype(np.int64)


def read(source):
    (video,) = find_videos(source)
    return video.read()


def names_of(tracks):
    pairs = zip(tracks.object_id.tolist(), tracks.category_id.tolist(), strict=True)
    return {(number, tracks.category_names[category]) for number, category in pairs}


@pytest.mark.parametrize(
    ("place", "source", "category", "name", "rate"),
    [
        ("kitti/panoptic_maps/train/0002", "kitti-step", 13, "car", 10),
        ("panoptic_maps/0002", "kitti-step", 11, "person", 10),
        ("MOT-STEP/panoptic_maps/train/0002", "motchallenge-step", 4, "person", None),
    ],
)
def test_panoptic_maps_of_step(tmp_path, place, source, category, name, rate):
    for t, each in enumerate(labels((1, 9))):
        rgb = np.full((*each.shape, 3), 255, np.uint8)
        rgb[..., 0] = np.where(each > 0, category, 7)  # elsewhere, road
        instance = each + 300 * (each > 0)
        rgb[..., 1], rgb[..., 2] = instance >> 8, instance & 255
        picture(tmp_path / place / f"{t:06d}.png", rgb)
    for at in (tmp_path, tmp_path / place):
        tracks = read(at)
        assert (tracks.source, tracks.video, tracks.frames_per_second) == (source, "0002", rate)
        objects = {1: (category << 16) + 301, 9: (category << 16) + 309}
        assert names_of(tracks) == {(objects[1], name), (objects[9], name)}
        np.testing.assert_array_equal(painted(tracks) > 0, labels() > 0)


def test_bitmasks_of_bdd100k(tmp_path):
    for t, each in enumerate(labels((1, 258))):
        rgba = np.zeros((*each.shape, 4), np.uint8)
        rgba[..., 0] = np.where(each > 0, 3, 0)
        rgba[..., 1] = np.where(each > 0, [0, 8, 4, 12][t], 0)  # truncated and occluded are objects as well
        rgba[..., 2], rgba[..., 3] = each >> 8, each & 255
        rgba[60:64] = (1, 2, 0, 7)  # a crowd
        rgba[64:] = (1, 1, 0, 8)  # ignored
        picture(tmp_path / f"bitmasks/train/b1c-6f/b1c-6f-{t + 1:07d}.png", rgba)
    tracks = read(tmp_path)
    assert (tracks.source, tracks.video, tracks.frames_per_second) == ("bdd100k-mots", "b1c-6f", 5)
    assert np.unique(tracks.frame).tolist() == [1, 2, 3, 4]
    of_car = 3 << 16
    assert names_of(tracks) == {(of_car + 1, "car"), (of_car + 258, "car")}
    np.testing.assert_array_equal(painted(tracks)[1:] > 0, labels() > 0)


@pytest.mark.parametrize("folder", ["panomasks", "panomask"])
def test_masks_of_vipseg(tmp_path, folder):
    for t, each in enumerate(labels((12501, 6102))):
        map_ = each.astype(np.uint16)
        map_[60:] = 100  # stuff
        picture(tmp_path / f"{folder}/12_abc/{10 * t:08d}.png", map_)
    tracks = read(tmp_path)
    assert (tracks.source, tracks.video, tracks.frames_per_second) == ("vipseg", "12_abc", 15)
    assert names_of(tracks) == {(12501, "125"), (6102, "person")}
    assert np.unique(tracks.frame).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("place", ["labels.txt", "train/labels.txt", "train/instances/labels.txt"])
def test_mots_of_cvat(tmp_path, place):
    for t, each in enumerate(labels((1001, 2005))):
        picture(tmp_path / f"train/instances/frame_{t:06d}.png", each.astype(np.uint16))
    (tmp_path / place).write_text("penguin\nseal\n")
    tracks = read(tmp_path)
    assert names_of(tracks) == {(1001, "penguin"), (2005, "seal")}
    assert (tracks.video, tracks.frames_per_second) == ("train", None)
    picture(tmp_path / "train/instances/frame_000001.png", np.full((72, 128), 3001, np.uint16))
    with pytest.raises(BadInputError, match=r"frame_000001\.png: holds label 3001, of no class"):
        read(tmp_path)


def test_a_picture_of_another_kind(tmp_path):
    for t in range(3):
        shape = (8, 10) if t == 1 else (8, 10, 3)
        picture(tmp_path / f"panoptic_maps/0000/{t:06d}.png", np.zeros(shape, np.uint8))
    (video,) = find_videos(tmp_path)
    with pytest.raises(BadInputError, match=r"000001\.png: is no 8-bit RGB image"):
        video.read()
    assert len(video.read(skip_bad=True).left_out) == 1
