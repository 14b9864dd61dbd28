import ast
import csv
import json

import numpy as np
import pytest
from annotations import FIRST, HEIGHT, SECOND, WIDTH, annotation, as_list, coco_vid, write, youtube_vis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

import kitti_masks
from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.measure import measure
from datagen.readers import find_videos
from datagen.store.tables import load, save_measured
from datagen.transitions import FACTORS
from datagen.views import CoverageView, FrameView, KittiView, YoutubeView, make_view


def same_tables(first, second):
    for name in vars(first):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


FLAGS = {
    "downscale_keepaspect": {},
    "downscale_keepaspect_stride_48": {"stride": 48},
    "downscale": {"view": "square"},
    "native": {"view": "frame"},
}


@pytest.mark.golden
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("name", "flags"), FLAGS.items(), ids=FLAGS)
def test_the_releases_table_byte_for_byte(golden, tmp_path, name, flags, workers):
    release = golden / "release"
    measured = measure(release / "inputs/data/youtube_voc/train.json", workers=workers, **flags)
    save_measured(measured.videos, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_bytes() == (release / f"{name}.csv").read_bytes()


@pytest.mark.golden
@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_pairs_are_those_read_back_from_the_releases_table(golden, tmp_path, flags):
    measured = measure(golden / "release/inputs/data/youtube_voc/train.json", **flags)
    save_measured(measured.videos, tmp_path / "table.csv")
    direct, back = measured.transitions(), load(tmp_path / "table.csv")
    assert len(direct) > 100
    assert direct.area.dtype == back.area.dtype == np.int64
    for name in ("object_id", "category", "window", "frame", *FACTORS):
        np.testing.assert_array_equal(getattr(direct, name), getattr(back, name))


def test_a_row_a_track_in_the_order_of_annotations(tmp_path):
    measured = measure(write(tmp_path / "train.json", youtube_vis()))
    save_measured(measured.videos, tmp_path / "table.csv")
    text = (tmp_path / "table.csv").read_bytes()
    assert text.count(b"\r\n") == text.count(b"\n") == 4
    header, *rows = csv.reader(text.decode().splitlines())
    assert header == ["id", "cat_id", "t_0", "t_1", "t_2"]
    assert [row[:2] for row in rows] == [["11", "7"], ["12", "1"], ["13", "1"]]
    assert [[bool(cell) for cell in row[2:]] for row in rows] == [[1, 1, 0], [0, 0], [0, 1, 1]]
    for cell, mask in ((rows[0][2], FIRST), (rows[0][3], SECOND)):
        frame = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize((128, 64), Image.Resampling.BILINEAR))
        windows = [frame[:, left : left + 64] for left in (0, 32, 64)]
        expected = [(*ndimage.center_of_mass(each), int(each.sum())) if each.any() else None for each in windows]
        assert ast.literal_eval(cell) == expected
        assert str(ast.literal_eval(cell)) == cell


