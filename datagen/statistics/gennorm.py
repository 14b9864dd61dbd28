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
_FAR_LOG = 60.0  # no mean distance in pixels is larger than its exponential, nor smaller than its inverse


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
    """Parameters of a generalised normal, and whether the shape is no estimate: it stopped at the end of its range."""

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
    return _peak(tree, loc, 0.0, max(best * _STEP, MIN_SHAPE), min(best / _STEP, MAX_SHAPE))


@njit(cache=True, nogil=True)
def _peak(tree, loc, shape, low, high):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return where the profile is highest between `low` and `high`: the shape if `shape` is 0, else the location.

    Brent's search (Algorithms for Minimization without Derivatives, 1973, chapter 5): steps to the vertex of the
    parabola through the three best points, or by the golden section where that leads nowhere.
    """
    of_shape = shape == 0.0
    here = second = third = low + (1 - _GOLDEN) * (high - low)
    value = second_value = third_value = profile(tree, loc, here) if of_shape else profile(tree, here, shape)
    step = before = 0.0
    for _ in range(100):
        # As near as 1e-9 of the shape, or of the scale, a profile cannot be distinguished from its peak.
        near = 1e-9 * here if of_shape else 1e-9 * (_power_sum(tree, here, shape) / tree.before[-1]) ** (1 / shape)
        near = max(near, 4e-16 * max(abs(low), abs(high)))
        middle = (low + high) / 2
        if abs(here - middle) + (high - low) / 2 <= 2 * near:
            break
        across, down = 0.0, 0.0
        if abs(before) > near:
            left = (here - second) * (value - third_value)
            right = (here - third) * (value - second_value)
            across, down = (here - third) * right - (here - second) * left, 2 * (right - left)
            across, down = (-across, down) if down > 0 else (across, -down)
        if abs(across) < abs(down * before / 2) and down * (low - here) < across < down * (high - here):
            before, step = step, across / down
            if min(here + step - low, high - here - step) < 2 * near:
                step = near if here < middle else -near
        else:
            before = (high if here < middle else low) - here
            step = (1 - _GOLDEN) * before
        trial = here + (step if abs(step) >= near else math.copysign(near, step))
        trial_value = profile(tree, loc, trial) if of_shape else profile(tree, trial, shape)
        if trial_value >= value:
            low, high = (here, high) if trial >= here else (low, here)
            third, third_value, second, second_value = second, second_value, here, value
            here, value = trial, trial_value
        else:
            low, high = (trial, high) if trial < here else (low, trial)
            if trial_value >= second_value or second == here:
                third, third_value, second, second_value = second, second_value, trial, trial_value
            elif trial_value >= third_value or third in (here, second):
                third, third_value = trial, trial_value
    return here


@njit(cache=True, nogil=True)
def _best_value(tree, shape, guess, shapes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the index of the value with the least power sum, for a shape of at most 1.

    Values of which `shapes` says 0 are passed over.

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
        if total < best_sum and shapes[i] != 0:
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
        if middle_sum < best_sum and shapes[middle] != 0:
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
def _climb(tree, shape, guess, shapes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Take the best location for a shape and the best shape for it in turn until neither gains.

    `shapes` remembers the best shape of every value that was a location, 0 where it has none; NaN is not yet known.

    Returns
    -------
    log_likelihood, shape, loc : float
        Of the best pair met; the log-likelihood is -inf where no location has a maximum.
    """
    best, best_shape, best_loc = -np.inf, shape, np.nan
    while True:
        if shape > 1:
            loc = _peak(tree, 0.0, shape, tree.values[0], tree.values[-1])  # the sum of powers is convex
            shape = _best_shape(tree, loc)
            if 0 < shape <= 1:
                continue  # a location beside a value is no maximum for such a shape: look for one on a value
        else:
            next_shape = 0.0
            while next_shape == 0.0:
                guess = _best_value(tree, shape, guess, shapes)
                if guess < 0:
                    return best, best_shape, best_loc
                loc = tree.values[guess]
                if math.isnan(shapes[guess]):
                    shapes[guess] = _best_shape(tree, loc)
                next_shape = shapes[guess]
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
    shapes = np.full(len(data.values), np.nan)
    # With many values every climb ends at the same place; few leave the likelihood ragged, and cost little.
    starts = np.geomspace(0.3, 2, 5) if len(data.values) > 500 else np.geomspace(0.2, 6, 16)
    value, shape, loc = max(_climb(data, start, median, shapes) for start in starts)
    contained = max(profile(data, data.values[median], 1.0), profile(data, mean, 2.0))
    if value < contained - 1e-9 * abs(contained):
        shape = MIN_SHAPE
        loc = float(data.values[_best_value(data, shape, median, np.full_like(shapes, np.nan))])
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

    Maximises ``sum(counts * log P(value - 1/2 < X < value + 1/2))``, which is smooth and bounded, by quasi-Newton steps
    that stay within bounds (L-BFGS-B: Byrd, Lu, Nocedal and Zhu, 1995). They go by shape, location and mean distance
    from it, ``s Gamma(2 / shape) / Gamma(1 / shape)``, which depend on each other less than shape and scale s do.

    Parameters
    ----------
    cells : WholeNumbers
        The distinct values.
    counts : ndarray, shape (U,)
        How often each occurs.
    start : Gennorm, optional
        Where to begin; by default with the Laplace distribution that suits best, and, if that leads away from the most
        frequent value, from there too: where few values are many times over, each is a maximum.

    Returns
    -------
    Gennorm
        The parameters. Two distinct values do not tell a shape, and count as at the bound.
    """
    if start is not None:
        return _climb_rounded(cells, counts, start)[0]

    def climb(loc: float) -> tuple[Gennorm, float]:
        start = Gennorm(1.0, loc, counts @ abs(cells.values - loc) / counts.sum(), False)
        return _climb_rounded(cells, counts, start)

    found, loss = climb(cells.values[np.searchsorted(np.cumsum(counts), counts.sum() / 2)])
    most = cells.values[np.argmax(counts)]
    if abs(found.loc - most) > 0.5:
        other, its_loss = climb(most)
        found = other if its_loss < loss else found
    # The shares of two values are two numbers that add to one: any shape can give them.
    return found._replace(at_bound=bool(found.at_bound or np.count_nonzero(counts) < 3))


def _climb_rounded(cells: WholeNumbers, counts: NDArray[Any], start: Gennorm) -> tuple[Gennorm, float]:
    """Return the maximum that is reached from a start, and its mean negative log-likelihood."""
    from scipy.optimize import minimize
    from scipy.special import digamma, gammaln

    total, unit = counts.sum(), start.scale

    def log_ratio(shape: float) -> float:
        """Return the logarithm of the mean distance in scales."""
        return float(gammaln(2 / shape) - gammaln(1 / shape))

    def parameters(theta: NDArray[np.float64]) -> tuple[float, float, float]:
        shape = float(np.exp(theta[0]))
        return shape, float(theta[1] * unit), float(np.exp(theta[2] - log_ratio(shape)))

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        shape, loc, scale = parameters(theta)
        probabilities = cells.probabilities(shape, loc, scale)
        by_shape, by_loc, by_scale = counts @ cells.log_gradient(probabilities, shape, loc, scale)
        by_shape += by_scale * (2 * digamma(2 / shape) - digamma(1 / shape)) / shape
        return -float(counts @ np.log(probabilities)) / total, -np.array([by_shape, by_loc * unit, by_scale]) / total

    bounds = [(np.log(MIN_SHAPE), np.log(MAX_SHAPE)), tuple(cells.values[[0, -1]] / unit), (-_FAR_LOG, _FAR_LOG)]
    begin = [np.log(start.shape), start.loc / unit, np.log(start.scale) + log_ratio(start.shape)]
    # Steps that are tried may be so far that all powers are zero or infinite.
    with np.errstate(over="ignore", under="ignore"):
        found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-8})
    shape, loc, scale = parameters(found.x)
    return Gennorm(shape, loc, scale, not MIN_SHAPE * 1.001 < shape < MAX_SHAPE / 1.001), float(found.fun)


def refit_gennorm_rounded(
    cells: WholeNumbers, counts: NDArray[np.float64], start: Gennorm
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Fit rounded generalised normals to many replicates at once.

    Every replicate climbs from the fit to all by quasi-Newton steps (Broyden, Fletcher, Goldfarb and Shanno's update),
    which begin with the information of the fit to all in place of the second derivatives: three or four gradients each
    (`_scores`), and no search along the steps.

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
    parameters = (start.shape, start.loc, start.scale)
    unit = np.array([1.0, start.scale, 1.0])  # of steps, so that one limit fits all three
    gradient = cells.log_gradient(cells.probabilities(*parameters), *parameters) * unit
    total = counts.sum(axis=1, keepdims=True)
    score = counts @ gradient / total
    information = gradient.T @ (counts.sum(axis=0)[:, None] * gradient) / total.sum()
    inverse = np.repeat(np.linalg.inv(information + 1e-9 * np.eye(3))[None], len(counts), axis=0)
    here = np.repeat(np.array([[np.log(start.shape), start.loc, np.log(start.scale)]]), len(counts), axis=0)
    done = np.zeros(len(counts), dtype=bool)
    radius = _near(start)
    rows = np.arange(len(counts))
    for _ in range(40):
        step = np.clip((inverse[rows] @ score[rows, :, None])[:, :, 0], -0.3, 0.3)
        here[rows] += step * unit
        inside = (here[rows, 0] > np.log(MIN_SHAPE * 1.001)) & (here[rows, 0] < np.log(MAX_SHAPE / 1.001))
        ended = (abs(step) < 1e-4).all(axis=1)
        done[rows] = ended & inside
        left = inside & ~ended
        rows, step = rows[left], step[left]
        if not len(rows):
            break
        before = score[rows]
        score[rows] = _scores(cells.values, counts, rows, here[rows], radius) * unit / total[rows]
        change = before - score[rows]
        along = (step * change).sum(axis=1)
        curved = along > 1e-12  # else no second derivative of a maximum can be learnt
        step, change, along = step[curved], change[curved], along[curved, None, None]
        aside = np.eye(3) - step[:, :, None] * change[:, None, :] / along
        chosen = rows[curved]
        inverse[chosen] = (
            aside @ inverse[chosen] @ aside.transpose(0, 2, 1) + step[:, :, None] * step[:, None, :] / along
        )
    return np.exp(here[:, 0]), done


_NEAREST, _FARTHEST = 8, 24


def _near(fit: Gennorm) -> int:
    """Return how many cells on either side of the location to integrate.

    Beyond, a cell's integral follows from the density at its middle and its second derivative there, to a part in a
    million where the logarithm of the density changes by less than 1/4 a pixel.
    """
    distance = np.array([_NEAREST, _FARTHEST])
    slope = fit.shape * (distance / fit.scale) ** fit.shape / distance
    return _NEAREST if (slope < 0.25).all() else _FARTHEST


def _scores(
    values: NDArray[np.float64],
    counts: NDArray[np.float64],
    rows: NDArray[np.int64],
    theta: NDArray[np.float64],
    radius: int,
) -> NDArray[np.float64]:
    """Return the gradients of the log-likelihood of whole numbers by (log shape, loc, log scale).

    Parameters
    ----------
    values : ndarray of float64, shape (U,)
        Distinct whole numbers, ascending.
    counts : ndarray of float64, shape (B, U)
        How often each replicate holds each.
    rows : ndarray of int64, shape (R,)
        The replicates asked for.
    theta : ndarray of float64, shape (R, 3)
        Their parameters.
    radius : int
        Cells to integrate on either side of the location.

    Returns
    -------
    ndarray of float64, shape (R, 3)
    """
    from scipy.special import digamma, gammaincc, gammaln

    shape, loc, scale = np.exp(theta[:, :1]), theta[:, 1:2], np.exp(theta[:, 2:])
    middles = np.rint(loc) + np.arange(-radius, radius + 1)
    from_loc = np.append(middles - 0.5, middles[:, -1:] + 0.5, axis=1) - loc
    away = abs(from_loc)
    scaled = away / scale
    power = scaled**shape
    right, left = from_loc[:, :-1] >= 0, from_loc[:, 1:] <= 0

    def across(beside: NDArray[np.float64], whole: float) -> NDArray[np.float64]:
        low, high = beside[:, :-1], beside[:, 1:]
        return np.where(right, low - high, np.where(left, high - low, whole - low - high))

    more = shape * np.exp(1e-6)  # for the derivative by the shape
    found = np.maximum(across(gammaincc(1 / shape, power) / 2, 1.0), 1e-300)
    density = np.exp(np.log(shape / 2 / scale) - gammaln(1 / shape) - power)
    by_shape = (np.maximum(across(gammaincc(1 / more, scaled**more) / 2, 1.0), 1e-300) - found) / 1e-6
    near = np.stack([by_shape, density[:, :-1] - density[:, 1:], across(density * away, 0.0)], axis=2)
    near /= found[:, :, None]
    constant = 1 + digamma(1 / shape[:, 0]) / shape[:, 0]
    return np.asarray(_sum_scores(values, counts, rows, theta, middles[:, 0], near, constant))


@njit(cache=True, nogil=True)
def _sum_scores(values, counts, rows, theta, first, near, constant):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the scores (R, 3), with the gradients (R, C, 3) of the C whole numbers from `first` on given."""
    result = np.zeros((len(rows), 3))
    for place in range(len(rows)):
        shape, loc, log_scale = math.exp(theta[place, 0]), theta[place, 1], theta[place, 2]
        for i in range(len(values)):
            count = counts[rows[place], i]
            if count == 0.0:
                continue
            if 0 <= values[i] - first[place] < near.shape[1]:
                for j in range(3):
                    result[place, j] += count * near[place, int(values[i] - first[place]), j]
                continue
            # A cell's integral is the density f at its middle times 1 + bend, bend = f'' / (24 f).
            offset = values[i] - loc
            log = math.log(abs(offset)) - log_scale
            slope = shape * math.exp(shape * log)  # beta |x/s|^beta
            square = 24 * offset * offset
            bend = slope * (slope - shape + 1) / square
            by_slope = ((2 * slope - shape + 1) / square) * slope  # of the bend, by the slope's logarithm
            weight = count / (1 + bend)
            more = (by_slope * (1 + shape * log) - slope * shape / square) * weight
            result[place, 0] += count * (constant[place] - slope * log) + more
            result[place, 1] += count * slope / offset + (2 * bend - by_slope * shape) / offset * weight
            result[place, 2] += count * (slope - 1) - by_slope * shape * weight
    return result
