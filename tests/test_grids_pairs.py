"""Pairs of a grid: files of pairs, the torch dataset, and the grid of Natural Sprites."""

import pickle

import grids
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from datagen import store
from datagen.checks import verify
from datagen.datasets import Factor, Sequences
from datagen.errors import BadInputError, UsageError
from datagen.grids.pairs import draw_pairs
from datagen.grids.priors import Laplace, Natural, Uniform
from datagen.transitions import Transitions
from natsprites import NaturalSprites, sprite_grid
from natsprites.renderer import Renderer
from slowvae.grid_pairs import GridPairs


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    texts, numbers = np.full(3000, ""), np.arange(3000)
    x, y = rng.uniform(10, 50, (2, 3000, 1)) + rng.laplace(0, 1, (2, 3000, 2))
    return Transitions(texts, texts, numbers, texts, numbers, numbers, y, x, rng.integers(50, 500, (3000, 2)))


def small_grid():
    info = [Factor("x", "", (0, 3), 4), Factor("shape", "", (0, 1), 2, categorical=True, scored=False)]
    images = np.arange(8, dtype=np.uint8).repeat(16).reshape(8, 4, 4) * 30
    return Sequences.of_grid(images, info)


def numbers_of(pairs):
    """Return the numbers of the images of pairs, (P, 2), by their factors."""
    factors = pairs.factors.astype(np.int64).reshape(pairs.num_sequences, 2, -1)
    return np.ravel_multi_index(tuple(np.moveaxis(factors, -1, 0)), tuple(pairs.factor_sizes))


def test_every_image_is_the_first_of_a_pair_once_an_epoch():
    pairs = draw_pairs(small_grid(), Laplace(), 24, seed=3)
    first = numbers_of(pairs)[:, 0].reshape(3, 8)
    np.testing.assert_array_equal(np.sort(first, axis=1), np.tile(np.arange(8), (3, 1)))
    assert len({tuple(epoch) for epoch in first.tolist()}) > 1
    assert (numbers_of(pairs)[:, 0] % 2 == numbers_of(pairs)[:, 1] % 2).all()  # the categorical factor stays


def test_the_seed_says_it_all():
    same, again, other = (draw_pairs(small_grid(), Uniform(), 50, seed=seed).factors for seed in (1, 1, 2))
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()
    np.testing.assert_array_equal(draw_pairs(small_grid(), Uniform(), 8, seed=1).factors, same[:16])


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".zarr"])
@pytest.mark.parametrize("images", [True, False])
def test_pairs_are_kept(tmp_path, suffix, images):
    grid = grids.grid("shapes3d")
    pairs = draw_pairs(grid, Laplace("random"), 300, images=images)
    store.save(pairs, tmp_path / f"pairs{suffix}")
    assert all(check.passed for check in verify(tmp_path / f"pairs{suffix}"))
    again = store.load(tmp_path / f"pairs{suffix}")
    np.testing.assert_array_equal(again.factors, pairs.factors)
    assert again.lengths.tolist() == [2] * 300
    assert again.manifest["parameters"] == {"prior": "laplace", "rate": "random", "pairs": 300, "seed": 0}
    assert again.manifest["sources"] == grid.manifest["sources"]
    if images:
        np.testing.assert_array_equal(again.images, np.asarray(grid.images)[numbers_of(pairs).ravel()])
    else:
        assert again.images is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a["factors"].__setitem__((3, 1, 0), 4), "pair 3, frame 1: x is 4, which is not one of 0 to 3"),
        (lambda a: a["factors"].__setitem__((3, 1, 0), 0.5), "x is 0.5"),
        (lambda a: a["factors"].__setitem__((3, 1, 0), np.nan), "x is nan"),
        (lambda a: a.update(factors=a["factors"][:, :1]), "not (P, 2, 2)"),
        (lambda a: a.update(factors=a["factors"][..., :1]), "not (P, 2, 2)"),
        (lambda a: a.update(factor_sizes=np.array([4, 0])), "has 0 values"),
        (lambda a: a.update(factor_sizes=np.array([4])), "'factor_sizes' has the shape (1,)"),
        (lambda a: a.update(factor_names=np.array(["x", "x"])), "twice"),
        (lambda a: a.update(factor_names=np.array(["x", ""])), "empty"),
        (lambda a: a.update(factor_periods=np.array([-1, 0], dtype=np.float32)), "the period -1"),
        (lambda a: a.update(factor_scored=np.array([1, 0])), "factor_scored' is int64, not bool"),
    ],
)
def test_pairs_that_cannot_be(tmp_path, change, says):
    store.save(draw_pairs(small_grid(), Laplace(), 10), tmp_path / "pairs.npz")
    with np.load(tmp_path / "pairs.npz") as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(BadInputError) as caught:
        store.load(tmp_path / "bad.npz")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a.update(images=a["images"][:-1]), "7 images, but 4 x 2 combinations"),
        (lambda a: a.update(factor_sizes=np.array([1 << 20, 1 << 20])), "has 1048576 values"),
        (lambda a: a.update(images=a["images"][..., None]), "not (N, H, W) or (N, H, W, 3)"),
        (lambda a: a.update(factor_names=np.array([["x", "shape"]])), "not (K,)"),
    ],
)
def test_grids_that_cannot_be(tmp_path, change, says):
    store.save(small_grid(), tmp_path / "grid.npz")
    with np.load(tmp_path / "grid.npz") as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(BadInputError) as caught:
        store.load(tmp_path / "bad.npz")
    assert says in str(caught.value)


