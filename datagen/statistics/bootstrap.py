"""Confidence intervals from resampled objects.

Transitions of one object depend on each other, and a view's windows repeat it; resampling transitions would
take them for independent and give intervals that are far too short. Whole objects are therefore drawn, with replacement
(the cluster bootstrap). A replicate is a number of copies for every object, so that sums over a replicate are sums over
objects of what was summed once within each.
"""

from __future__ import annotations

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

__all__ = ["MIN_OBJECTS", "ObjectBootstrap"]

MIN_OBJECTS = 5
"""With fewer objects there is nothing to resample."""

_BLOCK = 1 << 20  # numbers held at once while powers are summed


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
        for index in range(replicates):
            drawn = np.random.default_rng((seed, index)).integers(0, len(rows), len(rows))
            # More than 255 copies of one of K objects, K draws, have a chance below 1e-500.
            self.copies[index] = np.bincount(drawn, minlength=len(rows))

    def kurtosis(self, values: NDArray[np.float64]) -> Interval | None:
        """Return the interval of the excess kurtosis (biased Fisher) of `values`, float64 (N,).

        None if no replicate varies, as for every interval here.
        """
        values = self._check(values)
        centred = (values - values.mean()) / values.std()
        powers = self._sum_powers(np.stack([centred**power for power in range(5)], axis=1))
        count, first, second, third, fourth = powers.T
        mean, second, third, fourth = first / count, second / count, third / count, fourth / count
        variance = second - mean**2
        moment = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
        # A replicate of equal values has no kurtosis; rounding leaves it a variance of 1e-16.
        varied = variance > 1e-12
        return _interval(moment[varied] / variance[varied] ** 2 - 3)

    def shape(self, values: NDArray[np.float64], loc: float, shape: float) -> Interval | None:
        """Return the interval of the shape of a generalised normal fitted to `values`, float64 (N,).

        The location is held: in a symmetric family the estimates of location and of shape are uncorrelated, while a
        location fitted anew would settle on values that a replicate holds many times over. The profile likelihood is
        computed on a grid of shapes, 2 % apart, within a factor of 8 of the estimate, and its highest local maximum
        placed by a parabola.

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
        count = (self.copies @ self._rows)[:, None]
        with np.errstate(divide="ignore", over="ignore"):
            logs = np.log(abs(values - loc))
            # In units of their median, so that few powers are too large or too small; the profile moves as a whole.
            logs -= np.median(logs[logs > -np.inf])
            # Most often all maxima lie near the estimate, and the ends of the grid need not be summed.
            near = grid[(grid > shape / 2) & (grid < shape * 2)]
            for shapes in (near, grid):
                sums = self._sum_powers(logs, shapes)
                apart = sums[:, 0] > 0  # else all values of the replicate are at the location, and no shape is theirs
                found = _highest_local_maximum(_profile(sums[apart], count[apart], shapes), shapes)
                if ((found > shapes[1]) & (found < shapes[-2])).all():
                    break
        return _interval(found)

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
        return _interval(shapes)

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

    def _sum_powers(
        self, rows: NDArray[np.float64], exponents: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the sum over each replicate of columns of `rows`, or of ``exp(exponent * row)`` for each exponent.

        `rows` is (N, M), or (N,) with exponents; the result is float64 (B, M).
        """
        width = rows.shape[1] if exponents is None else len(exponents)
        total = np.zeros((len(self.copies), width))
        step = max(1, _BLOCK // width)
        for begin in range(0, len(rows), step):
            chosen = self._order[begin : begin + step]
            owners = self._of_row[chosen]
            terms = rows[chosen] if exponents is None else np.exp(rows[chosen, None] * exponents)
            first = np.flatnonzero(np.diff(owners, prepend=-1))
            total += self.copies[:, owners[first]].astype(np.float64) @ np.add.reduceat(terms, first)
        return total


def _profile(sums: NDArray[np.float64], count: NDArray[np.float64], shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean profile log-likelihood (B, G), up to a constant, from sums of powers (B, G) and counts (B, 1)."""
    from scipy.special import gammaln

    with np.errstate(divide="ignore"):
        return np.log(shapes) - (np.log(shapes * sums / count) + 1) / shapes - gammaln(1 / shapes)


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


def _interval(replicates: NDArray[np.float64]) -> Interval | None:
    """Return the percentile interval of an estimate's replicates, or None if there are none."""
    if not len(replicates):
        return None
    low, high = np.quantile(replicates, [0.025, 0.975])
    return Interval(float(low), float(high))
