import copy
import warnings
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from sequences import random_masks
from test_store import sprites
from torch.utils.data import ConcatDataset, DataLoader, Subset
from transforms import Noise, Scaled, V1Flip, V2Flip, real_transforms

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
    draws = iter(expected["randint_draws"].tolist())

    class Draws:
        def integers(self, low, high, count):
            assert (low, high) == (1, 6)
            return np.array([next(draws) for _ in range(count)])

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Draws())
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
    data = KittiMasks(replace(kitti, factors=numbered), max_delta_t=3, seed=1)
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
    data = KittiMasks(kitti, seed=0, transform=lambda pair: torch.stack([pair[1].flip(-1), pair[0]]))
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
        np.testing.assert_array_equal(latents, kitti.factors[start : start + reach + 1 : delta_t])
        np.testing.assert_array_equal(frames[:, 0], kitti.images[start : start + reach + 1 : delta_t])


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
    columns = [kitti.columns["source"], kitti.columns["video"]] + (
        [kitti.columns["object_id"]] if protocol == "by-object" else []
    )
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
        split_sequences(kitti.with_columns(object_id=np.full(kitti.num_sequences, -1)), "test", "by-object")


@pytest.mark.parametrize("option", ["max_delta_t", "delta_t", "sequence_length"])
def test_numbers_below_1(kitti, option):
    with pytest.raises(UsageError, match=f"{option}=0"):
        KittiMasks(kitti, **{option: 0})


def test_files_it_cannot_use(kitti, tmp_path):
    store.save(sprites(), tmp_path / "sprites.npz")
    with pytest.raises(BadInputError, match="holds sprites"):
        KittiMasks(tmp_path / "sprites.npz")
    with pytest.raises(UsageError, match="1001 frames"):
        KittiMasks(kitti, sequence_length=1001)


def test_the_package_names_what_it_has():
    assert set(kitti_masks.__all__) == {name for name in kitti_masks.__all__ if getattr(kitti_masks, name)}
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = kitti_masks.nothing_such


PAIRS, SEQUENCES = {}, {"sequence_length": 3}


def frames_of(item):
    """The frames of an item of either kind, (T, ...)."""
    return torch.stack(item[:2]) if len(item) == 4 else item[0]


@pytest.mark.parametrize("mode", [PAIRS, SEQUENCES], ids=["pairs", "sequences"])
@pytest.mark.parametrize("flip", [V1Flip(), V2Flip()], ids=["v1", "v2"])
def test_all_frames_of_an_item_share_a_random_draw(flip, mode):
    noise = random_masks([20, 20])
    plain, data = KittiMasks(noise, seed=0, **mode), KittiMasks(noise, flip, seed=0, **mode)
    torch.manual_seed(0)
    flipped = []
    for items in ([data[i] for i in range(len(data))], data.__getitems__(range(len(data)))):
        for i, item in enumerate(items):
            images, expected = frames_of(item), frames_of(plain[i])
            flipped.append(torch.equal(images, expected.flip(-1)))
            assert flipped[-1] or torch.equal(images, expected)
    assert 0.3 < np.mean(flipped) < 0.7


@pytest.mark.parametrize("mode", [PAIRS, SEQUENCES], ids=["pairs", "sequences"])
def test_a_transform_is_called_once_an_item_on_all_its_frames(mode):
    seen = []
    data = KittiMasks(random_masks([9]), lambda images: seen.append(images.clone()) or images, seed=0, **mode)
    first, batch = data[0], data.__getitems__([0, 3, 5])
    for images, item in zip(seen, [first, *batch], strict=True):
        assert images.shape == (mode.get("sequence_length", 2), 1, 64, 64)
        assert torch.equal(images, frames_of(item))


def test_a_transform_may_work_in_place_and_change_the_size():
    noise = random_masks([9, 9])
    plain, data = KittiMasks(noise, seed=0), KittiMasks(noise, Scaled(), seed=0)
    for _ in range(2):
        assert torch.equal(data[4][1], plain[4][1][..., ::2, ::2] * 2 - 1)
    first, second, latents, _ = next(iter(DataLoader(data, 5, collate_fn=data.collate)))
    assert first.shape == second.shape == (5, 1, 32, 32)
    assert latents.shape == (5, 3)
    factors, observations = data.sample(6, np.random.RandomState(0))
    expected = plain.sample(6, np.random.RandomState(0))[1][..., ::2, ::2] * 2 - 1
    np.testing.assert_array_equal(observations, expected)
    np.testing.assert_array_equal(data.sample_observations(6, np.random.RandomState(0)), expected)
    assert factors.shape == (6, 3)


