import numpy as np
import pytest
import torch
from natsprites_helpers import golden_arrays, golden_transitions, random_transitions

from datagen import store
from datagen.datasets import MaskSequences
from datagen.errors import UsageError
from natsprites.dataset import NaturalSprites
from natsprites.pipeline import build
from natsprites.renderer import Renderer


@pytest.fixture(scope="module")
def transitions():
    return random_transitions()


@pytest.fixture(scope="module")
def stored(transitions):
    return build(transitions, pairs=50, seed=3)


@pytest.mark.golden
def test_observations_of_the_releases_factors_are_its_images(golden):
    items = golden_arrays(golden, "naturalsprites_items.npz")
    sprites = NaturalSprites(golden_transitions(golden))
    assert len(sprites) == len(items["continuous_dict_x"])
    for place in ("first", "second"):
        factors = items["continuous_latents1" if place == "first" else "continuous_latents2"][:, :5]
        observations = sprites.sample_observations_from_factors(factors, np.random.RandomState(0))
        expected = items[f"continuous_{place}_u8"].astype(np.float32) / 255.0
        np.testing.assert_array_equal(observations, expected)


def test_an_item_is_two_images_and_their_factors(stored):
    first, second, factors_first, factors_second = NaturalSprites(stored)[7]
    for frame, image, factors in ((0, first, factors_first), (1, second, factors_second)):
        assert image.shape == (3, 64, 64)
        assert image.dtype == factors.dtype == torch.float32
        np.testing.assert_array_equal(image.numpy(), np.stack([stored.images[7, frame] / np.float32(255)] * 3))
        np.testing.assert_array_equal(factors.numpy(), stored.factors[7, frame])


def test_files_and_both_ways_to_render_give_the_same_items(tmp_path, transitions, stored):
    store.save(stored, tmp_path / "sprites.npz")
    sources = [
        NaturalSprites(tmp_path / "sprites.npz"),
        NaturalSprites(str(tmp_path / "sprites.npz"), render="on-the-fly"),
        NaturalSprites(transitions, render="stored", seed=3, pairs=50),
        NaturalSprites(transitions, render="on-the-fly", seed=3, pairs=50),
        NaturalSprites(transitions, seed=3, pairs=50),
    ]
    for source in sources:
        assert len(source) == 50
        for index in (0, 49):
            for given, expected in zip(source[index], NaturalSprites(stored)[index], strict=True):
                torch.testing.assert_close(given, expected, rtol=0, atol=0)


def test_batches_are_the_items(stored):
    sprites = NaturalSprites(stored)
    loader = torch.utils.data.DataLoader(sprites, batch_size=20)
    batches = [torch.cat(parts) for parts in zip(*loader, strict=True)]
    for place, index in enumerate(range(50)):
        for batch, part in zip(batches, sprites[index], strict=True):
            assert torch.equal(batch[place], part)


def test_runs_of_several_frames_give_all_their_neighbours():
    runs = build(random_transitions(length=4), pairs=5)
    sprites = NaturalSprites(runs)
    assert len(sprites) == 15
    for index in range(15):
        _, _, first, second = sprites[index]
        np.testing.assert_array_equal(first.numpy(), runs.factors[index // 3, index % 3])
        np.testing.assert_array_equal(second.numpy(), runs.factors[index // 3, index % 3 + 1])


@pytest.mark.parametrize("index", [-1, 50])
def test_an_index_out_of_range(stored, index):
    with pytest.raises(IndexError, match="from 0 to 49"):
        NaturalSprites(stored)[index]


def test_coloured_images_keep_their_colour(transitions):
    colored = build(transitions, pairs=10, colors=[(1, 0, 0)])
    sprites = NaturalSprites(colored)
    np.testing.assert_array_equal(sprites[4][0].numpy(), colored.images[4, 0].transpose(2, 0, 1) / np.float32(255))
    _, observations = sprites.sample(5, np.random.RandomState(0))
    assert observations[:, 0].max() == 1
    assert not observations[:, 1:].any()


def test_natural_factors_are_those_of_the_data(stored):
    sprites = NaturalSprites(stored)
    factors, observations = sprites.sample(30, np.random.RandomState(0))
    assert factors.shape == (30, 5)
    rows = [(stored.factors[:, 0] == one).all(axis=1).argmax() for one in factors]
    np.testing.assert_array_equal(factors, stored.factors[rows, 0])
    assert observations.dtype == np.float32
    assert len(set(rows)) > 10
    again, _ = sprites.sample(30, np.random.RandomState(0))
    np.testing.assert_array_equal(again, factors)


@pytest.mark.parametrize("source", ["transitions", "dataset"])
def test_discrete_factors_are_uniform_on_the_grid(transitions, source):
    sprites = NaturalSprites(
        transitions if source == "transitions" else build(transitions, pairs=10, discrete=True), discrete=True
    )
    assert sprites.factor_sizes == (32, 32, 6, 40, 4)
    random_state = np.random.RandomState(5)
    factors = sprites.sample_factors(4000, np.random.RandomState(5))
    assert factors.dtype == np.int64
    # The release draws each factor in turn from the same stream.
    for column, size in enumerate(sprites.factor_sizes):
        np.testing.assert_array_equal(factors[:, column], random_state.randint(size, size=4000))
    generated = sprites.sample_factors(4000, np.random.default_rng(0))
    assert generated.min(axis=0).tolist() == [0] * 5
    assert generated.max(axis=0).tolist() == [31, 31, 5, 39, 3]


def test_discrete_places_mean_values_of_the_grid(transitions):
    dataset = build(transitions, pairs=2, discrete=True)
    values = dataset.manifest["factor_values"]
    observations = NaturalSprites(dataset).sample_observations_from_factors(
        np.array([[3, 30, 2, 7, 0]]), np.random.RandomState(0)
    )
    expected = Renderer().render([values["x"][3]], values["y"][30], values["scale"][2], 63, "spoke_4")
    np.testing.assert_array_equal(observations[0].transpose(1, 2, 0), expected[0] / np.float32(255))


def masks():
    zero, text, offsets = np.zeros(1, np.int64), np.array(["a"]), np.array([0, 2])
    images, latents = np.ones((2, 8, 8), bool), np.ones((2, 3), np.float32)
    return MaskSequences(images, latents, offsets, text, text, zero, text, zero, zero)


def test_what_cannot_serve_gets_one_clear_line(tmp_path, transitions, stored):
    store.save(masks(), tmp_path / "masks.npz")
    for source, options, message in [
        (tmp_path / "masks.npz", {}, "holds masks, not sprites"),
        (stored, {"render": "later"}, "must be 'stored' or 'on-the-fly'"),
        (stored, {"discrete": True}, "continuous"),
        (build(transitions, pairs=5, factors_only=True), {"render": "stored"}, "no images"),
        (build(transitions, pairs=5, colors=[(1, 0, 0)]), {"render": "on-the-fly"}, "coloured"),
        (build(random_transitions(length=1), pairs=5), {}, "single frames"),
    ]:
        with pytest.raises(UsageError, match=message):
            NaturalSprites(source, **options)
