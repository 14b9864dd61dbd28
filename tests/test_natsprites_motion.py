import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from natsprites_helpers import golden_transitions, make_transitions, random_transitions
from scipy import stats

from datagen.errors import DatagenError, UsageError
from natsprites import Motion, build
from natsprites.sampling import factor_space

LAWS = ["laplace", "normal", "gennorm:0.5", "scale-mixture", "ar1"]


def central_motion(length=2, rows=4000, size=0.01):
    """Motion in the middle of the frame, so far from its edges that no change leads out."""
    rng = np.random.default_rng(3)
    start = rng.uniform(0.45, 0.55, (rows, 1, 3))
    motion = np.concatenate([start, start + rng.laplace(0, size, (rows, length - 1, 3)).cumsum(axis=1)], axis=1)
    motion[:2, 0, 2] = 0.01, 0.99  # scales may be all of these
    return motion


def changes(moved):
    return np.diff(moved.values, axis=1)[:, 0]


def test_natural_is_what_was_measured(golden):
    table = golden_transitions(golden)
    space = factor_space(table)
    drawn = space.draw(50, 3)
    np.testing.assert_array_equal(Motion().move(space.motion, drawn[:, 0], 3).values, space.motion[drawn[:, 0]])
    plain, named = build(table, 50, 3, image_size=16), build(table, 50, 3, motion="natural", image_size=16)
    np.testing.assert_array_equal(plain.images, named.images)
    assert plain.manifest == named.manifest
    assert "motion" not in plain.manifest["parameters"]


@pytest.mark.parametrize("law", LAWS)
def test_start_and_variance_are_the_measured_ones(law):
    motion = central_motion()
    rows = np.random.default_rng(0).integers(len(motion), size=200_000)
    moved = Motion.read(law).move(motion, rows, 0)
    np.testing.assert_array_equal(moved.values[:, 0], motion[rows, 0])
    np.testing.assert_array_equal(moved.asked, np.diff(motion, axis=1).std(axis=(0, 1)))
    assert moved.redrawn < 1e-3
    # Five standard errors of a standard deviation, from the kurtosis of what was drawn.
    drawn = changes(moved) / moved.asked
    error = np.sqrt((stats.kurtosis(drawn, fisher=False) - 1) / len(drawn)) / 2
    assert (np.abs(moved.found / moved.asked - 1) < 5 * error).all()
    assert (np.abs(drawn.mean(axis=0)) < 5 / np.sqrt(len(drawn))).all()


@pytest.mark.parametrize(
    ("law", "shape"), [("laplace", 1.0), ("normal", 2.0), ("gennorm:0.5", 0.5), ("gennorm:4", 4.0)]
)
def test_fits_find_the_shape_that_went_in(law, shape):
    rows = np.random.default_rng(1).integers(4000, size=8_000)
    moved = Motion.read(law).move(central_motion(), rows, 1)
    for column in changes(moved).T:
        found = stats.gennorm.fit(column, shape, loc=0, scale=column.std())[0]
        assert found == pytest.approx(shape, rel=0.1)


def test_a_mixture_of_scales_is_normal_within_a_run_and_heavy_over_all():
    motion = central_motion(length=40, size=0.001)
    spread = 0.5
    moved = Motion("scale-mixture", spread).move(motion, np.arange(4000), 2)
    steps = np.diff(moved.values, axis=1) / moved.asked
    within = steps / np.sqrt((steps**2).mean(axis=(1, 2), keepdims=True))
    assert stats.kurtosis(within, axis=None, fisher=False) == pytest.approx(3, abs=0.1)
    # E[s^4] / E[s^2]^2 of log-normal s is exp(4 spread^2).
    assert stats.kurtosis(steps, axis=None, fisher=False) == pytest.approx(3 * np.exp(4 * spread**2), rel=0.2)
    x, y = np.abs(steps[..., 0]).mean(axis=1), np.abs(steps[..., 1]).mean(axis=1)
    assert np.corrcoef(x, y)[0, 1] > 0.8  # one scale for all three