def test_observations_are_transformed_one_by_one():
    data = KittiMasks(random_masks([9]), Noise(), seed=0)
    noise = data.sample_observations(4, np.random.RandomState(0)) % 1
    assert len(np.unique(noise[:, 0, 0, 0])) == 4


@pytest.mark.parametrize("mode", [PAIRS, SEQUENCES], ids=["pairs", "sequences"])
def test_the_transforms_of_torchvision(mode):
    noise = random_masks([9])
    plain = KittiMasks(noise, seed=0, **mode)
    for name, transform in real_transforms().items():
        data = KittiMasks(noise, transform, seed=0, **mode)
        for i in range(5):
            torch.manual_seed(i)
            images = frames_of(data[i])
            torch.manual_seed(i)
            expected = transform(frames_of(plain[i]))
            assert torch.equal(images, expected), name
            # Each frame by itself, with the same draw, is the same too.
            for image, frame in zip(images, frames_of(plain[i]), strict=True):
                torch.manual_seed(i)
                torch.testing.assert_close(image, transform(frame), msg=name)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ("default", "give the function itself"),
        (5, "max_delta_t is the third argument"),
        ("flip", "must be a function"),
        (lambda first, second: (first, second), "all frames of an item at once"),
        (lambda images: images.numpy(), "made a ndarray of a tensor"),
        (lambda images: (images[0], images[1]), "made a tuple of a tensor"),
        (lambda images: images[0], r"made \(1, 64, 64\) of a tensor \(2, 1, 64, 64\)"),
        (lambda images: images.sum(), r"made \(\) of"),
    ],
)
def test_what_is_no_transform_of_all_frames(transform, message):
    with pytest.raises(UsageError, match=message):
        KittiMasks(random_masks([9]), transform)[0]


def workers(data, method):
    return DataLoader(
        data, 8, num_workers=2, persistent_workers=True, multiprocessing_context=method, collate_fn=data.collate
    )


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
@pytest.mark.parametrize("taken", [lambda data: data, copy.deepcopy], ids=["made", "copied"])
def test_persistent_workers_follow_the_epoch(method, taken):
    noise = random_masks([20, 20], 16)
    data = taken(KittiMasks(noise, seed=1, max_delta_t=9))
    loader, before = workers(data, method), []
    for epoch in (0, 1, 7, 1):
        data.set_epoch(epoch)
        alone = KittiMasks(noise, seed=1, max_delta_t=9)
        alone.set_epoch(epoch)
        given = [torch.cat(part) for part in zip(*loader, strict=True)]
        for part, expected in zip(given, alone.collate(alone.__getitems__(range(len(alone)))), strict=True):
            assert torch.equal(part, expected)
        before.append(given[3])
    assert not torch.equal(before[0], before[1])
    assert not torch.equal(before[1], before[2])
    assert torch.equal(before[1], before[3])


@pytest.mark.parametrize("mode", [PAIRS, SEQUENCES], ids=["pairs", "sequences"])
def test_a_spawned_worker_is_sent_handles_not_arrays(mode):
    noise = random_masks([200, 200])
    data = KittiMasks(noise, seed=1, **mode)
    data[0]
    sent = ForkingPickler.dumps(data)
    assert len(sent) < 10_000 < noise.images.nbytes / 100
    there = ForkingPickler.loads(sent)
    for epoch in (0, 3):
        data.set_epoch(epoch)
        for part, expected in zip(there[7], data[7], strict=True):
            assert torch.equal(part, expected)


