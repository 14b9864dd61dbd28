import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.build import SequenceRule, find_sequences
from datagen.masks import Masks
from datagen.tracks import Tracks

PAPER = SequenceRule(min_area=3, min_length=2, min_length_before_hole=3, drop_largest_id=True, left_out=("1",))
CLEAN = SequenceRule(min_area=3, min_length=2, min_length_before_hole=2, drop_largest_id=False, left_out=("1", "10"))


def tracks_of(frame, object_id):
    frame, object_id = np.array(frame, dtype=np.int64), np.array(object_id, dtype=np.int64)
    nothing = Masks(1, 1, np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(len(frame) + 1, np.int64))
    classes = object_id // 1000
    return Tracks("a", "b", frame, object_id, classes, nothing, {number: str(number) for number in classes.tolist()})


def found(frame, object_id, areas, rule, image_size=4):
    areas = np.array(areas, dtype=np.int64).reshape(len(frame), -1 if len(frame) else 1)
    rows = find_sequences(tracks_of(frame, object_id), areas, image_size, rule)
    return [(each.window, [(int(object_id[row]), int(frame[row])) for row in each.rows]) for each in rows]


def plain(frame, object_id, areas, rule, image_size):
    """Find sequences in the plainest way: by window, object and frame, one after the other."""
    areas = np.array(areas).reshape(len(frame), -1)
    result = []
    for window in range(areas.shape[1]):
        area = {(object_id[i], frame[i]): int(areas[i, window]) for i in range(len(frame)) if areas[i, window] > 0}
        present = sorted({number for number, _ in area})
        dropped = []
        if rule.drop_largest_id and present:
            dropped = [present[-1]]
            every = range(min(frame), max(frame) + 1)
            if all(sum(a for (_, at), a in area.items() if at == t) >= image_size**2 for t in every):
                dropped.append(present[0])
        for number in present:
            if number in dropped or str(number // 1000) in rule.left_out:
                continue
            seen = sorted(t for n, t in area if n == number)
            running = []
            for t in range(seen[0], seen[-1] + 2):
                if area.get((number, t), 0) >= rule.min_area:
                    running.append((number, t))
                    continue
                shortest = rule.min_length if t > seen[-1] else rule.min_length_before_hole
                if len(running) >= shortest:
                    result.append((window, running))
                running = []
    return result


@given(st.data(), st.sampled_from([PAPER, CLEAN]), st.integers(1, 3))
def test_sequences_are_those_of_the_plain_way(data, rule, windows):
    cells = st.tuples(st.integers(0, 6), st.sampled_from([1001, 2001, 2002, 2003, 10000]))
    rows = sorted(data.draw(st.sets(cells, max_size=25)))
    areas = [data.draw(st.lists(st.sampled_from([0, 2, 3, 8, 16]), min_size=windows, max_size=windows)) for _ in rows]
    frame, object_id = [t for t, _ in rows], [number for _, number in rows]
    assert found(frame, object_id, areas, rule) == (plain(frame, object_id, areas, rule, 4) if rows else [])


@pytest.mark.parametrize(
    ("areas", "kept"),
    [
        pytest.param([8, 8, 8, 8, 8, 8], [2001], id="covered in all frames: the smallest id goes too"),
        pytest.param([8, 8, 8, 7, 8, 8], [1999, 2001], id="a pixel of background in one frame is enough"),
    ],
)
@pytest.mark.parametrize("begin", [0, 7])
def test_background_in_a_single_frame_keeps_the_smallest_id(areas, kept, begin):
    # Per frame, 1999 and 2001 have 8 pixels each of a window of 4 x 4; 2002 has the largest id.
    frame, object_id = [begin, begin, begin + 1, begin + 1, begin + 2, begin + 2], [1999, 2001] * 3
    rule = SequenceRule(1, 2, 3, True, ())
    frame, object_id, areas = [*frame, begin + 2], [*object_id, 2002], [*areas, 1]
    sequences = found(frame, object_id, areas, rule)
    assert [rows[0][0] for _, rows in sequences] == kept


def test_a_frame_without_any_mask_shows_background():
    # The window is covered whenever something is seen, but in frame 1 nothing is.
    frame, object_id = [0, 0, 2, 2, 3, 3], [1999, 2001] * 3
    rule = SequenceRule(1, 2, 2, True, ())
    sequences = found(frame, object_id, [8] * 6, rule)
    assert [rows[0][0] for _, rows in sequences] == [1999]


def test_nothing_gives_no_sequences():
    assert found([], [], np.zeros((0, 2)), PAPER) == []
