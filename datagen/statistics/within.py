r"""Sparse, or a mixture of scales? How changes are distributed once the scale of each object, or video, is taken out.

Objects that move by little and objects that move by much look sparse together, though none of them may be: a mixture
of scales has a sharp peak and heavy tails. Dividing by a scale that is estimated for each object errs to the other side
for short tracks, whose few changes all lie near the scale that they themselves give. Here no scale is estimated. A
change x of a group (an object or a video) of scale s is generalised normal about 0,

.. math:: f(x|s) = \frac{\beta}{2 s\,\Gamma(1/\beta)} e^{-|x/s|^\beta},

and :math:`w=-\beta\log s` differs between groups by one of two laws, over which it is integrated out:

.. math:: e^w \sim \Gamma(a, a m)\quad\text{or}\quad w \sim N(-\log m, 1/a).

With n changes of :math:`S=\sum|x|^\beta` a group has the likelihood

.. math:: \left(\frac{\beta}{2\Gamma(1/\beta)}\right)^n \int e^{wn/\beta - S e^w} p(w)\,dw.

Under the gamma law (of scales: an inverse gamma, whose large scales have heavy tails) the integral is
:math:`(am)^a\,\Gamma(a+n/\beta) / (\Gamma(a)\,(am+S)^{a+n/\beta})`; under the normal law (of scales: log-normal) it is
computed by the trapezoidal rule, to 1e-9 of its logarithm. The shape :math:`\beta`, the spread a and the typical scale
:math:`m^{1/\beta}` are those that maximise the product over groups (marginal maximum likelihood, or type II), under the
law of the higher maximum: both have three parameters. A single group, or all of one scale, give the plain fit.

Changes are measured from 0, no motion: a drift common to a group is part of its motion and not taken out. Every object
and frame counts once. Whole numbers are taken as rounded: in place of :math:`|x|^\beta` stands its mean over the cell
:math:`x\pm 1/2`, so that a change of 0 is not a density without bound. Exact zeros of other numbers stay zeros. Groups
of which no change differs from 0 have no scale; they are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datagen.intervals import Interval
from datagen.jit import njit
from datagen.statistics.bootstrap import MIN_OBJECTS, percentile_interval
from datagen.statistics.gennorm import MAX_SHAPE, MIN_SHAPE

__all__ = ["LAGS", "LEVELS", "Law", "Level", "Series", "Within", "sparsity_kind", "within"]

Level = Literal["pooled", "video", "object"]

Law = Literal["inverse gamma", "log-normal"]
"""How the scales of groups differ."""

LEVELS: tuple[Level, ...] = ("pooled", "video", "object")
"""What share one scale: all changes, those of a video, those of an object."""

LAGS = (1, 2, 5)
"""Distances, in changes, of the autocorrelation of |change|."""

_GRID = np.geomspace(MIN_SHAPE, MAX_SHAPE, 137)
"""Shapes at which the sums of powers are taken, 4 % apart; between them their logarithms are cubic."""

_LOW = np.array([np.log(MIN_SHAPE), -6.0, -100.0])  # of log shape, log a and log m
_HIGH = np.array([np.log(MAX_SHAPE), 9.0, 100.0])  # at which a scales differ by a hundredth, which is not at all
_ONE_SCALE = _HIGH[1] - 0.01  # log a from which on it counts so
_TINY = 1e-300  # what stands for a sum of 0, of which there is a logarithm
_STILL = 1e-200  # a sum below is of changes of 0
_BLOCK = 1 << 18  # numbers held at once while replicates are fitted


@dataclass(frozen=True)
class Within:
    """Changes of one factor with the scale of each group taken out.

    Attributes
    ----------
    groups, still : int
        Groups of changes that share a scale, and how many more do not move at all and are left out.
    n : int
        Number of changes, every object and frame once.
    zeros : float
        Share of changes that are exactly 0.
    shape : float
        Of the generalised normal given the scale.
    scale_spread : float
        Standard deviation of the logarithm of the groups' scales; 0 where they are all of one.
    scale_law : str or None
        The law of the groups' scales that fits better, ``"inverse gamma"`` or ``"log-normal"``; None where they are all
        of one.
    kurtosis : float or None
        Excess kurtosis given the scale; None where no group has three changes.
    autocorrelation : dict of int to float
        Of |change|, at distances in changes; how far it deviates from the mean of its group.
    at_bound : bool
        Whether the shape stopped at the end of its range, so that it is no estimate.
    shape_interval, kurtosis_interval : Interval, optional
        From resampled objects.
    autocorrelation_interval : dict of int to Interval
        From resampled objects.
    """

    groups: int
    still: int
    n: int
    zeros: float
    shape: float
    scale_spread: float
    scale_law: Law | None
    kurtosis: float | None
    autocorrelation: dict[int, float]
    at_bound: bool
    shape_interval: Interval | None
    kurtosis_interval: Interval | None
    autocorrelation_interval: dict[int, Interval]


@dataclass(frozen=True)
class Series:
    """Which changes follow each other, and whose they are: rows of one object and frame each.

    Attributes
    ----------
    objects, videos : ndarray of int64, shape (N,)
        Numbers of the object and of the video of each change.
    frame : ndarray of int64, shape (N,)
        Its first frame.
    step : ndarray of int64, shape (N,)
        Over how many frames it goes.
    """

    objects: NDArray[np.int64]
    videos: NDArray[np.int64]
    frame: NDArray[np.int64]
    step: NDArray[np.int64]

    def select(self, rows: NDArray[Any]) -> Series:
        """Return the rows named by a mask or an index array."""
        return Series(self.objects[rows], self.videos[rows], self.frame[rows], self.step[rows])

    def followers(self, lag: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return pairs of rows of one object, the second `lag` changes after the first."""
        order = np.lexsort((self.frame, self.objects))
        width = int(self.frame.max(initial=0) - self.frame.min(initial=0)) + lag * int(self.step.max(initial=1)) + 1
        place = np.unique(self.objects, return_inverse=True)[1] * width + self.frame - self.frame.min(initial=0)
        ordered = place[order]
        wanted = place + lag * self.step
        found = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
        first = np.flatnonzero(ordered[found] == wanted)
        return first, order[found[first]]


