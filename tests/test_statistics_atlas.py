import csv
import json
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from test_statistics_motion import rated
from test_statistics_summary import drifting

from cli.main import main
from datagen import store
from datagen.errors import BadInputError, UsageError
from datagen.statistics import summarize
from datagen.statistics.atlas import Atlas, AtlasRow, AtlasSet, build_atlas
from datagen.statistics.report import ATLAS_COLUMNS, _atlas_verdict, write_atlas
from datagen.store import tables
from datagen.transitions import FACTORS, Transitions

LICENCE = "CC BY 4.0"


def save(folder, name, table, licence=None):
    path = folder / f"{name}.csv"
    sources = [{"id": each, "licence": licence} for each in np.unique(table.source).tolist()]
    tables.save(table, path, manifest=None if licence is None else {"sources": sources})
    return path


def small(fps, source, shape=0.8, **size):
    return rated(drifting(shape, **{"objects": 8, "length": 12, **size}), fps, source)


def rows_of(one, **wanted):
    return [row for row in one.rows if all(getattr(row, name) == value for name, value in wanted.items())]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Sets at 10 and 30 frames a second, one of no known rate, and one of two rates of which one is too slow."""
    folder = tmp_path_factory.mktemp("atlas")
    return {
        "slow": save(folder, "slow", small(10, "a", seed=1), LICENCE),
        "fast": save(folder, "fast", small(29.97, "b", seed=2)),
        "unknown": save(folder, "unknown", small(np.nan, "c", seed=3)),
        "mixed": save(
            folder, "mixed", Transitions.concatenate([small(14, "d", seed=4), small(10, "e", seed=5)]), LICENCE
        ),
    }


@pytest.fixture(scope="module")
def atlas(files):
    return build_atlas(files.values(), 100, bootstrap=8, seed=3)


def test_figures_are_those_of_each_set_alone_at_that_time(files, atlas):
    assert [each.name for each in atlas.sets] == ["slow", "fast", "mixed"]
    table = tables.load(files["fast"])
    alone = summarize(table, fits=(), bootstrap=8, seed=3, delta_ms=(100,), ego_motion=True, levels=("video", "object"))
    groups = {group.ego_motion_removed: group for group in alone.groups if group.delta_ms == 100}
    fast = atlas.sets[1]
    assert (fast.transitions, fast.objects, fast.videos) == (groups[False].n, 8, 2)
    assert [str(source) for source in fast.sources] == ["b: 3 frames at 29.97 a second, which are 100 ms"]
    seen = {(row.factor, row.level, row.ego_motion_removed) for row in fast.rows}
    assert len(seen) == len(fast.rows) == 15  # areas have no shared motion
    for row in fast.rows:
        group = groups[row.ego_motion_removed]
        assert row.found == group.within[row.level][row.factor]
        assert row.kind == group.kind[row.factor]
        assert row.found.shape_interval is not None
        assert row.note == ""


@pytest.mark.parametrize(("sets", "sparse", "apart"), [(0, 0, 1), (1, 1, 0), (2, 0, 1), (2, 1, 2)])
def test_the_verdict_holds_for_every_count(sets, sparse, apart):
    def made(number):
        rows = [AtlasRow("x", "object", False, None, "both" if number < sparse else None, "")]
        return AtlasSet("a", "a", "", 200, [], 0, 0, 0, rows, [])

    verdict = _atlas_verdict(Atlas(200, 0, 0, [made(n) for n in range(sets)], [made(9)] * apart, []))
    expected = "No set has frames that are 200 ms apart."
    if sets:
        expected = (
            f"{'1 set' if sets == 1 else '2 sets'} at 200 ms. Found temporally sparse, with the scale of each object "
            f"taken out: area in 0, x in {sparse}, y in 0."
        )
    if apart:
        of = "1 set" if apart == 1 else "2 sets"
        expected += f" Frames of {of} are of another or an unknown rate, and given apart."
    assert verdict == expected


def test_what_does_not_compare_is_named_and_given_apart(files, atlas):
    assert [(each.name, each.delta_ms) for each in atlas.apart] == [("unknown", None), ("mixed", None)]
    assert atlas.left_out == [
        "unknown: the rate of c is not known (--fps-of-source of the command that made the file says it)",
        "mixed: 1 frame of d (14 a second) is 71.4 ms, too far from 100 ms",
    ]
    # A file of two rates is in both parts, each with its own rows.
    kept, apart = atlas.sets[2], atlas.apart[1]
    assert [source.name for source in kept.sources + apart.sources] == ["e", "d"]
    assert kept.transitions + apart.transitions == len(tables.load(files["mixed"]))
    neighbours = summarize(tables.load(files["unknown"]), fits=(), bootstrap=8, seed=3, levels=("object",))
    expected = neighbours.groups[0].within["object"]["x"]
    assert next(row.found for row in rows_of(atlas.apart[0], factor="x", level="object")) == expected


@pytest.mark.parametrize(
    ("fps", "delta_ms", "frames"),
    [
        (10, 100, 1),
        (6, 200, 1),
        (6, 100, None),
        (5, 200, 1),
        (24, 100, 2),
        (14, 100, None),
        (4, 200, 1),
        (3.9, 200, None),
    ],
)
def test_a_quarter_of_the_time_is_near_enough(tmp_path, fps, delta_ms, frames):
    atlas = build_atlas(save(tmp_path, "set", small(fps, "s", objects=6, length=4)), delta_ms, bootstrap=0)
    assert [source.frames for each in atlas.sets for source in each.sources] == ([] if frames is None else [frames])
    assert len(atlas.sets) + len(atlas.apart) == 1


def test_licences_are_those_of_the_manifest(files, atlas):
    assert {each.name: [source.licence for source in each.sources] for each in atlas.sets} == {
        "slow": [LICENCE],
        "fast": [""],
        "mixed": [LICENCE],
    }


def test_dataset_files_have_their_own_licences(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.npz")
    kitti_mots = build_atlas(tmp_path / "kitti.npz", 100, bootstrap=0).sets[0]
    (described,) = (each for each in kitti.manifest["sources"] if each["id"] == "kitti-mots")
    assert [source.licence for source in kitti_mots.sources] == [described.get("licence", "")]


def test_missing_figures_say_why(tmp_path):
    still = small(10, "s", objects=3, length=16)
    still = replace(still, area=np.full_like(still.area, 50))
    nameless = small(10, "s")
    nameless = replace(nameless, video=np.full(len(nameless), ""))
    lone = small(10, "s", objects=1, length=16)
    few = small(10, "s").select(slice(0, 5))
    none = small(10, "s").select(slice(0, 0))
    paths = [
        save(tmp_path, name, table)
        for name, table in {"still": still, "nameless": nameless, "lone": lone, "few": few, "none": none}.items()
    ]
    atlas = build_atlas(paths, 100, bootstrap=10)
    by_name = {each.name: each for each in [*atlas.sets, *atlas.apart]}

    def notes(name, **wanted):
        return {row.note for row in rows_of(by_name[name], **wanted)}

    assert notes("still", factor="area") == {"not enough data: all 48 differences are equal"}
    assert notes("still", factor="x", level="pooled") == {"no interval: 3 objects, 5 that move are needed"}
    assert notes("nameless", factor="x", level="video") == {"videos are not named"}
    assert notes("nameless", factor="x", level="object") == {""}
    assert by_name["nameless"].videos == 0
    assert not rows_of(by_name["nameless"], ego_motion_removed=True)
    assert "does not name the videos" in by_name["nameless"].notes[0]
    assert notes("lone", factor="x", level="object", ego_motion_removed=False) == {
        "one object: the same as pooled; no interval: 1 object, 5 that move are needed"
    }
    assert notes("lone", ego_motion_removed=True) == {"no frame shows an object and 2 others"}
    assert notes("few", ego_motion_removed=False) == {"not enough data: 5 transitions, 10 are needed"}
    assert notes("none", ego_motion_removed=False) == {"not enough data: 0 transitions, 10 are needed"}
    written = write_atlas(atlas, tmp_path / "out")
    assert "videos are not named" in written[0].read_text()


def test_page_csv_and_picture(atlas, tmp_path):
    first = write_atlas(atlas, tmp_path / "one")
    second = write_atlas(atlas, tmp_path / "two")
    assert [path.name for path in first] == ["atlas.html", "atlas.csv", "atlas.png", "atlas.pdf", "atlas.svg"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    with first[1].open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == ATLAS_COLUMNS
    assert len(rows) == sum(len(each.rows) for each in [*atlas.sets, *atlas.apart])
    row = atlas.sets[0].rows[5]
    told = rows[5]
    assert (told["set"], told["factor"], told["level"]) == ("slow", row.factor, row.level)
    assert (told["licences"], told["fps"], told["frames"], float(told["exact_ms"])) == (LICENCE, "10", "1", 100)
    expected = [row.found.shape, row.found.shape_interval.low, row.found.kurtosis, row.found.zeros]
    expected += [row.found.autocorrelation[1], row.found.autocorrelation_interval[1].high]
    names = ("shape", "shape_low", "kurtosis", "zeros", "autocorrelation", "autocorrelation_high")
    assert [float(told[name]) for name in names] == expected
    assert {each["delta_ms"] for each in rows} == {"100", ""}
    page = first[0].read_text()
    assert all(line in page for line in atlas.left_out)
    assert LICENCE in page
    assert "within object, ego-motion removed" in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    with pytest.raises(UsageError, match="exists; pass --overwrite"):
        write_atlas(atlas, tmp_path / "one")


def test_names_are_taken_for_no_markup_and_no_formula(atlas, tmp_path):
    sets = [replace(atlas.sets[0], name="=<b>$x^$")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page, table, *_ = write_atlas(replace(atlas, sets=sets), tmp_path)
    assert "<b>$" not in page.read_text()
    assert table.read_text().splitlines()[1].startswith("'=<b>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "no set given"),
        ((["a.csv"], 0), "must be above 0"),
        ((["a.csv"], float("nan")), "must be above 0"),
        ((["a.csv"], 100, -1), "at least 0"),
        ((["a.csv", "./a.csv"],), "is given twice"),
        ((["a.csv"],), "no such file"),
        (([None],), "path"),
    ],
    ids=str,
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(UsageError, match=message):
        build_atlas(*arguments)


def test_bad_files_are_named(files, tmp_path):
    table = small(10, "s")
    bad = save(tmp_path, "bad", replace(table, x=np.where(table.x == table.x[3, 1], np.inf, table.x)))
    with pytest.raises((UsageError, BadInputError), match=r"bad\.csv"):
        build_atlas([files["slow"], bad], bootstrap=0)
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a,b\n1,2\n")
    with pytest.raises(BadInputError, match=r"wrong\.csv"):
        build_atlas([files["slow"], wrong], bootstrap=0)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as done:
        main(["atlas", *(str(argument) for argument in arguments)])
    captured = capsys.readouterr()
    return done.value.code or 0, captured.out, captured.err


def test_command(files, atlas, tmp_path, capsys):
    arguments = [files["slow"], files["unknown"], "--bootstrap", 8, "--seed", 3]
    code, out, err = run(capsys, *arguments, "--out", tmp_path / "atlas")
    assert code == 0
    assert "datagen: warning: left out at 100 ms: unknown: the rate of c is not known" in err
    assert "slow: a: 1 frame at 10 a second, which are 100 ms" in out
    assert f"{rows_of(atlas.sets[0], factor='x', level='object')[0].found.shape:.3g}" in out
    assert max(map(len, map(str.rstrip, out.splitlines()[:8]))) <= 80
    code, out, err = run(capsys, *arguments, "--out", tmp_path / "atlas", "--overwrite", "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    expected = json.loads(json.dumps(atlas.to_json()))
    assert answer["sets"] == expected["sets"][:1]
    assert answer["apart"] == expected["apart"][:1]
    code, out, err = run(capsys, *arguments, "--out", tmp_path / "quiet", "--quiet")
    assert (code, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FILE"], "--out"),
        (["--out", "new"], "FILES"),
        (["FILE", "--out", "FILE"], "is no folder"),
        (["FILE", "--out", "new", "--delta-ms", "0"], "delta-ms"),
        (["FILE", "FILE", "--out", "new"], "is given twice"),
        (["absent.csv", "--out", "new"], "no such file"),
    ],
    ids=str,
)
def test_wrong_calls_are_one_line_with_exit_code_2(files, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *(argument.replace("FILE", str(files["slow"])) for argument in arguments))
    assert (code, out) == (2, "")
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_the_csv_is_no_input_that_it_replaces(files, tmp_path, capsys):
    path = tmp_path / "atlas.csv"
    path.write_bytes(files["slow"].read_bytes())
    code, _, err = run(capsys, path, "--out", tmp_path, "--overwrite")
    assert code == 2
    assert "is an input, too" in err
    assert path.read_bytes() == files["slow"].read_bytes()


@pytest.mark.realdata
def test_real_sets(realdata, tmp_path):
    from datagen.measure import measure

    for name, source in {
        "sa-v": "sav-example/sav_000001_manual.json",
        "youtube-vis": "youtube-vis-tfds/train.json",
    }.items():
        measured = measure([realdata / source], "frame")
        tables.save(measured.transitions(), tmp_path / f"{name}.csv", manifest=measured.manifest)
    paths = [tmp_path / "sa-v.csv", tmp_path / "youtube-vis.csv"]
    assert not build_atlas(paths, 100, bootstrap=0).sets
    atlas = build_atlas(paths, 200, bootstrap=20)
    assert [each.objects for each in atlas.sets] == [5, 2]
    for each, licence in zip(atlas.sets, (LICENCE, LICENCE), strict=True):
        assert [(source.licence, source.frames) for source in each.sources] == [(licence, 1)]
    assert {row.factor for row in atlas.sets[0].rows} == set(FACTORS)
