"""What all folders of label maps share."""

import json
import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pngs import moving, painted, palette, picture

from datagen.build import build_masks
from datagen.errors import BadInputError, DatagenError, DatagenWarning
from datagen.readers import find_videos
from datagen.readers.label_maps import step_of
from datagen.views import KittiView, make_view

LABELS = moving(3, (30, 60), (1,))


def davis(root, t):
    palette(root / f"Annotations/480p/v/{t:05d}.png", LABELS[t])


def youtube_vos(root, t):
    objects = {"1": {"category": "ape", "frames": ["00000", "00001", "00002"]}}
    (root / "meta.json").write_text(json.dumps({"videos": {"v": {"objects": objects}}}))
    palette(root / f"Annotations/v/{t:05d}.png", LABELS[t])


def sa_v(root, t):
    palette(root / f"Annotations_6fps/v/000/{t:05d}.png", LABELS[t])


def step(root, t):
    rgb = np.stack([LABELS[t] * np.uint8(13), LABELS[t] * np.uint8(0), LABELS[t]], -1)
    picture(root / f"panoptic_maps/v/{t:06d}.png", rgb)


def bdd100k(root, t):
    rgba = np.stack([LABELS[t], LABELS[t] * np.uint8(0), LABELS[t] * np.uint8(0), LABELS[t]], -1)
    picture(root / f"bitmasks/v/v-{t:07d}.png", rgba)


def vipseg(root, t):
    picture(root / f"panomask/v/{t:08d}.png", LABELS[t].astype(np.uint16) * np.uint16(6101))


def cvat(root, t):
    (root / "labels.txt").write_text("ape")
    picture(root / f"instances/frame_{t:06d}.png", LABELS[t].astype(np.uint16) * np.uint16(1001))


FORMS = [davis, youtube_vos, sa_v, step, bdd100k, vipseg, cvat]


def lay(root, form):
    root.mkdir(exist_ok=True)
    for t in range(3):
        form(root, t)
    return sorted(path for path in root.rglob("*.*") if path.is_file())


@pytest.mark.parametrize("form", FORMS)
def test_a_form_has_the_masks(tmp_path, form):
    lay(tmp_path, form)
    (video,) = find_videos(tmp_path)
    tracks = video.read()
    np.testing.assert_array_equal(tracks.masks.paint(), LABELS > 0)
    assert np.unique(tracks.frame).tolist() == [0, 1, 2]
    assert len(set(tracks.object_id.tolist())) == 1
    assert set(tracks.category_id.tolist()) <= tracks.category_names.keys()


@pytest.mark.parametrize("form", FORMS)
@given(st.integers(0, 9), st.integers(0, 4000), st.integers(0, 255), st.booleans(), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_any_byte_changed_gives_tracks_or_an_error_of_ours(tmp_path, form, file, place, byte, cut, skip_bad):
    files = lay(tmp_path / "set", form)
    path = files[file % len(files)]
    data = bytearray(path.read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data[: place % len(data)] if cut else data)
    with suppress(DatagenError), warnings.catch_warnings():
        warnings.simplefilter("ignore", DatagenWarning)
        for video in find_videos(tmp_path / "set"):
            tracks = video.read(skip_bad=skip_bad)
            assert len(tracks) == len(tracks.masks) == len(tracks.object_id)
            assert skip_bad or not tracks.left_out


def test_the_step_of_numbers():
    assert [step_of(each) for each in ([], [4], [4, 4], [1, 2, 3], [5, 15, 20], [0, 0, 7])] == [1, 1, 1, 1, 5, 7]


def test_frames_of_several_sizes_are_taken_each_at_its_own_scale(tmp_path):
    """As some sets have them; a view that takes the same number of pixels of each can read them."""
    twice = LABELS.repeat(2, axis=1).repeat(2, axis=2)
    for t in range(6):
        palette(tmp_path / f"own/v/{t:05d}.png", (twice if t in (2, 4) else LABELS)[t % 3])
    (video,) = find_videos(tmp_path)
    with pytest.warns(DatagenWarning, match=r"several sizes, 30 x 60 pixels and 60 x 120 from 00002"):
        tracks = video.read(KittiView(30).sampling)
    np.testing.assert_array_equal(painted(tracks), LABELS[[0, 1, 2, 0, 1, 2]])
    for view in ("youtube", "square", "frame"):
        with pytest.raises(BadInputError, match=r"00002\.png: is 60 x 120 pixels, .*are read in the view kitti"):
            video.read(make_view(view).sampling)
    assert len(video.read(skip_bad=True).left_out) == 2
    palette(tmp_path / "own/v/00005.png", LABELS[0].T)
    with pytest.raises(BadInputError, match="is 60 x 30 pixels"):
        build_masks(tmp_path)
