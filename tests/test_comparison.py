from dataclasses import replace

import numpy as np
import pytest
from test_store import sprites

from datagen import store
from datagen.comparison import compare, compare_tables
from datagen.errors import DatagenError


def without(dataset, sequence):
    """Take one sequence away."""
    return dataset.select(np.delete(np.arange(dataset.num_sequences), sequence))


def test_equal_files(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.pickle")
    comparison = compare(kitti, store.load(tmp_path / "kitti.pickle"))
    assert comparison.equal
    assert comparison.same == kitti.num_sequences


def test_a_sequence_missing_and_extra(kitti):
    fewer = without(kitti, 3)
    there, here = compare(fewer, kitti), compare(kitti, fewer)
    assert (there.same, len(there.missing), len(there.extra), there.different) == (kitti.num_sequences - 1, 1, 0, [])
    assert (here.same, len(here.missing), len(here.extra), here.different) == (kitti.num_sequences - 1, 0, 1, [])
    assert there.missing[0].startswith("sequence 3 (")
    assert not there.equal


def test_frames_that_differ(kitti):
    masks = kitti.images.copy()
    longest = int(kitti.lengths.argmax())
    a = kitti.offsets[longest]
    masks[a + 1, :2, :3] ^= True
    masks[a + 5, 0, 0] ^= True
    (difference,) = compare(replace(kitti, images=masks), kitti).different
    assert (difference.sequence, difference.other) == (longest, longest)
    assert (difference.frames, difference.pixels) == ([1, 5], 7)
    assert (difference.missing_frames, difference.extra_frames, difference.latents) == (0, 0, 0)


def test_every_frame_of_a_sequence_differs(kitti):
    masks = kitti.images.copy()
    masks[kitti.offsets[2] : kitti.offsets[3], 0, 0] ^= True
    (difference,) = compare(replace(kitti, images=masks), kitti).different
    assert difference.pixels == len(difference.frames) == kitti.lengths[2]


def test_a_sequence_that_begins_later(kitti):
    a = kitti.offsets[2]
    keep = np.arange(kitti.num_frames) != a
    offsets = kitti.offsets - (kitti.offsets > a)
    shorter = replace(kitti, images=kitti.images[keep], factors=kitti.factors[keep], offsets=offsets)
    (difference,) = compare(shorter, kitti).different
    assert (difference.missing_frames, difference.extra_frames, difference.frames) == (1, 0, [])
    (difference,) = compare(kitti, shorter).different
    assert (difference.missing_frames, difference.extra_frames, difference.frames) == (0, 1, [])


def test_latents_alone_may_differ(kitti):
    latents = kitti.factors.copy()
    latents[0] += 1
    (difference,) = compare(replace(kitti, factors=latents), kitti).different
    assert (difference.latents, difference.frames) == (1, [])


def test_what_cannot_be_compared(kitti):
    with pytest.raises(DatagenError, match="only files of masks"):
        compare(kitti, sprites())
    with pytest.raises(DatagenError, match="different sizes"):
        compare(kitti, replace(kitti, images=kitti.images[:, :32]))


def test_tables_are_compared_row_by_row(kitti):
    table = kitti.transitions()
    # Two sequences may show one object in one window; here each is an object of its own.
    sequence = np.repeat(np.arange(kitti.num_sequences), kitti.lengths - 1)
    table = replace(table, object_id=sequence)
    assert compare_tables(table, table.select(np.arange(len(table))[::-1])).equal
    x = table.x.copy()
    x[4, 1] += 1
    changed = replace(table, x=x).select(slice(1, None))
    found = compare_tables(changed, table)
    name = f"object {sequence[0]}, window {table.window[0]}, frame {table.frame[0]}"
    assert (found.same, found.missing, found.extra) == (len(table) - 2, [name], [])
    (line,) = found.different
    assert line.endswith(f"frame {table.frame[4]}: x {x[4].tolist()} instead of {table.x[4].tolist()}")
    assert compare_tables(table, changed).extra == [name]
    assert not found.equal


def test_tables_that_cannot_be_compared(kitti):
    table = replace(kitti.transitions(), object_id=np.zeros(kitti.num_pairs, dtype=np.int64))
    with pytest.raises(DatagenError, match="twice"):
        compare_tables(table, table)
    with pytest.raises(DatagenError, match="of 2 and of 3 frames"):
        compare_tables(kitti.transitions(), kitti.transitions().runs(3))