def test_a_part_of_a_grid_is_none(tmp_path):
    part = small_grid().select(np.array([0, 1]))
    assert not part.is_grid
    with pytest.raises(UsageError, match="image of every combination"):
        store.save(part, tmp_path / "part.h5")
    with pytest.raises(UsageError, match="is no grid"):
        draw_pairs(part, Laplace(), 5)
    with pytest.raises(UsageError, match="a grid is a dataset, not a str"):
        draw_pairs("grid.h5", Laplace(), 5)
    for none in ("laplace", Laplace, 1.0):
        with pytest.raises(UsageError, match=r"prior=.*must be a prior, e\.g\. datagen\.grids\.Laplace"):
            draw_pairs(small_grid(), none, 3)
    with pytest.raises(UsageError, match="pairs=0"):
        draw_pairs(small_grid(), Laplace(), 0)
    with pytest.raises(UsageError, match="7 images, but 4 x 2"):
        Sequences.of_grid(np.zeros((7, 4, 4), np.uint8), small_grid().factor_info)
    with pytest.raises(UsageError, match="number of values"):
        Sequences.of_grid(np.zeros((7, 4, 4), np.uint8), [Factor("x", "", (0, 1))])


@pytest.mark.parametrize("name", ["shapes3d", "smallnorb", "dsprites"])
def test_items_are_pairs(name):
    grid = grids.grid(name)
    data = GridPairs(grid, Laplace(), seed=4)
    assert len(data) == grid.num_frames
    images = np.asarray(grid.images)
    sizes = tuple(grid.factor_sizes)
    for item in (0, 17, -1):
        first, second, factors_first, factors_second = data[item]
        assert first.dtype == second.dtype == factors_first.dtype == torch.float32
        assert list(first.shape) == data.observation_shape
        for image, factors in ((first, factors_first), (second, factors_second)):
            number = np.ravel_multi_index(tuple(factors.numpy().astype(int)), sizes)
            expected = images[number] / np.float32(255)
            expected = expected[None] if expected.ndim == 2 else expected.transpose(2, 0, 1)
            np.testing.assert_array_equal(image.numpy(), expected)
        np.testing.assert_array_equal(factors_first, grid.factors[item])
    with pytest.raises(IndexError):
        data[len(data)]


def test_pairs_are_the_same_for_any_number_of_workers():
    data = GridPairs(grids.grid("smallnorb"), Uniform(k=1), seed=4)

    def epoch(workers):
        loader = DataLoader(data, 100, num_workers=workers)
        return torch.cat([second for _, _, _, second in loader])

    alone = epoch(0)
    torch.testing.assert_close(epoch(2), alone, rtol=0, atol=0)
    data.set_epoch(1)
    other = epoch(0)
    assert (other != alone).any()
    torch.testing.assert_close(epoch(2), other, rtol=0, atol=0)
    torch.testing.assert_close(pickle.loads(pickle.dumps(data))[5][0], data[5][0], rtol=0, atol=0)


def test_a_file_is_taken_and_a_transform_applied(tmp_path):
    store.save(small_grid(), tmp_path / "grid.h5")
    data = GridPairs(tmp_path / "grid.h5", Uniform(), transform=lambda pair: 1 - pair)
    torch.testing.assert_close(data[3][0], 1 - GridPairs(small_grid(), Uniform())[3][0])
    assert "Uniform(k=None), seed=0" in repr(data)
    factors, observations = data.sample(5, 0)
    np.testing.assert_allclose(observations.max(axis=(1, 2, 3)), 1 - np.float32(30 / 255) * (factors[:, 0] * 2 + [
        round((1 - each.max()) * 255 / 30) % 2 for each in observations
    ]), atol=1e-6)  # fmt: skip


