import gzip
import json
import pickle

import numpy as np
import pytest

from datagen.errors import BadInputError, UsageError
from datagen.store.release_pickle import unpickle
from datagen.store.tables import load
from datagen.transitions import FACTORS, Transitions


def table(rows: list[tuple[int, int, int]]) -> Transitions:
    """Pairs of (object, window, frame) whose area tells object, window and frame."""
    object_id, window, frame = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    area = (object_id * 10000 + window * 100 + frame)[:, None] + [0, 1]
    text = np.full(len(frame), "a")
    return Transitions(text, text, object_id, text, window, frame, area / 2, area / 4, area)


def test_pairs_of_the_release(golden):
    expected = json.loads((golden / "release/load_csv.json").read_text())
    got = load(golden / "release/downscale_keepaspect.csv")
    assert got.object_id.tolist() == expected["id"]
    names = {1: "person", 2: "giant_panda", 3: "lizard"}
    assert got.category.tolist() == [names[number] for number in expected["category_id"]]
    for factor in FACTORS:
        assert getattr(got, factor).tolist() == expected[factor]
        assert got.differences(factor).tolist() == expected[f"{factor}_diff"]
    assert got.area.dtype == np.int64
    assert got.y.dtype == got.x.dtype == np.float64


def test_pairs_of_the_releases_pickle(golden, tmp_path):
    path = tmp_path / "kitti_dict_p_v2.pkl"
    path.write_bytes(gzip.decompress((golden / "release/kitti_dict_p_v2.pkl.gz").read_bytes()))
    with path.open("rb") as stream:
        expected = unpickle(stream, path)
    got = load(path)
    assert got.category.tolist() == expected["category"]
    for factor, dtype in (("area", np.int64), ("x", np.float32), ("y", np.float32)):
        assert getattr(got, factor).dtype == dtype
        assert np.array_equal(getattr(got, factor), expected[factor])
        assert got.differences(factor).tolist() == expected[f"{factor}_diff"]


@pytest.mark.parametrize("length", [2, 3, 5, 30])
def test_dataset_file_and_pair_table_give_the_same_runs(golden, tmp_path, length):
    pairs = tmp_path / "kitti_dict_p_v2.pkl"
    pairs.write_bytes(gzip.decompress((golden / "release/kitti_dict_p_v2.pkl.gz").read_bytes()))
    of_pairs = load(pairs, length)
    of_dataset = load(golden / "release/kitti_peds_v2.pickle", length)
    lengths = np.load(golden / "release/kitti_canonical.npz")["lens"]
    assert len(of_dataset) == np.maximum(lengths - length + 1, 0).sum()
    for factor in FACTORS:
        assert np.array_equal(getattr(of_pairs, factor), getattr(of_dataset, factor))


def test_runs_follow_one_object_through_one_window_without_a_gap():
    got = table([(2, 0, 5), (1, 0, 3), (1, 0, 4), (1, 1, 5), (1, 0, 5), (1, 0, 7), (2, 0, 6), (3, 0, 4)]).runs(3)
    assert got.area.tolist() == [[20005, 20006, 20007], [10003, 10004, 10005], [10004, 10005, 10006]]
    assert got.frame.tolist() == [5, 3, 4]
    assert got.y.tolist() == (got.area / 2).tolist()


def test_runs_do_not_cross_videos():
    pairs = table([(1, 0, 1), (1, 0, 2)])
    apart = Transitions(**{**vars(pairs), "video": np.array(["a", "b"])})
    assert len(pairs.runs(3)) == 1
    assert len(apart.runs(3)) == 0


@pytest.mark.parametrize("rows", [[], [(1, 0, 0)], [(1, 0, 0), (1, 0, 1)]])
def test_too_few_pairs_for_a_run(rows):
    got = table(rows).runs(4)
    assert len(got) == 0
    assert got.length == 4


