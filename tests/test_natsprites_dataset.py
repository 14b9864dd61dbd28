from dataclasses import replace
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from natsprites_helpers import golden_arrays, golden_transitions, random_transitions
from transforms import Noise, Scaled, V1Flip, V2Flip, real_transforms

from datagen import store
from datagen.datasets import Sequences
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
        np.testing.assert_array_equal(image.numpy(), np.stack([stored.images[14 + frame] / np.float32(255)] * 3))
        np.testing.assert_array_equal(factors.numpy(), stored.factors[14 + frame])


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
        np.testing.assert_array_equal(first.numpy(), runs.factors[4 * (index // 3) + index % 3])
        np.testing.assert_array_equal(second.numpy(), runs.factors[4 * (index // 3) + index % 3 + 1])


@pytest.mark.parametrize("index", [-51, 50])
def test_an_index_out_of_range(stored, index):
    with pytest.raises(IndexError, match=f"item {index} of 50"):
        NaturalSprites(stored)[index]


def test_an_index_from_the_end_and_a_slice(stored):
    sprites = NaturalSprites(stored)
    assert torch.equal(sprites[-1][2], sprites[49][2])
    with pytest.raises(TypeError, match="no slice"):
        sprites[:3]


def test_a_number_is_a_seed_of_samples(stored):
    sprites = NaturalSprites(stored)
    for mine, again in zip(sprites.sample(5, 3), sprites.sample(5, np.random.default_rng(3)), strict=True):
        np.testing.assert_array_equal(mine, again)


def test_grey_sprites_have_as_many_channels_as_asked_for(stored, transitions):
    three, one = NaturalSprites(stored), NaturalSprites(stored, channels=1)
    assert one.observation_shape == [1, 64, 64]
    assert torch.equal(one[3][0], three[3][0][:1])
    np.testing.assert_array_equal(one.sample(4, 0)[1], three.sample(4, 0)[1][:, :1])
    colored = build(transitions, pairs=3, colors=[(1, 0, 0)])
    with pytest.raises(UsageError, match="channels=1, but"):
        NaturalSprites(colored, channels=1)
    for wrong in (2, 1.0, True, "1", [1]):
        with pytest.raises(UsageError, match="must be 3 or 1"):
            NaturalSprites(stored, channels=wrong)


def test_coloured_images_keep_their_colour(transitions):
    colored = build(transitions, pairs=10, colors=[(1, 0, 0)])
    sprites = NaturalSprites(colored)
    np.testing.assert_array_equal(sprites[4][0].numpy(), colored.images[8].transpose(2, 0, 1) / np.float32(255))
    _, observations = sprites.sample(5, np.random.RandomState(0))
    assert observations[:, 0].max() == 1
    assert not observations[:, 1:].any()


def test_natural_factors_are_those_of_the_data(stored):
    sprites = NaturalSprites(stored)
    factors, observations = sprites.sample(30, np.random.RandomState(0))
    assert factors.shape == (30, 5)
    rows = [(stored.factors[::2] == one).all(axis=1).argmax() for one in factors]
    np.testing.assert_array_equal(factors, stored.factors[::2][rows])
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
    offsets = np.array([0, 2])
    images, latents = np.ones((2, 8, 8), bool), np.ones((2, 3), np.float32)
    return Sequences.of_masks(images, latents, offsets)


def single_frames(pairs):
    """Leave out the second frame of each pair."""
    images, factors = pairs.images[::2], pairs.factors[::2]
    return replace(pairs, images=images, factors=factors, offsets=np.arange(pairs.num_sequences + 1))


def test_what_cannot_serve_gets_one_clear_line(tmp_path, transitions, stored):
    once = build(transitions, pairs=5)
    store.save(masks(), tmp_path / "masks.npz")
    for source, options, message in [
        (tmp_path / "masks.npz", {}, "holds masks, not sprites"),
        (stored, {"render": "later"}, "must be 'stored' or 'on-the-fly'"),
        (stored, {"discrete": True}, "continuous"),
        (build(transitions, pairs=5, factors_only=True), {"render": "stored"}, "no images"),
        (build(transitions, pairs=5, colors=[(1, 0, 0)]), {"render": "on-the-fly"}, "coloured"),
        (single_frames(once), {}, "single frames"),
    ]:
        with pytest.raises(UsageError, match=message):
            NaturalSprites(source, **options)


@pytest.mark.parametrize("flip", [V1Flip(), V2Flip()], ids=["v1", "v2"])
@pytest.mark.parametrize("render", ["stored", "on-the-fly"])
def test_both_images_share_a_random_draw(stored, flip, render):
    plain, data = NaturalSprites(stored), NaturalSprites(stored, render=render, transform=flip)
    torch.manual_seed(0)
    for items in ([data[i] for i in range(50)], data.__getitems__(range(50))):
        flipped = []
        for i, item in enumerate(items):
            images, expected = torch.stack(item[:2]), torch.stack(plain[i][:2])
            flipped.append(torch.equal(images, expected.flip(-1)))
            assert flipped[-1] or torch.equal(images, expected)
        assert 0.2 < np.mean(flipped) < 0.8


def test_a_transform_may_work_in_place_and_is_of_observations_too(stored):
    plain, data = NaturalSprites(stored), NaturalSprites(stored, transform=Scaled())
    for _ in range(2):
        assert torch.equal(data[4][1], plain[4][1][..., ::2, ::2] * 2 - 1)
    assert next(iter(torch.utils.data.DataLoader(data, 5)))[0].shape == (5, 3, 32, 32)
    factors, observations = data.sample(6, np.random.RandomState(0))
    expected = plain.sample_observations_from_factors(factors, np.random.RandomState(0))
    np.testing.assert_array_equal(observations, expected[..., ::2, ::2] * 2 - 1)
    noisy = NaturalSprites(stored, transform=Noise()).sample_observations(4, np.random.RandomState(0)) % 1
    assert len(np.unique(noisy[:, 0, 0, 0])) == 4


def test_the_transforms_of_torchvision(stored):
    plain = NaturalSprites(stored)
    for name, transform in real_transforms(channels=3).items():
        data = NaturalSprites(stored, transform=transform)
        for i in range(5):
            torch.manual_seed(i)
            images = torch.stack(data[i][:2])
            torch.manual_seed(i)
            assert torch.equal(images, transform(torch.stack(plain[i][:2]))), name


@pytest.mark.parametrize("render", ["stored", "on-the-fly"])
def test_a_spawned_worker_is_sent_handles_not_arrays(transitions, render):
    data = NaturalSprites(transitions, render=render, pairs=1000)
    sent = ForkingPickler.dumps(data)
    assert len(sent) < 10_000 < data[0][2].nbytes * 2 * len(data)
    there = ForkingPickler.loads(sent)
    for part, expected in zip(there[7], data[7], strict=True):
        assert torch.equal(part, expected)


@pytest.mark.parametrize("discrete", [False, True])
def test_it_is_ground_truth_data_as_disentanglement_lib_takes_them(transitions, discrete):
    """Its votes fix one factor of a batch and render it anew: in all observations that factor is the same."""
    data = NaturalSprites(transitions, discrete, pairs=50)
    assert data.num_factors == 5
    assert data.factors_num_values == ([32, 32, 6, 40, 4] if discrete else [0, 0, 0, 40, 4])
    assert data.observation_shape == [3, 64, 64]
    state = np.random.RandomState(0)
    for index in range(data.num_factors):
        factors = data.sample_factors(8, state)
        assert factors.shape == (8, 5)
        factors[:, index] = factors[0, index]
        observations = data.sample_observations_from_factors(factors, state)
        assert observations.shape == (8, 3, 64, 64)
        assert observations.dtype == np.float32
        assert observations.min() >= 0
        assert observations.max() == 1
    factors, observations = data.sample(4, np.random.RandomState(3))
    np.testing.assert_array_equal(observations, data.sample_observations(4, np.random.RandomState(3)))
    np.testing.assert_array_equal(
        observations, data.sample_observations_from_factors(factors, np.random.RandomState(0))
    )


@pytest.mark.parametrize("wrong", [-1, 4, 32, 0.5, np.nan, np.inf, 1e300, 2**62])
def test_places_that_are_not_on_the_grid(transitions, wrong):
    data = NaturalSprites(transitions, True, pairs=5)
    factors = data.sample_factors(3, np.random.RandomState(0)).astype(float)
    np.testing.assert_array_equal(
        data.sample_observations_from_factors(factors, np.random.RandomState(0)),
        data.sample_observations_from_factors(factors.astype(np.int64), np.random.RandomState(0)),
    )
    factors[1, 4] = wrong
    with pytest.raises(UsageError, match=r"row 1: shape is .* here 0 to 3"):
        data.sample_observations_from_factors(factors, np.random.RandomState(0))


@pytest.mark.parametrize(
    "factors", [None, [], np.zeros(5), np.zeros((2, 4)), np.zeros((1, 2, 5)), [["a"] * 5], np.full((1, 5), 1j)]
)
@pytest.mark.parametrize("discrete", [False, True])
def test_factors_of_another_shape_or_kind(transitions, factors, discrete):
    with pytest.raises(UsageError, match="they must be numbers"):
        NaturalSprites(transitions, discrete, pairs=5).sample_observations_from_factors(
            factors, np.random.RandomState(0)
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_factors_that_no_sprite_has(stored, value):
    with pytest.raises(UsageError, match="x holds a value"):
        NaturalSprites(stored).sample_observations_from_factors(np.full((1, 5), value), np.random.RandomState(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"render": ["stored"]}, "must be 'stored'"),
        ({"discrete": "no"}, "discrete is a str"),
        ({"transform": 5}, "transform="),
        ({"transform": lambda first, second: first}, "one argument"),
        *(({name: value}, f"{name}=") for name in ("seed", "pairs") for value in (-1, 10**30, 1.0, True, "5", np.nan)),
        *(({"image_size": value}, "image size") for value in (0, -1, 10**30, 64.0, True, "64", np.nan)),
    ],
)
def test_arguments_that_cannot_be(transitions, options, message):
    with pytest.raises(UsageError, match=message) as caught:
        NaturalSprites(transitions, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", [None, True, 5, b"x", np.zeros(3), masks()])
def test_what_is_no_source(source):
    with pytest.raises(UsageError, match="source"):
        NaturalSprites(source)


def test_what_a_file_says_is_not_overruled(stored):
    for options, message in [({"pairs": 5}, "pairs is of a table"), ({"image_size": 32}, "file's images are")]:
        with pytest.raises(UsageError, match=message):
            NaturalSprites(stored, **options)


def test_a_manifest_that_does_not_say_what_is_needed(transitions):
    discrete = build(transitions, pairs=2, discrete=True)
    colored = build(transitions, pairs=2, colors=[(1, 0, 0)])
    for values in (None, 5, {}, {"x": [1]}, {**discrete.manifest["factor_values"], "y": [0.5]}):
        with pytest.raises(UsageError, match="does not say their values"):
            NaturalSprites(replace(discrete, manifest={"factor_values": values}))
    for colors in (None, [], [[1, 0]], [[2, 0, 0]], [["a", "b", "c"]], [[float("nan")] * 3]):
        with pytest.raises(UsageError, match="in which colours"):
            NaturalSprites(replace(colored, manifest={"parameters": {"colors": colors}}))
