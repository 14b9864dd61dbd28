import hashlib
import pickle
import pickletools
import shutil
import warnings

import cv2
import numpy as np
import pytest
import torch
from pycocotools import mask as coco
from scipy.stats import kurtosis

import kitti_masks
from datagen import store
from datagen.errors import BadInputError, DatagenError, DatagenWarning, UsageError

INPUTS = "release/inputs/data/kitti"


def straight(maps, size, windows, min_area, keep=lambda label: label // 1000 != 1):
    """Follow the release's steps in the plainest way, on whole label maps (T, H, W); return masks by sequence."""
    height, width = maps[0].shape
    small_width = int(width // (height / size))
    images = torch.from_numpy(np.stack(maps).astype(np.float32))[
        :, None
    ]  # torch holds the scale in the type of the image
    small = torch.nn.functional.interpolate(images, size=(size, small_width), mode="nearest").numpy()[:, 0].astype(int)
    stride = (small_width - size) // max(windows - 1, 1)
    found = []
    for k in range(windows):
        cut = small[:, :, k * stride : k * stride + size]
        for label in np.unique(cut)[1:-1]:
            if not keep(label):
                continue
            seen = np.flatnonzero((cut == label).any(axis=(1, 2)))
            running = []
            for t in range(seen[0], seen[-1] + 1):
                mask = cut[t] == label
                if mask.sum() < min_area:
                    if len(running) > 2:
                        found.append(np.stack(running))
                    running = []
                else:
                    running.append(mask)
            if len(running) > 1:
                found.append(np.stack(running))
    return found


def label_maps(folder):
    return [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(folder.glob("*.png"))]


@pytest.mark.golden
def test_the_releases_pickle_operation_by_operation(golden, tmp_path):
    dataset = kitti_masks.build(golden / INPUTS)
    store.save(dataset, tmp_path / "kitti.pickle")

    def operations(path):
        found = [(opcode.name, value) for opcode, value, _ in pickletools.genops(path.read_bytes())]
        return [operation for operation in found if operation[0] != "FRAME"]

    # The golden file comes from numpy 2, whose modules have names that the release's numpy does not know.
    expected = [
        (name, "numpy.core.multiarray" if value == "numpy._core.multiarray" else value)
        for name, value in operations(golden / "release/kitti_peds_v2.pickle")
    ]
    assert operations(tmp_path / "kitti.pickle") == expected


@pytest.mark.golden
def test_the_releases_table_of_pairs(golden):
    import gzip

    expected = pickle.loads(gzip.decompress((golden / "release/kitti_dict_p_v2.pkl.gz").read_bytes()))
    table = kitti_masks.build(golden / INPUTS).transitions()
    for factor in ("x", "y", "area"):
        np.testing.assert_array_equal(getattr(table, factor), expected[factor])
        differences = np.array(expected[f"{factor}_diff"])
        assert table.differences(factor).dtype == differences.dtype
        np.testing.assert_array_equal(table.differences(factor), differences)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("size", "windows", "min_area"),
    [
        (64, 6, 30),
        (32, 6, 8),
        (128, 6, 100),
        (64, 1, 30),
        (64, 2, 30),
        (48, 9, 20),
        (375, 3, 500),
        (400, 2, 500),
        (1, 4, 1),
    ],
)
def test_other_sizes_and_windows(golden, size, windows, min_area):
    root = golden / INPUTS
    folders = [root / "instances" / name for name in ("0000", "0001", "0002")] + [root / "mots/instances/0005"]
    expected = [mask for folder in folders for mask in straight(label_maps(folder), size, windows, min_area)]
    if not expected:
        with pytest.raises(DatagenError, match="no sequence of a pedestrian"):
            kitti_masks.build(root, image_size=size, windows=windows, min_area=min_area)
        return
    dataset = kitti_masks.build(root, image_size=size, windows=windows, min_area=min_area)
    assert dataset.lengths.tolist() == [len(masks) for masks in expected]
    np.testing.assert_array_equal(dataset.images, np.concatenate(expected))


def test_text_label_maps_and_workers_give_the_same(mots, kitti):
    for other in (
        kitti_masks.build(mots, annotations="png"),
        kitti_masks.build(mots, workers=1),
        kitti_masks.build([mots / "kitti-mots", mots / "motschallenge"], workers=3),
    ):
        for name, array in store.arrays_of(kitti).items():
            np.testing.assert_array_equal(store.arrays_of(other)[name], array, err_msg=name)


def test_cars_and_single_sequences(mots, kitti):
    both = kitti_masks.build(mots, include_cars=True)
    assert set(both.columns["category"]) == {"car", "pedestrian"}
    people = both.columns["category"] == "pedestrian"
    np.testing.assert_array_equal(both.columns["object_id"][people], kitti.columns["object_id"])
    one = kitti_masks.build(mots, videos=["0001"])
    assert set(one.columns["video"]) == {"0001"}
    assert one.num_sequences == (kitti.columns["video"] == "0001").sum()


def paint(tmp_path, frames):
    """Write label maps of 64 x 64 (one window sees it all) as a set of one sequence."""
    folder = tmp_path / "set/instances/0000"
    folder.mkdir(parents=True)
    for number, boxes in enumerate(frames):
        labels = np.zeros((64, 64), np.uint16)
        for label, rows in boxes.items():
            labels[rows[0] : rows[1], : 10 if label != 2002 else 64] = label
        cv2.imwrite(str(folder / f"{number:06d}.png"), labels)
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("frames", "paper", "clean"),
    [
        pytest.param([{2001: (0, 8), 10000: (9, 10)}] * 2, [2], [2], id="two frames to the end"),
        pytest.param(
            [{2001: (0, 8), 10000: (9, 10)}] * 2 + [{10000: (9, 10)}] + [{2001: (0, 8)}] * 2,
            [2],
            [2, 2],
            id="two frames before a hole",
        ),
        pytest.param(
            [{2001: (0, 8), 10000: (9, 10)}] * 3 + [{2001: (0, 2)}], [3], [3], id="three, then too few pixels"
        ),
        pytest.param([{2001: (0, 8), 10000: (9, 10)}] * 2 + [{2001: (0, 2)}], [], [2], id="two, then too few pixels"),
        pytest.param([{2001: (0, 8), 2003: (10, 20)}] * 3, [3], [3, 3], id="no ignore region: the largest id is lost"),
        pytest.param(
            [{2001: (0, 20), 2002: (20, 64), 2003: (0, 5), 10000: (5, 9)}] * 3,
            [3, 3, 3],
            [3, 3, 3],
            id="some background",
        ),
    ],
)
def test_the_rules_of_both_presets(tmp_path, frames, paper, clean):
    root = paint(tmp_path, frames)
    for preset, expected in (("paper", paper), ("clean", clean)):
        if expected:
            assert kitti_masks.build(root, preset, windows=1).lengths.tolist() == expected
        else:
            with pytest.raises(DatagenError, match="no sequence"):
                kitti_masks.build(root, preset, windows=1)


