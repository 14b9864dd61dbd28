import json
from dataclasses import replace

import numpy as np
import pytest
from test_store import sprites

from datagen import store
from datagen.errors import DatagenError
from datagen.moments import latents_of_masks
from datagen.verify import compare, compare_tables, verify


def names(checks):
    return {check.name: check.passed for check in checks}


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_good_file_passes(kitti, tmp_path, suffix):
    store.save(kitti, tmp_path / f"kitti{suffix}")
    assert names(verify(tmp_path / f"kitti{suffix}")) == {
        "structure": True,
        "hashes": True,
        "latents": True,
        "masks": True,
    }


def test_a_pickle_has_no_hashes(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.pickle")
    assert names(verify(tmp_path / "kitti.pickle")) == {
        "structure": True,
        "manifest": True,
        "latents": True,
        "masks": True,
    }


@pytest.mark.parametrize("arrays", [None, {}], ids=["absent", "empty"])
def test_a_file_without_hashes_fails(kitti, tmp_path, arrays):
    store.save(kitti, tmp_path / "kitti.npz")
    manifest = {key: value for key, value in store.load(tmp_path / "kitti.npz").manifest.items() if key != "arrays"}
    if arrays is not None:
        manifest["arrays"] = arrays
    tampered(kitti, tmp_path / "other.npz", manifest=np.array(json.dumps(manifest)))
    assert names(verify(tmp_path / "other.npz"))["hashes"] is False


def test_a_shape_that_the_manifest_does_not_say(tmp_path):
    """The bytes, and so the hash, are the same."""
    store.save(sprites(), tmp_path / "sprites.npz")
    with np.load(tmp_path / "sprites.npz") as file:
        held = dict(file)
    np.savez(tmp_path / "sprites.npz", **{**held, "images": held["images"].reshape(5, 2, 8, 32)})
    checks = {check.name: check for check in verify(tmp_path / "sprites.npz")}
    assert checks["hashes"].detail == "differ from the manifest: images"


def test_sprites(tmp_path):
    store.save(sprites(), tmp_path / "sprites.npz")
    assert names(verify(tmp_path / "sprites.npz")) == {"structure": True, "hashes": True, "factors": True}
    factors = sprites().factors.copy()
    factors[0, 0] = np.nan
    store.save(replace(sprites(), factors=factors), tmp_path / "nan.npz")
    assert not names(verify(tmp_path / "nan.npz"))["factors"]


def tampered(kitti, path, **arrays):
    """Write a file whose manifest tells of other arrays than it holds."""
    store.save(kitti, path)
    with np.load(path) as file:
        held = dict(file)
    np.savez(path, **{**held, **arrays})


def test_changed_pixels_are_found(kitti, tmp_path):
    masks = kitti.images.copy()
    masks[7, 3, 3] ^= True
    tampered(kitti, tmp_path / "kitti.npz", masks=masks)
    checks = {check.name: check for check in verify(tmp_path / "kitti.npz")}
    assert not checks["hashes"].passed
    assert checks["hashes"].detail == "differ from the manifest: masks"
    assert not checks["latents"].passed
    assert "first in frame 7" in checks["latents"].detail


def test_latents_are_compared_to_the_last_bit(kitti, tmp_path):
    latents = kitti.factors.copy()
    latents[5, 0] = np.nextafter(latents[5, 0], np.float32(100))
    store.save(replace(kitti, factors=latents), tmp_path / "kitti.npz")
    assert names(verify(tmp_path / "kitti.npz")) == {"structure": True, "hashes": True, "latents": False, "masks": True}


def test_an_empty_mask_is_found(kitti, tmp_path):
    masks = kitti.images.copy()
    masks[5] = False
    store.save(replace(kitti, images=masks, factors=latents_of_masks(masks)), tmp_path / "kitti.npz")
    assert names(verify(tmp_path / "kitti.npz"))["masks"] is False


def test_a_broken_file_fails_its_structure(tmp_path):
    (tmp_path / "kitti.npz").write_bytes(b"")
    assert names(verify(tmp_path / "kitti.npz")) == {"structure": False}


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
    sequence = np.searchsorted(kitti.offsets, kitti.pair_starts(), side="right") - 1
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
