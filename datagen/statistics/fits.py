"""Maximum-likelihood fits of the distributions that differences of factors are compared with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_choice
from datagen.errors import UsageError
from datagen.intervals import Interval
from datagen.jit import njit
from datagen.statistics.columns import check_column
from datagen.statistics.gennorm import (
    LARGEST_ROUNDED,
    Gennorm,
    PowerSums,
    WholeNumbers,
    fit_gennorm,
    fit_gennorm_rounded,
    profile,
)

__all__ = ["ALL_FITS", "PAPER_FITS", "ROUNDED", "Fit", "distribution", "fit_distributions"]

PAPER_FITS = ("gennorm", "laplace", "norm")
"""The distributions of the paper (its table 5), by their names in `scipy.stats`."""

ALL_FITS = (*PAPER_FITS, "t", "cauchy")
"""All distributions that can be fitted."""

ROUNDED = "gennorm_rounded"
"""Name of the generalised normal whose variates were rounded to whole numbers, fitted beside ``gennorm`` to such."""

_Cumulated = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Distinct values, ascending, (U,), and how many observations are below each and in all, (U + 1,)."""

_DF_RANGE = (0.1, 1e4)  # degrees of freedom of Student's t; at the upper end it is normal


@dataclass(frozen=True)
class Fit:
    """A fitted distribution.

    Attributes
    ----------
    parameters : dict of str to float
        As `scipy.stats` names them (``loc``, ``scale``, ``df``), with ``shape`` for gennorm's beta (the paper's alpha).
    log_likelihood : float
        Of all observations, in nats. For ``gennorm_rounded`` of the rounded values' probabilities.
    aic, bic : float
        Akaike's and the Bayesian information criterion; the lower the better.
    ks, ks_p : float
        Kolmogorov-Smirnov statistic and its p-value, taking the parameters as given and observations as independent,
        as published: with every window's copy of an object as an observation of its own.
    ks_once, ks_once_p : float
        The same with every object and frame counted once.
    at_bound : bool
        Whether a parameter stopped at the end of the range searched, so that it is no estimate.
    shape_interval : Interval, optional
        Of the shape, from resampled objects.

    Examples
    --------
    >>> import numpy as np
    >>> values, counts = np.unique(np.random.default_rng(0).laplace(size=500), return_counts=True)
    >>> fit = fit_distributions(values, counts, ("laplace",))["laplace"]
    >>> round(fit.parameters["scale"], 2)
    1.01
    """

    parameters: dict[str, float]
    log_likelihood: float
    aic: float
    bic: float
    ks: float
    ks_p: float
    ks_once: float
    ks_once_p: float
    at_bound: bool = False
    shape_interval: Interval | None = None


def distribution(name: str, parameters: dict[str, float]) -> Any:
    """Return the frozen `scipy.stats` distribution of a fit (for ``gennorm_rounded``: before it is rounded)."""
    from scipy import stats

    family = getattr(stats, "gennorm" if name == ROUNDED else name)
    return family(**{family.shapes if key == "shape" else key: value for key, value in parameters.items()})


def fit_distributions(
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    names: tuple[str, ...] = PAPER_FITS,
    once: NDArray[np.float64] | None = None,
) -> dict[str, Fit]:
    """Fit distributions to observations given as distinct values.

    Parameters
    ----------
    values : ndarray of float64, shape (U,)
        Distinct values, ascending; at least two.
    counts : ndarray of int64, shape (U,)
        How often each occurs.
    names : tuple of str
        Of `ALL_FITS`.
    once : ndarray of float64, shape (M,), optional
        Observations that no window repeats, for `Fit.ks_once`; by default all are such.

    Returns
    -------
    dict of str to Fit
        By name, in the order given. Where ``gennorm`` is among them and all values are whole numbers of at most
        `LARGEST_ROUNDED`, ``gennorm_rounded`` follows.

    Raises
    ------
    UsageError
        If the values are not of this form, or a name is unknown.
    """
    values = check_column(values, "values", 2).astype(np.float64)
    counts = check_column(counts, "counts", 2)
    if len(counts) != len(values) or (np.diff(values) <= 0).any() or (counts <= 0).any():
        raise UsageError("values must ascend, with a count above 0 each; np.unique(..., return_counts=True) gives both")
    for name in names:
        check_choice("distribution", name, ALL_FITS)
    data = PowerSums.of(values, counts)
    single = (values, data.before) if once is None else _cumulated(once)
    # Powers of up to MAX_SHAPE of changes of 1e16 or 1e-17 are no numbers; such are fitted in a unit near their range.
    extent = float(values[-1] - values[0])
    unit = 1.0 if 1e-9 < extent < 1e9 else 2.0 ** np.rint(np.log2(extent))
    fitted = data if unit == 1 else PowerSums.of(values / unit, counts)
    fits = {}
    for name in names:
        fits[name] = _evaluate(name, data, fitted, unit, single, *_FITTERS[name](fitted))
    if "gennorm" in names and np.array_equal(values, np.rint(values)) and abs(values).max() <= LARGEST_ROUNDED:
        found = fit_gennorm_rounded(WholeNumbers(values), counts)
        fits[ROUNDED] = _evaluate(ROUNDED, data, data, 1.0, single, *_split(found))
    return fits


