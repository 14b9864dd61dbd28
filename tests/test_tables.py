import csv
import io
import itertools
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen import store
from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.transitions import FACTORS, Transitions, load, save


def assert_same(got, expected):
    for name, column in vars(expected).items():
        other = getattr(got, name)
        np.testing.assert_array_equal(other, column, err_msg=name, strict=column.dtype.kind != "U")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=5)
ids = st.integers(-(2**63), 2**63 - 1)


@st.composite
def tables(draw):
    count = draw(st.integers(0, 4))

    def column(values, dtype):
        return np.array(draw(st.lists(values, min_size=count, max_size=count)), dtype=dtype)

    def pairs(dtype):
        values = ids if dtype == "int64" else st.floats(allow_nan=False, allow_infinity=False, width=int(dtype[5:]))
        flat = draw(st.lists(values, min_size=2 * count, max_size=2 * count))
        return np.array(flat, dtype=dtype).reshape(count, 2)

    return Transitions(
        source=column(texts, str),
        video=column(texts, str),
        object_id=column(ids, "int64"),
        category=column(texts, str),
        window=column(ids, "int64"),
        frame=column(ids, "int64"),
        y=pairs(draw(st.sampled_from(["float32", "float64"]))),
        x=pairs(draw(st.sampled_from(["float32", "float64"]))),
        area=pairs(draw(st.sampled_from(["int64", "float64"]))),
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@given(tables())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_comes_back(tmp_path, suffix, table):
    save(table, tmp_path / f"table{suffix}", overwrite=True)
    assert_same(load(tmp_path / f"table{suffix}"), table)


def small():
    return Transitions(
        source=np.array(["a", "a"]),
        video=np.array(["0", "0"]),
        object_id=np.array([1, 1]),
        category=np.array(["person", "person"]),
        window=np.array([0, 0]),
        frame=np.array([3, 4]),
        y=np.array([[1.5, 2.5], [2.5, 3.5]]),
        x=np.array([[0.1, 0.2], [0.2, 0.3]]),
        area=np.array([[10, 11], [11, 12]]),
    )


def test_the_long_csv_is_plain(tmp_path):
    save(small(), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().splitlines() == [
        "source,video,object_id,category,window,frame,y_before,y_after,x_before,x_after,area_before,area_after",
        "a,0,1,person,0,3,1.5,2.5,0.1,0.2,10,11",
        "a,0,1,person,0,4,2.5,3.5,0.2,0.3,11,12",
    ]
    assert load(tmp_path / "table.csv", sequence=3).area.tolist() == [[10, 11, 12]]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_pairs_of_a_dataset_file_keep_their_types(kitti, tmp_path, suffix):
    store.save(kitti, tmp_path / "kitti.npz")
    table = load(tmp_path / "kitti.npz")
    assert table.y.dtype == np.float32
    save(table, tmp_path / f"table{suffix}")
    assert_same(load(tmp_path / f"table{suffix}"), table)


def test_saving(tmp_path):
    save(small(), tmp_path / "table.csv", manifest={"tool": "t"})
    assert '"sha256"' in (tmp_path / "table.csv.manifest.json").read_text()
    with pytest.raises(UsageError, match="exists"):
        save(small(), tmp_path / "table.csv")
    save(small(), tmp_path / "table.csv", overwrite=True)
    assert not (tmp_path / "table.csv.manifest.json").exists()
    with pytest.raises(UsageError, match="no such folder"):
        save(small(), tmp_path / "none/table.csv")
    with pytest.raises(UsageError, match=r"\.txt"):
        save(small(), tmp_path / "table.txt")
    with pytest.raises(UsageError, match="holds pairs"):
        save(small().runs(3), tmp_path / "runs.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv"]


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"datagen-natural\[parquet\]"):
        save(small(), tmp_path / "table.parquet")
    assert not list(tmp_path.iterdir())


RELEASE = 'id,cat_id,t_0,t_1\r\n4,1,"[(1.5, 2.5, 3), None]","[(2.5, 3.5, 4), (1.0, 1.0, 1)]"\r\n5,2,,\r\n'


def read(tmp_path, text, sequence=2):
    path = tmp_path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, sequence)


