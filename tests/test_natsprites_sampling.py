import dataclasses

import numpy as np
import pytest
from natsprites_helpers import golden_arrays, golden_transitions, make_transitions, random_transitions

from datagen.errors import DatagenError, UsageError
from natsprites.sampling import ORIENTATIONS, factor_space, is_natural, nearest_bin_centres, read_color


@pytest.mark.golden
def test_the_outlier_filter_keeps_the_releases_rows(golden):
    transitions, items = golden_transitions(golden), golden_arrays(golden, "naturalsprites_items.npz")
    kept = transitions.select(is_natural(transitions))
    for name in ("x", "y", "area"):
        np.testing.assert_array_equal(getattr(kept, name), items[f"continuous_dict_{name}"])


def test_the_outlier_filter_keeps_both_ends_and_needs_every_frame():
    area = np.arange(21.0)
    transitions = make_transitions(np.zeros((21, 3)), np.zeros((21, 3)), np.stack([area, area, area[::-1]], axis=1))
    assert np.flatnonzero(is_natural(transitions)).tolist() == list(range(1, 20))
    shifted = np.stack([area, np.roll(area, 1), area], axis=1)
    transitions = make_transitions(np.zeros((21, 3)), np.zeros((21, 3)), shifted)
    assert np.flatnonzero(is_natural(transitions)).tolist() == list(range(2, 20))


@pytest.mark.parametrize("bins", [1, 2, 6, 32])
def test_nearest_bin_centres_are_those_of_a_search_through_all(bins):
    rng = np.random.default_rng(bins)
    # Multiples of a half lie exactly between centres, again and again.
    values = rng.integers(0, 2 * 64, (500, 2)) / 2
    nearest, centres = nearest_bin_centres(values, bins)
    edges = np.histogram(values.ravel(), bins=bins)[1]
    np.testing.assert_array_equal(centres, edges[:-1] + (edges[1:] - edges[:-1]) / 2)
    np.testing.assert_array_equal(nearest, centres[np.abs(values[..., None] - centres).argmin(axis=-1)])


def test_of_two_centres_equally_near_the_lower_is_taken():
    nearest, centres = nearest_bin_centres(np.array([0.0, 2.0, 4.0, 6.0, 8.0]), 4)
    assert centres.tolist() == [1, 3, 5, 7]
    assert nearest.tolist() == [1, 1, 3, 5, 7]


@pytest.mark.golden
def test_motion_is_that_of_the_release(golden):
    transitions, items = golden_transitions(golden), golden_arrays(golden, "naturalsprites_items.npz")
    space = factor_space(transitions)
    for frame in range(2):
        for latents in items[f"continuous_latents{frame + 1}"]:
            assert (space.motion[:, frame] == latents[:3]).all(axis=1).any()
    np.testing.assert_array_equal(transitions.area[space.transition], items["continuous_dict_area"])


def test_factor_sizes_are_the_releases():
    assert factor_space(random_transitions()).factor_sizes.tolist() == [0, 0, 0, 40, 4]
    assert factor_space(random_transitions(), discrete=True).factor_sizes.tolist() == [32, 32, 6, 40, 4]


def test_discrete_motion_lies_on_the_grid_near_the_measured_one():
    transitions = random_transitions()
    exact, space = factor_space(transitions), factor_space(transitions, discrete=True)
    for column, bins in enumerate((32, 32)):
        assert np.isin(space.motion[..., column], space.grid[column]).all()
        values = exact.motion[..., column]
        assert np.abs(space.motion[..., column] - values).max() <= np.ptp(values) / bins / 2 + 1e-12
    assert np.isin(space.motion[..., 2], space.grid[2]).all()
    np.testing.assert_array_equal(space.grid[3], np.arange(0, 360, 9))
    # The release numbers shapes by name when it scores: spoke_4, square, star_4, triangle.
    assert space.grid[4].tolist() == [3, 0, 2, 1]


def test_a_longer_draw_begins_with_the_shorter_one():
    space = factor_space(random_transitions(), colors=np.eye(3))
    long = space.draw(1000, seed=3)
    np.testing.assert_array_equal(space.draw(10, seed=3), long[:10])
    assert (space.draw(1000, seed=4) != long).any(axis=0).all()


def test_draws_are_uniform_and_independent():
    space = factor_space(random_transitions(), colors=np.eye(3))
    drawn = space.draw(40_000, seed=0)
    for column, size in enumerate((len(space.motion), 40, 4, 3)):
        assert drawn[:, column].min() == 0
        assert drawn[:, column].max() == size - 1
        assert drawn[:, column].mean() == pytest.approx((size - 1) / 2, rel=0.02)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(4)).max() < 0.02


