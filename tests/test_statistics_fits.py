import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

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
