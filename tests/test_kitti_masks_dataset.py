import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import kitti_masks
from datagen import store
from datagen.errors import BadInputError, DatagenError, UsageError
from kitti_masks import KittiMasks, split_sequences

PARTS = ("train", "val", "test")


@pytest.mark.golden
def test_items_are_the_releases(golden, monkeypatch):
    expected = np.load(golden / "release/kittimasks_items.npz")
    data = KittiMasks(golden / "release/kitti_peds_v2.pickle", max_delta_t=5)
    assert len(data) == len(expected["first"])
    # With the release's draws of t, every item must be the release's.
    data._distances = expected["randint_draws"]
    for first, second, latents_first, latents_second, names in [(*data[i], i) for i in range(len(data))]:
        np.testing.assert_array_equal(first, expected["first"][names])
        np.testing.assert_array_equal(second, expected["second"][names])
        np.testing.assert_array_equal(latents_first, expected["latents1"][names])
        np.testing.assert_array_equal(latents_second, expected["latents2"][names])


def test_an_item(kitti):
    data = KittiMasks(kitti, seed=0)
    assert len(data) == kitti.num_pairs
    first, second, latents_first, latents_second = data[0]
    assert first.shape == second.shape == (1, 64, 64)
    assert first.dtype == torch.float32
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert latents_first[2] == first.sum()
    assert latents_second[2] == second.sum()
    assert torch.equal(data[-1][0], data[len(data) - 1][0])
    with pytest.raises(IndexError):
        data[len(data)]


def test_second_frames_lie_within_reach_and_within_the_sequence(kitti):
    numbered = np.repeat(np.arange(kitti.num_frames, dtype=np.float32)[:, None], 3, axis=1)  # latents name their frame
    data = KittiMasks(replace(kitti, latents=numbered), max_delta_t=3, seed=1)
    seen = set()
    for _, _, first, second in (data[i] for i in range(len(data))):
        a, b = int(first[0]), int(second[0])
        end = kitti.offsets[np.searchsorted(kitti.offsets, a, side="right")] - 1
        assert a < b <= min(a + 3, end)
        seen.add(b - a)
    assert seen == {1, 2, 3}


def test_batches_are_the_items_however_they_are_loaded(kitti):
    data = KittiMasks(kitti, seed=3)
    items = [torch.stack(part) for part in zip(*(data[i] for i in range(len(data))), strict=True)]
    loaders = [
        DataLoader(data, batch_size=7),
        DataLoader(data, batch_size=16, collate_fn=data.collate),
        DataLoader(data, batch_size=5, num_workers=2),
    ]
    for loader in loaders:
        for part, expected in zip(zip(*loader, strict=True), items, strict=True):
            assert torch.equal(torch.cat(part), expected)


def test_seeds_and_epochs(kitti):
    def seconds(data):
        return torch.cat([batch[1] for batch in DataLoader(data, 64)])

    one, same, other = KittiMasks(kitti, seed=1), KittiMasks(kitti, seed=1), KittiMasks(kitti, seed=2)
    assert torch.equal(seconds(one), seconds(same))
    assert not torch.equal(seconds(one), seconds(other))
    one.set_epoch(1)
    assert not torch.equal(seconds(one), seconds(same))
    one.set_epoch(0)
    assert torch.equal(seconds(one), seconds(same))
    free = KittiMasks(kitti)
    torch.manual_seed(0)
    a = seconds(free)
    assert not torch.equal(a, seconds(free))
    torch.manual_seed(0)
    assert torch.equal(a, seconds(free))


def test_a_transform_sees_both_images(kitti):
    data = KittiMasks(kitti, seed=0, transform=lambda first, second: (second.flip(-1), first))
    plain = KittiMasks(kitti, seed=0)
    for i in (0, 5):
        assert torch.equal(data[i][0], plain[i][1].flip(-1))
        assert torch.equal(data.__getitems__([i])[0][1], plain[i][0])


