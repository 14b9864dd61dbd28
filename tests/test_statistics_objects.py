from dataclasses import replace

import numpy as np
import pytest
from test_statistics_motion import join, walk
from test_statistics_summary import drifting

from datagen import store
from datagen.statistics import summarize
from datagen.statistics.dependence import correlations, mutual_information
from datagen.statistics.objects import join_windows, objects_of, once_per_frame
from datagen.store.tables import load
from datagen.transitions import FACTORS


def test_objects_are_told_apart_by_source_video_and_id():
    table = join(
        walk(np.ones((2, 2)), "a", 1),
        walk(np.ones((2, 2)), "b", 1),
        walk(np.ones((2, 2)), "a", 2),
        walk(np.ones((1, 2)), "a", 1, window=3),
    )
    first, second, third, again = objects_of(table)[[0, 2, 4, 6]]
    assert len({first, second, third}) == 3
    assert again == first


def independent(objects=60, length=40, seed=0):
    """A table of objects whose factors change independently of each other."""
    rng = np.random.default_rng(seed)
    table = join(*(walk(steps, object_id=i) for i, steps in enumerate(rng.standard_t(3, (objects, length, 2)))))
    area = 500 + np.stack([np.zeros(len(table)), rng.standard_t(3, len(table))], axis=1)
    return replace(table, area=area)


def repeated(table, times=6, shift=10.0):
    """The same as six overlapping windows show it."""
    return join(*(replace(table, window=0 * table.window + k, x=table.x - shift * k) for k in range(times)))


def test_copies_of_independent_data_do_not_depend_on_each_other():
    table = independent()
    copies = repeated(table)
    raw = mutual_information(copies.differences("x"), copies.differences("y"))
    assert raw > 0.5  # what the copies alone make of it
    once, often = (summarize(each, fits=("norm",), mutual_information=True).groups[0] for each in (table, copies))
    null = [mutual_information(np.random.default_rng(i).permutation(table.differences("x")), table.differences("y"))
            for i in range(10)]  # fmt: skip
    for pair, item in often.dependence.items():
        assert item.n == len(table)
        assert item.mutual_information <= np.mean(null) + 4 * np.std(null) + 0.01
        assert item.pearson == pytest.approx(once.dependence[pair].pearson)
        assert item.spearman_p == pytest.approx(once.dependence[pair].spearman_p)
    for factor in FACTORS:
        fit, alone = often.fits[factor]["norm"], once.fits[factor]["norm"]
        assert fit.ks_p < alone.ks_p
        assert fit.ks_once_p == pytest.approx(alone.ks_once_p, rel=1e-6)


def test_p_values_hold_their_level_whatever_the_number_of_windows():
    p = []
    for seed in range(60):
        table = repeated(independent(4, 30, seed))
        rows = once_per_frame(table)
        p.append(correlations({name: table.differences(name)[rows] for name in ("x", "y")})["x-y"].pearson_p)
    assert 0 <= np.mean(np.array(p) < 0.05) <= 0.15  # with the copies about a half


def test_the_window_nearest_to_the_middle_is_taken():
    table = replace(walk(np.tile([0.0, 1.0], (30, 1))), window=np.zeros(30, dtype=np.int64))
    copies = join(table, replace(table, window=table.window + 1, x=table.x - 20))
    rows = once_per_frame(copies)
    middle = (copies.x.min() + copies.x.max()) / 2
    taken = {int(frame): abs(x - middle) for frame, x in zip(copies.frame[rows], copies.x[rows].mean(1), strict=True)}
    assert sorted(taken) == list(range(30))
    for frame, x in zip(copies.frame, copies.x.mean(axis=1), strict=True):
        assert taken[int(frame)] <= abs(x - middle)


def test_equally_near_windows_are_chosen_by_the_seed():
    copies = repeated(independent(5, 20), shift=0.0)
    first, again, other = (once_per_frame(copies, seed) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()
    assert len(first) == len(other) == 100


def test_a_file_that_does_not_name_its_objects_gets_back_what_its_windows_prove(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.pickle")
    unknown, known = load(tmp_path / "kitti.pickle"), kitti.transitions()
    assert (unknown.object_id < 0).all()
    table, how = join_windows(unknown)
    pairs = np.unique(np.stack([objects_of(table), objects_of(known)]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1] < len(np.unique(unknown.object_id))  # no two are taken for one
    for number in range(pairs.shape[1]):
        rows = objects_of(table) == number
        assert len(np.unique((known.frame - table.frame)[rows])) == 1
    assert f"{len(np.unique(unknown.object_id))} sequences are taken as {pairs.shape[1]} objects" in how
    summary = summarize(unknown, fits=("gennorm",), bootstrap=20)
    assert how in summary.warnings
    assert summary.groups[0].objects == pairs.shape[1]


def test_shapes_that_move_on_whole_pixels_prove_nothing():
    table = join(*(walk(np.ones((9, 2)), object_id=-1 - number) for number in range(4)))
    joined, how = join_windows(table)
    assert len(np.unique(objects_of(joined))) == 4
    assert "4 sequences are taken as 4 objects; if" in how


def test_known_objects_stay_as_they_are():
    table = drifting(0.7, objects=3)
    assert join_windows(table) == (table, "")


@pytest.mark.realdata
def test_the_published_pickle_gets_intervals_nearly_as_wide_as_the_truth(real_kitti, tmp_path):
    store.save(real_kitti, tmp_path / "kitti.pickle")
    known, unknown = real_kitti.transitions(), load(tmp_path / "kitti.pickle")
    table, _ = join_windows(unknown)
    pairs = np.unique(np.stack([objects_of(table), objects_of(known)]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1]
    assert len(np.unique(pairs[1])) == 303
    fits = [summarize(each, fits=("gennorm",), bootstrap=50).groups[0].fits for each in (known, table)]
    for factor in ("x", "y"):
        intervals = [each[factor]["gennorm"].shape_interval for each in fits]
        true, joined = (interval.high - interval.low for interval in intervals)
        assert 0.8 < joined / true <= 1.05  # half where every sequence is taken for an object