def test_people_lost_without_an_ignore_region_are_named(tmp_path):
    root = paint(tmp_path / "a", [{2001: (0, 8), 2003: (10, 20)}] * 3)
    with pytest.warns(DatagenWarning, match=r"1 person loses 1 sequence of 3 frames.*--preset clean"):
        assert kitti_masks.build(root, windows=1).columns["object_id"].tolist() == [2001]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kitti_masks.build(root, "clean", windows=1)
        # The largest id is a person who is seen too short, a car, or the ignore region: nobody is lost.
        for number, largest in enumerate(({2003: (10, 11)}, {10000: (10, 20)})):
            kitti_masks.build(paint(tmp_path / f"b{number}", [{2001: (0, 8), **largest}] * 3), windows=1)
    alone = paint(tmp_path / "c", [{2001: (0, 8)}] * 3)
    with pytest.raises(DatagenError, match=r"1 person loses 1 sequence of 3 frames.*--preset clean") as error:
        kitti_masks.build(alone, windows=1)
    assert "none is seen" not in str(error.value)


@pytest.mark.realdata
@pytest.mark.slow
def test_the_whole_ground_truth_without_its_ignore_regions(realdata, tmp_path):
    for path in (realdata / "kitti-mots/instances_txt").glob("*.txt"):
        lines = path.read_bytes().splitlines(keepends=True)
        (tmp_path / path.name).write_bytes(b"".join(line for line in lines if line.split()[2] != b"10"))
    with pytest.warns(DatagenWarning, match=r"lose 49 sequences of 895 frames"):
        paper = kitti_masks.build(tmp_path)
    clean = kitti_masks.build(tmp_path, "clean")
    assert (paper.num_sequences, paper.num_frames) == (578, 12457)
    assert (clean.num_sequences, clean.num_frames) == (671, 13440)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kitti_masks.build(realdata / "kitti-mots")