@pytest.mark.parametrize(("length", "delta_t"), [(1, 1), (3, 1), (4, 2)])
def test_sequences_of_fixed_length(kitti, length, delta_t):
    data = KittiMasks(kitti, sequence_length=length, delta_t=delta_t)
    reach = (length - 1) * delta_t
    starts = [s for a, b in zip(kitti.offsets[:-1], kitti.offsets[1:], strict=True) for s in range(a, b - reach)]
    assert len(data) == len(starts)
    for item, start in enumerate(starts):
        frames, latents = data[item]
        assert frames.shape == (length, 1, 64, 64)
        np.testing.assert_array_equal(latents, kitti.latents[start : start + reach + 1 : delta_t])
        np.testing.assert_array_equal(frames[:, 0], kitti.masks[start : start + reach + 1 : delta_t])


def test_sample(kitti):
    factors, observations = KittiMasks(kitti).sample(50, np.random.RandomState(0))
    assert factors.shape == (50, 3)
    assert factors.dtype == observations.dtype == np.float32
    np.testing.assert_array_equal(observations.sum(axis=(1, 2, 3)), factors[:, 2])
    assert len(np.unique(factors, axis=0)) == 50
    again, _ = KittiMasks(kitti).sample(50, np.random.RandomState(0))
    np.testing.assert_array_equal(factors, again)
    assert len(KittiMasks(kitti).sample(kitti.num_frames * 2, np.random.RandomState(0))[0]) == kitti.num_frames * 2


@pytest.mark.parametrize("protocol", ["by-object", "by-sequence"])
def test_splits_keep_together_what_belongs_together(kitti, protocol):
    parts = [split_sequences(kitti, part, protocol) for part in PARTS]
    assert sorted(np.concatenate(parts)) == list(range(kitti.num_sequences))
    columns = [kitti.source, kitti.sequence] + ([kitti.object_id] if protocol == "by-object" else [])
    keys = [{tuple(column[row] for column in columns) for row in part} for part in parts]
    assert not keys[0] & keys[1]
    assert not keys[0] & keys[2]
    assert not keys[1] & keys[2]
    np.testing.assert_array_equal(parts[0], split_sequences(kitti, "train", protocol))
    data = KittiMasks(kitti, split="train", protocol=protocol)
    assert len(data) == (kitti.lengths[parts[0]] - 1).sum()


@pytest.mark.realdata
@pytest.mark.parametrize("protocol", ["by-object", "by-sequence"])
def test_shares_on_the_full_set(real_kitti, protocol):
    frames = [real_kitti.lengths[split_sequences(real_kitti, part, protocol)].sum() for part in PARTS]
    shares = np.array(frames) / real_kitti.num_frames
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.02)


def test_a_random_split_warns(kitti):
    with pytest.warns(UserWarning, match="leaks"):
        split_sequences(kitti, "test", "random")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split_sequences(kitti, "test", "by-object")


def test_splits_that_cannot_be(kitti):
    with pytest.raises(UsageError, match="unknown split"):
        split_sequences(kitti, "dev")
    with pytest.raises(UsageError, match="unknown protocol"):
        split_sequences(kitti, "test", "by-hand")
    with pytest.raises(UsageError, match="no test part"):
        split_sequences(kitti, "test", "release")
    with pytest.raises(DatagenError, match="does not say which object"):
        split_sequences(replace(kitti, object_id=np.full(kitti.num_sequences, -1)), "test", "by-object")


@pytest.mark.parametrize("option", ["max_delta_t", "delta_t", "sequence_length"])
def test_numbers_below_1(kitti, option):
    with pytest.raises(UsageError, match=f"{option}=0"):
        KittiMasks(kitti, **{option: 0})


def test_files_it_cannot_use(kitti, tmp_path):
    from test_store import sprites

    store.save(sprites(), tmp_path / "sprites.npz")
    with pytest.raises(BadInputError, match="holds sprites"):
        KittiMasks(tmp_path / "sprites.npz")
    with pytest.raises(UsageError, match="1001 frames"):
        KittiMasks(kitti, sequence_length=1001)


def test_the_package_names_what_it_has():
    assert set(kitti_masks.__all__) == {name for name in kitti_masks.__all__ if getattr(kitti_masks, name)}
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = kitti_masks.nothing_such