def test_an_autoregressive_sprite_is_drawn_back_and_keeps_the_variance_of_its_starts():
    motion = central_motion(length=30, size=0.005)
    moved = Motion("ar1").move(motion, np.arange(4000), 2)
    x = moved.values[..., 0] - motion[:, 0, 0].mean()
    keeps = 1 - moved.asked[0] ** 2 / (2 * motion[:, 0, 0].var())
    slope = (x[:, 1:] * x[:, :-1]).sum() / (x[:, :-1] ** 2).sum()
    assert slope == pytest.approx(keeps, abs=5 * np.sqrt((1 - keeps**2) / x[:, 1:].size))
    assert x[:, -1].var() == pytest.approx(x[:, 0].var(), rel=0.12)


@pytest.mark.parametrize("law", LAWS)
def test_sprites_stay_in_the_frame_and_a_longer_draw_begins_with_the_shorter(law):
    space = factor_space(random_transitions(rows=300, length=3))
    rows = space.draw(500, 1)[:, 0]
    motion = Motion.read(law)
    long, short = motion.move(space.motion, rows, 1), motion.move(space.motion, rows[:60], 1)
    np.testing.assert_array_equal(long.values[:60], short.values)
    assert (long.values >= 0).all()
    assert (long.values <= 1).all()
    assert long.values[..., 2].min() >= space.motion[..., 2].min()
    assert long.values[..., 2].max() <= space.motion[..., 2].max()
    assert 0 < long.redrawn < 0.5
    other = motion.move(space.motion, rows, 2)
    assert (other.values[:, 1] != long.values[:, 1]).all()


@settings(max_examples=25)
@given(st.sampled_from(LAWS), st.integers(0, 2**63 - 1), st.integers(1, 20))
def test_what_never_moved_does_not_move(law, seed, runs):
    motion = np.full((5, 3, 3), 0.25)
    moved = Motion.read(law).move(motion, np.arange(runs) % 5, seed)
    np.testing.assert_array_equal(moved.values, 0.25)
    assert moved.redrawn == 0


def test_the_manifest_says_by_which_law_and_what_became_of_it():
    dataset = build(random_transitions(), pairs=2000, motion="gennorm:0.5", image_size=16)
    parameters = json.loads(json.dumps(dataset.manifest))["parameters"]
    assert parameters["motion"] == "gennorm:0.5"
    found = np.diff(dataset.factors.reshape(-1, 2, 5)[..., :3], axis=1).std(axis=(0, 1))
    np.testing.assert_allclose(list(parameters["standard_deviation"].values()), found, rtol=1e-5)
    assert 0 < parameters["changes_drawn_again"] < 0.2
    # All but the motion is that of natural sprites.
    natural = build(random_transitions(), pairs=2000, factors_only=True)
    np.testing.assert_array_equal(dataset.factors[:, 3:], natural.factors[:, 3:])
    np.testing.assert_array_equal(dataset.factors[::2], natural.factors[::2])
    np.testing.assert_array_equal(dataset.columns["transition"], natural.columns["transition"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("brownian", "brownian"),
        ("gennorm:0", "not between 0.2 and 20"),
        ("gennorm:", "no number follows"),
        ("gennorm:nan", "not between"),
        ("laplace:2", "takes no parameter"),
        ("scale-mixture:3", "not between 0 and 2"),
        (7, "give the name of a law"),
    ],
)
def test_other_laws_are_refused_in_one_line(text, message):
    with pytest.raises(UsageError, match=message) as error:
        Motion.read(text)
    assert "\n" not in str(error.value)


def test_another_law_is_of_continuous_factors():
    with pytest.raises(UsageError, match="leave out discrete"):
        build(random_transitions(), pairs=10, motion="normal", discrete=True)


def test_changes_that_the_frame_cannot_hold_are_refused():
    x = np.array([[0.0, 64.0], [64.0, 0.0]] * 5)
    table = make_transitions(x, x, np.full((10, 2), 100))
    with pytest.raises(DatagenError, match="larger than the frame"):
        build(table, pairs=10, motion="ar1", factors_only=True)