def test_a_portrait_video_is_named_or_left_out(mots, tmp_path):
    shutil.copytree(mots / "kitti-mots/instances_txt", tmp_path / "set")
    line = (tmp_path / "set/0000.txt").read_text().splitlines()[0].split()
    whole = coco.encode(np.ones((30, 20), dtype=np.uint8, order="F"))["counts"].decode()
    (tmp_path / "set/0009.txt").write_text(" ".join([*line[:3], "30 20", whole]) + "\n")
    with pytest.raises(BadInputError, match=r"0009\.txt, sequence 0009: its frames are 20 pixels wide and 30 high"):
        kitti_masks.build(tmp_path / "set")
    dataset = kitti_masks.build(tmp_path / "set", skip_bad=True)
    assert set(dataset.columns["video"]) == {"0000", "0001"}
    assert len(dataset.manifest["left_out"]) == 1
    assert "kitti-mots/0009: its frames" in dataset.manifest["left_out"][0]


def test_the_same_sequence_in_two_places(mots):
    with pytest.raises(UsageError, match="kitti-mots/0000 is there twice"):
        kitti_masks.build([mots / "kitti-mots", mots / "kitti-mots"])


def test_clean_says_what_it_adds(tmp_path):
    root = paint(tmp_path, [{2001: (0, 8), 2003: (10, 20)}] * 3)
    mended = kitti_masks.build(root, "clean", windows=1).manifest["mended"]
    assert (mended["added_sequences"], mended["added_frames"]) == (1, 3)
    assert "mended" not in kitti_masks.build(root, windows=1).manifest


def test_without_background_the_smallest_id_is_lost_too(tmp_path):
    folder = tmp_path / "set/instances/0000"
    folder.mkdir(parents=True)
    labels = np.full((64, 64), 2001, np.uint16)
    labels[20:40], labels[40:] = 2002, 2003
    for number in range(3):
        cv2.imwrite(str(folder / f"{number:06d}.png"), labels)
    assert kitti_masks.build(tmp_path, windows=1).columns["object_id"].tolist() == [2002]
    assert kitti_masks.build(tmp_path, "clean", windows=1).columns["object_id"].tolist() == [2001, 2002, 2003]


def test_skipping_a_bad_frame_is_in_the_manifest(mots, tmp_path):
    shutil.copytree(mots, tmp_path / "mots")
    (tmp_path / "mots/kitti-mots/instances/0000/000004.png").write_bytes(b"")
    with pytest.raises(BadInputError, match=r"000004\.png: is empty"):
        kitti_masks.build(tmp_path / "mots", annotations="png")
    dataset = kitti_masks.build(tmp_path / "mots", annotations="png", skip_bad=True)
    assert dataset.manifest["left_out"] == ["kitti-mots/instances/0000/000004.png: is empty; fetch it again"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"preset": "other"}, "unknown preset"),
        ({"image_size": 0}, "image size 0"),
        ({"windows": 0}, "0 windows"),
        ({"min_area": 0}, "minimum area 0"),
        ({"workers": 0}, "0 workers"),
        ({"videos": ["0042"]}, "no sequence 0042"),
    ],
)
def test_arguments_out_of_range(mots, options, problem):
    with pytest.raises(UsageError, match=problem):
        kitti_masks.build(mots, **options)


