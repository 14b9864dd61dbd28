import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from datagen.statistics.columns import tally
from datagen.statistics.fits import ALL_FITS, ROUNDED, _ks_tail, distribution, fit_distributions


def fit(values, names=ALL_FITS):
    return fit_distributions(*np.unique(np.asarray(values, dtype=np.float64), return_counts=True), names)


def heavy_tailed(count=2000, seed=0):
    return stats.gennorm.rvs(0.6, loc=0.2, scale=0.5, size=count, random_state=np.random.default_rng(seed))


@pytest.mark.parametrize("name", ALL_FITS)
def test_likelihood_and_test_are_those_of_scipy(name):
    values = np.round(heavy_tailed(), 1)  # with ties
    got = fit(values)[name]
    model = distribution(name, got.parameters)
    assert got.log_likelihood == pytest.approx(model.logpdf(values).sum())
    test = stats.kstest(values, model.cdf)
    assert got.ks == pytest.approx(test.statistic)
    assert got.ks_p == pytest.approx(test.pvalue)
    assert got.aic == pytest.approx(2 * len(got.parameters) - 2 * got.log_likelihood)
    assert got.bic == pytest.approx(np.log(len(values)) * len(got.parameters) - 2 * got.log_likelihood)


@pytest.mark.parametrize("name", ["laplace", "norm"])
def test_closed_forms(name):
    values = heavy_tailed(1001)
    expected = getattr(stats, name).fit(values)
    assert list(fit(values)[name].parameters.values()) == pytest.approx(expected)


@pytest.mark.parametrize(
    "values",
    [[0.0, 1.0, 4.0, 9.0], [0.0, 1.0, 1.0, 4.0], [0.0, 0.0, 3.0, 3.0], [0.0, 1.0, 4.0], [5.0, 5.0, 5.0, 6.0]],
    ids=str,
)
def test_the_location_of_laplace_is_the_median_of_even_and_odd_numbers_of_values(values):
    found = fit(values, ("laplace",))["laplace"].parameters
    assert found["loc"] == np.median(values)
    assert found["scale"] == pytest.approx(np.mean(np.abs(np.array(values) - np.median(values))))


@pytest.mark.parametrize("count", [50, 3000])
@pytest.mark.parametrize("name", ["t", "cauchy"])
@pytest.mark.parametrize(
    "draw",
    [stats.t(3, loc=2), stats.cauchy(scale=5), stats.norm(1e3), stats.laplace()],
    ids=["of t", "of cauchy", "of norm", "of laplace"],
)
def test_never_below_scipy(name, draw, count):
    values = draw.rvs(count, random_state=np.random.default_rng(5))
    family = getattr(stats, name)
    expected = family.logpdf(values, *family.fit(values)).sum()
    assert fit(values, (name,))[name].log_likelihood >= expected - 1e-4 * abs(expected)


def test_whole_numbers_are_also_fitted_as_rounded():
    values = np.rint(heavy_tailed() * 10)
    got = fit(values)[ROUNDED]
    model = distribution(ROUNDED, got.parameters)
    assert got.log_likelihood == pytest.approx(np.log(model.cdf(values + 0.5) - model.cdf(values - 0.5)).sum())
    drawn = np.rint(model.rvs(200_000, random_state=np.random.default_rng(1)))
    assert got.ks == pytest.approx(stats.ks_2samp(values, drawn).statistic, abs=0.005)
    assert ROUNDED not in fit(values + 0.25)


@pytest.mark.parametrize("deviations", [1.5, 2.0, 4.0, 8.0])
def test_tail_of_the_kolmogorov_smirnov_statistic(deviations):
    count = 5000
    statistic = deviations / np.sqrt(count)
    assert _ks_tail(statistic, count) == pytest.approx(stats.kstwo.sf(statistic, count), rel=1e-6)


@settings(max_examples=40)
@given(st.lists(st.integers(-3, 3), min_size=10, max_size=40).filter(lambda values: len(set(values)) > 1))
def test_any_data_that_vary_can_be_fitted(values):
    for name, found in fit(values).items():
        figures = [*found.parameters.values(), found.log_likelihood, found.aic, found.bic, found.ks, found.ks_p]
        assert np.isfinite(figures).all(), name
        assert found.parameters["scale"] > 0


@pytest.mark.parametrize("unit", [2.0**-180, 2.0**-60, 2.0**60, 2.0**150], ids=["1e-54", "1e-18", "1e18", "1e45"])
@pytest.mark.parametrize("name", ["uniform", "laplace", "cauchy"])
def test_fits_do_not_depend_on_the_unit(name, unit):
    """Powers of up to 20 of the values are too large or too small to be numbers in such units."""
    values, counts = np.unique(draws(name), return_counts=True)
    expected, got = (fit_distributions(each, counts, ALL_FITS) for each in (values, values * unit))
    for fit, (distribution_name, other) in zip(expected.values(), got.items(), strict=True):
        for key, value in fit.parameters.items():
            wanted = value * unit if key in ("loc", "scale") else value
            assert other.parameters[key] == pytest.approx(wanted, rel=1e-6, abs=1e-6 * unit), (distribution_name, key)
        assert other.log_likelihood == pytest.approx(fit.log_likelihood - counts.sum() * np.log(unit), rel=1e-9)
        assert other.at_bound == fit.at_bound


def draws(name):
    return getattr(stats, name).rvs(size=100, random_state=3)


def test_whole_numbers_are_rounded_ones_as_far_as_doubles_tell():
    counts = np.ones(9, np.int64)
    steps = np.array([-9, -4, -2, -1, 0, 1, 3, 5, 8.0])
    assert ROUNDED in fit_distributions(2.0**30 + steps, counts)
    assert ROUNDED not in fit_distributions(2.0**60 + 2.0**20 * steps, counts)


def test_t_contains_cauchy_also_where_a_few_values_are_all_but_infinite():
    values, counts = np.unique(stats.cauchy.rvs(size=100, random_state=0) ** 9, return_counts=True)
    fits = fit_distributions(values, counts, ("t", "cauchy"))
    assert fits["t"].log_likelihood >= fits["cauchy"].log_likelihood
    # A location at the median and the scale of the bulk are near the best; a scale of all values is far from it.
    assert fits["cauchy"].log_likelihood >= stats.cauchy.logpdf(values, 0, np.median(abs(values))) @ counts


def test_millions_of_values_are_tallied_by_their_distance_from_the_median():
    values = np.random.default_rng(0).laplace(3, 2, 1_100_000)
    distinct, counts = tally(values)
    assert counts.sum() == len(values)
    assert len(distinct) < 300_000
    assert counts @ distinct / len(values) == pytest.approx(values.mean(), rel=1e-9)
    assert counts @ distinct**2 / len(values) == pytest.approx((values**2).mean(), rel=1e-6)
    whole = np.rint(values)
    for got, expected in zip(tally(whole), np.unique(whole, return_counts=True), strict=True):
        np.testing.assert_array_equal(got, expected)
