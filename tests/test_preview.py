import numpy as np
import pytest
from PIL import ImageFont
from sequences import random_masks
from test_store import sprites

from datagen import preview
from datagen.preview import animation, caption, contact_sheet


def told(**columns):
    return random_masks([2, 5], size=16, **columns)


def test_a_caption_says_what_a_sequence_is_of():
    dataset = told(
        source=np.array(["ovis", "sa-v"]),
        video=np.array(["a", "b/c"]),
        object_id=np.array([7, 12]),
        category=np.array(["ape", "object"]),
        first_frame=np.array([0, 30]),
    )
    assert caption(dataset, 0) == "0: ovis, video a, object 7, ape, from frame 0"
    assert caption(dataset, 1) == "1: sa-v, video b/c, object 12, object, from frame 30"


def test_what_is_unknown_is_not_said():
    unknown = np.array([-1, -1])
    nothing = np.array(["", ""])
    told_nothing = told(source=nothing, video=nothing, object_id=unknown, first_frame=unknown)
    assert caption(told_nothing, 1) == "1: pedestrian"
    assert caption(told(**{**told_nothing.columns, "category": nothing}), 1) == "1"
    assert caption(sprites(), 0) == ""


@pytest.mark.parametrize("with_freetype", [True, False])
@pytest.mark.parametrize("name", ["ape", "日本 ü", "a\nb\x1b[0m", "x" * 5000, "\u202eabc"])
def test_any_name_has_its_caption(monkeypatch, name, with_freetype):
    if not with_freetype:
        monkeypatch.setattr(preview.ImageFont, "load_default", ImageFont.load_default_imagefont)
    dataset = told(category=np.array([name, "b"]), source=np.array([name, "b"]))
    assert "\n" not in caption(dataset, 0)
    assert len(caption(dataset, 0)) <= 300
    sheet = contact_sheet(dataset)
    assert sheet.height == 2 * (16 + 13 + 2) + 2
    assert 5 * 18 <= sheet.width <= 804
    assert animation(dataset)[0].size == (2 * 18 + 2, 16 + 13 + 2 + 2)


def test_captions_differ_where_sequences_do():
    first, second = (np.asarray(contact_sheet(told(object_id=np.array(ids))))[:13] for ids in ([1, 2], [3, 2]))
    assert (first != second).any()


def test_sprites_have_no_captions():
    dataset = sprites()
    height = dataset.images.shape[1]
    assert (contact_sheet(dataset).height - 2) % (height + 2) == 0