def _cumulated(values: NDArray[np.float64]) -> _Cumulated:
    distinct, counts = np.unique(check_column(values, "once"), return_counts=True)
    return distinct, np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])


_SHAPES = {"laplace": 1.0, "norm": 2.0}
"""What of the generalised normal family these are."""


def _evaluate(
    name: str, data: PowerSums, fitted: PowerSums, unit: float, single: _Cumulated, found: dict[str, float], bound: bool
) -> Fit:
    """Return the fit whose parameters were `found` of `fitted`, the data in units of `unit`."""
    from scipy import stats

    parameters = {key: value * unit if key in ("loc", "scale") else value for key, value in found.items()}
    # Freezing a distribution, as `distribution` does, costs more than all else for a small group.
    model, arguments = getattr(stats, "gennorm" if name == ROUNDED else name), tuple(parameters.values())
    total = data.before[-1]
    if name == "gennorm" or name in _SHAPES:  # whose scale is the best for the location and the shape
        shape = found["shape"] if name == "gennorm" else _SHAPES[name]
        log_likelihood = float(profile(fitted, found["loc"], shape) - total * np.log(unit))
    elif name == ROUNDED:
        log_likelihood = float(np.diff(data.before) @ np.log(WholeNumbers(data.values).probabilities(*arguments)))
    else:
        log_likelihood = float(np.diff(data.before) @ model.logpdf(data.values, *arguments))
    half = 0.5 if name == ROUNDED else 0.0

    def kolmogorov_smirnov(values: NDArray[np.float64], before: NDArray[np.float64]) -> tuple[float, float]:
        statistic = _largest_gap(lambda points: model.cdf(points, *arguments), values, before, half)
        return statistic, _ks_tail(statistic, int(before[-1]))

    ks, ks_p = kolmogorov_smirnov(data.values, data.before)
    repeated = single[1][-1] != total
    ks_once, ks_once_p = kolmogorov_smirnov(*single) if repeated else (ks, ks_p)
    return Fit(
        parameters=parameters,
        log_likelihood=log_likelihood,
        aic=2 * len(parameters) - 2 * log_likelihood,
        bic=float(np.log(total)) * len(parameters) - 2 * log_likelihood,
        ks=ks,
        ks_p=ks_p,
        ks_once=ks_once,
        ks_once_p=ks_once_p,
        at_bound=bound,
    )


_STRIDE = 16  # values between two at which a distribution is first computed


def _largest_gap(
    cdf: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    values: NDArray[np.float64],
    before: NDArray[np.float64],
    half: float,
) -> float:
    """Return the Kolmogorov-Smirnov statistic of ascending values, which stand for all up to `half` beside them.

    Both distributions only rise: between two values they are no further apart than the one at the upper and the other
    at the lower of them. Most values need therefore not be looked at.
    """
    share = before / before[-1]

    def gaps(places: NDArray[np.int64]) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        upper = cdf(values[places] + half)
        lower = cdf(values[places] - half) if half else upper
        largest = max((share[places + 1] - upper).max(), (lower - share[places]).max())
        return float(largest), upper, lower

    places = np.unique(np.append(np.arange(0, len(values), _STRIDE), len(values) - 1))
    largest, upper, lower = gaps(places)
    bound = np.maximum(share[places[1:]] - upper[:-1], lower[1:] - share[places[:-1] + 1])
    begins = places[:-1][bound > largest]
    if not len(begins):
        return largest
    between = (begins[:, None] + np.arange(1, _STRIDE)).ravel()
    return max(largest, gaps(between[between < len(values)])[0])


def _ks_tail(statistic: float, count: int) -> float:
    """Return the chance that `count` observations of a known distribution give at least this two-sided statistic."""
    from scipy import stats

    if count * statistic**2 < 2.2 or count < 1000:
        return float(stats.kstwo.sf(statistic, count))
    # Massart's bound, 2 exp(-2 n d^2), is below the least double.
    if count * statistic**2 > 373:
        return 0.0
    # Out here both one-sided statistics are never large together, to a part in 1e7; scipy sums the same slowly.
    return 2 * float(_smirnov_tail(statistic, count))