@pytest.mark.parametrize(
    "text",
    [RELEASE, RELEASE.replace("\r", ""), RELEASE.strip(), RELEASE.replace(", ", ","), RELEASE + "\r\n\n"],
    ids=["as written", "with plain ends of line", "without its last end of line", "without spaces", "with blank lines"],
)
def test_the_releases_table_is_read(tmp_path, text):
    table = read(tmp_path, text)
    assert table.object_id.tolist() == [4]
    assert table.category.tolist() == ["person"]
    assert (table.window.tolist(), table.frame.tolist()) == ([0], [0])
    assert (table.y.tolist(), table.x.tolist(), table.area.tolist()) == ([[1.5, 2.5]], [[2.5, 3.5]], [[3, 4]])
    assert table.area.dtype == np.int64


def test_runs_of_the_releases_table(tmp_path):
    cells = [f'"[(1.0, 1.0, {area}), (2.0, 2.0, {10 * area})]"' for area in (1, 2, 3)]
    table = read(tmp_path, f"id,cat_id,t_0\n7,99,{cells[0]},{cells[1]},{cells[2]},,{cells[2]},{cells[0]}\n", sequence=3)
    assert table.area.tolist() == [[1, 2, 3], [10, 20, 30]]
    assert table.window.tolist() == [0, 1]
    assert table.category.tolist() == ["99", "99"]


def test_a_table_without_a_pair(tmp_path):
    assert len(read(tmp_path, 'id,cat_id,t_0\n1,1,"[(1.0, 1.0, 1)]"\n2,1\n')) == 0


numbers = st.floats(-1e300, 1e300) | st.floats(0, 64)
areas = st.integers(1, 2**53 - 1) | st.floats(1e-300, 1e15)
items = st.none() | st.tuples(numbers, numbers, areas)
cells = st.just("") | st.lists(items, min_size=1, max_size=3).map(str)
rows = st.lists(st.tuples(st.integers(0, 50), st.lists(cells, max_size=6)), min_size=1, max_size=5)


def plain_way(rows):
    """Evaluate the cells and walk through them as the release does."""
    found = []
    for number, (category, row) in enumerate(rows):
        values = [eval(cell) if cell else [] for cell in row]
        for frame, (first, second) in enumerate(itertools.pairwise(values)):
            for window, (before, after) in enumerate(zip(first, second, strict=False)):
                if before and after:
                    found.append((number, str(category), window, frame, before, after))
    return found


@given(rows)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_is_evaluating_every_cell(tmp_path, rows):
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["id", "cat_id", *(f"t_{k}" for k in range(6))])
    writer.writerows([number, 1000 + category, *row] for number, (category, row) in enumerate(rows))
    table = read(tmp_path, stream.getvalue())
    expected = plain_way([(1000 + category, row) for category, row in rows])
    measures = np.stack([table.y, table.x, table.area.astype(float)], axis=2)
    got = zip(
        table.object_id.tolist(),
        table.category,
        table.window.tolist(),
        table.frame.tolist(),
        *(map(tuple, measures[:, k].tolist()) for k in range(2)),
        strict=True,
    )
    assert list(got) == expected


BAD_TABLES = {
    "nothing": ("", "no table of transitions"),
    "another file": ("a,b\n1,2\n", "no table of transitions"),
    "a pickle": (b"\x80\x04]\x94.", "no table of transitions"),
    "a header alone": ("id,cat_id,t_0\r\n", "holds no rows"),
    "no header": (RELEASE.partition("\n")[2], "no table of transitions"),
    "an id that is a name": (RELEASE.replace("5,2", "x,2"), "line 3: is no row"),
    "a negative id": (RELEASE.replace("5,2", "-5,2"), "line 3: is no row"),
    "a huge id": (RELEASE.replace("5,2", "5" * 30 + ",2"), "line 3: is no row"),
    "no category": (RELEASE.replace("5,2,,", "5"), "line 3: is no row"),
    "an id again": (RELEASE.replace("5,2", "4,2"), "line 3: id 4 was on line 2"),
    "a cell that is a number": (RELEASE.replace("5,2,,", "5,2,7,"), "line 3: is no row"),
    "a cell that is code": (RELEASE.replace("5,2,,", '5,2,"print(1)",'), "line 3: is no row"),
    "a tuple of two": (RELEASE.replace("(1.5, 2.5, 3)", "(1.5, 2.5)"), "line 2: is no row"),
    "a tuple of four": (RELEASE.replace("(1.5, 2.5, 3)", "(1.5, 2.5, 3, 4)"), "line 2: is no row"),
    "a tuple without its end": (RELEASE.replace("4), (1.0", "4, (1.0"), "line 2: is no row"),
    "a list without its end": (RELEASE.replace("None]", "None"), "line 2: is no row"),
    "a quote that never ends": (RELEASE.replace('None]"', "None]"), "line 2: is no row"),
    "another name": (RELEASE.replace("None", "Nine"), "line 2: is no row"),
    "nan": (RELEASE.replace("2.5, 3.5", "nan, 3.5"), "line 2: is no row"),
    "infinity": (RELEASE.replace("2.5, 3.5", "1e999, 3.5"), "line 2: is no row"),
    "no number": (RELEASE.replace("2.5, 3.5", ", 3.5"), "line 2: is no row"),
    "numpy's way of writing": (RELEASE.replace(", 3)", ", np.int64(3))"), "line 2: is no row"),
    "an area of 0": (RELEASE.replace(", 3)", ", 0)"), "line 2: is no row"),
    "a zero byte": (RELEASE.replace("5,2", "5,\0"), "line 3: is no row"),
    "a break in the middle": (RELEASE[:60], "line 2: is no row"),
}


