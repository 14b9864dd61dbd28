import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from datagen.errors import UsageError
from datagen.masks import Masks
from datagen.views import CoverageView, FrameView, KittiView, YoutubeView, nearest_indices


@given(st.integers(1, 2200), st.integers(1, 300))
def test_nearest_is_that_of_torch(size_in, size_out):
    line = torch.arange(size_in, dtype=torch.float32).reshape(1, 1, 1, size_in)
    resized = torch.nn.functional.interpolate(line, size=(1, size_out), mode="nearest")
    np.testing.assert_array_equal(nearest_indices(size_in, size_out), resized.numpy().ravel().astype(int))


def test_nearest_is_rounded_where_exact_arithmetic_would_differ():
    exact = np.arange(56) * 332 // 56
    assert (nearest_indices(332, 56) != exact).any()


@pytest.mark.parametrize(
    ("size", "width", "stride"),
    [
        ((375, 1242), 211, 29),
        ((370, 1224), 211, 29),
        ((374, 1238), 211, 29),
        ((376, 1241), 211, 29),
        ((1080, 1920), 113, 9),
        ((480, 640), 85, 4),
    ],
    ids=lambda value: str(value),
)
def test_windows_of_the_published_sizes(size, width, stride):
    view = KittiView()
    assert view.width(*size) == width
    assert view.windows(width).tolist() == [k * stride for k in range(6)]


def test_one_window_is_the_first():
    assert KittiView(64, 1).windows(211).tolist() == [0]


def test_narrow_frames_are_refused():
    with pytest.raises(UsageError, match="48 columns wide"):
        KittiView().windows(48)


sizes = st.integers(1, 90) | st.integers(91, 260)


@st.composite
def pixels(draw, sizes=sizes):
    """Masks of one size, bool (M, H, W): boxes, stripes and noise, empty and full ones too."""
    height, width = draw(sizes), draw(sizes)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    masks = np.zeros((draw(st.integers(1, 4)), height, width), dtype=bool)
    for mask in masks:
        for _ in range(draw(st.integers(0, 4))):
            top, left = random.integers(height), random.integers(width)
            bottom, right = random.integers(top, height) + 1, random.integers(left, width) + 1
            mask[top:bottom, left:right] = draw(st.booleans()) or random.random((bottom - top, right - left)) < 0.5
    kind = draw(st.sampled_from(["as is", "full", "one pixel", "border", "striped"]))
    if kind == "full":
        masks[0] = True
    elif kind == "one pixel":
        masks[0] = False
        masks[0, random.integers(height), random.integers(width)] = True
    elif kind == "border":
        masks[0] = True
        masks[0, 1:-1, 1:-1] = False
    elif kind == "striped":
        masks[0, ::2] = True
    return masks


def pillow(mask, height, width):
    """Resize a mask, horizontally first. In one call Pillow 13 takes tall frames vertically first, older ones never."""
    wide = Image.fromarray(mask.astype(np.uint8)).resize((width, mask.shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(wide.resize((width, height), Image.Resampling.BILINEAR)).astype(bool)


@given(pixels(), st.sampled_from([64, 32, 7, 1]), st.sampled_from([None, 32]))
@settings(max_examples=300, deadline=None)
def test_resize_is_pillows(masks, image_size, stride):
    view = YoutubeView(image_size, stride)
    got = view.resize(Masks.from_pixels(masks)).paint()
    assert np.array_equal(got, [pillow(mask, image_size, view.width) for mask in masks])


@pytest.mark.parametrize("height", [1, 63, 64, 65, 127, 128, 129, 480, 719, 720, 1080])
@pytest.mark.parametrize("width", [1, 64, 127, 128, 129, 640, 854, 1279, 1280, 1920])
def test_resize_is_pillows_at_sizes_of_video(height, width):
    random = np.random.default_rng(height * 10000 + width)
    y, x = np.ogrid[:height, :width]
    blob = ((y - random.random() * height) / height) ** 2 + ((x - random.random() * width) / width) ** 2 < 0.04
    masks = np.stack([blob, blob ^ (random.random((height, width)) < 0.1), np.ones_like(blob)])
    got = YoutubeView().resize(Masks.from_pixels(masks)).paint()
    assert np.array_equal(got, [pillow(mask, 64, 128) for mask in masks])
    if width >= height:
        whole = [Image.fromarray(mask.astype(np.uint8)).resize((128, 64), Image.Resampling.BILINEAR) for mask in masks]
        assert np.array_equal(got, np.array(whole, dtype=bool))


@given(pixels(), st.sampled_from([None, 64, 48, 32, 1]))
@settings(max_examples=50, deadline=None)
def test_measures_are_scipys_in_windows_of_pillows_frame(masks, stride):
    view = YoutubeView(64, stride)
    y, x, area = view.measure(Masks.from_pixels(masks))
    assert area.dtype == np.int64
    for m, mask in enumerate(masks):
        frame = pillow(mask, 64, view.width)
        for k, left in enumerate(view.windows()):
            window = frame[:, left : left + 64].astype(np.uint8)
            assert area[m, k] == window.sum()
            if window.any():
                assert (y[m, k], x[m, k]) == ndimage.center_of_mass(window)
            else:
                assert np.isnan([y[m, k], x[m, k]]).all()


def test_windows_of_the_release():
    assert YoutubeView(stride=32).windows().tolist() == [0, 32, 64]
    assert YoutubeView(stride=48).windows().tolist() == [0, 48, 64]
    assert YoutubeView(stride=100).windows().tolist() == [0, 64]
    assert YoutubeView(stride=None).windows().tolist() == [0]


@given(pixels(st.integers(1, 40)), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_coverage_is_that_of_a_finer_raster(masks, image_size, stride):
    """Splitting every pixel of the frame until windows hold whole ones, areas and centres are plain sums."""
    height, width = masks.shape[1:]
    view = CoverageView(image_size, stride)
    y, x, area = view.measure(Masks.from_pixels(masks))
    fine = masks.repeat(image_size, axis=1).repeat(image_size, axis=2)  # `height` of these make a pixel of a window
    for k, left in enumerate(view.windows(height, width)):
        window = fine[:, :, left * height : (left + image_size) * height]
        count = window.sum(axis=(1, 2))
        assert np.allclose(area[:, k], count / height**2, rtol=1e-12, atol=0)
        for m in np.flatnonzero(count):
            assert np.allclose((y[m, k], x[m, k]), (np.argwhere(window[m]).mean(0) + 0.5) / height - 0.5, atol=1e-9)
        assert np.isnan(y[count == 0, k]).all()


def test_coverage_windows_keep_the_aspect_ratio():
    assert CoverageView().windows(720, 1280).tolist() == [0, 32, 49]
    assert CoverageView().windows(720, 720).tolist() == [0]
    assert CoverageView().windows(1280, 720).tolist() == [0]
    assert CoverageView(stride=16).windows(500, 1000).tolist() == [0, 16, 32, 48, 64]


def test_frame_view_measures_the_frame():
    mask = np.zeros((1, 5, 7), dtype=bool)
    mask[0, 1:3, 2:5] = True
    y, x, area = FrameView().measure(Masks.from_pixels(mask))
    assert (y.tolist(), x.tolist(), area.tolist()) == ([[1.5]], [[3.0]], [[6]])
