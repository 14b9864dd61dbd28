import json

import pytest
from annotations import annotation, coco_vid, write, youtube_vis
from test_cli import run

from datagen.store.tables import load


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "train.json", youtube_vis())


def test_both_tables(capsys, source, tmp_path):
    out, table = tmp_path / "a.csv", tmp_path / "b.parquet"
    code, output, _ = run(capsys, "transitions", "--source", source, "--out", out, "--table", table)
    assert code == 0
    assert "masks" in output
    assert str(out) in output
    assert out.read_text().startswith("id,cat_id,t_0,t_1,t_2")
    assert load(out).area.tolist() == load(table).area.tolist()
    for path in (out, table):
        manifest = json.loads((tmp_path / f"{path.name}.manifest.json").read_text())
        assert manifest["counts"] == {"videos": 2, "tracks": 3, "masks": 4, "transitions": len(load(table))}
        assert len(manifest["sha256"]) == 64


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_the_long_table_alone(capsys, source, tmp_path, name):
    run(capsys, "transitions", "--source", source, "--table", tmp_path / name, "--quiet", "--preset", "clean")
    assert set(load(tmp_path / name).video) == {"a"}
    assert "mended" in json.loads((tmp_path / f"{name}.manifest.json").read_text())


def test_parquet_is_always_the_long_table(capsys, source, tmp_path):
    assert run(capsys, "transitions", "--source", source, "--out", tmp_path / "a.parquet", "--quiet") == (0, "", "")
    assert set(load(tmp_path / "a.parquet").source) == {"train"}


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("downscale_keepaspect", []),
        ("downscale_keepaspect_stride_48", ["--stride", "48"]),
        ("downscale", ["--no-windows"]),
        ("native", ["--no-resize"]),
    ],
)
def test_the_releases_tables(capsys, golden, tmp_path, name, flags):
    source, out = golden / "release/inputs/data/youtube_voc/train.json", tmp_path / "table.csv"
    code, output, _ = run(capsys, "transitions", "--source", source, "--out", out, "--json", *flags)
    assert code == 0
    assert json.loads(output)["counts"]["masks"] == 148
    assert out.read_bytes() == (golden / f"release/{name}.csv").read_bytes()


@pytest.mark.parametrize("flags", [["--preset", "clean"], ["--no-windows"], ["--no-resize"]], ids=" ".join)
def test_the_default_view_may_be_named_beside_the_releases_flags(capsys, source, tmp_path, flags):
    tables = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for table, view in zip(tables, ([], ["--view", "youtube"]), strict=True):
        assert run(capsys, "transitions", "--source", source, "--table", table, "--quiet", *flags, *view)[0] == 0
    assert tables[0].read_bytes() == tables[1].read_bytes()


def test_mots_folders_in_the_view_of_kitti_masks(capsys, mots, tmp_path):
    out = tmp_path / "table.csv"
    code, output, _ = run(capsys, "transitions", "--source", mots, "--view", "kitti", "--table", out, "--json")
    assert code == 0
    assert json.loads(output)["counts"]["transitions"] == len(load(out)) > 0
    assert load(out).window.max() == 5


def test_bad_annotations_are_named_or_left_out(capsys, tmp_path):
    content = youtube_vis()
    content["annotations"][0]["segmentations"][0]["counts"] = [1]
    source, out = write(tmp_path / "train.json", content), tmp_path / "table.csv"
    code, _, err = run(capsys, "transitions", "--source", source, "--out", out)
    assert code == 1
    assert err.startswith(f"datagen: {source}, annotation 11, frame 0: the runs do not fill")
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.json"]
    code, output, _ = run(capsys, "transitions", "--source", source, "--out", out, "--skip-bad")
    assert code == 0
    assert "left out: train/train.json, annotation 11, frame 0" in " ".join(output.split())
    assert len(json.loads((tmp_path / "table.csv.manifest.json").read_text())["left_out"]) == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "nothing to write"),
        (["--out", "a.csv", "--table", "a.csv"], "same file"),
        (["--out", "a.txt"], "no table has the suffix"),
        (["--out", "train.json/a.csv"], "is no folder"),
        (["--out", "a.csv", "--stride", "0"], "not in the range"),
        (["--out", "a.csv", "--stride", "9", "--no-windows"], "a stride is of windows"),
        (["--out", "a.csv", "--view", "kitti", "--no-resize"], "--view kitti excludes"),
        (["--out", "a.csv", "--preset", "clean", "--no-windows"], "aspect ratio"),
        (["--out", "a.csv", "--view", "frame", "--stride", "9"], "a stride is of windows"),
        (["--out", "train.json"], "exists"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_calls(capsys, source, tmp_path, monkeypatch, arguments, problem):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "transitions", "--source", source, *arguments)
    assert code == 2
    assert problem in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.json"]


def test_a_sample_to_measure(capsys, tmp_path):
    first, again = tmp_path / "a.json", tmp_path / "b.json"
    code, output, _ = run(capsys, "sample", "youtube-vis", "--out", first, "--videos", 2, "--frames", 4, "--json")
    assert code == 0
    run(capsys, "sample", "youtube-vis", "--out", again, "--videos", 2, "--frames", 4, "--quiet")
    assert first.read_bytes() == again.read_bytes()
    code, measured, _ = run(capsys, "transitions", "--source", first, "--table", tmp_path / "t.csv", "--json")
    assert code == 0
    assert json.loads(measured)["counts"]["masks"] == json.loads(output)["masks"]
    assert run(capsys, "sample", "youtube-vis", "--out", first)[0] == 2
    assert run(capsys, "sample", "youtube-vis", "--out", tmp_path / "c.json", "--videos", 0)[0] == 2


def test_frames_that_are_no_neighbours_are_not_passed_over(capsys, tmp_path):
    content = coco_vid()
    for image in content["images"]:
        image["frame_id"] *= 4
    source, out = write(tmp_path / "gaps.json", content), tmp_path / "table.csv"
    for command in (["transitions", "--table"], ["transitions", "--out"], ["natural-sprites", "--out"]):
        target = tmp_path / "sprites.npz" if command[0] == "natural-sprites" else out
        code, _, err = run(capsys, command[0], "--source", source, command[1], target)
        assert code == 1
        assert (
            "gaps.json: 4 masks, but no object is seen in two frames that follow each other (the nearest are 4" in err
        )
        assert err.count("\n") == 1
        assert not target.exists()
    content["images"][1]["frame_id"] = 1
    code, _, err = run(capsys, "transitions", "--source", write(source, content), "--table", out)
    assert code == 0
    assert err.startswith("datagen: warning: ")
    assert "(video 5: 0, 1, 8, ...)" in err


def test_a_portrait_video_in_the_view_of_kitti_masks(capsys, tmp_path):
    content = youtube_vis()
    tall = {"counts": [5, 20, 575], "size": [30, 20]}
    content["videos"].append({"id": 7, "height": 30, "width": 20, "length": 2, "name": "tall"})
    content["annotations"].append(annotation(20, 7, 1, [tall, tall]))
    source, out = write(tmp_path / "train.json", content), tmp_path / "table.csv"
    arguments = ["transitions", "--source", source, "--table", out, "--view", "kitti"]
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert "train.json, video tall: its frames are 20 pixels wide and 30 high" in err
    code, output, _ = run(capsys, *arguments, "--skip-bad", "--json")
    assert code == 0
    assert len(json.loads(output)["left_out"]) == 1
    assert set(load(out).video) == {"a"}
