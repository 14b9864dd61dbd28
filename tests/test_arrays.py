from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.errors import BadInputError, DatagenError
from datagen.readers import find_videos
from datagen.readers.arrays import ArrayVideo
from datagen.store import save
from datagen.views import KittiView

LABELS = np.random.default_rng(0).integers(0, 3, (3, 70, 200)).astype(np.uint8)


def paint(tracks):
    labels = np.zeros((3, tracks.masks.height, tracks.masks.width), int)
    for frame, number, mask in zip(tracks.frame, tracks.object_id, tracks.masks.paint(), strict=True):
        labels[frame][mask] = number
    return labels


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, ">i4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npy_file_is_a_video(tmp_path, dtype, order):
    np.save(tmp_path / "mine.npy", np.asarray(LABELS.astype(dtype), order=order))
    (video,) = find_videos(tmp_path / "mine.npy")
    tracks = video.read()
    assert (tracks.source, tracks.video, tracks.frames_per_second) == ("mine", "mine", None)
    np.testing.assert_array_equal(paint(tracks), LABELS)
    assert list(tracks.inputs) == ["mine/mine.npy"]
    grid = KittiView().grid(70, 200)
    np.testing.assert_array_equal(paint(video.read(KittiView().grid)), LABELS[:, grid.rows][:, :, grid.columns])


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_an_npz_file_has_a_video_an_array(tmp_path, write):
    write(tmp_path / "set.npz", b=LABELS, a=LABELS[:, ::-1] > 0)
    videos = find_videos(tmp_path / "set.npz")
    assert [(video.source, video.name) for video in videos] == [("set", "a"), ("set", "b")]
    np.testing.assert_array_equal(paint(videos[0].read()), LABELS[:, ::-1] > 0)
    np.testing.assert_array_equal(paint(videos[1].read()), LABELS)


def test_a_dataset_is_no_annotation(tmp_path, kitti):
    save(kitti, tmp_path / "kitti.npz")
    with pytest.raises(BadInputError, match="is a dataset of this program, not annotations; `datagen info`"):
        find_videos(tmp_path / "kitti.npz")


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (LABELS[0], r"an array of uint8 \(70, 200\)"),
        (LABELS / 2, "float64"),
        (-LABELS.astype(int), "labels from -2 to 0"),
        (LABELS[:, :0], "0 x 200 pixels, which no video has"),
        (np.array(["a"]), "texts|<U1"),
        (np.array([{}]), "no npy file of numbers|no header of an npy file"),
    ],
)
def test_other_arrays_are_named(tmp_path, array, problem):
    np.save(tmp_path / "x.npy", array)
    np.savez(tmp_path / "x.npz", v=array)
    for name, video in (("x.npy", "x"), ("x.npz", "v")):
        (found,) = find_videos(tmp_path / name)
        with pytest.raises(BadInputError, match=problem) as error:
            found.read()
        assert f"{name}, video {video}: " in str(error.value)
        assert "\n" not in str(error.value)
        assert len(found.read(skip_bad=True).left_out) == 1


def test_arrays_in_a_folder_are_named(tmp_path):
    np.save(tmp_path / "own.npy", LABELS)
    np.save(tmp_path / "other.npy", LABELS.astype(float))
    (tmp_path / "short.npy").write_bytes(b"\x93NUMPY\1\0")
    with pytest.raises(DatagenError, match=r"holds label maps of numpy; give the file itself, .*own\.npy"):
        find_videos(tmp_path)


@given(st.integers(0, 400), st.integers(0, 255), st.booleans(), st.sampled_from(["x.npy", "x.npz"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_changed_gives_tracks_or_an_error_of_ours(tmp_path, place, byte, cut, name):
    path = tmp_path / name
    (np.save if name == "x.npy" else np.savez)(path, LABELS[:, :5, :6])
    data = bytearray(path.read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data[: place % len(data)] if cut else data)
    with suppress(DatagenError):
        for video in find_videos(path):
            assert len(video.read()) >= 0


def test_what_a_header_claims_is_not_made(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 8, 8), np.uint8))
    data = (tmp_path / "x.npy").read_bytes().replace(b"(3, 8, 8), }      ", b"(3000000, 8, 8), }")
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(BadInputError, match="is not as long as its header says"):
        ArrayVideo("x", "x", tmp_path / "x.npy", None).read()