def test_bad_lengths():
    with pytest.raises(UsageError, match="at least 2"):
        table([(1, 0, 0)]).runs(1)
    with pytest.raises(UsageError, match="start from pairs"):
        table([(1, 0, 0), (1, 0, 1)]).runs(3).runs(4)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"y": [[1.0, 2.0]]}, "y is no array but list"),
        ({"y": np.array([[1, 2]])}, "y is of type int64"),
        ({"y": np.array([[1.0, None]], dtype=object)}, "y is of type object"),
        ({"y": np.array([1.0])}, r"y is \(1,\), not \(N, T\)"),
        ({"area": np.array([[1, 2]], dtype=np.uint64)}, "area is of type uint64"),
        ({"source": np.array([b"a"])}, "source is of type"),
        ({"frame": np.array([0.5])}, "frame is of type float64"),
        ({"frame": np.array([[0]])}, r"frame is \(1, 1\), not \(N,\)"),
        ({"frame": np.array([0, 1])}, "different lengths"),
        ({"y": np.array([[1.0, 2.0, 3.0]])}, "must all be"),
        ({name: np.array([[1.0]]) for name in FACTORS}, "T of at least 2"),
    ],
    ids=str,
)
def test_columns_that_make_no_table(change, problem):
    with pytest.raises(UsageError, match=problem):
        Transitions(**{**vars(table([(1, 0, 0)])), **change})


def test_wrong_calls():
    pairs = table([(1, 0, 0), (1, 0, 1)])
    with pytest.raises(UsageError, match="unknown factor 'z'"):
        pairs.differences("z")
    with pytest.raises(UsageError, match="unknown column 'window'"):
        list(pairs.groups("window"))
    with pytest.raises(UsageError, match="no tables"):
        Transitions.concatenate([])
    with pytest.raises(UsageError, match="cannot be joined"):
        Transitions.concatenate([pairs, pairs.runs(3)])
    assert pairs.runs(10**9).area.shape == (0, 10**9)
    with pytest.raises(UsageError, match="no video has more"):
        pairs.runs(10**20)


def test_anomalies():
    assert table([(1, 0, 0), (1, 0, 1), (2, 0, 0), (1, 1, 0)]).anomalies() == []
    twice = table([(1, 0, 0), (2, 0, 0), (1, 0, 0), (1, 0, 0)])
    negative = Transitions(**{**vars(twice), "area": twice.area * [[1], [-1], [1], [1]]})
    below, again = negative.anomalies()
    assert below.startswith("1 of 4 rows have an area below 0")
    assert again.startswith("2 of 4 rows have the object")


PAIRS = {"id": [0, 0], "category": ["a", "a"], "y": [[1.0, 2.0]] * 2, "x": [[1.0, 2.0]] * 2, "area": [[1, 2]] * 2}


def pickled(lists):
    """Return a pickle of lists that are objects of their own, as the release writes them."""
    return pickle.dumps(json.loads(json.dumps(lists)))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("y", [[1.0, 2.0]]),
        ("y", [[1.0], [2.0]]),
        ("y", [[1.0, 2.0], [1.0]]),
        ("y", [["a", "b"]] * 2),
        ("y", 5),
        ("area", [[1, float("nan")]] * 2),
        ("area", [[1, 10**30]] * 2),
        ("id", [0.5, 1]),
        ("id", ["a", "b"]),
        ("id", None),
        ("category", [1, 2]),
    ],
    ids=str,
)
def test_bad_lists_of_pairs(tmp_path, name, values):
    path = tmp_path / "pairs.pkl"
    path.write_bytes(pickled(PAIRS))
    assert load(path).area.tolist() == [[1, 2], [1, 2]]
    path.write_bytes(pickled({**PAIRS, name: values}))
    with pytest.raises(BadInputError, match=r"pairs\.pkl") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_foreign_files(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load(tmp_path / "none.csv")
    (tmp_path / "text.txt").write_text("id,cat_id")
    with pytest.raises(UsageError, match="no table has the suffix"):
        load(tmp_path / "text.txt")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(BadInputError, match="no table of transitions"):
        load(tmp_path / "empty.csv")