def test_a_mask_lost_in_resizing_leaves_a_cell_without_measures(tmp_path):
    pixel = np.zeros((720, 1280), dtype=bool)
    pixel[300, 600] = True
    content = {
        "videos": [{"id": 1, "height": 720, "width": 1280}],
        "annotations": [annotation(1, 1, 1, [as_list(pixel), {"counts": [720 * 1280], "size": [720, 1280]}])],
    }
    measured = measure(write(tmp_path / "train.json", content))
    save_measured(measured.videos, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().splitlines()[1] == '1,1,"[None, None, None]",'


def test_chains_break_where_an_object_is_absent(tmp_path):
    content = youtube_vis()
    content["videos"][0].update(length=5, file_names=[f"a/{frame}.jpg" for frame in range(5)])
    content["annotations"] = [
        annotation(1, 5, 1, [as_list(FIRST), as_list(FIRST), None, as_list(FIRST), as_list(FIRST)])
    ]
    table = measure(write(tmp_path / "train.json", content), view="frame").transitions()
    assert table.frame.tolist() == [0, 3]
    assert len(table.runs(3)) == 0


def test_coco_vid_gives_the_transitions_of_the_native_form(tmp_path):
    native = youtube_vis()
    native["annotations"] = [
        annotation(3, 5, 1, [as_list(FIRST), as_list(SECOND), None]),
        annotation(9, 5, 1, [None, as_list(FIRST), as_list(FIRST)]),
    ]
    tables = [
        measure(write(tmp_path / "train.json", content), view=view).transitions()
        for content in (native, coco_vid())
        for view in ("youtube", "coverage")
    ]
    assert len(tables[0]) > 0
    same_tables(tables[0], tables[2])
    same_tables(tables[1], tables[3])


def test_clean_measures_coverage_and_says_so(tmp_path):
    source = write(tmp_path / "train.json", youtube_vis())
    measured = measure(source, view="coverage")
    assert "aspect ratio" in measured.manifest["mended"]["what"][0]
    assert "mended" not in measure(source).manifest
    first = measured.videos[0].measures
    scale = 64 / HEIGHT
    # The frame is 96 x 64, its windows begin at 0 and 32; the first object lies in columns 9.6 to 38.4 of it.
    assert first.area[0].tolist() == pytest.approx([7 * 9 * scale**2, 7 * scale * (12 * scale - 32)])
    assert first.y[0].tolist() == pytest.approx([5.5 * scale - 0.5] * 2)
    assert first.x[0].tolist() == pytest.approx([7.5 * scale - 0.5, (12 * scale - 32) / 2 - 0.5])
    save_measured(measured.videos, tmp_path / "table.csv")
    back = load(tmp_path / "table.csv")
    assert back.area.dtype == np.float64
    same_tables(measured.transitions().select([]), back.select([]))
    for factor in FACTORS:
        np.testing.assert_array_equal(getattr(back, factor), getattr(measured.transitions(), factor))


@pytest.mark.parametrize("view", ["youtube", "kitti"])
def test_mots_folders_are_sources_too(mots, view):
    measured = measure(mots, view=view)
    table = measured.transitions()
    assert set(table.source) == {"kitti-mots", "motschallenge"}
    assert set(table.category) == {"car", "pedestrian"}  # the ignore region is no object
    assert measured.manifest["counts"]["videos"] == 4
    same_tables(measure(mots, view=view, workers=1).transitions(), table)


def test_ids_are_counted_where_objects_of_two_videos_share_them(mots, tmp_path):
    measured = measure(mots)
    save_measured(measured.videos, tmp_path / "table.csv")
    rows = [line.split(",")[:2] for line in (tmp_path / "table.csv").read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == [str(number) for number in range(1, 4 * 7 + 1)]
    assert {row[1] for row in rows} == {"1", "2"}
    np.testing.assert_array_equal(load(tmp_path / "table.csv").area, measured.transitions().area)


def test_kitti_view_measures_what_kitti_masks_does(mots, kitti):
    """Every pair of KITTI Masks is among the pairs of the same view, which leaves out no small mask."""
    table = measure(mots, view="kitti").transitions()
    wanted = kitti.transitions()
    assert len(wanted) > 50
    columns = ("source", "video", "object_id", "window", "frame")
    place = {key: row for row, key in enumerate(zip(*(getattr(table, name).tolist() for name in columns), strict=True))}
    rows = [place[key] for key in zip(*(getattr(wanted, name).tolist() for name in columns), strict=True)]
    for factor in FACTORS:
        found = getattr(table, factor)[rows]
        np.testing.assert_array_equal(found.astype(getattr(wanted, factor).dtype), getattr(wanted, factor))


@pytest.mark.realdata
def test_the_pairs_of_kitti_masks_of_the_real_set_are_in_the_kitti_view(realdata, real_kitti):
    table = measure([realdata / "kitti-mots", realdata / "motschallenge"], view="kitti").transitions()
    people = table.select(table.category == "pedestrian")
    large = (people.area >= 30).all(axis=1)
    found = people.select(large)
    assert kitti_masks.build(realdata, "clean").num_pairs == len(found)


@pytest.mark.realdata
def test_real_annotations(realdata):
    counts = {}
    for name in (
        "youtube-vis-tfds/train.json",
        "youtube-vis-mmtracking/ann.json",
        "ovis-labelformat/annotations_train.json",
    ):
        counts[name.split("/")[0]] = measure(realdata / name).manifest["counts"]["masks"]
    assert counts == {"youtube-vis-tfds": 30, "youtube-vis-mmtracking": 30, "ovis-labelformat": 30}


def test_the_manifest_names_inputs_and_what_was_left_out(tmp_path):
    content = youtube_vis()
    content["annotations"][0]["segmentations"][1]["counts"] = "!"
    source = write(tmp_path / "train.json", content)
    with pytest.raises(BadInputError, match="annotation 11, frame 1"):
        measure(source)
    manifest = measure(source, skip_bad=True).manifest
    (line,) = manifest["left_out"]
    assert line.startswith("train/train.json, annotation 11, frame 1: ")
    assert manifest["inputs"].keys() == {"train/train.json"}
    assert manifest["parameters"] == {
        "view": "youtube",
        "image_size": 64,
        "stride": 32,
    }
    assert manifest["categories"] == {"1": "person", "7": "ape"}
    assert json.loads(json.dumps(manifest)) == manifest


def test_names_of_categories_come_back_with_the_table(tmp_path):
    measured = measure(write(tmp_path / "train.json", youtube_vis()))
    save_measured(measured.videos, tmp_path / "table.csv", manifest=measured.manifest)
    assert set(load(tmp_path / "table.csv").category) == {"ape", "person"}
    save_measured(measured.videos, tmp_path / "table.csv", overwrite=True)  # takes the manifest away
    # 7 and 1 are apes and people in YouTube-VIS 2019 as well.
    assert set(load(tmp_path / "table.csv").category) == {"ape", "person"}
    (tmp_path / "table.csv.manifest.json").write_text('{"categories": {"7": "gorilla"}}')
    assert set(load(tmp_path / "table.csv").category) == {"gorilla", "1"}
    (tmp_path / "table.csv.manifest.json").write_text("{}")
    with pytest.raises(BadInputError, match="no manifest of a table"):
        load(tmp_path / "table.csv")


def test_nothing_to_measure(tmp_path):
    content = youtube_vis()
    content["annotations"] = content["annotations"][1:2]
    with pytest.raises(DatagenError, match="no mask in 1 video "):
        measure(write(tmp_path / "train.json", content))


def numbered(categories, name):
    """Return a file of one video with an object of each category, which are numbered as they stand."""
    content = youtube_vis()
    content["videos"] = [{**content["videos"][0], "name": name}]
    content["categories"] = [{"id": number, "name": each} for number, each in enumerate(categories, start=1)]
    masks = [as_list(FIRST), as_list(SECOND), None]
    content["annotations"] = [annotation(number, 5, number, masks) for number in range(1, len(categories) + 1)]
    return content


def test_categories_are_one_by_their_names(tmp_path):
    """YouTube-VOS 2018 and 2019 number theirs each in its own way."""
    first = write(tmp_path / "first.json", numbered(["ape", "bear", "cat"], "a"))
    second = write(tmp_path / "second.json", numbered(["bear", "dog", "cat", "ape"], "b"))
    measured = measure([first, second], "coverage")
    assert measured.manifest["categories"] == {"1": "ape", "2": "bear", "3": "cat", "5": "dog"}
    assert [video.objects[:, 1].tolist() for video in measured.videos] == [[1, 2, 3], [2, 5, 3, 1]]
    table = measured.transitions()
    of_second = table.select(table.video == "b")
    called = dict(zip(of_second.object_id.tolist(), of_second.category.tolist(), strict=True))
    assert called == {1: "bear", 2: "dog", 3: "cat", 4: "ape"}
    alone = measure(second, "coverage")
    assert alone.manifest["categories"] == {"1": "bear", "2": "dog", "3": "cat", "4": "ape"}


def test_views_by_name():
    assert make_view() == YoutubeView(64, 32)
    assert make_view(stride=48) == YoutubeView(64, 48)
    assert make_view("square") == YoutubeView(64, None)
    assert make_view("frame") == FrameView()
    assert make_view("coverage", stride=16) == CoverageView(64, 16)
    assert make_view("kitti") == KittiView()


@pytest.mark.parametrize(
    "options",
    [
        {"name": "kitti", "stride": 3},
        {"name": "square", "stride": 3},
        {"name": "frame", "stride": 3},
        {"stride": 0},
        {"name": "other"},
    ],
    ids=str,
)
def test_options_that_exclude_each_other(options):
    with pytest.raises(UsageError):
        make_view(**options)


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=3), st.sampled_from([32, 50]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_the_table_is_that_of_the_plain_way(tmp_path, tracks, stride):
    """Decode, resize, cut and measure every mask by itself, as the release does."""
    drawn = [None, FIRST, SECOND, FIRST & SECOND]
    content = youtube_vis()
    content["videos"] = [{"id": 1, "height": HEIGHT, "width": WIDTH}]
    content["annotations"] = [
        annotation(number, 1, 1, [None if kind == 0 else as_list(drawn[kind]) for kind in kinds])
        for number, kinds in enumerate(tracks, start=1)
    ]
    if not any(map(any, tracks)):
        return
    lines = ["id,cat_id,t_0,t_1,t_2,t_3"]
    for number, kinds in enumerate(tracks, start=1):
        cells = []
        for kind in kinds:
            if kind == 0:
                cells.append("")
                continue
            frame = Image.fromarray(drawn[kind].astype(np.uint8)).resize((128, 64), Image.Resampling.BILINEAR)
            windows = [np.asarray(frame)[:, left : left + 64] for left in [*range(0, 64, stride), 64]]
            measures = [
                (*map(float, ndimage.center_of_mass(each)), int(each.sum())) if each.any() else None for each in windows
            ]
            cells.append(f'"{measures}"')
        lines.append(",".join([str(number), "1", *cells]))
    measured = measure(write(tmp_path / "train.json", content), stride=stride, workers=1)
    save_measured(measured.videos, tmp_path / "table.csv", overwrite=True)
    assert (tmp_path / "table.csv").read_bytes().decode() == "".join(f"{line}\r\n" for line in lines)
    assert len(find_videos(tmp_path / "train.json")) == 1
