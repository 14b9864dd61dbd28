import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datagen.errors import UsageError
from datagen.views import KittiView, nearest_indices


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
