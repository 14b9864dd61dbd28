import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from datagen.masks import RLE_PROBLEMS, Grid, Masks, decode_rle
from datagen.moments import latents_of_masks, latents_of_moments
from datagen.views import nearest_indices


@st.composite
def pictures(draw, most=24):
    """Draw a stack of masks of one size, from empty to full."""
    count, height, width = draw(st.integers(1, 4)), draw(st.integers(1, most)), draw(st.integers(1, most))
    seed, share = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.0, 0.05, 0.5, 0.95, 1.0]))
    return np.random.default_rng(seed).random((count, height, width)) < share


def encode(pixels):
    return [coco.encode(np.asfortranarray(mask).astype(np.uint8))["counts"] for mask in pixels]


def decode(encodings, height, width):
    ends = np.cumsum([len(each) for each in encodings]).astype(np.int64)
    begins = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    return decode_rle(np.frombuffer(b"".join(encodings), dtype=np.uint8), begins, ends, height, width)


@given(pictures())
def test_decoding_gives_what_was_encoded(pixels):
    masks, status = decode(encode(pixels), *pixels.shape[1:])
    assert not status.any()
    np.testing.assert_array_equal(masks.paint(), pixels)
    np.testing.assert_array_equal(masks.areas(), pixels.sum(axis=(1, 2)))


@given(pictures(), st.integers(1, 30), st.integers(1, 30))
def test_sampling_runs_is_painting_and_taking_pixels(pixels, rows, columns):
    grid = Grid(nearest_indices(pixels.shape[1], rows), nearest_indices(pixels.shape[2], columns))
    masks, _ = decode(encode(pixels), *pixels.shape[1:])
    painted = np.stack([coco.decode({"size": pixels.shape[1:], "counts": each}) for each in encode(pixels)])
    np.testing.assert_array_equal(masks.sample(grid).paint(), painted[:, grid.rows][:, :, grid.columns])


@given(pictures(), st.data())
def test_windows_are_slices(pixels, data):
    count, _, width = pixels.shape
    wide = data.draw(st.integers(1, width))
    windows = np.array(data.draw(st.lists(st.integers(0, width - wide), min_size=1, max_size=4)))
    masks = Masks.from_pixels(pixels)
    cut = np.stack([pixels[:, :, first : first + wide] for first in windows], axis=1)
    moments = masks.moments(windows, wide)
    np.testing.assert_array_equal(moments[..., 0], cut.sum(axis=(2, 3)))
    rows = np.repeat(np.arange(count), len(windows))
    painted = np.zeros((len(rows), *cut.shape[2:]), dtype=bool)
    masks.paint_into(painted, rows, np.tile(windows, count))
    np.testing.assert_array_equal(painted, cut.reshape(painted.shape))
    seen = moments[..., 0].ravel() > 0
    np.testing.assert_array_equal(latents_of_moments(moments.reshape(-1, 3)[seen]), latents_of_masks(painted[seen]))


@given(pictures())
def test_latents_are_the_centre_of_mass_and_the_area(pixels):
    from scipy.ndimage import center_of_mass

    latents = latents_of_masks(pixels)
    for mask, (y, x, area) in zip(pixels, latents, strict=True):
        assert area == mask.sum()
        if mask.any():
            assert (y, x) == tuple(np.float32(center_of_mass(mask)))
        else:
            assert np.isnan(y)
            assert np.isnan(x)


@given(pictures())
def test_selecting_and_joining(pixels):
    masks = Masks.from_pixels(pixels)
    order = np.arange(len(pixels))[::-1]
    np.testing.assert_array_equal(masks.select(order).paint(), pixels[order])
    np.testing.assert_array_equal(Masks.concatenate([masks, masks]).paint(), np.concatenate([pixels, pixels]))


@given(pictures(most=8))
def test_overlap_is_found_where_masks_share_a_pixel(pixels):
    group = np.zeros(len(pixels), dtype=np.int64)
    pair = Masks.from_pixels(pixels).find_overlap(group)
    shared = [(a, b) for a in range(len(pixels)) for b in range(a + 1, len(pixels)) if (pixels[a] & pixels[b]).any()]
    assert pair == (shared[0] if shared else None)
    assert Masks.from_pixels(pixels).find_overlap(np.arange(len(pixels))) is None


@pytest.mark.parametrize(
    ("encoding", "status"),
    [
        pytest.param(b"T1", 0, id="all background"),
        pytest.param(b"", 4, id="nothing"),
        pytest.param(b"S1", 4, id="too short"),
        pytest.param(b"U1", 4, id="too long"),
        pytest.param(b"\xff\x01", 1, id="not of the alphabet"),
        pytest.param(b" ", 1, id="blank"),
        pytest.param(b"T", 2, id="cut off"),
        pytest.param(b"oooooooooo", 2, id="endless number"),
        pytest.param(b"O", 3, id="negative"),
    ],
)
def test_what_is_wrong_with_an_encoding(encoding, status):
    # 36 pixels: 36 = 0b1_00100 in two characters, chr(48 + 32 + 4) and chr(48 + 1).
    masks, found = decode([b"T1", encoding, b"T1"], 6, 6)
    assert found.tolist() == [0, status, 0]
    assert masks.areas().tolist() == [0, 0, 0]
    assert status == 0 or status in RLE_PROBLEMS


@given(st.binary(max_size=40), st.integers(1, 40), st.integers(1, 40))
def test_no_encoding_breaks_the_decoder(encoding, height, width):
    masks, status = decode([encoding], height, width)
    assert masks.paint().shape == (1, height, width)
    if status[0] == 0:
        back = coco.decode({"size": [height, width], "counts": encoding})
        np.testing.assert_array_equal(masks.paint()[0], back)
