import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from annotations import write, youtube_vis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pngs import palette
from test_sa_v import sa_v

import kitti_masks
from datagen.build import build_masks
from datagen.errors import BadInputError, DatagenError, DatagenWarning, UsageError
from datagen.readers import archives, find_videos
from datagen.readers.archives import files_below, is_file, is_folder, list_folder, parts_of, read_bytes, read_head

KINDS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]
LABELS = np.zeros((6, 40, 60), np.uint8)
for _frame in range(6):
    LABELS[_frame, 5:20, 4 + _frame : 25 + _frame] = 1
    LABELS[_frame, 22:38, 4 : 30 - _frame] = 2


def pack(folder, kind):
    """Pack what is in a folder, and return the archive beside it."""
    path = folder.with_name(f"{folder.name}.{kind}")
    files = sorted(each for each in folder.rglob("*"))
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for each in files:
                archive.write(each, each.relative_to(folder))
    else:
        with tarfile.open(path, f"w:{kind.partition('.')[2]}") as archive:
            for each in files:
                archive.add(each, each.relative_to(folder), recursive=False)
    return path


@pytest.fixture
def davis(tmp_path):
    """DAVIS with its pictures, two videos."""
    root = tmp_path / "davis"
    for name in ("bear", "cow"):
        folder = root / "DAVIS/Annotations/480p" / name
        folder.mkdir(parents=True)
        pictures = root / "DAVIS/JPEGImages/480p" / name
        pictures.mkdir(parents=True)
        for frame, labels in enumerate(LABELS):
            palette(folder / f"{frame:05}.png", labels)
            (pictures / f"{frame:05}.jpg").write_bytes(bytes(range(frame, frame + 200)))
    return root


