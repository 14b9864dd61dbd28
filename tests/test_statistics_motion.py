from dataclasses import replace

import numpy as np
import pytest

from datagen.errors import UsageError
from datagen.statistics.motion import Distance, at_distance, at_time, without_ego_motion
from datagen.transitions import Transitions


def walk(steps, video="v", object_id=0, window=0, start=0):
    """The pairs of one object that moves by `steps` (T, 2) of (y, x)."""
    place = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    count = len(steps)
    pairs = np.stack([place[:-1], place[1:]], axis=1)
    text = np.full(count, "person")
    return Transitions(
        source=np.full(count, "s"),
        video=np.full(count, video),
        object_id=np.full(count, object_id),
        category=text,
        window=np.full(count, window),
        frame=start + np.arange(count),
        y=pairs[:, :, 0],
        x=pairs[:, :, 1],
        area=np.full((count, 2), 50),
    )


def join(*tables):
    columns = zip(*(vars(table).values() for table in tables), strict=True)
    return Transitions(*(np.concatenate(column) for column in columns))


@pytest.mark.parametrize("delta_t", [1, 2, 3, 4])
def test_distance_joins_the_ends_of_a_run(delta_t):
    steps = np.random.default_rng(0).normal(size=(6, 2))
    table = join(walk(steps[:4]), walk(steps[4:], start=7), walk(-steps[:4], object_id=1))
    got = at_distance(table, delta_t)
    sums = [
        steps[i : i + delta_t, 1].sum() for run in (range(4), range(4, 6)) for i in run if i + delta_t <= run[-1] + 1
    ]
    mirrored = [-steps[i : i + delta_t, 1].sum() for i in range(4 - delta_t + 1)]
    assert got.differences("x") == pytest.approx([*sums, *mirrored])


def rated(table, fps, source):
    return replace(table, fps=np.full(len(table), fps, np.float32), source=np.full(len(table), source))


def test_distance_in_time_is_the_nearest_number_of_frames_of_each_rate():
    steps = np.random.default_rng(0).normal(size=(9, 2))
    slow, fast = rated(walk(steps), 10, "slow"), rated(walk(-steps), 29.97, "fast")
    unknown = rated(walk(3 * steps), np.nan, "unknown")
    got, distances, left_out = at_time(join(fast, unknown, slow), 100)
    expected = join(at_distance(slow, 1), at_distance(fast, 3))
    for name, column in vars(expected).items():
        np.testing.assert_array_equal(getattr(got, name), column, err_msg=name)
    assert distances == [
        Distance(100, "slow", 10, 1, 100),
        Distance(100, "fast", 29.97, 3, pytest.approx(3000 / 29.97)),
    ]
    assert left_out == ["unknown has no distance in time, since its rate is not known"]


@pytest.mark.parametrize(("delta_ms", "frames"), [(49, None), (50, 1), (149, 1), (151, 2), (250, 3)])
def test_frames_that_are_further_apart_than_twice_the_time_are_left_out(delta_ms, frames):
    table = rated(walk(np.ones((9, 2))), 10, "slow")
    got, distances, left_out = at_time(table, delta_ms)
    if frames is None:
        assert (len(got), distances) == (0, [])
        assert left_out == ["slow is left out at 49 ms, since its nearest frames are 100 ms apart"]
    else:
        assert set(got.differences("x")) == {frames}
        assert [each.frames for each in distances] == [frames]
        assert str(distances[0]).startswith(f"{delta_ms} ms: {frames} frame")


def test_distance_in_time_needs_a_rate():
    with pytest.raises(UsageError, match=r"says of no source how many frames make a second.*--fps-of-source"):
        at_time(walk(np.ones((3, 2))), 100)
    for wrong in (0, -1, np.nan, np.inf):
        with pytest.raises(UsageError, match="must be above 0"):
            at_time(rated(walk(np.ones((3, 2))), 10, "a"), wrong)


def test_distance_must_be_at_least_one():
    with pytest.raises(UsageError, match="at least 1"):
        at_distance(walk(np.ones((3, 2))), 0)


def test_shared_motion_is_taken_off():
    """Four objects that stand in a scene which the camera pans over; one of them walks."""
    rng = np.random.default_rng(1)
    pan = rng.normal(size=(20, 2)) * 10
    own = rng.normal(size=(20, 2))
    table = join(*(walk(pan, object_id=number) for number in range(3)), walk(pan + own, object_id=3))
    got = without_ego_motion(table)
    assert len(got) == 80
    for factor, column in (("y", 0), ("x", 1)):
        differences = got.differences(factor)
        assert differences[:60] == pytest.approx(np.zeros(60), abs=1e-12)
        assert differences[60:] == pytest.approx(own[:, column])
    assert np.array_equal(got.area, table.area)


def test_no_object_is_its_own_reference():
    """With its own motion among the frame's, one object in each frame would be said not to move at all."""
    steps = np.random.default_rng(2).normal(size=(5, 30, 2))
    table = join(*(walk(each, object_id=number) for number, each in enumerate(steps)))
    got = without_ego_motion(table).differences("x").reshape(5, 30)
    for number in range(5):
        others = np.median(np.delete(steps[:, :, 1], number, axis=0), axis=0)
        assert got[number] == pytest.approx(steps[number, :, 1] - others)
    assert (got != 0).all()


def test_windows_of_one_object_count_once():
    steps = np.random.default_rng(3).normal(size=(3, 10, 2))
    single = join(*(walk(each, object_id=number) for number, each in enumerate(steps)))
    repeated = join(single, *(walk(steps[0], object_id=0, window=window) for window in range(1, 6)))
    got = without_ego_motion(repeated)
    assert got.differences("y")[:30] == pytest.approx(without_ego_motion(single).differences("y"))


def test_frames_with_too_few_objects_are_left_out():
    steps = np.ones((4, 2))
    crowd = [walk(steps, "crowded", number) for number in range(3)]
    couple = [walk(steps, "lonely", number) for number in range(2)]
    got = without_ego_motion(join(*couple, *crowd))
    assert set(got.video) == {"crowded"}
    assert len(without_ego_motion(join(*couple))) == 0


def test_without_videos_no_frame_is_known():
    with pytest.raises(UsageError, match="which video"):
        without_ego_motion(walk(np.ones((4, 2)), video=""))