def test_no_sequences_and_no_pedestrian(mots, tmp_path):
    with pytest.raises(DatagenError, match="no MOTS sequences here"):
        kitti_masks.build(tmp_path)
    with pytest.raises(DatagenError, match="no sequence of a pedestrian in 4 videos"):
        kitti_masks.build(mots, min_area=4096)


def test_rotating_by_nothing_changes_nothing(kitti):
    plain, turned = kitti_masks.transitions(kitti), kitti_masks.transitions(kitti, rotate=0.0)
    for factor in ("y", "x", "area"):
        np.testing.assert_array_equal(getattr(turned, factor), getattr(plain, factor))


def test_a_quarter_turn_swaps_the_axes(kitti):
    plain, turned = kitti_masks.transitions(kitti), kitti_masks.transitions(kitti, rotate=90.0, workers=2)
    np.testing.assert_array_equal(turned.area, plain.area)
    np.testing.assert_allclose(turned.x, plain.y, atol=1e-4)
    np.testing.assert_allclose(turned.y, 63 - plain.x, atol=1e-4)


@pytest.mark.realdata
def test_the_published_data_on_the_whole_ground_truth(real_kitti):
    assert (real_kitti.num_sequences, real_kitti.num_frames, real_kitti.num_pairs) == (2120, 84626, 82506)
    assert (real_kitti.lengths.min(), real_kitti.lengths.max()) == (2, 710)
    assert (real_kitti.columns["source"] == "kitti-mots").sum() == 627
    assert (
        hashlib.sha256(real_kitti.images).hexdigest()
        == "7807def4f769ebde39ad75b6a522a76131761bb178767edc8efa0b328c591ea7"
    )
    assert (
        hashlib.sha256(real_kitti.factors).hexdigest()
        == "919759edcaad19f779d387e4c599300b901978a70d17571f42099af5c41e3a57"
    )
    table = real_kitti.transitions()
    figures = [f"{kurtosis(table.differences(factor)):.2f}" for factor in ("area", "x", "y")]
    assert figures == ["68.92", "38.50", "65.39"]


@pytest.mark.realdata
def test_real_label_maps_give_what_the_text_gives(realdata, tmp_path):
    text = (realdata / "motschallenge/instances_txt/0005.txt").read_bytes().splitlines(keepends=True)
    (tmp_path / "0005.txt").write_bytes(b"".join(line for line in text if int(line.split()[0]) <= 120))
    expected = kitti_masks.build(tmp_path)
    dataset = kitti_masks.build(realdata / "motschallenge", annotations="png")
    np.testing.assert_array_equal(dataset.offsets, expected.offsets)
    np.testing.assert_array_equal(dataset.images, expected.images)
    np.testing.assert_array_equal(dataset.columns["object_id"], expected.columns["object_id"])


@pytest.mark.realdata
def test_clean_holds_everything_that_paper_holds(realdata, real_kitti):
    clean = kitti_masks.build(realdata, "clean")

    def keys(dataset):
        columns = (
            dataset.columns["source"],
            dataset.columns["video"],
            dataset.columns["object_id"],
            dataset.columns["window"],
            dataset.columns["first_frame"],
            dataset.lengths,
        )
        return set(zip(*(column.tolist() for column in columns), strict=True))

    assert keys(real_kitti) < keys(clean)
    mended = clean.manifest["mended"]
    assert clean.num_sequences == real_kitti.num_sequences + mended["added_sequences"]
    assert clean.num_frames == real_kitti.num_frames + mended["added_frames"]
