import numpy as np
import pytest
from natsprites_helpers import golden_arrays

from datagen.errors import UsageError
from natsprites.shapes import SHAPES, shape_codes


def shoelace_area(vertices):
    following = np.roll(vertices, -1, axis=0)
    return np.sum(vertices[:, 0] * following[:, 1] - vertices[:, 1] * following[:, 0]) / 2


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_has_area_one_and_runs_counter_clockwise(name):
    assert shoelace_area(SHAPES[name]) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", SHAPES)
def test_vertices_are_spriteworlds_to_the_last_bit(name):
    constants = pytest.importorskip("spriteworld.constants")
    assert set(SHAPES) == set(constants.SHAPES)
    np.testing.assert_array_equal(SHAPES[name], constants.SHAPES[name])


@pytest.mark.golden
@pytest.mark.parametrize("name", ["square", "triangle", "star_4", "spoke_4"])
def test_vertices_are_the_releases(name, golden):
    np.testing.assert_array_equal(SHAPES[name], golden_arrays(golden, "sprites.npz")[f"vertices_{name}"])


def test_codes_of_natural_sprites_are_the_releases():
    assert shape_codes(["square", "triangle", "star_4", "spoke_4"]).tolist() == [0, 1, 2, 3]


def test_names_and_codes_mean_the_same():
    names = np.array([list(SHAPES)])
    assert shape_codes(names).shape == (1, len(SHAPES))
    np.testing.assert_array_equal(shape_codes(shape_codes(names).astype(np.float32)), shape_codes(names))
    assert shape_codes("star_4").shape == ()


@pytest.mark.parametrize(
    "shape", ["heart", ["square", "heart"], 12, [-1], [0.5], [np.nan], [True]], ids=lambda shape: repr(shape)
)
def test_a_shape_that_does_not_exist_is_named(shape):
    with pytest.raises(UsageError, match=r"unknown shape 'heart'; there are square|whole numbers from 0 to 11"):
        shape_codes(shape)