def test_it_samples_as_ground_truth_data_do():
    grid = grids.grid("smallnorb")
    data = GridPairs(grid)
    assert (data.num_factors, data.factors_num_values) == (4, [5, 3, 6, 2])  # without the instance
    factors = data.sample_factors(300, np.random.RandomState(0))
    assert factors.shape == (300, 4)
    assert (factors.max(axis=0) == np.array([5, 3, 6, 2]) - 1).all()
    drawn = data.sample_observations_from_factors(factors, np.random.RandomState(1))
    images, frames = np.asarray(grid.images), grid.factors.astype(int)
    whose = {image.tobytes(): number for number, image in enumerate(images)}
    instances = set()
    for wanted, observation in zip(factors, drawn, strict=True):
        number = whose[np.rint(observation[0] * 255).astype(np.uint8).tobytes()]
        assert (frames[number][[0, 2, 3, 4]] == wanted).all()
        instances.add(frames[number][1])
    assert instances == {0, 1, 2, 3}
    again, observations = data.sample(50, 7)
    np.testing.assert_array_equal(again, data.sample(50, 7)[0])
    np.testing.assert_array_equal(observations, data.sample_observations(50, 7))


@pytest.mark.parametrize("state", [0, np.random.RandomState(0), np.random.default_rng(0)])
def test_images_are_drawn_without_replacement_while_there_are_enough(state):
    data = GridPairs(small_grid(), Laplace())
    full = GridPairs(grids.grid("shapes3d"), Laplace())
    for num in (40, 2000, 2880):
        factors = full.sample_factors(num, state)
        assert len(np.unique(factors, axis=0)) == num
    assert len(data.sample_factors(100, state)) == 100
    state = np.random.default_rng(1) if state == 0 else state
    times = np.bincount(np.concatenate([data.sample_factors(2, state)[:, 0] for _ in range(2000)]), minlength=4)
    assert abs(times / 4000 - 0.25).max() < 0.05


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda data: data.sample_observations_from_factors([[0, 1]], 0), "they must be numbers (N, 1)"),
        (lambda data: data.sample_observations_from_factors([[4]], 0), "row 0: x is 4; there are values 0 to 3"),
        (lambda data: data.sample_observations_from_factors([[np.nan]], 0), "row 0: x is nan"),
        (lambda data: data.sample_observations_from_factors([[0.5]], 0), "row 0: x is 0.5"),
        (lambda data: data.sample_factors(0, 0), "num=0"),
        (lambda data: data.sample_factors(1, None), "random_state=None"),
        (lambda data: GridPairs(small_grid(), Uniform(5)), "k=5"),
        (lambda data: GridPairs(small_grid(), seed=-1), "seed=-1"),
        (lambda data: GridPairs(draw_pairs(small_grid(), Uniform(), 3)), "is no grid"),
    ],
)
def test_what_makes_no_sense_is_one_line(wrong, says):
    with pytest.raises(UsageError) as caught:
        wrong(GridPairs(small_grid()))
    assert says in str(caught.value)


def test_the_discrete_natural_sprites_are_a_grid(table):
    grid = sprite_grid(table)
    assert grid.is_grid
    assert grid.factor_sizes.tolist() == [32, 32, 6, 40, 4]
    assert [factor.name for factor in grid.factor_info if factor.categorical] == ["shape"]
    sprites = NaturalSprites(table, discrete=True, pairs=20)
    data = GridPairs(grid, Natural(table), seed=1)
    factors = data.sample_factors(30, 0)
    ours = data.sample_observations_from_factors(factors, 0)
    np.testing.assert_array_equal(ours, sprites.sample_observations_from_factors(factors, 0)[:, :1])
    rows = np.array([5, 900_000, 5])
    x, y, scale, angle, shape = (
        np.array(factor.values)[number]
        for factor, number in zip(grid.factor_info, grid.factors[rows].astype(int).T, strict=True)
    )
    np.testing.assert_array_equal(grid.images[rows], Renderer().render(x, y, scale, angle, shape, grey=True))
    np.testing.assert_array_equal(grid.images[5:7][0], grid.images[rows][0])
    first, second, factors_first, factors_second = data[123_456]
    assert first.shape == second.shape == (1, 64, 64)
    assert (factors_first[3:] == factors_second[3:]).all()  # only x, y and scale move


def test_natural_pairs_of_the_sprites_are_those_of_the_sprites(table):
    """From the places that transitions begin at, `Natural` leads where the discrete sprites go."""
    grid = sprite_grid(table)
    prior = Natural(table)
    x = np.array(grid.factor_info[0].values)
    step = np.diff(table.x.astype(float), axis=1)[:, 0] / 64
    nearest = np.abs(x[None] - (x[16] + step)[:, None]).argmin(axis=1)
    first = np.tile([16, 16, 3, 0, 0], (5000, 1))
    drawn = prior.sample(first, grid.factor_info, np.random.default_rng(0))
    share = np.bincount(nearest, minlength=32) / len(nearest)
    assert np.abs(np.bincount(drawn[:, 0], minlength=32) / 5000 - share).max() < 0.03
