import numpy as np
import pytest
from PIL import Image, ImageFont
from sequences import random_masks
from test_cli import run
from test_store import sprites

from datagen import preview, store
from datagen.datasets import Factor, Sequences
from datagen.errors import UsageError
from datagen.preview import animation, caption, contact_sheet


def masks(**columns):
    return random_masks([2, 5], size=16, **columns)


def test_a_caption_says_what_a_sequence_is_of():
    dataset = masks(
        source=np.array(["ovis", "sa-v"]),
        video=np.array(["a", "b/c"]),
        object_id=np.array([7, 12]),
        category=np.array(["ape", "object"]),
        first_frame=np.array([0, 30]),
    )
    assert caption(dataset, 0) == "sequence 0: ovis, video a, object 7, ape, from frame 0"
    assert caption(dataset, 1) == "sequence 1: sa-v, video b/c, object 12, object, from frame 30"


def test_what_is_unknown_is_not_said():
    unknown = np.array([-1, -1])
    nothing = np.array(["", ""])
    unnamed = masks(source=nothing, video=nothing, object_id=unknown, first_frame=unknown)
    assert caption(unnamed, 1) == "sequence 1: pedestrian"
    assert caption(masks(**{**unnamed.columns, "category": nothing}), 1) == "sequence 1"
    assert caption(sprites(), 0) == "sequence 0"


@pytest.mark.parametrize("with_freetype", [True, False])
@pytest.mark.parametrize("name", ["ape", "日本 ü", "a\nb\x1b[0m", "x" * 5000, "\u202eabc"])
def test_any_name_has_its_caption(monkeypatch, name, with_freetype):
    if not with_freetype:
        monkeypatch.setattr(preview.ImageFont, "load_default", ImageFont.load_default_imagefont)
    dataset = masks(category=np.array([name, "b"]), source=np.array([name, "b"]))
    assert "\n" not in caption(dataset, 0)
    assert len(caption(dataset, 0)) <= 300
    sheet = contact_sheet(dataset)
    assert sheet.height == 2 * (16 + 2 * 13 + 2) + 2
    assert 5 * 18 <= sheet.width <= 804
    assert animation(dataset)[0].size == (2 * 18 + 2, 16 + 3 * 13 + 2 + 2)


def test_captions_differ_where_sequences_do():
    first, second = (np.asarray(contact_sheet(masks(object_id=np.array(ids))))[:13] for ids in ([1, 2], [3, 2]))
    assert (first != second).any()


def test_frames_are_numbered_as_in_their_video():
    first, second = (np.asarray(contact_sheet(masks(first_frame=np.array([at, 0])))) for at in (7, 8))
    assert (first[15:28] != second[15:28]).any()
    assert (first[44:] == second[44:]).all()
    moving = np.asarray(animation(masks(), scale=4)[0]), np.asarray(animation(masks(), scale=4)[1])
    assert (moving[0][:28] == moving[1][:28]).all()  # number, category and object
    assert (moving[0][28:41] != moving[1][28:41]).any()  # frame


def test_sprites_have_numbers():
    dataset = sprites()
    height = dataset.images.shape[1]
    assert (contact_sheet(dataset).height - 2) % (height + 26 + 2) == 0
    assert animation(dataset)[0].height % (height + 26 + 2) == 2


def test_chosen_sequences_are_shown_in_their_order():
    dataset = random_masks([3, 3, 3], size=16)
    whole, chosen = np.asarray(contact_sheet(dataset)), np.asarray(contact_sheet(dataset, sequences=[2, 0]))
    height = 16 + 26 + 2
    assert len(chosen) == 2 * height + 2
    assert (chosen[2 : 2 + height, : 3 * 18] == whole[2 + 2 * height : 2 + 3 * height, : 3 * 18]).all()
    assert (chosen[2 + height : 2 + 2 * height] == whole[2 : 2 + height]).all()
    assert animation(dataset, sequences=[1])[0].width == 18 + 2


@pytest.mark.parametrize("sequences", [[3], [-1], [0.5], ["0"], [], [0] * 101])
def test_sequences_that_are_not_there_are_refused(sequences):
    with pytest.raises(UsageError, match=r"no sequence .* numbered 0 to 1|sequences to show"):
        contact_sheet(masks(), sequences=sequences)


def test_a_grid_has_no_sequences_to_choose():
    grid = Sequences.of_grid(np.zeros((4, 8, 8), dtype=np.uint8), [Factor("x", "", (0, 3), 4)])
    with pytest.raises(UsageError, match="a grid has no sequences"):
        animation(grid, sequences=[0])


def test_images_are_enlarged_pixel_by_pixel():
    dataset = sprites()
    height, width = dataset.images.shape[1:3]
    sheet = np.asarray(contact_sheet(dataset, rows=1, columns=1, scale=3))
    drawn = sheet[2 + 26 : 2 + 26 + 3 * height, 2 : 2 + 3 * width]
    assert (drawn[1::3, 1::3] == dataset.images[0][..., None]).all()
    assert (drawn[::3, ::3] == drawn[2::3, 2::3]).all()


@pytest.mark.parametrize("scale", [0, 17, 1.5, True])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(UsageError, match="scale"):
        contact_sheet(masks(), scale=scale)


def test_a_picture_too_large_to_look_at_is_refused():
    large = Sequences.of_grid(np.zeros((40, 200, 200), dtype=np.uint8), [Factor("x", "", (0, 39), 40)])
    with pytest.raises(UsageError, match="too large"):
        contact_sheet(large, columns=40, scale=16)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 2), (38, 6), (44, 44)])
def test_the_cross_hides_nothing_of_a_small_object_and_little_of_a_large_one(height, width):
    image = np.zeros((64, 64), dtype=bool)
    image[15 : 15 + height, 10 : 10 + width] = True
    dataset = Sequences.from_masks([image[None]])
    for scale in (1, 3):
        sheet = np.asarray(contact_sheet(dataset, scale=scale))
        drawn = sheet[28 : 28 + 64 * scale, 2 : 2 + 64 * scale]
        of_object = np.kron(image, np.ones((scale, scale), dtype=bool))
        hidden = of_object & (drawn != 255).any(axis=2)
        assert hidden.sum() == 0 if max(height, width) < 40 else hidden.sum() <= 4 * 3 * (4 + 3)  # of its arms
        assert (drawn == [230, 60, 40]).all(axis=2).sum() >= 4 * 4


def test_the_command_takes_numbers_and_a_scale(tmp_path, capsys):
    store.save(masks(), tmp_path / "a.npz")
    options = ["--sequences", "1", "--scale", "2", "--out", tmp_path / "a.png"]
    assert run(capsys, "preview", tmp_path / "a.npz", *options)[0] == 0
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.height == 2 + 2 * 16 + 26 + 2
    code, _, error = run(capsys, "preview", tmp_path / "a.npz", "--sequences", "9", "--out", tmp_path / "b.png")
    assert (code, error) == (2, "datagen: no sequence 9: they are numbered 0 to 1\n")