def within(
    values: NDArray[np.float64],
    series: Series,
    level: Level,
    replicates: NDArray[np.uint8] | None = None,
    seed: int = 0,
) -> Within | None:
    """Tell how sparse changes are once the scale of each group is taken out.

    The kurtosis given the scale is that of ratios: of every change, a partner of its group is drawn, and the fourth
    powers of changes are compared with the products of the squares of partners, both weighted by what the *other*
    changes of the group say of its scale. That is unbiased however short the groups are.

    The autocorrelation compares the products of neighbours with those of all pairs of the group, and is 0 on average
    for independent changes whatever the scales and the lengths.

    Parameters
    ----------
    values : ndarray of float64, shape (N,)
        Changes, every object and frame once.
    series : Series
        Whose they are.
    level : {"pooled", "video", "object"}
        What shares a scale.
    replicates : ndarray of uint8, shape (B, K), optional
        How often each of the K objects, in the order of their numbers, occurs in each replicate.
    seed : int
        Of the partners.

    Returns
    -------
    Within or None
        None where fewer than two changes differ from 0.
    """
    _, owner = np.unique(series.objects, return_inverse=True)
    group = {"pooled": np.zeros_like(owner), "video": series.videos, "object": owner}[level]
    _, group = np.unique(group, return_inverse=True)
    moves = np.bincount(group, values != 0) > 0
    kept = moves[group]
    if np.count_nonzero(values) < 2:
        return None
    zeros, still = float(np.mean(values == 0)), int((~moves).sum())
    values, owner = values[kept], owner[kept]
    series = series.select(kept)
    _, group = np.unique(group[kept], return_inverse=True)
    # Objects are numbered by all that a replicate draws; those that are left out contribute nothing.
    model = _Model(values, owner, group, replicates.shape[1] if replicates is not None else int(owner.max()) + 1)
    law, theta = model.fit()
    shape = float(np.exp(theta[0]))
    spread = model.spread(law, theta)
    ratio = _kurtosis_sums(values, owner, group, model, theta, seed)
    echoes = {lag: _Echo(values, owner, group, series, lag, model.single) for lag in LAGS}
    once = np.ones((model.objects, 1))

    def of(sums: NDArray[np.float64], copies: NDArray[np.float64] | None = None) -> Any:
        above, below = sums @ (np.ones(sums.shape[1]) if copies is None else copies)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(below > 0, above / below, np.nan)

    kurtosis = float(of(ratio)) - 3
    autocorrelation = {lag: float(value) for lag, echo in echoes.items() if np.isfinite(value := echo.of(once)[0])}
    intervals: list[Interval | None] = [None, None]
    echo_intervals = {}
    at_bound = not MIN_SHAPE * 1.001 < shape < MAX_SHAPE / 1.001
    if replicates is not None and len(np.unique(owner)) >= MIN_OBJECTS:
        copies = replicates.T.astype(np.float64)
        if not at_bound:
            intervals[0] = percentile_interval(np.exp(model.refit(law, theta, copies.T)[:, 0]))
        intervals[1] = percentile_interval(of(ratio, copies) - 3)
        for lag in autocorrelation:
            if (interval := percentile_interval(echoes[lag].of(copies))) is not None:
                echo_intervals[lag] = interval
    return Within(
        groups=int(group.max()) + 1,
        still=still,
        n=len(values),
        zeros=zeros,
        shape=shape,
        scale_spread=spread,
        scale_law=law if spread else None,
        kurtosis=kurtosis if np.isfinite(kurtosis) else None,
        autocorrelation=autocorrelation,
        at_bound=at_bound,
        shape_interval=intervals[0],
        kurtosis_interval=intervals[1],
        autocorrelation_interval=echo_intervals,
    )


