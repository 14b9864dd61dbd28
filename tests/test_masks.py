import base64
import re
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from datagen.masks import RLE_PROBLEMS, Grid, Masks, decode_counts, decode_rle, is_frame_size, problem_of_rle
from datagen.moments import latents_of_masks, measures_of_moments
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
    np.testing.assert_array_equal(
        measures_of_moments(moments.reshape(-1, 3)[seen]).latents(), latents_of_masks(painted[seen])
    )


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
    pair = next(iter(Masks.from_pixels(pixels).find_overlaps(group)), None)
    shared = [(a, b) for a in range(len(pixels)) for b in range(a + 1, len(pixels)) if (pixels[a] & pixels[b]).any()]
    assert pair == (shared[0] if shared else None)
    assert Masks.from_pixels(pixels).find_overlaps(np.arange(len(pixels))) == []


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


def decode_lists(lists, height, width):
    texts = [str(each).replace(" ", "").encode() for each in lists]
    ends = np.cumsum([len(each) for each in texts]).astype(np.int64)
    begins = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    return decode_counts(np.frombuffer(b"".join(texts), dtype=np.uint8), begins, ends, height, width)


# As many runs as an encoding of its length can hold: every pixel in turn, in one character each.
DENSEST = [[0] * first + [1] * pixels for pixels in range(1, 12) for first in (0, 1)]


def compress(counts):
    """Write run lengths below 16 as COCO's text, a character each."""
    return bytes(48 + ((n - (counts[i - 2] if i > 2 else 0)) & 31) for i, n in enumerate(counts))


@pytest.mark.parametrize("counts", DENSEST, ids=str)
def test_the_densest_encodings(counts):
    pixels = np.zeros(sum(counts), dtype=bool)
    ends = np.cumsum(counts)
    for end, length in list(zip(ends, counts, strict=True))[1::2]:
        pixels[end - length : end] = True
    for masks, status in (
        decode([compress(counts)] * 3, len(pixels), 1),
        decode_lists([counts] * 3, len(pixels), 1),
    ):
        assert status.tolist() == [0, 0, 0]
        np.testing.assert_array_equal(masks.paint()[:, :, 0], [pixels] * 3)


# Under `make test-bounds` these look for kernels that leave their arrays.


@pytest.mark.parametrize("counts", DENSEST, ids=str)
def test_the_densest_encodings_are_sampled_measured_and_compared(counts):
    masks, _ = decode_lists([counts] * 3, sum(counts), 1)
    whole = masks.sample(Grid(np.arange(sum(counts)), np.arange(1)))
    np.testing.assert_array_equal(whole.paint(), masks.paint())
    assert whole.moments(np.zeros(1, np.int64), 1)[:, 0, 0].tolist() == [sum(counts[1::2])] * 3
    assert masks.find_overlaps(np.zeros(3, np.int64)) == ([(0, 1), (0, 2)] if any(counts[1::2]) else [])


def test_full_masks_are_sampled_measured_and_painted():
    full = Masks.from_pixels(np.ones((2, 5, 7), bool))
    assert full.sample(Grid(np.array([0, 4]), np.array([0, 6]))).areas().tolist() == [4, 4]
    assert full.moments(np.array([0, 3]), 4)[:, :, 0].tolist() == [[20, 20]] * 2
    painted = np.zeros((2, 5, 3), bool)
    full.paint_into(painted, np.arange(2), np.array([4, 6]))
    assert painted.sum(axis=(1, 2)).tolist() == [15, 5]  # of the second window two columns are beyond the frame


@given(pictures(), st.data())
def test_sampling_at_any_rows_and_columns(pixels, data):
    _, height, width = pixels.shape
    rows, columns = (
        np.array(sorted(data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=30))))
        for size in (height, width)
    )
    sampled = Masks.from_pixels(pixels).sample(Grid(rows, columns))
    np.testing.assert_array_equal(sampled.paint(), pixels[:, rows][:, :, columns])


def test_sampling_up_takes_some_masks_at_a_time(monkeypatch):
    pixels = np.random.default_rng(0).random((7, 3, 5)) < 0.5
    monkeypatch.setattr("datagen.masks._PAINTED_AT_ONCE", 100)
    grid = Grid(np.arange(3).repeat(2), np.arange(5).repeat(3))
    sampled = Masks.from_pixels(pixels).sample(grid)
    np.testing.assert_array_equal(sampled.paint(), pixels[:, grid.rows][:, :, grid.columns])
    assert len(Masks.from_pixels(pixels[:0]).sample(grid)) == 0


def test_sampling_a_large_frame_takes_little_memory():
    import tracemalloc

    full = Masks.from_pixels(np.ones((1, 1, 1), bool))
    large = Masks(8192, 8192, full.starts, full.stops * 8192 * 8192, full.offsets)
    grid = Grid(nearest_indices(8192, 64), nearest_indices(8192, 64))
    tracemalloc.start()
    assert large.sample(grid).areas().tolist() == [64 * 64]
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