def test_factors_of_a_run_share_orientation_and_shape():
    space = factor_space(random_transitions(length=4), shapes=["circle", "star_6"])
    drawn = space.draw(50, seed=0)
    factors = space.factors(drawn)
    assert factors.shape == (50, 4, 5)
    np.testing.assert_array_equal(factors[..., :3], space.motion[drawn[:, 0]])
    np.testing.assert_array_equal(factors[..., 3], np.repeat(ORIENTATIONS[drawn[:, 1], None], 4, axis=1))
    assert set(np.unique(factors[..., 4])) == {7, 9}


def with_value(name, value):
    transitions = random_transitions(rows=50)
    values = getattr(transitions, name).astype(np.float64)
    values[7, 1] = value
    return dataclasses.replace(transitions, **{name: values})


@pytest.mark.parametrize(
    ("transitions", "options", "error", "message"),
    [
        (with_value("x", np.nan), {}, DatagenError, "row 7: x is nan"),
        (with_value("y", 65), {}, DatagenError, "row 7: y is 65"),
        (with_value("area", 0), {}, DatagenError, "row 7: area is 0"),
        (random_transitions(rows=50).select(slice(0, 0)), {}, DatagenError, "none of the 0 transitions"),
        (random_transitions(rows=2), {}, DatagenError, "none of the 2 transitions"),
        (random_transitions(rows=30), {"discrete": True}, DatagenError, "of the 32 bins of x; give a larger table"),
        (random_transitions(rows=50), {"shapes": ["heart"]}, UsageError, "unknown shape 'heart'"),
        (random_transitions(rows=50), {"shapes": []}, UsageError, "no shape given"),
        (random_transitions(rows=50), {"colors": [1, 0, 0]}, UsageError, r"colors must be \(C, 3\)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_serve_gets_one_clear_line(transitions, options, error, message):
    with pytest.raises(error, match=message):
        factor_space(transitions, **options)


def test_colours_are_read_by_name_and_by_number():
    assert read_color("white") == (1, 1, 1)
    assert read_color("#ff0080") == (1, 0, 128 / 255)
    with pytest.raises(UsageError, match="no colour 'octarine'"):
        read_color("octarine")


def test_a_value_between_two_centres_takes_the_lower():
    nearest, centres = nearest_bin_centres(np.arange(5), 2)
    assert centres.tolist() == [1, 3]
    assert nearest.tolist() == [1, 1, 1, 3, 3]


@pytest.mark.parametrize("values", [[], [np.nan, 1], [np.inf, 1], ["a"], [1j], None])
def test_values_that_have_no_bins(values):
    with pytest.raises(UsageError, match="finite numbers"):
        nearest_bin_centres(values, 3)


@pytest.mark.parametrize("number", [0, -1, 1.0, True, "3", None, 10**30, np.nan])
def test_numbers_that_cannot_be(number):
    space = factor_space(random_transitions())
    for call in (lambda: nearest_bin_centres([1, 2], number), lambda: space.draw(number, 0)):
        with pytest.raises(UsageError, match="must be a whole number"):
            call()
    if number != 0:
        with pytest.raises(UsageError, match="seed="):
            space.draw(1, number)


@pytest.mark.parametrize(
    "options",
    [
        *(
            {"shapes": value}
            for value in (None, 5, "square", "", [], [None], [0, 1], [["square"]], ["square"] * 2, ["x"])
        ),
        *({"colors": value} for value in (None, 5, "white", [], [[1, 1]], [["a"] * 3], [[2, 0, 0]], [[np.nan] * 3])),
        *({"colors": value} for value in ([[-0.1, 0, 0]], [[1, 0, 0], [1]], [[1j, 0, 0]], [(None,) * 3])),
    ],
)
def test_shapes_and_colours_that_cannot_be(options):
    with pytest.raises(UsageError, match=r"shape|color") as caught:
        factor_space(random_transitions(), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("table", [None, "pairs.csv", np.zeros((3, 2))])
def test_what_is_no_table(table):
    with pytest.raises(UsageError, match="reads a table"):
        factor_space(table)


@pytest.mark.parametrize(
    "color", [None, 5, b"white", ["white"], "x" * 1000, "rgb(300,0,0)", "hsl(1e400,1%,1%)", "#12", ""]
)
def test_texts_that_are_no_colour(color):
    with pytest.raises(UsageError, match="no colour") as caught:
        read_color(color)
    assert len(str(caught.value)) < 150


def test_no_transition_is_natural_where_there_is_none():
    assert is_natural(make_transitions(*np.zeros((3, 0, 2)))).shape == (0,)
