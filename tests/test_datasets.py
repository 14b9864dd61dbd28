"""The one type of a dataset."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sequences import random_masks
from test_store import sprites

import datagen
from datagen import store
from datagen.datasets import MASK_FACTORS, SPRITE_FACTORS, Sequences
from datagen.errors import DatagenError, UsageError
from datagen.moments import latents_of_masks
from kitti_masks import KittiMasks
from natsprites import NaturalSprites, Renderer, TorchRenderer
from slowvae.batches import Frames


def squares(length, size=16, step=1):
    masks = np.zeros((length, size, size), dtype=bool)
    for t in range(length):
        masks[t, 4:8, step * t : step * t + 4] = True
    return masks


def test_own_masks_in_one_line(tmp_path):
    first, second = squares(3), squares(5, step=2)
    dataset = Sequences.from_masks([first, second])
    assert dataset.offsets.tolist() == [0, 3, 8]
    np.testing.assert_array_equal(dataset.images, np.concatenate([first, second]))
    np.testing.assert_array_equal(dataset.factors, latents_of_masks(np.concatenate([first, second])))
    assert dataset.columns["object_id"].tolist() == [0, 1]
    assert dataset.columns["video"].tolist() == ["0000", "0001"]
    store.save(dataset, tmp_path / "own.npz")
    loaded = datagen.load(tmp_path / "own.npz")
    assert repr(loaded) == repr(dataset)
    assert repr(dataset) == "Sequences(mask-sequences: 2 sequences, 8 frames of 16 x 16 bool; factors y, x, area)"
    assert len(KittiMasks(loaded)) == 6
    assert dataset.transitions().differences("x").tolist() == [1.0, 1.0, 2.0, 2.0, 2.0, 2.0]


def test_what_is_known_of_own_masks():
    one_object = Sequences.from_masks([squares(3), squares(3)], object_id=7, video="street", category=["dog", "dog"])
    assert one_object.columns["object_id"].tolist() == [7, 7]
    assert one_object.columns["object_id"].dtype == np.int64
    assert one_object.columns["category"].tolist() == ["dog", "dog"]
    numbers = Sequences.from_masks([squares(2).astype(np.uint8) * 255])
    np.testing.assert_array_equal(numbers.images, squares(2))


@pytest.mark.parametrize(
    ("masks", "options", "message"),
    [
        ([], {}, "no masks"),
        ([squares(2)[0]], {}, r"sequence 0: bool \(16, 16\)"),
        ([squares(2), squares(2)[:0]], {}, r"sequence 1: bool \(0, 16, 16\)"),
        ([np.array([[["a"]]])], {}, "sequence 0: <U1"),
        ([squares(2), squares(2, size=20)], {}, r"sequence 1: \(20, 20\) pixels, those before \(16, 16\)"),
        ([squares(2), squares(3) & (np.arange(3) != 1)[:, None, None]], {}, "sequence 1: the mask of frame 1 is empty"),
        ([squares(2)], {"object_id": [1, 2]}, r"object_id has the shape \(2,\)"),
        ([squares(2)], {"object_id": "a"}, "whole numbers"),
        ([squares(2)], {"category": 5}, "texts"),
        ([squares(2)], {"object_id": -2}, "object_id must hold numbers of at least 0"),
        ([squares(2)], {"first_frame": 2**63}, "first_frame must hold numbers of at least 0"),
        ([[[[1, 0], [1]]]], {}, "masks are no arrays"),
        (5, {}, "masks are no arrays"),
    ],
)
def test_own_masks_that_cannot_be(masks, options, message):
    with pytest.raises(UsageError, match=message):
        Sequences.from_masks(masks, **options)


def test_an_unknown_column_is_refused():
    with pytest.raises(UsageError, match="unknown column 'sequence'"):
        random_masks([3], sequence=np.array(["a"]))
    with pytest.raises(UsageError, match="unknown column 'sequence'"):
        random_masks([3]).with_columns(sequence=np.array(["a"]))


def test_a_selection_keeps_each_sequence_whole():
    dataset = random_masks([3, 1, 4], 8, category=np.array(["a", "b", "c"]))
    chosen = dataset.select(np.array([2, 0]))
    assert chosen.offsets.tolist() == [0, 4, 7]
    np.testing.assert_array_equal(chosen.images, dataset.images[[4, 5, 6, 7, 0, 1, 2]])
    np.testing.assert_array_equal(chosen.factors[:, 0], [4, 5, 6, 7, 0, 1, 2])
    assert chosen.columns["category"].tolist() == ["c", "a"]
    bare = sprites(images=False).select(np.array([1]))
    assert bare.images is None
    assert bare.num_frames == 2


def test_sprites_are_described_by_their_factors():
    dataset = sprites()
    assert dataset.factor_names == SPRITE_FACTORS
    assert dataset.factor_sizes.tolist() == [0, 0, 0, 40, 4]
    assert not dataset.holds_masks
    assert not dataset.is_discrete
    assert [factor.name for factor in dataset.factor_info if factor.moves] == ["x", "y", "scale"]
    assert [factor.name for factor in dataset.factor_info if factor.categorical] == ["shape"]
    assert repr(sprites(images=False)).startswith("Sequences(sprite-sequences: 5 sequences, 10 frames without images;")
    with pytest.raises(DatagenError, match="no table of transitions"):
        dataset.transitions()


def test_masks_are_described_by_their_factors():
    dataset = random_masks([2, 2], 8)
    assert dataset.factor_names == MASK_FACTORS
    assert dataset.holds_masks
    assert [factor.limits for factor in dataset.factor_info] == [(0, 7), (0, 7), (1, 64)]


def test_masks_without_images_are_no_file(tmp_path):
    with pytest.raises(UsageError, match="no masks"):
        store.save(replace(random_masks([2], 8), images=None), tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def test_what_a_repr_says():
    dataset = random_masks([3, 2], 16)
    assert repr(KittiMasks(dataset, seed=1)) == "KittiMasks(3 items of 16 x 16; max_delta_t=5, seed=1)"
    in_sequences = KittiMasks(dataset, sequence_length=2)
    assert repr(in_sequences) == "KittiMasks(3 items of 16 x 16; sequence_length=2, delta_t=1, seed=None)"
    assert repr(in_sequences.__getitems__([0, 1])) == "SampledPairs((2, 2, 1, 16, 16), (2, 2, 3))"
    assert repr(NaturalSprites(sprites())) == "NaturalSprites(5 pairs of 3 x 16 x 16; factor sizes (0, 0, 0, 40, 4))"
    assert repr(dataset.transitions()) == "Transitions(3 rows of 2 frames; int64 area, float32 x, y)"
    assert repr(Renderer(32)) == "Renderer(image_size=32, anti_aliasing=5)"
    assert repr(TorchRenderer(image_size=32)) == "TorchRenderer(device='cpu', image_size=32, anti_aliasing=5)"


@pytest.mark.parametrize("dataset", [random_masks([3, 2], 16), sprites(), sprites(color=True)], ids=repr)
def test_the_trainer_takes_every_dataset_alike(dataset):
    frames = Frames.of(dataset, torch.device("cpu"))
    assert len(frames) == dataset.num_frames
    images = frames.at(slice(0, 4))
    expected = dataset.images[:4] / (1 if dataset.holds_masks else np.float32(255))
    expected = expected[:, None] if expected.ndim == 3 else expected.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(images.numpy(), expected.astype(np.float32))
