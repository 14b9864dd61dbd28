import csv
import io
import itertools
import json
import os
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import datagen.store.tables as tables_module
from datagen import store
from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.store import long_table
from datagen.store.tables import load, save, save_tables
from datagen.transitions import FACTORS, Transitions


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
        fps=column(st.just(np.nan) | st.floats(0.125, 2.0**20, width=32), "float32"),
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


def test_a_rate_has_a_column_where_it_is_known(tmp_path):
    save(replace(small(), fps=np.array([29.97, np.nan], np.float32)), tmp_path / "table.csv")
    header, first, second = (tmp_path / "table.csv").read_text().splitlines()
    assert header.endswith("area_after,fps")
    assert first.endswith("10,11,29.97")
    assert second.endswith("11,12,")


@pytest.mark.parametrize("fps", ["0", "-5", "inf", "1e99", "x"])
def test_rates_that_cannot_be(tmp_path, fps):
    save(replace(small(), fps=np.array([6, 6], np.float32)), tmp_path / "table.csv")
    text = (tmp_path / "table.csv").read_text().replace("11,12,6.0", f"11,12,{fps}")
    with pytest.raises(BadInputError, match=r"row 2: fps is"):
        read(tmp_path, text)
    for wrong in (0, -1, np.inf):
        with pytest.raises(UsageError, match="the column fps must hold frames a second"):
            replace(small(), fps=np.array([6, wrong], np.float32))


@pytest.mark.parametrize("values", [[6, 6], [6.0, None], [None, None], [6.0, float("nan")]])
def test_rates_that_another_program_wrote(tmp_path, values):
    parquet = pytest.importorskip("pyarrow.parquet")
    save(small(), tmp_path / "table.parquet")
    content = parquet.read_table(tmp_path / "table.parquet")
    parquet.write_table(content.append_column("fps", [values]), tmp_path / "table.parquet")
    np.testing.assert_array_equal(
        load(tmp_path / "table.parquet").fps, np.array([np.nan if value is None else value for value in values], "f4")
    )


def test_the_manifest_tells_the_rate_of_a_releases_table(tmp_path):
    path = tmp_path / "table.csv"
    for rates, expected in (
        ([], np.nan),
        ([{"source": "a", "frames_per_second": 6}, {"source": "b", "frames_per_second": 6}], 6),
        ([{"source": "a", "frames_per_second": 6}, {"source": "b", "frames_per_second": 5}], np.nan),
        ([{"source": "a", "frames_per_second": None}], np.nan),
    ):
        path.write_text(RELEASE)
        manifest = json.dumps({"categories": {"1": "person"}, "rates": rates})
        path.with_name("table.csv.manifest.json").write_text(manifest)
        np.testing.assert_array_equal(load(path).fps, [np.float32(expected)])
    path.with_name("table.csv.manifest.json").write_text(manifest.replace("null", "0"))
    with pytest.raises(BadInputError, match=r"manifest.json: 0 is no rate"):
        load(path)


@pytest.mark.parametrize("suffix", store.SUFFIXES)
def test_pairs_of_a_dataset_file_of_any_format(kitti, tmp_path, suffix):
    store.save(kitti, tmp_path / f"kitti{suffix}")
    np.testing.assert_array_equal(load(tmp_path / f"kitti{suffix}").y, kitti.transitions().y)


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
    with pytest.raises(UsageError, match="is no folder"):
        save(small(), tmp_path / "table.csv/table.csv")
    with pytest.raises(UsageError, match=r"\.txt"):
        save(small(), tmp_path / "table.txt")
    with pytest.raises(UsageError, match="holds pairs"):
        save(small().runs(3), tmp_path / "runs.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv"]


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="parquet needs pyarrow; pip install pyarrow"):
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
    "a column twice": (LONG.replace("y_after", "y_before") + ROW, "line 1: has the column y_before twice"),
    "other separators": ((LONG + ROW).replace(",", ";"), "line 1: its columns are parted by ';'"),
    "digits of another script": (LONG + ROW.replace("0.1", "\u0663"), "row 1: x_before is"),
    "an underscore": (LONG + ROW.replace(",10,", ",1_0,"), "row 1: area_before is '1_0', no int64"),
    "an area beyond all": (LONG + ROW.replace(",10,", f",{10**30},"), "row 1: area_before is"),
    "a zero byte in a name": (LONG + ROW.replace("person", "per\0son"), "category 'per.x00son' holds a zero byte"),
    "a long field": (LONG + ROW.replace("person", "p" * 200_000), "damaged or no CSV"),
    "a quote that never ends": (LONG + ROW.replace("person", '"person'), "damaged or no CSV|fields, not 12"),
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


