"""Confidence intervals from resampled objects.

Transitions of one object depend on each other, and a view's windows repeat it; resampling transitions would
take them for independent and give intervals that are far too short. Whole objects are therefore drawn, with replacement
(the cluster bootstrap). A replicate is a number of copies for every object, so that sums over a replicate are sums over
objects of what was summed once within each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import UsageError
from datagen.intervals import Interval
from datagen.progress import progress_bar
from datagen.statistics.columns import check_column, varies
from datagen.statistics.gennorm import (
    MAX_SHAPE,
    MIN_SHAPE,
    Gennorm,
    WholeNumbers,
    fit_gennorm_rounded,
    refit_gennorm_rounded,
)

__all__ = ["MIN_OBJECTS", "ObjectBootstrap", "percentile_interval"]

MIN_OBJECTS = 5
"""With fewer objects there is nothing to resample."""

_BLOCK = 1 << 14  # values of which powers are held at once: few enough for the processor's cache
_NODES = 12  # shapes at which sums of powers are taken


class ObjectBootstrap:
    """Replicates of a group of transitions.

    Parameters
    ----------
    objects : ndarray of int64, shape (N,)
        The object of each transition, any numbering.
    replicates : int
        How many to draw, B.
    seed : int
        Replicate b is drawn from ``numpy.random.default_rng((seed, b))``.

    Attributes
    ----------
    copies : ndarray of uint8, shape (B, K)
        How often each of the K objects occurs in each replicate.
    """

    def __init__(self, objects: NDArray[np.int64], replicates: int, seed: int) -> None:
        objects = check_column(objects, "objects")
        if replicates < 1 or seed < 0:
            raise UsageError(f"{replicates} replicates, seed {seed}: at least 1 and at least 0")
        _, self._of_row, rows = np.unique(objects, return_inverse=True, return_counts=True)
        self._order = np.argsort(self._of_row, kind="stable")
        self._rows = rows.astype(np.float64)
        self.copies = np.empty((replicates, len(rows)), dtype=np.uint8)
        stream = np.random.Generator(np.random.PCG64(0))
        for index, begin in enumerate(_streams(replicates, seed)):
            stream.bit_generator.state = begin
            drawn = stream.integers(0, len(rows), len(rows))
            # More than 255 copies of one of K objects, K draws, have a chance below 1e-500.
            self.copies[index] = np.bincount(drawn, minlength=len(rows))

    def kurtosis(self, values: NDArray[np.float64]) -> Interval | None:
        """Return the interval of the excess kurtosis (biased Fisher) of `values`, float64 (N,).

        None if no replicate varies, as for every interval here.
        """
        values = self._check(values)
        centred = (values - values.mean()) / values.std()

        def powers(block: NDArray[np.float64]) -> NDArray[np.float64]:
            square = block**2
            return np.stack([block, square, square * block, square**2], axis=1)

        count = self.copies @ self._rows
        first, second, third, fourth = self._sum(centred, powers).T
        mean, second, third, fourth = first / count, second / count, third / count, fourth / count
        variance = second - mean**2
        moment = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
        # A replicate of equal values has no kurtosis; rounding leaves it a variance of 1e-16.
        varied = variance > 1e-12
        return percentile_interval(moment[varied] / variance[varied] ** 2 - 3)

    def shape(self, values: NDArray[np.float64], loc: float, shape: float) -> Interval | None:
        """Return the interval of the shape of a generalised normal fitted to `values`, float64 (N,).

        The location is held: in a symmetric family the estimates of location and of shape are uncorrelated, while a
        location fitted anew would settle on values that a replicate holds many times over. The profile likelihood is
        computed on a grid of shapes, 2 % apart, within a factor of 8 of the estimate, and its highest local maximum
        placed by a parabola. Within a factor of 2, where nearly all lie, the sums of powers are taken at a few shapes
        only (`_nodes`) and their logarithms interpolated.

        Parameters
        ----------
        values : ndarray of float64, shape (N,)
            The observations.
        loc, shape : float
            The fit to all of them.
        """
        values = self._check(values)
        low, high = max(MIN_SHAPE, shape / 8), min(MAX_SHAPE, shape * 8)
        grid = np.geomspace(low, high, int(np.ceil(np.log(high / low) / 0.02)) + 1)
        near = grid[(grid > shape / 2) & (grid < shape * 2)]
        nodes, weights = _nodes(near)
        count = (self.copies @ self._rows)[:, None]
        with np.errstate(divide="ignore", over="ignore"):
            logs = np.log(abs(values - loc))
            # In units of their median, so that few powers are too large or too small; the profile moves as a whole.
            logs -= np.median(logs[logs > -np.inf])
            sums = self._sum(logs, lambda block: np.exp(block[:, None] * nodes))
            apart = sums[:, 0] > 0  # else all values of the replicate are at the location, and no shape is theirs
            found = _highest_local_maximum(_profile(np.log(sums[apart]) @ weights, count[apart], near), near)
            if not ((found > near[1]) & (found < near[-2])).all():
                sums = self._sum(logs, lambda block: np.exp(block[:, None] * grid))
                found = _highest_local_maximum(_profile(np.log(sums[apart]), count[apart], grid), grid)
        return percentile_interval(found)

    def shape_rounded(
        self, values: NDArray[np.float64], start: Gennorm, show_progress: bool = False
    ) -> Interval | None:
        """Return the interval of the shape of a rounded generalised normal, fitted anew to each replicate.

        Parameters
        ----------
        values : ndarray of float64, shape (N,)
            The observations, whole numbers.
        start : Gennorm
            The fit to all of them.
        show_progress : bool
            Draw a progress bar where standard error is a terminal.
        """
        distinct, place = np.unique(self._check(values), return_inverse=True)
        cells = WholeNumbers(distinct)
        counts = self._count(place, len(distinct))
        counts = counts[(counts > 0).sum(axis=1) > 1]
        shapes, done = refit_gennorm_rounded(cells, counts, start)
        left = np.flatnonzero(~done)
        for index in progress_bar(left, "resampling objects", total=len(left), show=show_progress):
            shapes[index] = fit_gennorm_rounded(cells, counts[index], start).shape
        return percentile_interval(shapes)

    def _count(self, place: NDArray[np.int64], width: int) -> NDArray[np.float64]:
        """Return how often each replicate holds each of `width` values, float64 (B, width)."""
        from scipy.sparse import coo_array

        ones = np.ones(len(place))
        of_object = coo_array((ones, (self._of_row, place)), shape=(len(self._rows), width)).tocsr()
        return np.asarray((of_object.T @ self.copies.T.astype(np.float64)).T)

    def _check(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        values = check_column(values, "values", 2).astype(np.float64)
        if len(values) != len(self._of_row):
            raise UsageError(f"{len(values)} values of {len(self._of_row)} transitions")
        if not varies(values, float(abs(values).max())):
            raise UsageError(f"values: not enough data: all {len(values)} are equal (up to rounding)")
        return values

    def _sum(
        self, values: NDArray[np.float64], terms: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Return the sum over each replicate of the `terms` of its values, float64 (n, M) of n, as float64 (B, M)."""
        total: Any = 0.0
        for begin in range(0, len(values), _BLOCK):
            chosen = self._order[begin : begin + _BLOCK]
            owners = self._of_row[chosen]
            first = np.flatnonzero(np.diff(owners, prepend=-1))
            sums = np.add.reduceat(terms(values[chosen]), first)
            total = total + self.copies[:, owners[first]].astype(np.float64) @ sums
        return np.asarray(total)