def same(some, others):
    assert [(video.source, video.name) for video in some] == [(video.source, video.name) for video in others]
    for video, other in zip(some, others, strict=True):
        one, two = video.read(), other.read()
        for name in ("frame", "object_id", "category_id"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        np.testing.assert_array_equal(one.masks.areas(), two.masks.areas())
        assert one.inputs == two.inputs
        assert one.frames_per_second == two.frames_per_second


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_gives_what_its_folder_gives(davis, kind):
    same(find_videos(pack(davis, kind)), find_videos(davis))


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_own_videos_are_called_as_if_the_archive_had_been_unpacked(tmp_path, kind):
    for name in ("first", "second"):
        for frame, labels in enumerate(LABELS):
            path = tmp_path / f"own/{name}/{frame}.png"
            palette(path, labels)
    same(find_videos(pack(tmp_path / "own", kind)), find_videos(tmp_path / "own"))
    same(find_videos(pack(tmp_path / "own/first", kind)), find_videos(tmp_path / "own/first"))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.xz"])
def test_kitti_masks_of_an_archive(mots, kitti, tmp_path, kind):
    shutil.copytree(mots, tmp_path / "mots")
    with pytest.warns(DatagenWarning, match="8 people lose"):
        dataset = kitti_masks.build(pack(tmp_path / "mots", kind))
    np.testing.assert_array_equal(dataset.images, kitti.images)
    assert dataset.manifest == kitti.manifest


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_json_in_an_archive(tmp_path, kind):
    write(tmp_path / "one/annotations/train.json", youtube_vis())
    archive = pack(tmp_path / "one", "tar.gz" if kind == "tgz" else kind)
    archive = archive.rename(tmp_path / f"one.{kind}")
    alone = find_videos(tmp_path / "one/annotations/train.json")
    same(find_videos(archive / "annotations/train.json"), alone)
    same(find_videos(archive), alone)  # there is no other


def test_a_folder_of_json_in_an_archive(tmp_path):
    for number in range(3):
        write(tmp_path / f"sav/sav_train/sav_{number:06}_manual.json", sa_v())
    write(tmp_path / "sav/sav_train/sav_000007_auto.json", sa_v())
    with pytest.warns(DatagenWarning, match="1 files of masks that a machine made"):
        videos = find_videos(pack(tmp_path / "sav", "tar"))
    same(videos, [find_videos(video.path)[0] for video in videos])
    assert [video.name for video in videos] == [f"sav_{number:06}" for number in range(3)]


def test_several_files_of_json_are_named(tmp_path):
    for name in ("train", "more"):
        write(tmp_path / f"set/{name}.json", youtube_vis())
    archive = pack(tmp_path / "set", "zip")
    with pytest.raises(UsageError, match=r"set\.zip/more\.json and .*set\.zip/train\.json are both of format"):
        find_videos(archive)
    assert find_videos(archive / "more.json")


def test_an_archive_in_a_folder_is_a_file(davis):
    pack(davis / "DAVIS/Annotations", "zip")
    with pytest.warns(DatagenWarning, match=r"holds Annotations\.zip, which is a zip archive; unpack it first"):
        assert len(find_videos(davis)) == 2


def test_what_is_where(davis, tmp_path):
    archive = pack(davis, "zip")
    bear = archive / "DAVIS/Annotations/480p/bear"
    assert [path.name for path in list_folder(archive)] == ["DAVIS"]
    assert [path.name for path in list_folder(bear)] == [f"{frame:05}.png" for frame in range(6)]
    assert (is_folder(bear), is_file(bear)) == (True, False)
    assert (is_folder(bear / "00000.png"), is_file(bear / "00000.png")) == (False, True)
    assert read_bytes(bear / "00000.png")[:4] == read_head(bear / "00000.png", 4) == b"\x89PNG"
    for absent in (bear / "x.png", bear / "00000.png/x", tmp_path / "absent.zip/x"):
        assert not is_file(absent)
        assert not is_folder(absent)
        assert read_head(absent, 4) == b""
        with pytest.raises(BadInputError, match="no such file"):
            read_bytes(absent)
    with pytest.raises(UsageError, match="is a folder"):
        archives.check_file(bear)
    assert len(files_below(archive, ".png")) == 12
    assert [path.relative_to(archive) for path in files_below(archive, ".jpg", ".png")] == [
        path.relative_to(davis) for path in files_below(davis, ".jpg", ".png")
    ]
    assert parts_of(Path("/a/b.TAR.gz/c.zip/.zip")) == ("/", "a", "b", "c", ".zip")


def test_an_archive_that_changes_is_read_anew(davis):
    archive = pack(davis, "zip")
    assert len(find_videos(archive)) == 2
    shutil.rmtree(davis / "DAVIS/Annotations/480p/cow")
    assert len(find_videos(pack(davis, "zip"))) == 1


# What is wrong


def read_all(archive):
    for video in find_videos(archive):
        video.read()


def test_a_member_that_is_damaged_is_one_line(davis):
    with zipfile.ZipFile(pack(davis, "zip")) as archive:
        info = archive.getinfo("DAVIS/Annotations/480p/cow/00003.png")
    path = davis.with_name("davis.zip")
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len(info.filename) + info.compress_size // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    bear, cow = find_videos(path)
    assert len(bear.read()) == 12
    with pytest.raises(BadInputError, match=r"cow/00003\.png: is damaged in its zip"):
        cow.read()
    tracks = cow.read(skip_bad=True)
    assert len(tracks) == 10
    assert "cow/00003.png: is damaged in its zip" in tracks.left_out[0]
    with pytest.raises(BadInputError, match=r"00003\.png"):
        build_masks(path)


def test_a_damaged_member_of_an_archive_by_a_relative_path_is_left_out(davis, monkeypatch):
    with zipfile.ZipFile(pack(davis, "zip")) as archive:
        info = archive.getinfo("DAVIS/Annotations/480p/cow/00003.png")
    path = davis.with_name("davis.zip")
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len(info.filename) + info.compress_size // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    monkeypatch.chdir(path.parent)
    _, cow = find_videos("davis.zip")
    assert "cow/00003.png: is damaged in its zip" in cow.read(skip_bad=True).left_out[0]
    with pytest.raises(BadInputError, match=r"^davis\.zip/DAVIS"):
        cow.read()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [0, 1, 100, 0.3, 0.5, 0.8])