def by_another_program(change):
    """The small table, written again by rules that pandas and spreadsheets follow."""
    rows = [
        line.split(",")
        for line in (LONG + ROW + ROW.replace("0,3,1.5,2.5,0.1,0.2,10,11", "0,4,2.5,3.5,0.2,0.3,11,12")).split()
    ]
    return "\n".join(",".join(change(number, row)) for number, row in enumerate(rows)) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        by_another_program(lambda number, row: ["" if number == 0 else str(number - 1), *row]),
        by_another_program(lambda number, row: row if number == 0 else [*row[:10], row[10] + ".0", row[11] + ".0"]),
        by_another_program(lambda number, row: row if number == 0 else [*row[:2], "1.0", row[3], "0.0", *row[5:]]),
        "\ufeff" + by_another_program(lambda number, row: row),
        by_another_program(lambda number, row: [*row, "speed" if number == 0 else "a b"]),
        by_another_program(lambda number, row: row[::-1]),
        by_another_program(lambda number, row: [f'"{field}"' for field in row]),
        by_another_program(lambda number, row: row).replace("\n", "\r\n") + "\r\n",
    ],
    ids=["index", "areas as floats", "ids as floats", "byte order mark", "more", "reversed", "quoted", "ends of line"],
)
def test_a_long_csv_that_another_program_wrote(tmp_path, text):
    assert_same(read(tmp_path, text), small())


def test_areas_with_fractions_and_no_type_in_their_name(tmp_path):
    table = read(tmp_path, LONG + ROW.replace(",11\n", ",11.5\n"))
    assert table.area.tolist() == [[10.0, 11.5]]


def test_many_rows_are_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(long_table, "_BLOCK", 3)
    rows = [ROW.replace(",3,", f",{frame},").replace("a,", "a" * (1 + frame % 4) + ",", 1) for frame in range(8)]
    rows[5] = rows[5].replace(",10,", ",10.5,")
    table = read(tmp_path, LONG + "".join(rows))
    assert table.frame.tolist() == list(range(8))
    assert table.source.tolist() == ["a" * (1 + frame % 4) for frame in range(8)]
    assert table.area[:, 0].tolist() == [10, 10, 10, 10, 10, 10.5, 10, 10]
    with pytest.raises(BadInputError, match="row 7: y_before is 'x'"):
        read(tmp_path, LONG + "".join(rows[:6]) + ROW.replace("1.5", "x"))


def test_texts_as_wide_as_the_longest_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(long_table, "_MOST_TEXT", 4 * 300 * 10)
    text = LONG + ROW.replace("person", "p" * 300) + ROW * 9
    assert len(read(tmp_path, text)) == 10
    with pytest.raises(BadInputError, match="has 300 characters"):
        read(tmp_path, text + ROW)


def test_texts_that_a_file_cannot_hold(tmp_path):
    for text in ("a\udcff", "a\0b"):
        with pytest.raises(UsageError, match="cannot hold this name"):
            save(replace(small(), video=np.array([text, "b"])), tmp_path / "table.csv")
    assert not list(tmp_path.iterdir())
    lone_return = replace(small(), video=np.array(["a\rb", "c"]))
    save(lone_return, tmp_path / "table.csv")
    assert_same(load(tmp_path / "table.csv"), lone_return)


@pytest.mark.parametrize(
    "text",
    [
        ",id,cat_id,t_0,t_1\n" + "".join(f"{n},{line}\n" for n, line in enumerate(RELEASE.split("\r\n")[1:3])),
        "\ufeff" + RELEASE,
    ],
    ids=["index", "byte order mark"],
)
def test_a_releases_table_that_pandas_wrote(tmp_path, text):
    assert_same(read(tmp_path, text), read(tmp_path, RELEASE))


def test_the_releases_columns_stand_in_the_order_of_time(tmp_path):
    with pytest.raises(BadInputError, match="line 1: its column 't_1' stands where t_0 should"):
        read(tmp_path, RELEASE.replace("t_0,t_1", "t_1,t_0"))


def test_a_manifest_is_of_its_table_or_is_refused(tmp_path):
    path, beside = tmp_path / "table.csv", tmp_path / "table.csv.manifest.json"
    save(small(), path, manifest={"tool": "t"})
    assert_same(load(path), small())
    path.write_text(path.read_text().replace("person", "parrot"))
    with pytest.raises(BadInputError, match=r"manifest\.json: is of another table than table\.csv"):
        load(path)
    for text in (
        b"[]",
        b"null",
        b"",
        b"\xff",
        b'{"sha256": 5}',
        b'{"categories": []}',
        b"[" * 100_000,
        b'{"sha256": NaN}',
    ):
        beside.write_bytes(text)
        with pytest.raises(BadInputError, match="no manifest of a table") as caught:
            load(path)
        assert "\n" not in str(caught.value)
    beside.unlink()
    os.mkfifo(beside)
    with pytest.raises(BadInputError, match=r"manifest\.json: is a pipe"):
        load(path)
    beside.unlink()
    beside.mkdir()
    with pytest.raises(BadInputError, match=r"manifest\.json: is a folder"):
        load(path)