@pytest.mark.parametrize(("text", "problem"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_releases_tables(tmp_path, text, problem):
    with pytest.raises(BadInputError, match=problem) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


LONG = "source,video,object_id,category,window,frame,y_before,y_after,x_before,x_after,area_before,area_after\n"
ROW = "a,0,1,person,0,3,1.5,2.5,0.1,0.2,10,11\n"
BAD_LONG_TABLES = {
    "a column too few": (LONG.replace(",area_after", "") + ROW, "line 1: its columns are not"),
    "columns in another order": (LONG.replace("y_before,y_after", "y_after,y_before") + ROW, "line 1: its columns"),
    "a type that is none": (LONG.replace("y_after", "y_after:int8") + ROW, "column y_after is of type int8"),
    "a field too few": (LONG + ROW + "a,0\n", "line 3: has 2 fields, not 12"),
    "a number that is none": (LONG + ROW + ROW.replace("0.1", "x"), "row 2: x_before is 'x', no float64"),
    "an id with a fraction": (LONG + ROW.replace(",1,", ",1.5,"), "row 1: object_id is '1.5', no int64"),
    "a huge id": (LONG + ROW.replace(",1,", f",{10**30},"), "row 1: object_id is"),
    "nan": (LONG + ROW + ROW.replace("0.1", "nan"), "row 2: x_before is nan"),
    "infinity": (LONG + ROW.replace("2.5", "inf"), "row 1: y_after is inf"),
    "other bytes": ((LONG + ROW).encode() + b"\xff", "damaged or no CSV"),
}


@pytest.mark.parametrize(("text", "problem"), BAD_LONG_TABLES.values(), ids=BAD_LONG_TABLES)
def test_bad_long_tables(tmp_path, text, problem):
    with pytest.raises(BadInputError, match=problem) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_bad_parquet(tmp_path):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "table.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(BadInputError, match="damaged or no parquet"):
        load(path)
    save(small(), path, overwrite=True)
    content = parquet.read_table(path)
    for change, problem in (
        (content.drop_columns(["y_before"]), "lacks the column y_before"),
        (content.set_column(6, "y_before", pyarrow.array([1, 2])), "y_before is of type int64"),
        (content.set_column(6, "y_before", pyarrow.array([1.0, None])), "lacks the column y_before, or values"),
        (content.set_column(6, "y_before", pyarrow.array([1.0, np.nan])), "row 2: y_before is nan"),
        (content.set_column(2, "object_id", pyarrow.array(["1", "2"])), "object_id is of type string"),
    ):
        parquet.write_table(change, path)
        with pytest.raises(BadInputError, match=problem):
            load(path)


@given(st.integers(0, 200), st.integers(0, 255), st.booleans(), st.sampled_from([RELEASE, LONG + ROW]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_any_byte_changed_gives_a_table_or_an_error_of_ours(tmp_path, place, byte, cut, text):
    data = bytearray(text.encode())
    place %= len(data)
    data[place] = byte
    if cut:
        del data[place:]
    try:
        table = read(tmp_path, bytes(data))
    except DatagenError:
        return
    assert all(np.isfinite(getattr(table, factor)).all() for factor in FACTORS)