@given(pictures(most=6))
def test_what_is_left_out_for_overlaps(pixels):
    group = np.zeros(len(pixels), dtype=np.int64)
    kept, left_out = [], []
    for number, mask in enumerate(pixels):
        earlier = [other for other in kept if (pixels[other] & mask).any()]
        if earlier:
            left_out.append((earlier[0], number))
        else:
            kept.append(number)
    assert Masks.from_pixels(pixels).find_overlaps(group) == sorted(left_out)


@pytest.mark.parametrize("width", [255, 256, 257, 1000])
def test_latents_of_wide_and_high_masks(width):
    for shape in ((1, 3, width), (1, width, 3)):
        (latents,) = latents_of_masks(np.ones(shape, dtype=bool))
        assert latents.tolist() == [(shape[1] - 1) / 2, (shape[2] - 1) / 2, 3 * width]


@pytest.mark.parametrize(
    ("height", "width", "possible"),
    [
        (1, 1, True),
        (4320, 7680, True),
        (8192, 8192, True),
        (8192, 8193, False),
        (1, 256, True),
        (1, 257, False),
        (257, 1, False),
        (0, 5, False),
        (-5, -5, False),
    ],
)
def test_which_sizes_frames_have(height, width, possible):
    assert is_frame_size(height, width) == possible


@pytest.mark.parametrize(
    ("text", "status", "area"),
    [
        ("[0,6]", 0, 6),
        ("[ 1 ,\t2,\r\n3 ]", 0, 2),
        ("[\x0b1,\x0c2, 3]", 0, 2),
        ("[0, 5]", 4, 0),
        ("[0, 7]", 4, 0),
        ("[3, 4]", 4, 0),
        ("[3, 2]", 4, 0),
        ("[7, 0]", 4, 0),
        ("[]", 4, 0),
        ("[-1, 7]", 3, 0),
        ("[0, 6.0]", 5, 0),
        ("[0, 6e0]", 5, 0),
        ('["0", 6]', 5, 0),
        ("[null, 6]", 5, 0),
        ("[0, [6]]", 5, 0),
        ("[0, 99999999999999999999999999]", 4, 0),
    ],
)
def test_what_is_wrong_with_a_list_of_run_lengths(text, status, area):
    texts = [b"[4,2]", text.encode(), b"[4,2]"]
    ends = np.cumsum([len(each) for each in texts])
    begins = ends - [len(each) for each in texts]
    masks, found = decode_counts(np.frombuffer(b"".join(texts), dtype=np.uint8), begins, ends, 3, 2)
    assert found.tolist() == [0, status, 0]
    assert masks.areas().tolist() == [2, area, 2]


def test_what_an_encoding_is_instead():
    # 36 pixels of background, as in the test of encodings above.
    for encoding, message in (
        (b"b'T1'", "printed as Python bytes"),
        (b'b"T1"', "printed as Python bytes"),
        (base64.b64encode(b"T1"), "is in base64"),
        (base64.b64encode(zlib.compress(b"T1" * 9)), "is in base64"),
        (base64.b64encode(b"T2"), r"do not fill height x width \(6 x 6\)"),
        (base64.b64encode(b"xT"), r"do not fill height x width \(6 x 6\)"),
        (b"", r"do not fill height x width \(6 x 6\)"),
        (b"not base64", r"do not fill height x width \(6 x 6\)"),
    ):
        assert re.search(message, problem_of_rle(4, encoding, 6, 6)), encoding
    assert problem_of_rle(2, b"T", 6, 6) == f"{RLE_PROBLEMS[2]} (6 x 6)"


@given(
    st.integers(0, 3),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([bool, np.uint8, np.uint16, np.int64]),
    st.data(),
)
def test_masks_of_label_maps(count, height, width, dtype, data):
    largest = {bool: 1, np.uint8: 255, np.uint16: 65535, np.int64: (1 << 32) - 1}[dtype]
    values = data.draw(st.lists(st.sampled_from([0, 1, largest]), min_size=1, max_size=4))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    labels = rng.choice(np.array(values, dtype), (count, height, width))
    masks, maps, found = Masks.from_labels(labels)
    expected = [(t, int(value)) for t in range(count) for value in np.unique(labels[t]) if value]
    assert list(zip(maps.tolist(), found.tolist(), strict=True)) == expected
    for mask, (t, value) in zip(masks.paint(), expected, strict=True):
        np.testing.assert_array_equal(mask, labels[t] == value)


@pytest.mark.parametrize(("character", "is_space"), [(8, False), (9, True), (13, True), (14, False), (32, True)])
def test_white_space_between_run_lengths(character, is_space):
    text = b"[3," + bytes([character]) + b"2,4]"
    ends = np.array([len(text)])
    masks, status = decode_counts(np.frombuffer(text, np.uint8), np.zeros(1, np.int64), ends, 3, 3)
    assert (status[0] == 0) == is_space
    assert masks.areas().tolist() == [2 if is_space else 0]
