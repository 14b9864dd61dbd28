"""How the changes of two factors depend on each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.errors import UsageError
from datagen.statistics.columns import check_column, varies

__all__ = ["MAX_PAIRS", "MAX_SAMPLES", "Correlation", "correlations", "mutual_information"]

MAX_PAIRS = 1_000_000
"""Coefficients are those of at most this many random transitions, which tell them to a thousandth."""

MAX_SAMPLES = 20_000
"""Mutual information is estimated from at most this many random transitions, as published."""

_NEIGHBOURS = 3


@dataclass(frozen=True)
class Correlation:
    """Dependence of two factors' changes.

    Attributes
    ----------
    n : int
        Number of transitions.
    pearson, pearson_p, spearman, spearman_p : float
        Coefficients and the p-values of their being 0, for independent transitions.
    mutual_information : float, optional
        In nats, from the distances to the nearest neighbours.
    """

    n: int
    pearson: float
    pearson_p: float
    spearman: float
    spearman_p: float
    mutual_information: float | None = None


def correlations(columns: dict[str, NDArray[np.float64]], seed: int | None = None) -> dict[str, Correlation]:
    """Return the dependence of every pair of columns.

    Parameters
    ----------
    columns : dict of str to ndarray of float64, shape (N,)
        Changes by factor; N is at least 3 and no column constant.
    seed : int, optional
        Estimate mutual information too, from samples drawn with this seed.

    Returns
    -------
    dict of str to Correlation
        By ``"area-x"`` and the like, in the order of the columns.

    Raises
    ------
    UsageError
        If the columns are not of one length, too short, constant up to rounding, or not of finite numbers.
    """
    from scipy import stats

    names = list(columns)
    columns = {name: _check(column, name, 3) for name, column in columns.items()}
    if len({len(column) for column in columns.values()}) > 1:
        raise UsageError(f"columns of different lengths: { ({name: len(each) for name, each in columns.items()}) }")
    straight = {name: _standardized(column) for name, column in columns.items()}
    ranks = {name: _standardized(stats.rankdata(column)) for name, column in columns.items()}
    result = {}
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            pearson, pearson_p = _coefficient(straight[first], straight[second])
            # Spearman's coefficient is Pearson's of the ranks; its p-value is that of Student's t.
            spearman, spearman_p = _coefficient(ranks[first], ranks[second])
            result[f"{first}-{second}"] = Correlation(
                n=len(columns[first]),
                pearson=pearson,
                pearson_p=pearson_p,
                spearman=spearman,
                spearman_p=spearman_p,
                mutual_information=None if seed is None else mutual_information(columns[first], columns[second], seed),
            )
    return result


def _standardized(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a column less its mean, of length 1."""
    centred = column - column.mean()
    centred /= abs(centred).max()  # else squares may leave the range of doubles
    return centred / np.linalg.norm(centred)


def _coefficient(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
    """Return Pearson's coefficient of standardized columns and its p-value, as `scipy.stats.pearsonr` does.

    For normal, independent columns (1 + r) / 2 follows the beta distribution of twice the parameter N / 2 - 1.
    """
    from scipy.special import betainc

    r = min(1.0, max(-1.0, float(first @ second)))
    half = len(first) / 2 - 1
    return r, min(1.0, float(2 * betainc(half, half, (1 - abs(r)) / 2)))


def mutual_information(first: ArrayLike, second: ArrayLike, seed: int = 0) -> float:
    """Estimate the mutual information of two columns, in nats.

    Kraskov, Stoegbauer and Grassberger's first estimator (Phys. Rev. E 69, 066138, equation 8) with 3 neighbours,
    on at most `MAX_SAMPLES` random rows, in units of each column's standard deviation. Equal values are parted
    by noise of 1e-10 of it.

    Parameters
    ----------
    first, second : ndarray of float64, shape (N,)
        The columns; neither constant, N above 3.
    seed : int
        Of the rows drawn and the noise.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    UsageError
        If the columns are not of one length, too short, constant up to rounding, or not of finite numbers.
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma

    columns = [_check(column, name, _NEIGHBOURS + 1) for column, name in ((first, "first"), (second, "second"))]
    if len(columns[0]) != len(columns[1]):
        raise UsageError(f"columns of different lengths: {len(columns[0])} and {len(columns[1])}")
    rng = np.random.default_rng(seed)
    points = np.stack(columns, axis=1)
    if len(points) > MAX_SAMPLES:
        points = points[rng.choice(len(points), MAX_SAMPLES, replace=False)]
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    points += 1e-10 * rng.standard_normal(points.shape)
    distances, _ = cKDTree(points).query(points, k=_NEIGHBOURS + 1, p=np.inf)
    radius = np.nextafter(distances[:, -1], 0)
    information = digamma(len(points)) + digamma(_NEIGHBOURS)
    for column in points.T[:, :, None]:
        # Counted by the same differences as the distances: a bound such as column + radius is rounded, and would take
        # the neighbour at the distance itself for one within it, every other time.
        within = cKDTree(column).query_ball_point(column, radius, return_length=True)
        information -= digamma(within).mean()  # `within` counts the point itself: n + 1
    return max(0.0, float(information))


def _check(values: ArrayLike, name: str, least: int) -> NDArray[np.float64]:
    column = check_column(values, name, least)
    if not varies(column, float(abs(column).max())):
        raise UsageError(f"{name}: not enough data: all {len(column)} values are equal (up to rounding)")
    return column.astype(np.float64)
