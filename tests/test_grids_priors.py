"""Priors: equal to the release's sampler, to their own probabilities, and to the definitions written out."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from scipy.stats import chi2

from datagen.datasets import Factor
from datagen.errors import UsageError
from datagen.grids.priors import Laplace, Natural, Uniform, make_prior
from datagen.grids.sets import SETS
from datagen.transitions import Transitions

RATES = (1.0, 3.0, "random")
SMALL = (([3, 4, 2], [2]), ([3, 1, 2], [0]), ([2, 2, 4, 3], []), ([5], []))


def described(sizes, categorical=()):
    return [
        Factor(f"f{place}", "", (0, size - 1), size, categorical=place in categorical)
        for place, size in enumerate(sizes)
    ]


def all_of(sizes):
    return np.array(list(itertools.product(*map(range, sizes))))


def table(x=((10, 12), (10, 10)), y=((5, 5), (5, 5)), area=((50, 50), (50, 200))):
    x, y, area = (np.array(each, dtype=np.float64) for each in (x, y, area))
    texts, numbers = np.full(len(x), ""), np.arange(len(x))
    return Transitions(texts, texts, numbers, texts, numbers, numbers, y, x, area)


def p_of(observed, expected):
    """Return the p-value of Pearson's chi-squared; cells that expect fewer than 8 are one."""
    rare = expected < 8
    observed = np.append(observed[~rare], observed[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] < 1e-9:
        assert observed[-1] == 0
        observed, expected = observed[:-1], expected[:-1]
    if len(expected) == 1:
        return 1.0
    return chi2.sf(((observed - expected) ** 2 / expected).sum(), len(expected) - 1)


def uniform_by_hand(k, first, info):
    """Return UNI as its definition reads: over all numbers of factors, all choices of them, all other values."""
    able = [place for place, factor in enumerate(info) if factor.size > 1]
    numbers = [k] if k else range(1, max(2, len(able)))
    found = defaultdict(float)
    for number in numbers:
        choices = list(itertools.combinations(able, number))
        for chosen in choices:
            others = [[v for v in range(info[place].size) if v != first[place]] for place in chosen]
            ways = list(itertools.product(*others))
            for values in ways:
                second = list(first)
                for place, value in zip(chosen, values, strict=True):
                    second[place] = value
                found[tuple(second)] += 1 / len(numbers) / len(choices) / len(ways)
    return found


def laplace_by_hand(rate, first, info):
    """Return LAP as its definition reads: draw all, put categorical ones back, draw one anew if nothing changed."""
    moving = [place for place, factor in enumerate(info) if not factor.categorical and factor.size > 1]

    def weights(place, without_now=False):
        size, now = info[place].size, first[place]
        each = [math.exp(-abs(value - now) * rate / math.log(size)) for value in range(size)]
        if without_now:
            each[now] = 0.0
        return [weight / sum(each) for weight in each]

    found = defaultdict(float)
    for values in itertools.product(*(range(info[place].size) for place in moving)):
        share = math.prod(weights(place)[value] for place, value in zip(moving, values, strict=True))
        second = list(first)
        for place, value in zip(moving, values, strict=True):
            second[place] = value
        if second != list(first):
            found[tuple(second)] += share
            continue
        for place in moving:
            for value, again in enumerate(weights(place, without_now=True)):
                one = list(first)
                one[place] = value
                found[tuple(one)] += share * again / len(moving)
    return found


@pytest.mark.parametrize(("sizes", "categorical"), SMALL, ids=str)
def test_probabilities_are_those_of_the_definitions(sizes, categorical):
    info, grid = described(sizes, categorical), all_of(sizes)
    able = sum(size > 1 for size in sizes)
    for first in grid[:: max(1, len(grid) // 7)]:
        for prior, by_hand in [
            *((Uniform(k), uniform_by_hand(k, first, info)) for k in (None, *range(1, able + 1))),
            *((Laplace(rate), laplace_by_hand(rate, first, info)) for rate in (0.5, 1.0, 6.0)),
        ]:
            got = prior.probability(np.repeat(first[None], len(grid), axis=0), grid, info)
            wanted = [by_hand[tuple(second)] for second in grid.tolist()]
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("rate", [1e3, 1e4, 1e6])
def test_at_the_largest_rates_one_factor_takes_one_step(rate):
    info, grid = described([5, 2, 7]), all_of([5, 2, 7])
    first = np.repeat([[2, 0, 6]], len(grid), axis=0)
    wanted = dict.fromkeys([(1, 0, 6), (3, 0, 6)], 1 / 6) | dict.fromkeys([(2, 1, 6), (2, 0, 5)], 1 / 3)
    shares = Laplace(rate).probability(first, grid, info)
    np.testing.assert_allclose(shares, [wanted.get(tuple(second), 0) for second in grid.tolist()], atol=1e-15)
    drawn = Laplace(rate).sample(np.repeat([[2, 0, 6]], 3000, axis=0), info, np.random.default_rng(0))
    found = np.array([(drawn == second).all(axis=1).sum() for second in grid])
    assert p_of(found, 3000 * shares) > 1e-4


def test_a_random_rate_is_the_mean_over_all_rates():
    info, grid = described([6, 3], [1]), all_of([6, 3])
    first = np.tile([1, 2], (len(grid), 1))
    rates = 1 + 9 * (np.arange(3000) + 0.5) / 3000
    by_hand = np.mean([Laplace(rate).probability(first, grid, info) for rate in rates.tolist()], axis=0)
    np.testing.assert_allclose(Laplace("random").probability(first, grid, info), by_hand, rtol=2e-5, atol=1e-12)


@pytest.mark.parametrize(("sizes", "categorical"), SMALL, ids=str)
def test_draws_follow_the_probabilities(sizes, categorical):
    info, grid = described(sizes, categorical), all_of(sizes)
    count = 40_000
    for number, prior in enumerate([Uniform(), Uniform(1), *map(Laplace, RATES)]):
        first = grid[len(grid) // 2]
        drawn = prior.sample(np.repeat(first[None], count, axis=0), info, np.random.default_rng(number))
        assert drawn.dtype == np.int64
        observed = np.bincount(np.ravel_multi_index(tuple(drawn.T), sizes), minlength=len(grid))
        expected = count * prior.probability(np.repeat(first[None], len(grid), axis=0), grid, info)
        assert (observed[expected == 0] == 0).all()
        assert p_of(observed, expected) > 1e-3, prior


def test_a_wrong_distribution_would_be_found():
    info, grid = described([3, 4, 2], [2]), all_of([3, 4, 2])
    first = np.repeat(grid[[12]], 40_000, axis=0)
    drawn = Laplace(1.1).sample(first, info, np.random.default_rng(0))
    observed = np.bincount(np.ravel_multi_index(tuple(drawn.T), [3, 4, 2]), minlength=len(grid))
    expected = 40_000 * Laplace(1.0).probability(np.repeat(grid[[12]], len(grid), axis=0), grid, info)
    assert p_of(observed, expected) < 1e-6


def cases(golden):
    with np.load(golden / "pairs_public.npz") as file:
        for name in file.files:
            if name.endswith("/start"):
                case = name.removesuffix("/start")
                of_set, prior, k, rate = case.split("/")
                drawn_by = Uniform(None if k == "k-1" else int(k[1:]))
                if prior == "laplace":
                    drawn_by = Laplace("random" if rate == "rate-1" else float(rate[4:]))
                yield case, of_set.replace("_", "-"), drawn_by, file[name], file[f"{case}/ends"].astype(np.int64)


@pytest.mark.golden
def test_the_release_draws_the_same(golden):
    seen = 0
    for case, name, prior, start, ends in cases(golden):
        info = SETS[name].factors
        sizes = [factor.size for factor in info]
        # What cannot change need not be gone through.
        fixed = [isinstance(prior, Laplace) and factor.categorical for factor in info]
        ranges = [[now] if still else range(size) for now, size, still in zip(start, sizes, fixed, strict=True)]
        cells = np.stack(np.meshgrid(*map(np.array, ranges), indexing="ij"), axis=-1).reshape(-1, len(sizes))
        seen += 1
        assert (ends[:, fixed] == start[fixed]).all()
        if isinstance(prior, Laplace) and prior.rate == "random" and len(cells) > 5000:
            # 64 times as much to go through: compared with as many draws as are surely enough.
            rng = np.random.default_rng(seen)
            drawn = prior.sample(np.repeat(start[None], 400_000, axis=0), info, rng)
            share, compared = np.full(len(drawn), 1 / len(drawn)), drawn
        else:
            share, compared = prior.probability(np.repeat(start[None], len(cells), axis=0), cells, info), cells
            assert abs(share.sum() - 1) < 1e-9
        for what in (*range(len(sizes)), "changed"):
            observed, expected = (
                np.bincount(key_of(rows, start, what), weights, 256)
                for rows, weights in ((ends, None), (compared, share))
            )
            # A case has up to 8 such comparisons, all of them 140: one may well have a p-value of 0.001.
            assert p_of(observed, len(ends) * expected) > 2e-4, (case, what)
        if len(cells) < 5000 and len(compared) == len(cells):
            observed = np.bincount(np.ravel_multi_index(tuple(ends.T), sizes), minlength=math.prod(sizes))
            expected = np.zeros(math.prod(sizes))
            expected[np.ravel_multi_index(tuple(cells.T), sizes)] = share
            assert p_of(observed, len(ends) * expected) > 2e-4, case
    assert seen == 20


def key_of(rows, start, what):
    """Return a factor, or which factors changed as the bits of a number."""
    return rows[:, what] if what != "changed" else (rows != start) @ (1 << np.arange(len(start)))


def test_natural_moves_as_measured():
    info = [
        Factor("shape", "", (0, 2), 3, categorical=True),
        Factor("x", "", (0, 7), 8, values=tuple((16 + step) / 64 for step in range(8))),
        Factor("y", "", (0, 1), 2),  # of which nobody knows what the values stand for
        Factor("scale", "", (0, 2), 3, values=(0.1, 0.2, 0.4)),
    ]
    prior = Natural(table())
    assert prior.probability([[1, 3, 0, 1]], [[1, 5, 0, 1]], info) == 0.5  # two pixels to the right
    assert prior.probability([[1, 3, 0, 1]], [[1, 3, 0, 2]], info) == 0.5  # four times the area
    assert prior.probability([[1, 3, 0, 1]], [[1, 5, 0, 2]], info) == 0  # not both
    assert prior.probability([[1, 7, 0, 2]], [[1, 7, 0, 2]], info) == 1  # nothing leaves the grid
    for first in all_of([3, 8, 2, 3])[::11]:
        grid = all_of([3, 8, 2, 3])
        assert prior.probability(np.repeat(first[None], len(grid), axis=0), grid, info).sum() == 1
    drawn = prior.sample(np.tile([1, 3, 0, 1], (2000, 1)), info, np.random.default_rng(0))
    assert {tuple(row) for row in drawn.tolist()} == {(1, 5, 0, 1), (1, 3, 0, 2)}
    assert abs((drawn[:, 1] == 5).mean() - 0.5) < 0.05


def test_natural_finds_values_that_fall():
    info = [Factor("y", "", (0, 2), 3, values=(0.5, 0.25, 0.0))]
    prior = Natural(table(y=((0, 17), (0, 17))))
    assert prior.probability([[1]], [[0]], info) == 1


def test_floats_are_taken_as_a_dataset_has_them():
    info = described([10, 4])
    first = np.array([[3, 1], [9, 0]], dtype=np.float32)
    whole = Laplace().sample(first.astype(np.int64), info, np.random.default_rng(5))
    np.testing.assert_array_equal(Laplace().sample(first, info, np.random.default_rng(5)), whole)
    assert Uniform().sample(np.empty((0, 2)), info, np.random.default_rng(0)).shape == (0, 2)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Uniform(0), "k=0"),
        (lambda: Uniform(1.5), "k=1.5"),
        (lambda: Uniform(3).sample([[0, 0]], described([3, 4]), np.random.default_rng(0)), "k=3"),
        (lambda: Uniform().sample([[0]], described([1]), np.random.default_rng(0)), "no factor has two values"),
        (lambda: Laplace(0), "rate=0"),
        (lambda: Laplace(float("nan")), "rate=nan"),
        (lambda: Laplace("fast"), "rate='fast'"),
        (lambda: Laplace().sample([[0]], described([3], [0]), np.random.default_rng(0)), "categorical"),
        (lambda: Laplace().sample([[3, 0]], described([3, 4]), np.random.default_rng(0)), "not one of 0 to 2"),
        (lambda: Laplace().sample([[float("nan"), 0]], described([3, 4]), np.random.default_rng(0)), "not one of"),
        (lambda: Laplace().sample([[0.5, 0]], described([3, 4]), np.random.default_rng(0)), "not whole"),
        (lambda: Laplace().sample([0, 0], described([3, 4]), np.random.default_rng(0)), "it must be numbers (N, 2)"),
        (lambda: Laplace().probability([[0, 0]], [[0, 0]] * 2, described([3, 4])), "1 and 2 frames"),
        (lambda: Laplace().sample([[0]], [Factor("x", "", (0, 1))], np.random.default_rng(0)), "of a grid"),
        (lambda: Natural(None), "transitions must be a table"),
        (lambda: Natural(table(area=((0, 1), (1, 1)))), "row 0"),
        (lambda: Natural(table(), frame=0), "frame=0"),
        (lambda: Natural(table()).sample([[0]], described([3]), np.random.default_rng(0)), "position or a size"),
        (lambda: make_prior("normal"), "unknown prior"),
        (lambda: make_prior("laplace", k=2), "k belongs to the prior uniform"),
        (lambda: make_prior("natural"), "needs a table"),
    ],
)
def test_what_makes_no_sense_is_one_line(wrong, says):
    with pytest.raises(UsageError) as caught:
        wrong()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
