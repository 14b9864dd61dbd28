import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.lazy_array import LazyArray, parts


class Of(LazyArray):
    """An array in memory, read as if it were elsewhere."""

    def __init__(self, array, rows_of_part):
        super().__init__(array.shape, array.dtype, rows_of_part)
        self.array, self.reads = array, []

    def read(self, begin, end):
        assert 0 <= begin <= end <= len(self)
        self.reads.append((begin, end))
        return self.array[begin:end]


@given(st.data(), st.integers(1, 40), st.integers(1, 12))
def test_rows_are_numpys(data, length, rows_of_part):
    array = np.arange(length * 6).reshape(length, 2, 3)
    lazy = Of(array, rows_of_part)
    key = data.draw(
        st.one_of(
            st.integers(-length, length - 1),
            st.slices(length),
            st.lists(st.integers(-length, length - 1), max_size=20).map(lambda rows: np.array(rows, dtype=np.int64)),
            st.lists(st.booleans(), min_size=length, max_size=length).map(np.array),
            st.just(np.array([[0, length - 1], [length // 2, 0]])),
        )
    )
    np.testing.assert_array_equal(lazy[key], array[key])
    np.testing.assert_array_equal(np.asarray(lazy), array)


@pytest.mark.parametrize("row", [6, -7])
def test_a_row_beyond_the_end(row):
    with pytest.raises(IndexError, match="of an array of 6"):
        Of(np.arange(6), 4)[row]


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.data())
def test_rows_are_split_and_put_together(runs, length, rows_of_part, data):
    array = np.arange(runs * length * 4).reshape(runs, length, 4)
    for lazy, expected in (
        (Of(array, rows_of_part).reshape(runs * length, 4), array.reshape(-1, 4)),
        (Of(array.reshape(-1, 4), rows_of_part).reshape(runs, length, 4), array),
    ):
        assert (lazy.shape, lazy.ndim, lazy.nbytes) == (expected.shape, expected.ndim, expected.nbytes)
        begin = data.draw(st.integers(0, len(expected)))
        end = data.draw(st.integers(begin, len(expected)))
        np.testing.assert_array_equal(lazy[begin:end], expected[begin:end])
        np.testing.assert_array_equal(lazy.narrow(begin, max(begin, end))[begin:end], expected[begin:end])


def test_a_shape_that_does_not_fit():
    with pytest.raises(ValueError, match="cannot be laid out"):
        Of(np.zeros((4, 6)), 2).reshape(5, 5)
    with pytest.raises(ValueError, match="cannot be laid out"):
        Of(np.zeros((4, 6)), 2).reshape(6, 4)


def test_rows_one_by_one_read_each_part_once():
    lazy = Of(np.arange(10), 4)
    assert [int(lazy[i]) for i in range(10)] == list(range(10))
    assert lazy.reads == [(0, 4), (4, 8), (8, 10)]


def test_what_was_read_last_is_not_sent_to_others():
    lazy = Of(np.arange(1000, dtype=np.int64), 1000)
    lazy.array = np.zeros(0)
    lazy._last = 0, np.arange(1000)
    assert len(pickle.dumps(lazy)) < 1000


@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 200))
def test_parts_are_the_whole(length, rows_of_part, bytes_of_part):
    array = np.arange(length * 2).reshape(length, 2)
    for source, of_piece in ((array, 1), (Of(array, rows_of_part), rows_of_part)):
        found = list(parts(source, bytes_of_part))
        assert [begin for begin, _ in found] == np.cumsum([0, *(len(part) for _, part in found)])[:-1].tolist()
        np.testing.assert_array_equal(np.concatenate([array[:0], *(part for _, part in found)]), array)
        for begin, part in found:
            assert begin % of_piece == 0
            assert part.nbytes <= max(bytes_of_part, of_piece * array[:1].nbytes)