@njit(cache=True, nogil=True)
def _smirnov_tail(statistic, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the chance of a one-sided statistic (Birnbaum and Tingey, 1951): d sum_j binom(n,j) p^(j-1) q^(n-j)."""
    total = 0.0
    log_binomial = 0.0
    for j in range(int(count * (1 - statistic)) + 1):
        below = statistic + j / count
        if below < 1:
            total += math.exp(log_binomial + (j - 1) * math.log(below) + (count - j) * math.log1p(-below))
        log_binomial += math.log((count - j) / (j + 1))
    return statistic * total


def _split(found: Gennorm) -> tuple[dict[str, float], bool]:
    return {"shape": found.shape, "loc": found.loc, "scale": found.scale}, found.at_bound


def _fit_gennorm(data: PowerSums) -> tuple[dict[str, float], bool]:
    return _split(fit_gennorm(data))


def _fit_laplace(data: PowerSums) -> tuple[dict[str, float], bool]:
    half = data.before[-1] / 2
    lower = data.values[np.searchsorted(data.before[1:], half)]
    upper = data.values[np.searchsorted(data.before[1:], half, side="right")]
    loc = float(lower + upper) / 2
    return {"loc": loc, "scale": float(np.diff(data.before) @ abs(data.values - loc) / data.before[-1])}, False


def _fit_norm(data: PowerSums) -> tuple[dict[str, float], bool]:
    counts = np.diff(data.before)
    loc = float(counts @ data.values / data.before[-1])
    return {"loc": loc, "scale": float(np.sqrt(counts @ (data.values - loc) ** 2 / data.before[-1]))}, False


def _fit_t(data: PowerSums, df: float | None = None) -> tuple[dict[str, float], bool]:
    """Fit Student's t by its gradient, with free degrees of freedom unless `df` is given."""
    from scipy.optimize import minimize
    from scipy.special import gammaln, psi

    counts = np.diff(data.before)
    total = data.before[-1]
    start, _ = _fit_laplace(data)
    # A few values far out hold the mean deviation: from there the climb would end before it reaches the bulk.
    deviations = abs(data.values - start["loc"])
    order = np.argsort(deviations)
    typical = float(deviations[order][np.searchsorted(np.cumsum(counts[order]), total / 2)])
    if 0 < typical < start["scale"] / 100:
        start["scale"] = typical

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_df, loc, log_scale = theta[0], start["loc"] + start["scale"] * theta[1], theta[2]
        nu, scale = np.exp(log_df), np.exp(log_scale)
        deviation = data.values - loc
        square = deviation**2
        weights = counts / (nu * scale**2 + square)
        first, second = weights @ deviation, weights @ square
        logs = counts @ np.log1p(square / (nu * scale**2))
        constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(nu * np.pi) / 2 - log_scale
        value = total * constant - (nu + 1) / 2 * logs
        by_df = total * (psi((nu + 1) / 2) - psi(nu / 2) - 1 / nu) / 2 - logs / 2 + (nu + 1) / (2 * nu) * second
        gradient = np.array([by_df * nu, (nu + 1) * first * start["scale"], (nu + 1) * second - total])
        return -value / total, -gradient / total

    log_scale = np.log(start["scale"])
    df_bounds = np.log(_DF_RANGE if df is None else (df, df))
    bounds = [tuple(df_bounds), (None, None), (log_scale - 20, log_scale + 20)]
    options = {"ftol": 1e-13, "gtol": 1e-9}
    begin = np.array([np.log(df or 2.0), 0.0, log_scale])
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    loc, scale = float(start["loc"] + start["scale"] * found[1]), float(np.exp(found[2]))
    at_bound = bool(found[2] <= log_scale - 20 or (df is None and found[0] in df_bounds))
    return {"df": float(np.exp(found[0])), "loc": loc, "scale": scale}, at_bound


def _fit_cauchy(data: PowerSums) -> tuple[dict[str, float], bool]:
    """Fit Cauchy's distribution, which is Student's t with one degree of freedom."""
    parameters, at_bound = _fit_t(data, df=1.0)
    return {"loc": parameters["loc"], "scale": parameters["scale"]}, at_bound


_FITTERS: dict[str, Callable[[PowerSums], tuple[dict[str, float], bool]]] = {
    "gennorm": _fit_gennorm,
    "laplace": _fit_laplace,
    "norm": _fit_norm,
    "t": _fit_t,
    "cauchy": _fit_cauchy,
}