@lru_cache(maxsize=1)
def _streams(replicates: int, seed: int) -> list[Any]:
    """Return the state in which ``default_rng((seed, b))`` begins for each replicate b.

    Every group draws from the same streams, and seeding one takes longer than drawing a small group from it.
    """
    return [np.random.PCG64((seed, index)).state for index in range(replicates)]


def _nodes(shapes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return shapes between the least and the greatest of `shapes`, (M,), and weights to interpolate by, (M, G).

    The logarithm of a sum of powers is a smooth function of the shape (a cumulant generating function), so that the
    polynomial through its values at the Chebyshev nodes, in the logarithm of the shape, tells it to 1e-7.
    """
    from numpy.polynomial import chebyshev

    low, high = np.log(shapes[[0, -1]])
    points = chebyshev.chebpts1(_NODES)
    basis, wanted = (
        chebyshev.chebvander(each, _NODES - 1) for each in (points, 2 * (np.log(shapes) - low) / (high - low) - 1)
    )
    return np.exp(low + (points + 1) / 2 * (high - low)), np.linalg.solve(basis.T, wanted.T)


def _profile(
    log_sums: NDArray[np.float64], count: NDArray[np.float64], shapes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean profile log-likelihood (B, G), up to a constant, by logarithms of sums of powers (B, G)."""
    from scipy.special import gammaln

    return np.log(shapes) - (np.log(shapes) + log_sums - np.log(count) + 1) / shapes - gammaln(1 / shapes)


def _highest_local_maximum(profile: NDArray[np.float64], shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shape at the highest inner maximum of each row of `profile`, or at its better end if there is none."""
    below, here, above = profile[:, :-2], profile[:, 1:-1], profile[:, 2:]
    peak = np.argmax(np.where((here >= below) & (here >= above), here, -np.inf), axis=1)
    rows = np.arange(len(profile))
    below, here, above = below[rows, peak], here[rows, peak], above[rows, peak]
    inner = (here >= below) & (here >= above)
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.where(inner, (above - below) / (2 * (2 * here - below - above)), 0.0)
    found = shapes[peak + 1] * (shapes[1] / shapes[0]) ** np.nan_to_num(shift)
    end = np.where(profile[:, -1] > profile[:, 0], shapes[-1], shapes[0])
    return np.where(inner, found, end)


def percentile_interval(replicates: NDArray[np.float64]) -> Interval | None:
    """Return the 95 % percentile interval of an estimate's replicates, float64 (B,); None if none is finite.

    Examples
    --------
    >>> str(percentile_interval(np.array([1.0, 2.0, 3.0, np.nan])))
    '1.05 to 2.95'
    """
    replicates = replicates[np.isfinite(replicates)]
    if not len(replicates):
        return None
    low, high = np.quantile(replicates, [0.025, 0.975])
    return Interval(float(low), float(high))