@pytest.mark.parametrize("transform", [None, torch.neg])
def test_parts_and_sums_of_datasets_collate(transform):
    data = KittiMasks(random_masks([9, 9], 16), transform, seed=0)
    other = KittiMasks(random_masks([5], 16, seed=1), transform, seed=0)
    every = [data[i] for i in range(16)] + [other[i] for i in range(4)]
    for dataset, rows in [
        (Subset(data, [3, 1, 15]), [3, 1, 15]),
        (ConcatDataset([data, other]), range(20)),
        (ConcatDataset([Subset(data, [2]), other]), [2, 16, 17, 18, 19]),
        (Subset(ConcatDataset([data, other]), [19, 0]), [19, 0]),
    ]:
        (batch,) = DataLoader(dataset, 64, collate_fn=data.collate)
        assert isinstance(batch, tuple)
        for part, *items in zip(batch, *(every[row] for row in rows), strict=True):
            assert torch.equal(part, torch.stack(items))


def test_what_users_of_the_release_find():
    lengths = [9, 2, 1, 30]
    noise = random_masks(lengths, 16)
    data = KittiMasks(noise, None, 3)
    assert data.max_delta_t == 3
    assert data.lens == [8, 1, 0, 29]
    assert data.cumlens.tolist() == [8, 9, 9, 38]
    assert len(data) == data.cumlens[-1]
    observations = data.sample_observations(20, np.random.RandomState(4))
    assert observations.shape == (20, 1, 16, 16)
    # The release draws items so, and finds their first frames so.
    for observation, item in zip(observations, np.random.RandomState(4).choice(38, 20, replace=False), strict=True):
        sequence = np.searchsorted(data.cumlens, item, side="right")
        frame = noise.offsets[sequence] + item - (data.cumlens[sequence - 1] if sequence else 0)
        np.testing.assert_array_equal(observation[0], noise.images[frame])
    # Its collating takes items for arrays.
    items = [data[i] for i in range(4)]
    images = torch.tensor(np.stack([image for item in items for image in item[:2]]))
    assert torch.equal(images[::2], data.collate(items)[0])


def test_a_batch_of_other_indices():
    data = KittiMasks(random_masks([9], 8), seed=0)
    assert torch.equal(data[np.int64(2)][1], data[torch.tensor(2)][1])
    assert torch.equal(data.__getitems__([-1])[0][1], data[7][1])
    for wrong in (8, -9, 10**30):
        with pytest.raises((IndexError, OverflowError)):
            data.__getitems__([0, wrong])
    for wrong in ("0", 0.0, None, [0], slice(2)):
        with pytest.raises(TypeError):
            data[wrong]
    given = data[3]
    given[2].fill_(99)
    assert data[3][2][0] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_delta_t": 5, "sequence_length": 3}, "max_delta_t is of pairs"),
        ({"delta_t": 2}, "delta_t is of sequences"),
        ({"protocol": "by-object"}, "name the part too"),
        ({"split": "test", "protocol": "by-sequence"}, "nothing for the test part"),
        ({"split": "test"}, "the release has no test part"),
        ({"split": "dev", "protocol": "by-object"}, "unknown split 'dev'"),
        ({"sequence_length": 2**31 - 1, "delta_t": 2**31 - 1}, "no sequence has the"),
        *(
            ({name: value}, f"{name}=")
            for name in ("max_delta_t", "delta_t", "sequence_length", "seed")
            for value in (-1, 2**64, 10**400, 1.5, float("nan"), True, "5", [5], np.arange(4))
        ),
    ],
)
def test_arguments_that_cannot_be(options, message):
    with pytest.raises(UsageError, match=message) as caught:
        KittiMasks(random_masks([9]), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", [None, 5, True, b"kitti.npz", np.zeros(3), sprites()])
def test_what_is_no_dataset(path):
    with pytest.raises(UsageError, match="path"):
        KittiMasks(path)


@pytest.mark.parametrize("epoch", [-1, 0.0, True, None, "1", 2**63, float("nan")])
def test_what_is_no_epoch(epoch):
    with pytest.raises(UsageError, match="epoch="):
        KittiMasks(random_masks([9]), seed=0).set_epoch(epoch)


@pytest.mark.parametrize("arguments", [(0, None), (5, -1), (5, 0.0), (5, np.random), (-5, 0), (2.0, 0), ("5", 0)])
def test_what_cannot_be_sampled(arguments):
    num, state = arguments
    state = np.random.RandomState(0) if num != 5 else state
    for draw in (KittiMasks(random_masks([9])).sample, KittiMasks(random_masks([9])).sample_observations):
        with pytest.raises(UsageError, match=r"num=|random_state="):
            draw(num, state)
