r"""The generalised normal distribution: its likelihood, and the parameters that maximise it.

Density with shape :math:`\beta`, location :math:`\mu` and scale :math:`s` (the names of `scipy.stats.gennorm`; the
paper calls the shape alpha and the family generalised Laplace):

.. math:: f(x) = \frac{\beta}{2 s\,\Gamma(1/\beta)} \exp\left(-\left|\frac{x-\mu}{s}\right|^\beta\right)

For a given location and shape the best scale is closed form, so that only the sum
:math:`Q(\mu,\beta)=\sum_i|x_i-\mu|^\beta` is needed. It is computed here in microseconds, whatever the number of
values, from moments of a tree of neighbouring values (`PowerSums`); that is what makes a global search affordable.
For :math:`\beta\le1`, Q is concave between neighbouring values, so its minima lie on values, and the least value that
it can take between two of them is bounded below from its ends: the search over locations (`_best_value`) discards
whole stretches of the data and proves its answer.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datagen.jit import njit

__all__ = [
    "LARGEST_ROUNDED",
    "MAX_SHAPE",
    "MIN_SHAPE",
    "Gennorm",
    "PowerSums",
    "WholeNumbers",
    "fit_gennorm",
    "fit_gennorm_rounded",
    "profile",
    "refit_gennorm_rounded",
]

MIN_SHAPE = 0.1
"""Shapes are sought from here: where values repeat, the likelihood has no maximum towards 0 (see `fit_gennorm`)."""

MAX_SHAPE = 20.0
"""Shapes are sought up to here, where the distribution is all but uniform."""

LARGEST_ROUNDED = 2.0**31
"""Beyond it, the probability of a single whole number is lost to the rounding of doubles."""

_TERMS = 21  # of the binomial series; with the separation below it is exact to 1e-13
_SEPARATION = 3.0  # a node this many radii away is summed by its series
_LEAF = 32  # values of a leaf, summed one by one where they are near
_STEP = 0.88  # ratio of neighbouring shapes in the first scan for a maximum
_GOLDEN = (math.sqrt(5) - 1) / 2


class PowerSums(NamedTuple):
    """Sorted distinct values with their counts, and the moments of a binary tree over them.

    Node k (children 2k+1, 2k+2) spans the values ``start[k]:stop[k]``, within `radius` of `centre`.

    Attributes
    ----------
    values : ndarray of float64, shape (U,)
        Distinct values, ascending.
    before : ndarray of float64, shape (U + 1,)
        Number of observations below each value; the last entry is N.
    start, stop : ndarray of int64, shape (K,)
        The span of each node.
    centre, radius : ndarray of float64, shape (K,)
        Middle and half width of each node.
    moments : ndarray of float64, shape (K, 21)
        ``sum(count * ((value - centre) / radius)**j)`` of each node.
    """

    values: NDArray[np.float64]
    before: NDArray[np.float64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    moments: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64], counts: NDArray[Any]) -> PowerSums:
        """Build the tree over ascending distinct `values`, float64 (U,), that occur `counts` times."""
        before = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
        return cls(values, before, *_build(values, before))


class Gennorm(NamedTuple):
    """Parameters of a generalised normal distribution, and whether the shape stopped at the end of its range."""

    shape: float
    loc: float
    scale: float
    at_bound: bool


@njit(cache=True, nogil=True)
def _build(values, before):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return start, stop, centre, radius and moments of every node."""
    depth = 0
    while len(values) > _LEAF << depth:
        depth += 1
    nodes = (2 << depth) - 1
    first_leaf = nodes // 2
    start = np.empty(nodes, np.int64)
    stop = np.empty(nodes, np.int64)
    centre = np.empty(nodes)
    radius = np.empty(nodes)
    moments = np.zeros((nodes, _TERMS))
    for level in range(depth + 1):
        for place in range(1 << level):
            node = (1 << level) - 1 + place
            start[node] = len(values) * place >> level
            stop[node] = len(values) * (place + 1) >> level
            low, high = values[start[node]], values[stop[node] - 1]
            centre[node] = (low + high) / 2
            radius[node] = max((high - low) / 2, 1e-300)
    for node in range(nodes - 1, -1, -1):
        if node >= first_leaf:
            for i in range(start[node], stop[node]):
                u = (values[i] - centre[node]) / radius[node]
                power = before[i + 1] - before[i]
                for j in range(_TERMS):
                    moments[node, j] += power
                    power *= u
        else:
            for child in (2 * node + 1, 2 * node + 2):
                # ((x - c) / r)^j = (shift + ratio u)^j, u the child's own coordinate: the binomial theorem.
                shift = (centre[child] - centre[node]) / radius[node]
                ratio = radius[child] / radius[node]
                for j in range(_TERMS):
                    term = 1.0  # binom(j, k) ratio^k, times shift^(j - k) below
                    for k in range(j + 1):
                        moments[node, j] += term * shift ** (j - k) * moments[child, k]
                        term *= ratio * (j - k) / (k + 1)
    return start, stop, centre, radius, moments


