"""Linear support vector machines of a single input, for SAP, which fits one for every latent, factor and value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError
from slowvae.metrics._arrays import Floats

__all__ = ["fit_machines", "predict"]

_MOST_STEPS = 200
"""Ten do."""


def fit_machines(x: Floats, classes: NDArray[np.int64], cost: float) -> tuple[Floats, Floats]:
    """Fit a machine for each class against the rest, or for two classes the one that separates them.

    Each minimises ``(slope^2 + intercept^2) / 2 + sum_i cost_i max(0, 1 - t_i (slope x_i + intercept))^2`` with t = 1
    in the class and -1 elsewhere. cost_i is `cost`, in the class times N / (C N_c), which balances; of two classes so
    in both. This is liblinear's L2-regularised machine with squared hinge loss (Fan et al. 2008, section 2) as
    scikit-learn's ``LinearSVC(class_weight="balanced")`` has it, at its minimum.

    Of a single input, the samples within a machine's margin are the first or the last ones in its order, so sums over
    them are differences of cumulative sums, and a Newton step costs a search in these whatever N.

    Parameters
    ----------
    x : ndarray of float64, shape (N,)
        The input.
    classes : ndarray of int64, shape (N,)
        Classes 0 to C - 1, each occurring.
    cost : float
        Of a sample within the margin; liblinear's C.

    Returns
    -------
    slope, intercept : ndarray of float64, shape (C,), or (1,) for two classes

    Examples
    --------
    >>> import numpy as np
    >>> machines = fit_machines(np.array([0.0, 1.0, 4.0, 5.0]), np.array([0, 0, 1, 1]), cost=100)
    >>> predict(np.array([2.0, 3.0]), *machines).tolist()
    [0, 1]
    """
    n, counts = len(x), np.bincount(classes)
    own = np.arange(len(counts)) if len(counts) > 2 else np.array([len(counts) - 1])
    balanced = cost * n / (len(counts) * counts)
    inside, outside = balanced[own], np.full(len(own), cost) if len(counts) > 2 else balanced[:1]
    order = np.argsort(x, kind="stable")
    x = x[order]
    members = np.argsort(classes[order], kind="stable")  # the places of each class in turn, rising
    keys = np.repeat(np.arange(len(counts)), counts) * (n + 1) + members
    of_all, of_members = _sums(x), _sums(x[members])
    first = np.searchsorted(keys, own * (n + 1))
    every = of_members[first + counts[own]] - of_members[first]

    def within(slope: Floats, intercept: Floats) -> tuple[Floats, Floats]:
        """Return number, sum and sum of squares of what is within the margin, (3, C), in the class and outside."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = [np.searchsorted(x, (side - intercept) / slope) for side in (1, -1)]
        before = [of_members[np.searchsorted(keys, own * (n + 1) + end)] - of_members[first] for end in ends]
        mine, others = before[0], of_all[ends[1]] - before[1]
        rising = (slope >= 0)[:, None]  # then members below 1 are the first ones, and others above -1 the last
        return (
            np.where(rising, mine, every - mine).T,
            np.where(rising, of_all[-1] - every - others, others).T,
        )

    def objective(slope: Floats, intercept: Floats, sums: tuple[Floats, Floats]) -> Floats:
        value = (slope**2 + intercept**2) / 2
        for each, side, costs in zip(sums, (1, -1), (inside, outside), strict=True):
            gap = intercept - side
            value = value + costs * (each[0] * gap**2 + 2 * gap * slope * each[1] + slope**2 * each[2])
        return value

    slope, intercept = np.zeros(len(own)), np.zeros(len(own))
    sums = within(slope, intercept)
    value, settled = objective(slope, intercept, sums), np.zeros(len(own), dtype=bool)
    for _ in range(_MOST_STEPS):
        # The gradient by slope and intercept, and Newton's step by the matrix of second derivatives.
        number, total, squares = 2 * (inside * sums[0] + outside * sums[1])
        pull = 2 * (inside * sums[0] - outside * sums[1])
        by_slope = slope * (1 + squares) + intercept * total - pull[1]
        by_intercept = intercept * (1 + number) + slope * total - pull[0]
        determinant = (1 + squares) * (1 + number) - total**2
        step_slope = -((1 + number) * by_slope - total * by_intercept) / determinant
        step_intercept = -((1 + squares) * by_intercept - total * by_slope) / determinant
        descent = by_slope * step_slope + by_intercept * step_intercept
        part = np.ones(len(own))
        while True:  # until every step makes its objective less by what its slope lets expect, but for rounding
            tried = slope + part * step_slope, intercept + part * step_intercept
            found = within(*tried)
            new = objective(*tried, found)
            short = new > value + 1e-4 * part * descent + 1e-13 * np.abs(value)
            if not short.any() or part.min() < 1e-12:
                break
            part[short] /= 2
        # Between the same samples the objective is a parabola, of which a whole step finds the minimum. Where it is no
        # longer made less, what is left is rounding.
        same = (found[0][0] == sums[0][0]) & (found[1][0] == sums[1][0]) & (part == 1)
        settled |= same | (new >= value)
        (slope, intercept), value, sums = tried, new, found
        if settled.all():
            return slope, intercept
    raise DatagenError("sap: a machine did not settle; are latents of very different sizes?")


def predict(x: Floats, slope: Floats, intercept: Floats) -> NDArray[np.int64]:
    """Return the class of inputs, shape (M,): of several the one whose machine is surest."""
    sure = np.multiply.outer(x, slope) + intercept
    return sure.argmax(axis=1) if len(slope) > 1 else (sure[:, 0] > 0).astype(np.int64)


def _sums(x: Floats) -> Floats:
    """Return how many there are before each place and at the end, their sum, and that of their squares, (N + 1, 3)."""
    return np.vstack([np.zeros(3), np.cumsum(np.stack([np.ones_like(x), x, x**2], axis=1), axis=0)])