def test_an_archive_that_is_cut_off(davis, kind, keep):
    archive = pack(davis, kind)
    data = archive.read_bytes()
    archive.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(DatagenError) as error:
        read_all(archive)
    assert str(error.value).startswith(str(davis.parent))
    assert "\n" not in str(error.value)


OUTSIDE = ["/etc/00000.png", "../00000.png", "a/../../00000.png", "a/.."]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_of_it(tmp_path, kind, name):
    data = palette(tmp_path / "00000.png", LABELS[0]).read_bytes()
    path = tmp_path / f"bad.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, data)
    else:
        with tarfile.open(path, "w" if kind == "tar" else "w:gz") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with pytest.raises(BadInputError, match=r"which leads out of it"):
        find_videos(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_not_followed(tmp_path, kind):
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        member = tarfile.TarInfo("v/00000.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(BadInputError, match=r"holds v/00000.png, a link or device"):
        find_videos(tmp_path / "bad.tar")


def test_a_link_in_a_zip_is_not_followed(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        info = zipfile.ZipInfo("v/00000.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(BadInputError, match=r"holds v/00000.png, a link or device"):
        find_videos(tmp_path / "bad.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("v/0.png", "v/0.png"), ("v/0.png", "v//0.png"), ("v", "v/0.png"), ("v/0.png", "v")])
def test_a_name_that_is_there_twice(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    with pytest.raises(BadInputError, match="twice"):
        find_videos(tmp_path / "bad.zip")


def test_sizes_that_cannot_be(tmp_path, monkeypatch, davis):
    archive = pack(davis, "zip")
    monkeypatch.setattr(archives, "_LARGEST_MEMBER", 20)
    with pytest.raises(BadInputError, match="which no annotations have"):
        find_videos(archive)[0].read()
    data = bytearray(archive.read_bytes())
    entry = data.rfind(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (1 << 31).to_bytes(4, "little")
    archive.write_bytes(bytes(data))
    with pytest.raises(BadInputError, match=r"2,147,483,648 bytes, which cannot be"):
        find_videos(archive)


def test_a_member_that_is_encrypted(davis):
    archive = pack(davis, "zip")
    data = bytearray(archive.read_bytes())
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 8] |= 1
        at += 4
    archive.write_bytes(bytes(data))
    with pytest.raises(DatagenError):
        read_all(archive)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.xz"])
def test_no_room_to_inflate(davis, kind, monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(BadInputError, match=r"No space left on device\); unpack it and give the folder"):
        find_videos(pack(davis, kind))


def test_a_tar_that_inflates_to_far_too_much(davis, monkeypatch):
    monkeypatch.setattr(archives, "_LEAST_COPIED", 1000)
    monkeypatch.setattr(archives, "_EXPANSION", 1)
    with pytest.raises(BadInputError, match="inflates to more than"):
        find_videos(pack(davis, "tar.xz"))


@given(st.sampled_from(["zip", "tar", "tar.gz"]), st.integers(0, 1 << 20), st.integers(1, 255), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_byte_changed_gives_tracks_or_an_error_of_ours(tmp_path, kind, place, change, skip_bad):
    archive = tmp_path / f"own.{kind}"
    if not (tmp_path / "own").exists():
        for frame, labels in enumerate(LABELS[:3]):
            path = tmp_path / f"own/v/{frame}.png"
            palette(path, labels)
        for each in ("zip", "tar", "tar.gz"):
            whole = pack(tmp_path / "own", each)
            whole.rename(whole.with_suffix(f"{whole.suffix}.whole"))
    data = bytearray((tmp_path / f"own.{kind}.whole").read_bytes())
    data[place % len(data)] ^= change
    archive.write_bytes(bytes(data))
    os.utime(archive, ns=(place, place))
    archives._open.cache_clear()
    try:
        for video in find_videos(archive):
            video.read(skip_bad=skip_bad)
    except DatagenError as error:
        assert "\n" not in str(error)  # noqa: PT017