def test_names_in_a_manifest(tmp_path):
    for names in ('{"x": "y"}', '{"1": null}', '{"1": 5}', '{"1": "a\\u0000"}', '{"' + "9" * 5000 + '": "x"}'):
        (tmp_path / "table.csv.manifest.json").write_text('{"categories": ' + names + "}")
        with pytest.raises(BadInputError, match=r"manifest\.json"):
            read(tmp_path, RELEASE)


@pytest.mark.parametrize("fail_at", ["first", "second"])
def test_tables_are_replaced_together_or_not_at_all(tmp_path, monkeypatch, fail_at):
    """As on a full disk."""
    paths = [tmp_path / "first.csv", tmp_path / "second.csv"]
    save_tables(dict.fromkeys(paths, small()), manifest={"tool": "old"})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def write_csv(path, table):
        path.write_bytes(b"half")
        if fail_at in path.name:
            raise OSError(28, "No space left on device", str(path))

    monkeypatch.setitem(tables_module._WRITERS, ".csv", write_csv)
    with pytest.raises(OSError, match="No space left"):
        save_tables(dict.fromkeys(paths, small()), overwrite=True, manifest={"tool": "new"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_pipes_are_no_tables(tmp_path):
    for name in ("table.csv", "table.parquet"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(BadInputError, match=f"{name}: is a pipe"):
            load(tmp_path / name)


def test_parquet_that_another_program_wrote(tmp_path):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "table.parquet"
    save(small(), path)
    content = parquet.read_table(path)
    for name, values in (
        ("source", pyarrow.array(["a", "a"], pyarrow.large_string())),
        ("category", pyarrow.array(["person", "person"])),
        ("video", pyarrow.array([0, 0])),
        ("object_id", pyarrow.array([1.0, 1.0])),
        ("frame", pyarrow.array([3, 4], pyarrow.int32())),
        ("area_after", pyarrow.array([11, 12], pyarrow.uint16())),
    ):
        content = content.set_column(content.column_names.index(name), name, values)
    content = content.append_column("__index_level_0__", pyarrow.array([0, 1])).select(
        ["__index_level_0__", *content.column_names[::-1]]
    )
    (tmp_path / "window=3").mkdir()  # a data set would take a column from this name
    parquet.write_table(content, tmp_path / "window=3/table.parquet", row_group_size=1)
    assert_same(load(tmp_path / "window=3/table.parquet"), small())


def test_small_parquet_that_would_take_all_memory(tmp_path):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "table.parquet"
    save(small(), path)
    content = parquet.read_table(path)
    rows = 1_100_000
    repeated = {name: pyarrow.array(np.zeros(rows, dtype="int64")) for name in content.column_names}
    for name in content.column_names:
        if name.startswith(("y_", "x_")):
            repeated[name] = repeated[name].cast("float64")
        if name in ("source", "video", "category"):
            repeated[name] = repeated[name].cast("string").dictionary_encode()
    parquet.write_table(pyarrow.table(repeated), path)
    with pytest.raises(BadInputError, match="claims 1,100,000 rows"):
        load(path)
    long = pyarrow.array(["a" * 30_000_000] * 10)
    content = content.take([0] * 10).set_column(0, "source", long)
    parquet.write_table(content, path, use_dictionary=False, compression="zstd")
    with pytest.raises(BadInputError, match="unpack to"):
        load(path)
    parquet.write_table(content, path, compression="zstd")  # once in the file, and coded
    with pytest.raises(BadInputError, match="has 30,000,000 characters"):
        load(path)


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
        (content.set_column(2, "object_id", pyarrow.array([1.5, 2.0])), "row 1: object_id is 1.5, no int64"),
        (content.set_column(2, "object_id", pyarrow.array([2.0**60, 2.0])), "row 1: object_id is"),
        (content.set_column(0, "source", pyarrow.nulls(2)), "lacks the column source, or values"),
        (content.set_column(0, "source", pyarrow.array([[1], [2]])), "source is of type list"),
        (content.set_column(0, "source", pyarrow.array([b"a", b"\xff"])), "source is of type binary"),
        (content.set_column(0, "source", pyarrow.array(["a\0", "b"])), "source 'a.x00' holds a zero byte"),
        (content.append_column("source", content["source"]), "has the column source twice"),
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
