import re
import warnings

import numpy as np
import pytest
from conftest import ROOT
from sequences import random_masks

from datagen.datasets import Sequences
from datagen.errors import DatagenError, DatagenWarning, UsageError
from datagen.splits import SPLIT_PROTOCOLS, SPLITS, split_frames, split_sequences


def people(lengths, videos=4, per_video=10, windows=2):
    """Sequences of people whose ids are the same in every video, each person in several windows."""
    count = videos * per_video * windows
    number = np.arange(count)
    return random_masks(
        [lengths] * count,
        1,
        video=np.array([f"{video:04}" for video in number // (per_video * windows)]),
        object_id=number // windows % per_video,
        window=number % windows,
    )


def parts(dataset, protocol, seed=0):
    """The part of every sequence."""
    part = np.full(dataset.num_sequences, -1)
    for number, name in enumerate(SPLITS):
        chosen = split_sequences(dataset, name, protocol, seed)
        assert (np.diff(chosen) > 0).all()
        assert (part[chosen] == -1).all()
        part[chosen] = number
    assert (part >= 0).all()
    return part


def columns_of(dataset, protocol):
    """What is kept together, as a tuple for each sequence."""
    columns = [dataset.columns["source"], dataset.columns["video"], dataset.columns["object_id"]][
        : 3 if protocol == "by-object" else 2
    ]
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize(("protocol", "groups"), [("by-object", 40), ("by-sequence", 4)])
@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_on_one_side_and_groups_are_no_larger_than_they_must_be(protocol, groups, seed):
    dataset = people(3)
    part, keys = parts(dataset, protocol, seed), columns_of(dataset, protocol)
    sides = {key: {int(part[row]) for row, other in enumerate(keys) if other == key} for key in keys}
    assert len(sides) == groups
    assert all(len(side) == 1 for side in sides.values())
    if protocol == "by-object":  # of one video, and of one id in all videos, people are on several sides
        for column in (1, 2):
            assert any(
                len({next(iter(side)) for key, side in sides.items() if key[column] == value}) > 1
                for value in {key[column] for key in keys}
            )


def test_parts_are_as_near_to_the_shares_as_can_be():
    part = parts(people(3), "by-object")
    assert np.bincount(part).tolist() == [64, 8, 8]
    # Frames are counted, not people: nine in ten are of one person.
    dataset = random_masks([90, *[1] * 10], 1)
    part = parts(dataset, "by-object")
    assert part[0] == 0
    assert np.bincount(part, weights=dataset.lengths)[1:].sum() == 10


def test_a_group_goes_where_the_middle_of_its_frames_falls():
    # Middles of three equal groups, e.g., are at 0.17, 0.5 and 0.83, and train ends at 0.8, validation at 0.9.
    for groups, expected in ((2, [2, 0, 0]), (3, [2, 1, 0]), (5, [4, 0, 1]), (10, [8, 1, 1]), (30, [24, 3, 3])):
        part = parts(random_masks([4] * groups, 1), "by-object")
        assert np.bincount(part, minlength=3).tolist() == expected


def test_of_many_shuffles_the_one_is_taken_whose_worst_part_is_best():
    lengths = [30, 20, 10, 5, 5, 3, 2, 2]
    part = parts(random_masks(lengths, 1), "by-object")
    # The nearest to 61.6, 7.7 and 7.7 of 77 frames.
    assert np.bincount(part, weights=lengths).tolist() in ([62, 8, 7], [62, 7, 8])


def test_the_warning_of_a_random_split_names_the_line_that_asked():
    with pytest.warns(UserWarning, match="a random split leaks") as caught:
        split_sequences(random_masks([3]), "train", "random")
    assert [warning.filename for warning in caught] == [__file__]


def test_the_release_is_all_for_training():
    dataset = random_masks([1, 2, 3], 1)
    assert split_sequences(dataset, "train", "release").tolist() == [0, 1, 2]
    for split in ("val", "test"):
        with pytest.raises(UsageError, match=f"the release has no {split} part"):
            split_sequences(dataset, split, "release")


def test_without_a_seed_it_is_that_of_the_documentation():
    dataset = people(3)
    np.testing.assert_array_equal(split_sequences(dataset, "test"), split_sequences(dataset, "test", "by-object", 0))


def test_a_seed_gives_one_split_and_others_others():
    dataset = people(3)
    given = [parts(dataset, "by-object", seed).tolist() for seed in range(4)]
    assert given[1] == parts(dataset, "by-object", 1).tolist()
    assert len({tuple(part) for part in given}) == 4


def test_names_are_not_mixed_up_with_one_another():
    # Joined by a slash, these two videos would have one name.
    dataset = random_masks([9, 1] * 10, 1, source=np.array(["a/b", "a"] * 10), video=np.array(["c", "b/c"] * 10))
    for protocol in ("by-object", "by-sequence"):
        part = parts(dataset.with_columns(object_id=np.zeros(20, np.int64)), protocol)
        assert part[0] != part[1]
        assert len(set(part[::2])) == len(set(part[1::2])) == 1


@pytest.mark.parametrize("protocol", ["by-object", "by-sequence"])
def test_videos_of_one_number_in_two_sources_are_two(protocol):
    same = {"video": np.full(20, "0002"), "object_id": np.full(20, 2001)}
    part = parts(random_masks([9, 1] * 10, 1, source=np.array(["kitti-mots", "motschallenge"] * 10), **same), protocol)
    assert part[0] != part[1]


def test_videos_need_no_objects_to_be_told_apart():
    dataset = people(3)
    unknown = dataset.with_columns(object_id=np.full(dataset.num_sequences, -1))
    np.testing.assert_array_equal(parts(unknown, "by-sequence"), parts(dataset, "by-sequence"))
    for protocol, lost, what in [
        ("by-object", {"object_id": np.where(np.arange(80) == 7, -1, 5)}, "object"),
        ("by-object", {"video": np.where(np.arange(80) == 7, "", "0001")}, "object"),
        ("by-sequence", {"source": np.where(np.arange(80) == 7, "", "here")}, "video"),
        ("by-sequence", {"video": np.where(np.arange(80) == 7, "", "0001")}, "video"),
    ]:
        with pytest.raises(DatagenError, match=f"which {what} its sequences show .*build it from the annotations"):
            split_sequences(dataset.with_columns(**lost), "train", protocol)


@pytest.mark.parametrize("lengths", [[], [1], [3, 3]])
def test_too_little_to_split_leaves_parts_empty(lengths):
    for protocol in ("by-object", "by-sequence"):
        part = parts(random_masks(lengths, 1), protocol)
        assert len(part) == len(lengths)


@pytest.mark.parametrize(
    "arguments",
    [
        *((value, "by-object", 0) for value in (None, 0, True, "Test", "", b"test", ["test"], float("nan"))),
        *(("test", value, 0) for value in (None, 1, "by-hand", "BY-OBJECT", np.array(["random"]))),
        *(("test", "by-object", value) for value in (None, -1, 2**64, 10**400, 0.0, True, "0", float("nan"))),
    ],
)
def test_arguments_that_cannot_be(arguments):
    with pytest.raises(UsageError) as caught:
        split_sequences(random_masks([3]), *arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("protocol", SPLIT_PROTOCOLS[1:4])
def test_frames_of_a_part_are_those_of_its_sequences(protocol):
    dataset = people(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for split in SPLITS:
            sequences = split_sequences(dataset, split, protocol, 1)
            expected = [f for s in sequences for f in range(dataset.offsets[s], dataset.offsets[s + 1])]
            assert split_frames(dataset, split, protocol, 1).tolist() == expected


def test_random_pairs_are_dealt_out_by_their_first_frames():
    dataset = random_masks([30, 1, 20, 3], 1)
    with pytest.warns(DatagenWarning, match="a random split leaks") as caught:
        found = [split_frames(dataset, split, "random-pairs") for split in SPLITS]
    assert {warning.filename for warning in caught} == {__file__}
    everything = np.concatenate(found)
    lasts = dataset.offsets[1:] - 1
    assert sorted(everything.tolist()) == [f for f in range(54) if f not in lasts]
    assert [len(each) for each in found] == [40, 5, 5]
    assert all((np.diff(each) > 0).all() for each in found)
    with pytest.raises(UsageError, match="unknown protocol"):
        split_sequences(dataset, "test", "random-pairs")


def test_the_release_is_any_dataset_as_a_whole():
    sprites = Sequences.of_sprites(None, np.zeros((2, 3, 5), np.float32), np.zeros(5, int), np.arange(2))
    assert split_frames(sprites, "train", "release").tolist() == list(range(6))
    with pytest.raises(UsageError, match="the release has no test part"):
        split_frames(sprites, "test", "release")
    for protocol in SPLIT_PROTOCOLS[1:]:
        with pytest.raises(UsageError, match="sprite-sequences, whose sequences have no source"):
            split_frames(sprites, "test", protocol)


def test_a_path_is_no_dataset():
    with pytest.raises(UsageError, match=r"give a Sequences, as datagen\.load"):
        split_sequences("kitti.npz", "test")


@pytest.mark.realdata
def test_the_table_of_the_documentation_is_that_of_the_real_data(real_kitti):
    text = (ROOT / "docs/kitti-masks.md").read_text(encoding="utf-8")
    table, protocol = {}, ""
    for cells in re.findall(
        r"^\| (`[a-z-]+`)? ?\| (train|val|test)\b.*? \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", text, re.M
    ):
        protocol = cells[0].strip("`") or protocol
        table[protocol, cells[1]] = [int(cell.replace(",", "")) for cell in cells[2:]]
    assert len(table) == 7
    for (protocol, part), counts in table.items():
        chosen = split_sequences(real_kitti, part, protocol)
        lengths = real_kitti.lengths[chosen]
        keys = columns_of(real_kitti, "by-object")
        of_part = {keys[row] for row in chosen}
        assert [len(of_part), len(chosen), lengths.sum(), (lengths - 1).sum()] == counts, (protocol, part)

    videos = re.search(r"validates on (.*?), and tests on (.*?)\.", text, re.S)
    for part, sentence in zip(("val", "test"), videos.groups(), strict=True):
        chosen = split_sequences(real_kitti, part, "by-sequence")
        shown = {(real_kitti.columns["source"][row], real_kitti.columns["video"][row]) for row in chosen}
        named, source = set(), ""
        for word in sentence.split():
            source = {"KITTI": "kitti-mots", "MOTSChallenge": "motschallenge"}.get(word, source)
            if word[:4].isdigit():
                named.add((source, word[:4]))
        assert shown == named, part