def sparsity_kind(pooled: Within | None, inside: Within | None) -> str | None:
    """Say which kind of sparsity changes have: of the changes themselves, or of a mixture of scales.

    Parameters
    ----------
    pooled, inside : Within or None
        All changes, and those within objects or videos.

    Returns
    -------
    str or None
        ``"sparse"`` (the shape is below 1 given the scale, and no lower without), ``"mixture"`` (below 1 for all
        together, above 1 given the scale), ``"both"`` (below 1 given the scale, and lower still for all together),
        ``"neither"`` (not below 1 for all together); None where the intervals leave it open.
    """
    if pooled is None or inside is None or pooled.shape_interval is None or inside.shape_interval is None:
        return None
    all_of_it, given_scale = pooled.shape_interval, inside.shape_interval
    if all_of_it.low >= 1:
        return "neither"
    if all_of_it.high >= 1:
        return None
    if given_scale.low > 1:
        return "mixture"
    if given_scale.high >= 1:
        return None
    return "both" if given_scale.low > all_of_it.high else "sparse"


class _Model:
    """The likelihood of groups of changes whose scales are integrated out, as a function of (log shape, log a, log m).

    Parameters
    ----------
    values : ndarray of float64, shape (N,)
    owner, group : ndarray of int64, shape (N,)
        The object and the group of each change.
    objects : int
        Number of objects K, of which some may have no change.
    """

    def __init__(
        self, values: NDArray[np.float64], owner: NDArray[np.int64], group: NDArray[np.int64], objects: int
    ) -> None:
        self.objects = objects
        size = abs(values)
        self.whole = bool((values == np.rint(values)).all())
        self.unit = float(np.median(size[size > 0]))
        self.groups = int(group.max()) + 1
        # A part is what one object has in one group: a replicate holds it as often as its object.
        keys, part = np.unique(group * objects + owner, return_inverse=True)
        self.of_object = keys % objects
        self.begins = np.flatnonzero(np.diff(keys // objects, prepend=-1))
        self.single = len(keys) == self.groups  # each group is of one object, and a copy of it a group of its own
        order = np.argsort(part, kind="stable")
        first = np.flatnonzero(np.diff(part[order], prepend=-1))
        self.counts = np.diff(np.append(first, len(order))).astype(np.float64)
        self.powers = np.empty((len(_GRID), len(keys)))
        self.slopes = np.empty_like(self.powers)
        ordered = size[order]
        for index, shape in enumerate(_GRID):
            power, slope = self._power(ordered, shape)
            self.powers[index] = np.add.reduceat(power, first)
            self.slopes[index] = np.add.reduceat(slope, first)
        self.slopes /= np.maximum(self.powers, _TINY)  # of the logarithm, by log shape
        self.powers = np.log(np.maximum(self.powers, _TINY))

    def power(self, size: NDArray[np.float64], shape: float) -> NDArray[np.float64]:
        """Return ``(size / unit)**shape``, of whole numbers its mean over the cell."""
        return self._power(size, shape)[0]

    def _power(self, size: NDArray[np.float64], shape: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the powers and their derivatives by log shape."""
        if not self.whole:
            scaled = size / self.unit
            power = scaled**shape
            with np.errstate(divide="ignore", invalid="ignore"):
                return power, np.where(scaled > 0, shape * np.log(scaled) * power, 0.0)
        upper, lower = (size + 0.5) / self.unit, (size - 0.5) / self.unit
        wider = shape + 1
        with np.errstate(divide="ignore"):
            logs = np.log(upper), np.log(abs(lower))
        above, below = upper**wider, np.sign(lower) * abs(lower) ** wider
        mean = (above - below) * self.unit / wider
        slope = (above * logs[0] - np.where(lower != 0, below * logs[1], 0.0)) * self.unit / wider - mean / wider
        return mean, shape * slope

    def sums(self, log_shape: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each part's sum of powers at shapes (B,), and its derivative by log shape, float64 (B, parts)."""
        step = np.log(_GRID[1] / _GRID[0])
        place = np.clip((log_shape - np.log(_GRID[0])) / step, 0, len(_GRID) - 1)
        left = np.minimum(place.astype(np.int64), len(_GRID) - 2)
        t = (place - left)[:, None]
        low, high = self.powers[left], self.powers[left + 1]
        low_slope, high_slope = self.slopes[left] * step, self.slopes[left + 1] * step
        # Cubic Hermite interpolation.
        log_sum = (
            (1 + 2 * t) * (1 - t) ** 2 * low
            + t * (1 - t) ** 2 * low_slope
            + t * t * (3 - 2 * t) * high
            + t * t * (t - 1) * high_slope
        )
        slope = 6 * t * (t - 1) * (low - high) + (1 - t) * (1 - 3 * t) * low_slope + t * (3 * t - 2) * high_slope
        total = np.exp(log_sum)
        return total, total * slope / step

    def gradient(
        self, law: Law, theta: NDArray[np.float64], copies: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean log-likelihood of a change, (B,), and its gradient, (B, 3).

        Parameters
        ----------
        law : {"inverse gamma", "log-normal"}
            Of the scales.
        theta : ndarray of float64, shape (B, 3)
            Parameters of each replicate.
        copies : ndarray of float64, shape (B, parts)
            How often it holds each part.
        """
        parts = (self.counts[None], *self.sums(theta[:, 0]))
        found = np.zeros((5, len(theta)))  # changes, log-likelihood and its gradient
        for held in [copies] if self.single or self.groups == 1 else _layers(copies):
            if self.single:
                counts, sums, slopes = parts
                weights = held
            else:
                counts, sums, slopes = (np.add.reduceat(held * each, self.begins, axis=1) for each in parts)
                # A replicate may hold of a group only what does not move: there it has no scale, as in the whole.
                weights = (sums > _STILL).astype(np.float64)
            values, gradients = _LIKELIHOODS[law](theta, counts, sums, slopes)
            found += [(weights * each).sum(axis=1) for each in (counts, values, *gradients)]
        found[1:] /= np.maximum(found[0], 1)
        return found[1], found[2:].T

    def fit(self) -> tuple[Law, NDArray[np.float64]]:
        """Return the law of the scales and the parameters (log shape, log a, log m) of the highest likelihood."""
        laws = list(_LIKELIHOODS) if self.groups > 1 else list(_LIKELIHOODS)[:1]
        return self._climb(np.ones(len(self.counts)), laws, [self._start(shape) for shape in (0.5, 1.0, 2.0)])

    def _climb(
        self, copies: NDArray[np.float64], laws: list[Law], starts: list[NDArray[np.float64]]
    ) -> tuple[Law, NDArray[np.float64]]:
        from scipy.optimize import minimize

        def loss(theta: NDArray[np.float64], law: Law) -> tuple[float, NDArray[np.float64]]:
            value, gradient = self.gradient(law, theta[None], copies[None])
            return -float(value[0]), -gradient[0]

        bounds = [(_LOW[0], _HIGH[0]), (_HIGH[1] if self.groups == 1 else _LOW[1], _HIGH[1]), (_LOW[2], _HIGH[2])]
        how = {"method": "L-BFGS-B", "bounds": bounds, "options": {"ftol": 1e-13, "gtol": 1e-8, "maxiter": 300}}
        found = [(law, minimize(loss, each, (law,), jac=True, **how)) for law in laws for each in starts]
        found = [each for each in found if np.isfinite(each[1].fun) and (each[1].success or each[1].nit > 0)]
        if not found:  # scales so far apart that no start leads anywhere: no estimate, as at the bound
            return laws[0], np.array([_LOW[0], *starts[0][1:]])
        # The highest inner maximum: towards shape 0 the likelihood of repeated values grows without bound.
        inner = [each for each in found if each[1].x[0] > _LOW[0] + 1e-3] or found
        # Where all are of one scale both laws are the same, which rounding must not decide: the faster one stays.
        told_apart = [each for each in inner if each[0] == laws[0] or each[1].x[1] < _ONE_SCALE] or inner
        law, best = min(told_apart, key=lambda each: float(each[1].fun))
        return law, best.x

    def _start(self, shape: float) -> NDArray[np.float64]:
        sums, _ = self.sums(np.log([shape]))
        log_a = _HIGH[1] if self.groups == 1 else 0.0
        return np.array([np.log(shape), log_a, np.log(max(shape * sums.sum() / self.counts.sum(), _TINY))])

    def refit(self, law: Law, theta: NDArray[np.float64], copies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the parameters fitted to replicates, float64 (B, 3).

        All at once, in steps by the mean curvature of the first few at the fit to all; singly where these do not end.

        Parameters
        ----------
        law : {"inverse gamma", "log-normal"}
            Of the scales, in the fit to all.
        theta : ndarray of float64, shape (3,)
            The fit to all.
        copies : ndarray of float64, shape (B, K)
            How often each replicate holds each object.
        """
        free = [0, 2] if self.groups == 1 else [0, 1, 2]
        some = copies[:8, self.of_object]
        some = some[some.sum(axis=1) > 0] if some.any() else np.ones((1, len(self.counts)))

        def mean_gradient(place: int, change: float) -> NDArray[np.float64]:
            beside = theta + change * (np.arange(3) == place)
            mean: NDArray[np.float64] = self.gradient(law, np.repeat(beside[None], len(some), axis=0), some)[1].mean(0)
            return mean[free]

        curvature = np.stack([mean_gradient(place, 1e-4) - mean_gradient(place, -1e-4) for place in free]) / 2e-4
        values, vectors = np.linalg.eigh(-(curvature + curvature.T) / 2)
        inverse = (vectors / np.maximum(values, 1e-6)) @ vectors.T
        fitted = []
        for begin in range(0, len(copies), step := max(1, _BLOCK // len(self.counts))):
            of_part = copies[begin : begin + step, self.of_object]
            of_part = of_part[of_part.sum(axis=1) > 0]
            here = np.repeat(theta[None], len(of_part), axis=0)
            for _ in range(20):
                _, gradient = self.gradient(law, here, of_part)
                before = here.copy()
                here[:, free] += np.clip(gradient[:, free] @ inverse, -0.3, 0.3)
                here = np.clip(here, _LOW, _HIGH)
                moving = abs(here - before).max(axis=1) > 1e-5
                if not moving.any():
                    break
            for row in np.flatnonzero(moving).tolist():  # where the curvature is another
                _, here[row] = self._climb(of_part[row], [law], [theta])
            fitted.append(here)
        return np.concatenate(fitted)

    def spread(self, law: Law, theta: NDArray[np.float64]) -> float:
        """Return the standard deviation of the logarithm of the scales."""
        from scipy.special import polygamma

        if theta[1] >= _ONE_SCALE:
            return 0.0
        shape, a = np.exp(theta[:2])
        return float(np.sqrt(polygamma(1, a) if law == "inverse gamma" else 1 / a) / shape)


def _layers(copies: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return which parts replicates hold at least once, at least twice, and so on, float64 (B, parts) of 0 and 1.

    A group of which a replicate holds objects more than once is as many groups: in one, an object and its copies would
    look like changes that agree, and the scales of groups like more than one.
    """
    return [(copies >= times).astype(np.float64) for times in range(1, int(copies.max(initial=1)) + 1)]


def _inverse_gamma(
    theta: NDArray[np.float64], counts: NDArray[np.float64], sums: NDArray[np.float64], slopes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Return each group's log-likelihood and its derivatives by (log shape, log a, log m), float64 (B, groups) each."""
    from scipy.special import digamma, gammaln

    shape, a, m = np.exp(theta).T[:, :, None]
    rate, powers = a * m, counts / shape
    behind = rate + sums
    logs = np.log(behind)
    value = (
        counts * (np.log(shape / 2) - gammaln(1 / shape))
        + a * np.log(rate)
        + gammaln(a + powers)
        - gammaln(a)
        - (a + powers) * logs
    )
    share = (a + powers) / behind
    psi = digamma(a + powers)
    by_shape = counts * (1 + digamma(1 / shape) / shape) - powers * (psi - logs) - share * slopes
    by_a = a * (np.log(rate) + 1 - digamma(a) + psi - logs - share * m)
    by_m = a - share * rate
    return value, [by_shape, by_a, by_m]


def _log_normal(
    theta: NDArray[np.float64], counts: NDArray[np.float64], sums: NDArray[np.float64], slopes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """As `_inverse_gamma`; derivatives are means of w and e^w given the changes of a group (Fisher's identity)."""
    from scipy.special import digamma, gammaln, wrightomega

    shape, a, m = np.exp(theta).T[:, :, None]
    log_m, powers = np.log(m), counts / shape
    sums = np.maximum(sums, _TINY)
    # The integrand is highest where n / shape - S e^w = a (w + log m), which the Wright omega function solves.
    mode = powers / a - log_m - wrightomega(np.log(sums / a) + powers / a - log_m)
    arrays = np.broadcast_arrays(mode, powers, sums, a, log_m)
    logarithm, first, second, grown = _integrals(*(np.ravel(each) for each in arrays)).reshape(4, *arrays[0].shape)
    value = counts * (np.log(shape / 2) - gammaln(1 / shape)) + logarithm
    by_shape = counts * (1 + digamma(1 / shape) / shape) - powers * (first - log_m) - slopes * grown
    return value, [by_shape, 0.5 - a / 2 * second, -a * first]


@njit(cache=True, nogil=True)
def _integrals(
    modes: NDArray[np.float64],
    powers: NDArray[np.float64],
    sums: NDArray[np.float64],
    spreads: NDArray[np.float64],
    log_ms: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Integrate ``exp(power w - sum e^w)`` over normal w of mean ``-log_m`` and variance 1 / spread, float64 (4, N).

    Of each: the logarithm of the integral, and under the normalised integrand the means of ``w + log_m``, of its square
    and of ``e^w``. The integrand is analytic, and the trapezoidal rule converges faster than any power of its step: the
    logarithm errs by less than 1e-9 for shapes of 0.1 to 8, scales that spread by 0.05 to 2 and groups of 1 to 5,000
    changes. Twice the steps would err by 1e-6.
    """
    found = np.empty((4, len(modes)))
    for row in range(len(modes)):
        mode, power, total, spread, log_m = modes[row], powers[row], sums[row], spreads[row], log_ms[row]
        # A step of Newton's, since what the mode was computed from can be large and cancel.
        inner = total * np.exp(mode)
        mode += (power - inner - spread * (mode + log_m)) / (inner + spread)
        inner, beyond = total * np.exp(mode), mode + log_m
        slope = power - spread * beyond
        step = min(0.6 / np.sqrt(inner + spread), 0.3)
        mass, first, second, rises = 1.0, 0.0, 0.0, 0.0
        for side in (-1.0, 1.0):
            growth, grown, place = np.exp(side * step), 1.0, 0.0
            # The logarithm of the integrand is concave, so that what lies further out is less still.
            while True:
                place += side * step
                grown *= growth
                height = place * (slope - spread * place / 2) - inner * (grown - 1)
                if not height > -37.0:  # less than 1e-16 of the mode's, or no number
                    break
                density = np.exp(height)
                mass += density
                first += density * place
                second += density * place * place
                rises += density * (grown - 1)
        first, second, rises = first / mass, second / mass, rises / mass
        at_mode = power * mode - inner - spread * beyond * beyond / 2
        found[0, row] = at_mode + np.log(mass * step * np.sqrt(spread / (2 * np.pi)))
        found[1, row] = beyond + first
        found[2, row] = beyond * beyond + 2 * beyond * first + second
        found[3, row] = np.exp(mode) * (1 + rises)
    return found


_LIKELIHOODS: dict[Law, Callable[..., tuple[NDArray[np.float64], list[NDArray[np.float64]]]]] = {
    "inverse gamma": _inverse_gamma,
    "log-normal": _log_normal,
}


def _kurtosis_sums(
    values: NDArray[np.float64],
    owner: NDArray[np.int64],
    group: NDArray[np.int64],
    model: _Model,
    theta: NDArray[np.float64],
    seed: int,
) -> NDArray[np.float64]:
    """Return each object's sums of weighted fourth powers and of weighted products of squares, float64 (2, K)."""
    shape, a, m = np.exp(theta)
    counts = np.bincount(group)
    # A partner is the next one in a random order of the group.
    order = np.lexsort((np.random.default_rng(seed).random(len(values)), group))
    begin = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.arange(len(values)) - begin[group[order]]
    partner = np.empty_like(order)
    partner[order] = order[begin[group[order]] + (rank + 1) % counts[group[order]]]
    power = model.power(abs(values), shape)
    others = np.maximum(np.bincount(group, power)[group] - power - power[partner], 0.0)
    # The expected inverse scale to the fourth power, given the others, all but a factor, under the gamma law.
    # Any weight that the two changes do not enter leaves the ratio unbiased.
    weight = (np.maximum(a + (counts[group] - 2) / shape, 0.0) / (a * m + others)) ** (4 / shape)
    weight[counts[group] < 2] = 0.0
    scaled = values / model.unit
    fourth = weight * (scaled**4 + scaled[partner] ** 4) / 2
    squares = weight * scaled**2 * scaled[partner] ** 2
    return np.stack([np.bincount(owner, each, model.objects) for each in (fourth, squares)])


class _Echo:
    """The autocorrelation of |change| at one lag, of all objects and of replicates of them.

    The products of followers are compared with those of all pairs of the group, weighted by the inverse square of the
    group's mean size, which no order of the changes alters: those of independent changes average to 0. A replicate has
    its own pairs, mean size and variance; with those of all objects, which differ from its own, its ratio would be that
    of no set of changes. A correlation is cut to -1 to 1, which few followers in a large group can leave.
    """

    def __init__(
        self,
        values: NDArray[np.float64],
        owner: NDArray[np.int64],
        group: NDArray[np.int64],
        series: Series,
        lag: int,
        single: bool,
    ) -> None:
        size = abs(values)
        keys, part = np.unique(group * (int(owner.max()) + 1) + owner, return_inverse=True)
        self._of_object, self._groups = keys % (int(owner.max()) + 1), keys // (int(owner.max()) + 1)
        self._single = single
        first, second = series.followers(lag)
        number, products = np.bincount(part[first], minlength=len(keys)), size[first] * size[second]
        # Of each part: changes, their sum and squares, followers and their products, (5, parts).
        self._sums = np.stack(
            [
                np.bincount(part),
                np.bincount(part, size),
                np.bincount(part, size**2),
                number,
                np.bincount(part[first], products, len(keys)),
            ]
        ).astype(np.float64)

    def of(self, copies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the autocorrelation of replicates, (B,), by the copies of each object, (K, B); nan where none is."""
        times = copies[self._of_object]
        if self._single:  # a copy of an object is a group of its own
            terms = _echo_terms(*self._sums, *self._sums[[0, 2]])
            above, below = np.stack(terms) @ times
        else:
            begins = np.flatnonzero(np.diff(self._groups, prepend=-1))
            sums = [np.add.reduceat(each[:, None] * times, begins) for each in self._sums]
            # A change and its copies are one change, and no pair.
            same = [np.add.reduceat(each[:, None] * times**2, begins) for each in self._sums[[0, 2]]]
            above, below = (each.sum(axis=0) for each in _echo_terms(*sums, *same))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.clip(np.where(below > 0, above / below, np.nan), -1, 1)


def _echo_terms(
    count: NDArray[np.float64],
    total: NDArray[np.float64],
    square: NDArray[np.float64],
    number: NDArray[np.float64],
    products: NDArray[np.float64],
    same_count: NDArray[np.float64],
    same_square: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the covariance of followers and their variance, summed over the followers of each group.

    Parameters
    ----------
    count, total, square : ndarray of float64
        Number, sum and sum of squares of the changes of each group.
    number, products : ndarray of float64
        Number of its followers, and the sum of their products.
    same_count, same_square : ndarray of float64
        Pairs of a change with itself or its copies, and the sum of their products.
    """
    pairs = count**2 - same_count
    several = (pairs > 0) & (total > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        product = np.where(several, (total**2 - same_square) / pairs, 0.0)
        weight = np.where(several, (count / total) ** 2, 0.0)
        variance = np.where(several, square / count - product, 0.0)
    return weight * (products - number * product), weight * number * variance