@njit(cache=True, nogil=True)
def _power_sum(tree, loc, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return sum(count * abs(value - loc)**shape)."""
    nodes = len(tree.centre)
    stack = np.empty(64, np.int64)
    stack[0] = 0
    size = 1
    total = 0.0
    while size > 0:
        size -= 1
        node = stack[size]
        distance = tree.centre[node] - loc
        if abs(distance) >= _SEPARATION * tree.radius[node]:
            ratio = tree.radius[node] / distance
            coefficient = 1.0
            series = 0.0
            for j in range(_TERMS):
                series += coefficient * tree.moments[node, j]
                coefficient *= ratio * (shape - j) / (j + 1)
                if abs(coefficient) < 1e-16:
                    break
            total += series * abs(distance) ** shape
        elif 2 * node + 1 >= nodes:
            for i in range(tree.start[node], tree.stop[node]):
                if tree.values[i] != loc:
                    total += (tree.before[i + 1] - tree.before[i]) * abs(tree.values[i] - loc) ** shape
        else:
            stack[size] = 2 * node + 1
            stack[size + 1] = 2 * node + 2
            size += 2
    return total


@njit(cache=True, nogil=True)
def _profile(power_sum, count, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    log_scale = math.log(shape * power_sum / count) / shape
    return count * (math.log(shape / 2) - log_scale - math.lgamma(1 / shape) - 1 / shape)


@njit(cache=True, nogil=True)
def profile(tree, loc, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the log-likelihood at a location and shape with the scale that suits them best.

    Parameters
    ----------
    tree : PowerSums
        The data.
    loc, shape : float
        Location and shape.

    Returns
    -------
    float
        ``N * (log(shape / 2) - log(s) - lgamma(1 / shape) - 1 / shape)`` with ``s**shape = shape * Q / N``.
    """
    return _profile(_power_sum(tree, loc, shape), tree.before[-1], shape)


@njit(cache=True, nogil=True)
def _best_shape(tree, loc):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the shape of the highest local maximum of the profile at a location; 0 if there is none.

    MAX_SHAPE counts as one where the profile still rises there; MIN_SHAPE does not (see `fit_gennorm`).
    """
    best, best_value = 0.0, -np.inf
    here = MAX_SHAPE
    above_value = value = profile(tree, loc, here)
    while here > MIN_SHAPE:
        below = max(here * _STEP, MIN_SHAPE)
        below_value = profile(tree, loc, below)
        if value >= above_value and value >= below_value and value > best_value:
            best, best_value = here, value
        above_value, value, here = value, below_value, below
    if best == 0.0:
        return 0.0
    low, high = max(best * _STEP, MIN_SHAPE), min(best / _STEP, MAX_SHAPE)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    left_value, right_value = profile(tree, loc, left), profile(tree, loc, right)
    while high - low > 1e-9 * high:
        if left_value > right_value:
            high, right, right_value = right, left, left_value
            left = high - _GOLDEN * (high - low)
            left_value = profile(tree, loc, left)
        else:
            low, left, left_value = left, right, right_value
            right = low + _GOLDEN * (high - low)
            right_value = profile(tree, loc, right)
    return (low + high) / 2


@njit(cache=True, nogil=True)
def _best_value(tree, shape, guess, barred):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the index of the value, not `barred`, with the least power sum, for a shape of at most 1.

    Branch and bound. Between two values a < b every term of a value outside (a, b) is concave in the location, so
    their sum is at least its smaller end; the terms inside are at least 0 there and at most (b - a)^shape at the
    ends. Hence Q >= min(Q(a), Q(b)) - count inside * (b - a)^shape on all of [a, b].
    """
    last = len(tree.values) - 1
    best, best_sum = -1, np.inf
    lows, highs = np.empty(128, np.int64), np.empty(128, np.int64)
    low_sums, high_sums = np.empty(128), np.empty(128)
    for i in (0, last, guess):
        total = _power_sum(tree, tree.values[i], shape)
        if total < best_sum and not barred[i]:
            best, best_sum = i, total
    lows[0], highs[0] = 0, last
    low_sums[0], high_sums[0] = _power_sum(tree, tree.values[0], shape), _power_sum(tree, tree.values[last], shape)
    size = 1
    while size > 0:
        size -= 1
        low, high, low_sum, high_sum = lows[size], highs[size], low_sums[size], high_sums[size]
        inside = tree.before[high] - tree.before[low + 1]
        width = tree.values[high] - tree.values[low]
        if high - low < 2 or min(low_sum, high_sum) - inside * width**shape >= best_sum:
            continue
        middle = (low + high) // 2
        middle_sum = _power_sum(tree, tree.values[middle], shape)
        if middle_sum < best_sum and not barred[middle]:
            best, best_sum = middle, middle_sum
        # The half with the better end goes on top: a good answer found early discards more.
        left_first = low_sum < high_sum
        for place in range(2):
            if (place == 1) == left_first:
                lows[size], highs[size], low_sums[size], high_sums[size] = low, middle, low_sum, middle_sum
            else:
                lows[size], highs[size], low_sums[size], high_sums[size] = middle, high, middle_sum, high_sum
            size += 1
    return best


@njit(cache=True, nogil=True)
def _best_between(tree, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the location with the least power sum for a shape above 1, where the sum is convex."""
    low, high = tree.values[0], tree.values[-1]
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    left_sum, right_sum = _power_sum(tree, left, shape), _power_sum(tree, right, shape)
    for _ in range(80):
        if left_sum < right_sum:
            high, right, right_sum = right, left, left_sum
            left = high - _GOLDEN * (high - low)
            left_sum = _power_sum(tree, left, shape)
        else:
            low, left, left_sum = left, right, right_sum
            right = low + _GOLDEN * (high - low)
            right_sum = _power_sum(tree, right, shape)
    return (low + high) / 2


@njit(cache=True, nogil=True)
def _climb(tree, shape, guess, barred):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Take the best location for a shape and the best shape for it in turn until neither gains.

    Returns
    -------
    log_likelihood, shape, loc : float
        Of the best pair met; the log-likelihood is -inf where no location has a maximum.
    """
    best, best_shape, best_loc = -np.inf, shape, np.nan
    while True:
        if shape > 1:
            loc = _best_between(tree, shape)
            shape = _best_shape(tree, loc)
            if 0 < shape <= 1:
                continue  # a location beside a value is no maximum for such a shape: look for one on a value
        else:
            next_shape = 0.0
            while next_shape == 0.0:
                guess = _best_value(tree, shape, guess, barred)
                if guess < 0:
                    return best, best_shape, best_loc
                loc = tree.values[guess]
                next_shape = _best_shape(tree, loc)
                barred[guess] = next_shape == 0.0
            shape = next_shape
        value = profile(tree, loc, shape) if shape > 0 else -np.inf
        if value <= best + 1e-9:
            return best, best_shape, best_loc
        best, best_shape, best_loc = value, shape, loc


def fit_gennorm(data: PowerSums) -> Gennorm:
    """Fit shape, location and scale by maximum likelihood.

    The likelihood of a generalised normal has no greatest value: with the location on an observation it grows
    without bound as the shape goes to 0, the sooner the more often the value repeats. The estimate is therefore the
    highest *local* maximum (the consistent root), found by climbing from several shapes with a global search over
    locations in each step. Where a few values hold most of the data (whole pixels and a small scale) there may be
    none that reaches the likelihood of the Laplace and the normal distribution, which the family contains; the shape
    then stops at `MIN_SHAPE`, and `at_bound` says that it is no estimate. `fit_gennorm_rounded` has no such trouble.

    Parameters
    ----------
    data : PowerSums
        At least two distinct values.

    Returns
    -------
    Gennorm
        The parameters.
    """
    count = data.before[-1]
    median = int(np.searchsorted(data.before[1:], count / 2))
    mean = float(np.dot(data.values, np.diff(data.before)) / count)
    barred = np.zeros(len(data.values), dtype=bool)
    # With many values every climb ends at the same place; few leave the likelihood ragged, and cost little.
    starts = np.geomspace(0.3, 2, 5) if len(data.values) > 500 else np.geomspace(0.2, 6, 16)
    value, shape, loc = max(_climb(data, start, median, barred) for start in starts)
    contained = max(profile(data, data.values[median], 1.0), profile(data, mean, 2.0))
    if value < contained - 1e-9 * abs(contained):
        shape = MIN_SHAPE
        loc = float(data.values[_best_value(data, shape, median, np.zeros_like(barred))])
    scale = (shape * _power_sum(data, loc, shape) / count) ** (1 / shape)
    at_bound = shape < MIN_SHAPE * 1.001 or shape > MAX_SHAPE / 1.001
    return Gennorm(float(shape), float(loc), float(scale), at_bound)


class WholeNumbers:
    """Distinct whole numbers, taken as variates rounded to the nearest one, and the cells that they stand for.

    Parameters
    ----------
    values : ndarray of float64, shape (U,)
        Distinct whole numbers, ascending.
    """

    def __init__(self, values: NDArray[np.float64]) -> None:
        self.values = values
        self.edges, where = np.unique(np.concatenate([values - 0.5, values + 0.5]), return_inverse=True)
        self.lower, self.upper = where[: len(values)], where[len(values) :]

    def probabilities(self, shape: float, loc: float, scale: float) -> NDArray[np.float64]:
        """Return ``P(value - 1/2 < X < value + 1/2)`` for each value, float64 (U,)."""
        from scipy.special import gammaincc

        tail = gammaincc(1 / shape, (abs(self.edges - loc) / scale) ** shape) / 2
        return np.maximum(self._across(tail, loc, 1.0), 1e-300)

    def log_gradient(
        self, probabilities: NDArray[np.float64], shape: float, loc: float, scale: float
    ) -> NDArray[np.float64]:
        """Return the derivative of the log-probabilities by (log shape, loc, log scale), float64 (U, 3)."""
        from scipy.special import gammaln

        distance = abs(self.edges - loc)
        density = np.exp(np.log(shape / 2 / scale) - gammaln(1 / shape) - (distance / scale) ** shape)
        by_shape = (self.probabilities(shape * np.exp(1e-6), loc, scale) - probabilities) / 1e-6
        by_loc = density[self.lower] - density[self.upper]
        by_scale = self._across(density * distance, loc, 0.0)
        return np.stack([by_shape, by_loc, by_scale], axis=1) / probabilities[:, None]

    def _across(self, tail: NDArray[np.float64], loc: float, whole: float) -> NDArray[np.float64]:
        """Return what lies in each cell, given what lies beyond each edge on the side away from `loc`."""
        lower, upper = tail[self.lower], tail[self.upper]
        right, left = self.edges[self.lower] >= loc, self.edges[self.upper] <= loc
        return np.where(right, lower - upper, np.where(left, upper - lower, whole - lower - upper))


def fit_gennorm_rounded(cells: WholeNumbers, counts: NDArray[Any], start: Gennorm | None = None) -> Gennorm:
    """Fit a generalised normal to whole numbers taken as what they are: variates rounded to the nearest one.

    Maximises ``sum(counts * log P(value - 1/2 < X < value + 1/2))``, which is smooth and bounded, by scoring: Newton
    steps with the outer product of the gradients in place of the second derivatives, halved until they gain.

    Parameters
    ----------
    cells : WholeNumbers
        The distinct values.
    counts : ndarray, shape (U,)
        How often each occurs.
    start : Gennorm, optional
        Where to begin; by default with the Laplace distribution that suits best.

    Returns
    -------
    Gennorm
        The parameters.
    """
    if start is None:
        median = cells.values[np.searchsorted(np.cumsum(counts), counts.sum() / 2)]
        start = Gennorm(1.0, median, counts @ abs(cells.values - median) / counts.sum(), False)
    low, high = np.log(MIN_SHAPE), np.log(MAX_SHAPE)

    def parameters(theta: NDArray[np.float64]) -> tuple[float, float, float]:
        return float(np.exp(theta[0])), float(theta[1]), float(np.exp(theta[2]))

    theta = np.array([np.log(start.shape), start.loc, np.log(start.scale)])
    probabilities = cells.probabilities(*parameters(theta))
    value = float(counts @ np.log(probabilities))
    for _ in range(100):
        gradient = cells.log_gradient(probabilities, *parameters(theta))
        score = counts @ gradient
        information = gradient.T @ (counts[:, None] * gradient)
        step = np.linalg.lstsq(information, score, rcond=1e-12)[0]
        if score @ step < 1e-8:
            break
        step /= max(1.0, abs(step[0]), abs(step[2]))  # shape and scale change by a factor of e at most
        gain = -np.inf
        while gain < 0 and abs(step).max() > 1e-9:
            trial = theta + step
            trial[0] = min(max(trial[0], low), high)
            trial_probabilities = cells.probabilities(*parameters(trial))
            gain = float(counts @ np.log(trial_probabilities)) - value
            step = step / 2
        if gain <= 1e-9:
            break
        theta, probabilities, value = trial, trial_probabilities, value + gain
    shape, loc, scale = parameters(theta)
    return Gennorm(shape, loc, scale, not MIN_SHAPE * 1.001 < shape < MAX_SHAPE / 1.001)


def refit_gennorm_rounded(
    cells: WholeNumbers, counts: NDArray[np.float64], start: Gennorm
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Fit rounded generalised normals to many replicates at once, by scoring without halving.

    Parameters
    ----------
    cells : WholeNumbers
        The distinct values.
    counts : ndarray of float64, shape (B, U)
        How often each occurs in each replicate.
    start : Gennorm
        The fit to all of them.

    Returns
    -------
    shapes : ndarray of float64, shape (B,)
        The shape of each replicate.
    done : ndarray of bool, shape (B,)
        Whether the steps came to an end; where they did not, `fit_gennorm_rounded` is to be asked.
    """
    theta = np.array([np.log(start.shape), start.loc, np.log(start.scale)])
    unit = np.array([1.0, start.scale, 1.0])  # of steps, so that one limit fits all three
    total = counts.sum(axis=1, keepdims=True)
    here = np.repeat(theta[None], len(counts), axis=0)
    done = np.zeros(len(counts), dtype=bool)
    lowest = np.array([np.log(MIN_SHAPE * 1.001), -np.inf, -np.inf])
    highest = np.array([np.log(MAX_SHAPE / 1.001), np.inf, np.inf])
    block = max(1, (1 << 18) // len(cells.values))
    for begin in range(0, len(counts), block):
        rows = np.arange(begin, min(begin + block, len(counts)))
        for turn in range(60):
            gradient = _log_gradients(cells.values, here[rows]) * unit[:, None]
            weighted = gradient * (counts[rows] / total[rows])[:, None]
            information = weighted @ gradient.transpose(0, 2, 1) + 1e-9 * np.eye(3)
            step = np.clip(np.linalg.solve(information, weighted.sum(axis=2)[..., None])[..., 0], -0.3, 0.3)
            # Steps that overshoot go to and fro; half as long they do not.
            here[rows] += step * unit * (1.0 if turn < 6 else 0.5 if turn < 20 else 0.2)
            done[rows] = (abs(step) < 1e-4).all(axis=1)
            inside = ((here[rows] > lowest) & (here[rows] < highest)).all(axis=1)
            done[rows] &= inside
            rows = rows[~done[rows] & inside]
            if not len(rows):
                break
    return np.exp(here[:, 0]), done


_FAR = 24.0  # from here on a cell's probability is its density but for a few parts in 10,000


def _log_gradients(values: NDArray[np.float64], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the derivatives of the log-probabilities of whole numbers by (log shape, loc, log scale).

    Parameters
    ----------
    values : ndarray of float64, shape (U,)
        Distinct whole numbers, ascending.
    theta : ndarray of float64, shape (B, 3)
        Parameters.

    Returns
    -------
    ndarray of float64, shape (B, 3, U)
    """
    from scipy.special import digamma, gammaincc, gammaln

    shape, loc, scale = np.exp(theta[:, 0]), theta[:, 1], np.exp(theta[:, 2])
    result = np.empty((len(theta), 3, len(values)))
    # Far from the location: of the density, whose mean over the cell is that of its middle but for its curvature.
    distance = np.maximum(abs(values - loc[:, None]), 1e-9)
    logs = np.log(distance) - np.log(scale)[:, None]
    beta = shape[:, None]
    power = np.exp(np.minimum(beta * logs, 700))
    result[:, 0] = 1 + digamma(1 / beta) / beta - power * beta * logs
    result[:, 1] = beta * power / distance * np.sign(values - loc[:, None])
    result[:, 2] = beta * power - 1
    near = np.flatnonzero(abs(values - np.median(loc)) <= _FAR + np.ptp(loc))
    if not len(near):
        return result
    # As in `WholeNumbers`, of all whole numbers from the first to the last one that is near.
    edges = np.arange(values[near[0]], values[near[-1]] + 2) - 0.5
    from_loc = edges - loc[:, None]
    away = abs(from_loc)
    scaled = away / scale[:, None]

    def cells(beside: NDArray[np.float64], whole: float) -> NDArray[np.float64]:
        low, high = beside[:, :-1], beside[:, 1:]
        right, left = from_loc[:, :-1] >= 0, from_loc[:, 1:] <= 0
        return np.where(right, low - high, np.where(left, high - low, whole - low - high))

    def probabilities(shapes: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.maximum(cells(gammaincc(1 / shapes, scaled**shapes) / 2, 1.0), 1e-300)

    found = probabilities(beta)
    density = np.exp(np.log(beta / 2 / scale[:, None]) - gammaln(1 / beta) - scaled**beta)
    by_shape = (probabilities(beta * np.exp(1e-6)) - found) / 1e-6
    chosen = (values[near] - values[near[0]]).astype(np.int64)
    by = np.stack([by_shape, density[:, :-1] - density[:, 1:], cells(density * away, 0.0)], axis=1)
    result[:, :, near] = (by / found[:, None])[:, :, chosen]
    return result
