import numpy as np
import pytest

from datagen.arguments import check_choice, check_random_state, check_transform, check_whole, find_file
from datagen.errors import UsageError

NO_NUMBERS = [
    None,
    True,
    np.True_,
    1.0,
    np.float64(1),
    float("nan"),
    float("inf"),
    "1",
    b"1",
    [1],
    (),
    np.arange(3),
    object,
]


@pytest.mark.parametrize("value", [*NO_NUMBERS, 0, -1, 11, 10**400, np.int64(0)])
def test_what_is_no_whole_number_within_bounds_is_refused_in_one_line(value):
    with pytest.raises(UsageError, match=r"frames=.*: must be a whole number, at least 1 and at most 10") as caught:
        check_whole("frames", value, 1, 10)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 150


def test_a_number_too_long_to_print_is_refused_in_one_line():
    with pytest.raises(UsageError, match=r"frames=\(int\): must be"):
        check_whole("frames", 10**5000, 1, 10)


@pytest.mark.parametrize("value", [1, 10, np.int64(5), np.uint8(5)])
def test_whole_numbers_are_ints(value):
    assert type(check_whole("frames", value, 1, 10)) is int


@pytest.mark.parametrize("value", [None, 5, "c", "a\nb" * 1000, ["a"], np.array(["a", "b"]), np.arange(9)])
def test_another_name_is_refused_in_one_line(value):
    with pytest.raises(UsageError, match=r"unknown split .*; there are a, b$") as caught:
        check_choice("split", value, ("a", "b"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, -1, 0.0, True, np.random, "RandomState", np.random.RandomState])
def test_what_is_no_random_state_is_refused(value):
    with pytest.raises(UsageError, match=r"random_state=.*must be a seed"):
        check_random_state(value)


def test_a_whole_number_is_a_seed():
    assert check_random_state(np.int64(5)).random() == np.random.default_rng(5).random()
    state = np.random.RandomState(0)
    assert check_random_state(state) is state


@pytest.mark.parametrize("value", [0, "flip", [abs], lambda: 0, lambda a, b: a, lambda a, *, key: a])
def test_what_cannot_be_called_with_a_tensor_is_no_transform(value):
    with pytest.raises(UsageError, match="transform"):
        check_transform(value)


@pytest.mark.parametrize("value", [None, abs, max, lambda a: a, lambda a, b=1: a, lambda *a: a, str])
def test_what_can_is_one(value):
    check_transform(value)


@pytest.mark.parametrize("value", [None, 0, b"x", 1.5, ["a"], np.zeros(3)])
def test_what_is_no_path_is_refused(value):
    with pytest.raises(UsageError, match=r"path=.*: must be a file or a folder"):
        find_file("path", value, "kitti-masks", False)


def test_a_name_without_a_suffix_is_a_folder_that_may_not_be_there(tmp_path):
    for name in ("data/kitti", tmp_path):
        with pytest.raises(UsageError, match=r"kitti_peds_v2\.pickle: no such file; pass download=True"):
            find_file("path", name, "kitti-masks", False)
    (tmp_path / "file").touch()
    assert find_file("path", tmp_path / "file", "kitti-masks", False) == tmp_path / "file"
    assert find_file("path", "a.npz", "kitti-masks", False).name == "a.npz"
