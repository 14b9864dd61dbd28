"""The rule by which pairs are drawn."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.arguments import check_items
from datagen.pairs import first_frames, second_frames

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(lengths, st.integers(1, 5))
def test_first_frames_are_those_with_a_frame_in_reach(lengths, reach):
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    firsts, lasts, counts = first_frames(offsets, reach)
    expected = [(a + i, b - 1) for a, b in pairwise(offsets) for i in range(b - a - reach)]
    assert list(zip(firsts.tolist(), lasts.tolist(), strict=True)) == expected
    assert counts.tolist() == [max(length - reach, 0) for length in lengths]


def test_first_frames_of_some_sequences_in_their_order():
    firsts, lasts, counts = first_frames(np.array([0, 3, 5, 9]), sequences=np.array([2, 0]))
    assert firsts.tolist() == [5, 6, 7, 0, 1]
    assert lasts.tolist() == [8, 8, 8, 2, 2]
    assert counts.tolist() == [3, 2]


@given(lengths, st.integers(1, 6), st.integers(0, 99))
def test_second_frames_come_later_in_the_same_sequence(lengths, max_delta_t, seed):
    firsts, lasts, _ = first_frames(np.concatenate([[0], np.cumsum(lengths)]))
    seconds = second_frames(firsts, lasts, max_delta_t, np.random.default_rng(seed))
    assert (seconds > firsts).all()
    assert (seconds <= np.minimum(firsts + max_delta_t, lasts)).all()


def test_the_distance_is_uniform_and_capped_at_the_end():
    firsts, lasts = np.zeros(30_000, dtype=np.int64), np.full(30_000, 3)
    seconds = second_frames(firsts, lasts, 5, np.random.default_rng(0))
    share = np.bincount(seconds, minlength=4) / 30_000
    # 1, 2 and 3, 4, 5 capped to 3; five standard errors.
    np.testing.assert_allclose(share, [0, 0.2, 0.2, 0.6], atol=5 * np.sqrt(0.24 / 30_000))


@pytest.mark.parametrize(
    ("index", "error"), [(slice(3), TypeError), ("0", TypeError), (5, IndexError), (-6, IndexError)]
)
def test_what_is_no_item(index, error):
    with pytest.raises(error):
        check_items([index], 5)
    assert check_items([np.int64(4), -5], 5).tolist() == [4, 0]
