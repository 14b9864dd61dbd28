"""How the second frame of a pair is drawn from a grid of factors, given the first.

Each prior is a distribution over the grid for every first frame: it can be drawn from, and asked for a probability.

Source: Klindt et al., ICLR 2021, section 4.1 and appendix (UNI and LAP), with what its release computes. `Natural` is
ours: it lets the factors of a grid move as objects in video do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_choice, check_whole
from datagen.datasets import Factor
from datagen.errors import UsageError, counted
from datagen.transitions import Transitions

__all__ = ["PRIORS", "Laplace", "Natural", "Prior", "Uniform", "make_prior"]

PRIORS = ("uniform", "laplace", "natural")
"""The priors by name."""

_RANDOM_RATES = (1.0, 10.0)
_NODES = 64
"""Of the quadrature over rates: more change no probability of grids of up to 1,000 values by 1e-12."""
_BLOCK = 1 << 16
_STEEPEST = 500.0
"""Largest logarithm by which a step more is less probable. From here on a second step has a probability of 0 in
float64; beyond 700 a first one would have, too, and of nothing but zeros no step could be drawn."""


class Prior(Protocol):
    """A distribution of the second frame given the first."""

    def sample(self, first: NDArray[Any], factor_info: Sequence[Factor], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw second frames, (N, K) of first frames (N, K)."""

    def probability(
        self, first: NDArray[Any], second: NDArray[Any], factor_info: Sequence[Factor]
    ) -> NDArray[np.float64]:
        """Return how probable second frames are, (N,)."""


@dataclass(frozen=True)
class Uniform:
    """UNI: some factors change, each to another of its values, uniformly.

    Which ones is uniform, too; categorical factors are among them. A factor of one value cannot change and counts for
    nothing.

    Attributes
    ----------
    k : int or None
        How many factors change; None for a number drawn for each pair, uniform in 1 to n - 1 of n factors.

    Examples
    --------
    >>> grid = [Factor("x", "", (0, 3), 4), Factor("shape", "", (0, 1), 2, categorical=True)]
    >>> Uniform().sample(np.array([[2, 0], [2, 0]]), grid, np.random.default_rng(0))
    array([[2, 1],
           [2, 1]])
    >>> Uniform().probability([[2, 0]], [[3, 0]], grid)
    array([0.16666667])
    """

    k: int | None = None

    def __post_init__(self) -> None:
        if self.k is not None:
            check_whole("k", self.k, 1)

    def _numbers(self, factor_info: Sequence[Factor]) -> tuple[int, int, int]:
        """Return how many factors can change, and at least and at most how many do."""
        able = sum(factor.size > 1 for factor in factor_info)
        if not able:
            raise UsageError("no factor has two values, so none can change")
        if self.k is not None and self.k > able:
            raise UsageError(f"k={self.k}: of {len(factor_info)} factors only {able} can change")
        return (able, self.k, self.k) if self.k is not None else (able, 1, max(1, able - 1))

    def sample(self, first: NDArray[Any], factor_info: Sequence[Factor], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw second frames.

        Parameters
        ----------
        first : array_like of int or float, shape (N, K)
            The first frames: of every factor the number of its value.
        factor_info : sequence of Factor
            The K factors of the grid, all with a number of values.
        rng : numpy.random.Generator

        Returns
        -------
        ndarray of int64, shape (N, K)

        Raises
        ------
        UsageError
            If no K factors with values are described, a frame is none of the grid, or more factors should change than
            can.
        """
        columns = _columns("first", first, factor_info)
        left, low, high = self._numbers(factor_info)
        count = columns.shape[1]
        # Going through the factors, each is taken with the probability that leaves every choice of `wanted` of them
        # equally probable (selection sampling: Knuth, The Art of Computer Programming, 3.4.2, algorithm S).
        wanted = (
            np.full(count, low, np.float32) if low == high else rng.integers(low, high + 1, count).astype(np.float32)
        )
        second = columns.copy()
        for now, then, factor in zip(columns, second, factor_info, strict=True):
            if factor.size < 2:
                continue
            taken = rng.random(count, np.float32) * np.float32(left) < wanted
            other = now + rng.integers(1, factor.size, count, dtype=np.int32)
            other -= factor.size * (other >= factor.size)
            np.copyto(then, other, where=taken)
            wanted -= taken
            left -= 1
        return second.T.astype(np.int64)

    def probability(
        self, first: NDArray[Any], second: NDArray[Any], factor_info: Sequence[Factor]
    ) -> NDArray[np.float64]:
        """Return how probable second frames are.

        Parameters
        ----------
        first, second : array_like of int or float, shape (N, K)
            Frames, as for `sample`.
        factor_info : sequence of Factor
            The K factors.

        Returns
        -------
        ndarray of float64, shape (N,)
            Over all second frames of a grid they sum to 1.

        Raises
        ------
        UsageError
            As `sample`.
        """
        before, after = _two("first", first, second, factor_info)
        able, low, high = self._numbers(factor_info)
        changed = before != after
        number = changed.sum(axis=0)
        others = np.array([max(factor.size - 1, 1) for factor in factor_info], dtype=np.float64)
        choices = np.array([math.comb(able, k) for k in range(len(factor_info) + 1)], dtype=np.float64)
        possible = (number >= low) & (number <= high)
        # What cannot be has a probability of 0, whatever stands beside it.
        each = (high - low + 1) * np.where(possible, choices[number], 1) * np.where(changed.T, others, 1).prod(axis=1)
        return np.where(possible, 1 / each, 0.0)


@dataclass(frozen=True)
class Laplace:
    """LAP: all factors change a little, by steps that are Laplace-distributed, but for categorical ones, which stay.

    Every factor takes value v with P(v) proportional to exp(-abs(v - now) / s), s = log(size) / rate, over its values,
    with no wrapping around. Where nothing has changed then, one factor that is not categorical, chosen uniformly, is
    drawn again without its present value.

    Attributes
    ----------
    rate : float or "random"
        The larger, the smaller are the steps; "random" draws one for each pair, uniform in [1, 10).

    Examples
    --------
    >>> grid = [Factor("x", "", (0, 3), 4), Factor("shape", "", (0, 1), 2, categorical=True)]
    >>> Laplace().sample(np.array([[2, 0], [2, 0]]), grid, np.random.default_rng(0))
    array([[1, 0],
           [1, 0]])
    >>> Laplace().probability([[2, 0], [2, 0]], [[3, 0], [3, 1]], grid)
    array([0.40223695, 0.        ])
    """

    rate: float | Literal["random"] = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.rate, int | float) and not isinstance(self.rate, bool):
            good = 1e-6 <= self.rate <= 1e6
        else:
            good = isinstance(self.rate, str) and self.rate == "random"
        if not good:
            raise UsageError(f"rate={self.rate!r:.60}: must be 'random', or a number of 0.000001 to 1,000,000")

    def sample(self, first: NDArray[Any], factor_info: Sequence[Factor], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw second frames; see `Uniform.sample`."""
        columns = _columns("first", first, factor_info)
        moving = _moving(factor_info)
        second = np.empty((columns.shape[1], len(columns)), dtype=np.int64)
        for begin in range(0, len(second), _BLOCK):  # what fits the cache is faster
            rows = slice(begin, begin + _BLOCK)
            second[rows] = self._draw(columns[:, rows], factor_info, moving, rng).T
        return second

    def _draw(
        self, columns: NDArray[np.int32], factor_info: Sequence[Factor], moving: list[int], rng: np.random.Generator
    ) -> NDArray[np.int32]:
        """Draw second frames (K, N) of first ones."""
        count = columns.shape[1]
        rates: float | NDArray[np.float64]
        rates = rng.uniform(*_RANDOM_RATES, count) if isinstance(self.rate, str) else self.rate
        second = columns.copy()
        for factor in moving:
            size = factor_info[factor].size
            second[factor] += _steps(columns[factor], size, rates, rng, may_stay=True)
        still = np.flatnonzero((second == columns).all(axis=0))
        chosen = rng.integers(0, len(moving), len(still))
        for place, factor in enumerate(moving):
            rows = still[chosen == place]
            now, of_rows = columns[factor, rows], rates if isinstance(rates, float | int) else rates[rows]
            second[factor, rows] += _steps(now, factor_info[factor].size, of_rows, rng, may_stay=False)
        return second

    def probability(
        self, first: NDArray[Any], second: NDArray[Any], factor_info: Sequence[Factor]
    ) -> NDArray[np.float64]:
        """Return how probable second frames are; see `Uniform.probability`.

        With random rates it is the mean over all rates, to 12 digits (Gauss-Legendre quadrature).
        """
        before, after = _two("first", first, second, factor_info)
        moving = _moving(factor_info)
        if self.rate != "random":
            return self._at(float(self.rate), before, after, factor_info, moving)
        low, high = _RANDOM_RATES
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        rates = low + (high - low) * (nodes + 1) / 2
        total = np.zeros(before.shape[1])
        for rate, weight in zip(rates.tolist(), (weights / 2).tolist(), strict=True):
            total += weight * self._at(rate, before, after, factor_info, moving)
        return total

    @staticmethod
    def _at(
        rate: float,
        before: NDArray[np.int32],
        after: NDArray[np.int32],
        factor_info: Sequence[Factor],
        moving: list[int],
    ) -> NDArray[np.float64]:
        """Return probabilities at one rate."""
        count = before.shape[1]
        drawn, stays, again = np.ones(count), np.ones(count), np.zeros(count)
        for factor in moving:
            size = factor_info[factor].size
            values = np.arange(size)
            weights = np.exp(-np.abs(values[:, None] - values) * _decay(rate, size))
            weight, now = weights[before[factor], after[factor]], before[factor]
            all_others = weights.sum(axis=1, where=~np.eye(size, dtype=bool))[now]
            drawn *= weight / (1 + all_others)
            stays *= 1 / (1 + all_others)
            again += np.where(before[factor] != after[factor], weight / all_others, 0)
        number = (before != after)[moving].sum(axis=0)
        total = np.where(number == 0, 0, drawn) + np.where(number == 1, stays * again / len(moving), 0)
        others = [place for place in range(len(factor_info)) if place not in moving]
        total[(before[others] != after[others]).any(axis=0)] = 0
        return total


@dataclass(frozen=True, repr=False, eq=False)
class Natural:
    """Positions and sizes move as objects in video did, by transitions drawn uniformly; other factors stay.

    The factors named x and y take the value nearest to the present one plus the difference that was measured, as a
    fraction of the frame; the one named scale takes that nearest to the present one times the ratio of the square roots
    of the areas. What would leave the grid stays at its edge. A pair may be of one image twice, as in video.

    Attributes
    ----------
    transitions : Transitions
        A table of M rows; the first two frames of each are used.
    frame : float
        Height and width in pixels of the windows in which they were measured.

    Examples
    --------
    >>> texts, numbers = np.array(["", ""]), np.arange(2)
    >>> two = np.array([[10.0, 12.0], [10.0, 10.0]])
    >>> table = Transitions(texts, texts, numbers, texts, numbers, numbers, two, two, np.full((2, 2), 50))
    >>> grid = [Factor("x", "", (0, 3), 4, values=(0.25, 0.28125, 0.3125, 0.34375)), Factor("hue", "", (0, 1), 2)]
    >>> Natural(table).probability([[0, 1], [0, 1]], [[1, 1], [0, 1]], grid)
    array([0.5, 0.5])
    """

    transitions: Transitions
    frame: float = 64.0
    _moves: dict[str, NDArray[np.float64]] = field(init=False)

    def __post_init__(self) -> None:
        table = self.transitions
        if not isinstance(table, Transitions) or not len(table):
            raise UsageError("transitions must be a table (datagen.transitions.Transitions) of one row at least")
        if isinstance(self.frame, bool) or not isinstance(self.frame, int | float) or not 1 <= self.frame <= 1e6:
            raise UsageError(f"frame={self.frame!r:.60}: must be the height of the windows in pixels")
        x, y, area = (np.asarray(column[:, :2], dtype=np.float64) for column in (table.x, table.y, table.area))
        right = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1) & np.isfinite(area).all(axis=1)
        right &= (area > 0).all(axis=1)
        if not right.all():
            raise UsageError(f"transitions, row {int(np.argmin(right))}: not finite, or an area of 0")
        moves = {
            "x": (x[:, 1] - x[:, 0]) / self.frame,
            "y": (y[:, 1] - y[:, 0]) / self.frame,
            "scale": np.sqrt(area[:, 1] / area[:, 0]),
        }
        object.__setattr__(self, "_moves", moves)

    def __repr__(self) -> str:
        return f"Natural({counted(len(self.transitions), 'transition')} in windows of {self.frame:g} pixels)"

    def sample(self, first: NDArray[Any], factor_info: Sequence[Factor], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw second frames; see `Uniform.sample`.

        Raises
        ------
        UsageError
            As there, and if no factor is a position or a size whose values are known.
        """
        columns = _columns("first", first, factor_info)
        rows = rng.integers(0, len(self.transitions), size=(columns.shape[1],))
        second = columns.copy()
        for factor, moved in self._moved(columns, rows, factor_info):
            second[factor] = moved
        return second.T.astype(np.int64)

    def probability(
        self, first: NDArray[Any], second: NDArray[Any], factor_info: Sequence[Factor]
    ) -> NDArray[np.float64]:
        """Return how probable second frames are, as the share of transitions that lead there; see `sample`."""
        before, after = _two("first", first, second, factor_info)
        every = np.arange(len(self.transitions))
        shares = np.zeros(before.shape[1])
        for row in range(before.shape[1]):
            here = np.repeat(before[:, row, None], len(every), axis=1)
            expected = np.array(after[:, row])
            leads = np.ones(len(every), dtype=bool)
            for factor, moved in self._moved(here, every, factor_info):
                leads &= moved == expected[factor]
                expected[factor] = before[factor, row]
            shares[row] = leads.mean() if (expected == before[:, row]).all() else 0.0
        return shares

    def _moved(
        self, columns: NDArray[np.int32], rows: NDArray[np.int64], factor_info: Sequence[Factor]
    ) -> list[tuple[int, NDArray[np.int64]]]:
        """Return the factors that move, and their new values, (N,), of frames (K, N) by transitions (N,)."""
        moved = []
        for place, factor in enumerate(factor_info):
            if factor.name in self._moves and len(factor.values) == factor.size > 1:
                order = np.argsort(factor.values)
                values = np.asarray(factor.values, dtype=np.float64)[order]
                now, move = np.asarray(factor.values)[columns[place]], self._moves[factor.name][rows]
                target = now * move if factor.name == "scale" else now + move
                middles = (values[1:] + values[:-1]) / 2
                moved.append((place, order[np.searchsorted(middles, target)]))
        if not moved:
            raise UsageError(
                "no factor of this grid is a position or a size (x, y, scale) whose values are known, so none can move "
                "as in nature; dsprites, shapes3d and Natural Sprites have such"
            )
        return moved


def _steps(
    now: NDArray[np.int32],
    size: int,
    rate: float | NDArray[np.float64],
    rng: np.random.Generator,
    may_stay: bool,
) -> NDArray[np.int32]:
    """Draw steps with P(d) proportional to q^abs(d), q = exp(-rate / log(size)), that stay within the values.

    The weights of the steps to one side are a geometric series, whose sum, q (1 - q^n) / (1 - q) of n steps, can be
    inverted; so one random number gives a step, at any rate of its own.
    """
    decay = _decay(rate, size)
    unit = np.expm1(decay)  # (1 - q) / q
    up = size - 1 - now
    below, above = -np.expm1(-decay * now) / unit, -np.expm1(-decay * up) / unit
    stay = 1.0 if may_stay else 0.0
    place = rng.random(len(now)) * (stay + below + above) - stay
    to_left = place < below
    within = np.where(to_left, place, place - below)
    # Rounding can leave a step just beyond the last one, or below the first.
    far = np.ceil(-np.log1p(np.minimum(-within * unit, 0)) / decay)
    far = np.clip(far, 1, np.where(to_left, now, up))
    return np.where(place < 0, 0, np.where(to_left, -far, far)).astype(np.int32)


def _decay(rate: float | NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return by which logarithm every step more of a factor is less probable."""
    return np.minimum(rate / math.log(size), _STEEPEST)


def _moving(factor_info: Sequence[Factor]) -> list[int]:
    """Return the places of factors that are not categorical and can change."""
    moving = [place for place, factor in enumerate(factor_info) if not factor.categorical and factor.size > 1]
    if not moving:
        raise UsageError("every factor is categorical or has one value, so none can change")
    return moving


def _columns(name: str, factors: Any, factor_info: Sequence[Factor]) -> NDArray[np.int32]:
    """Return frames (N, K) as columns (K, N), checked."""
    array = np.asarray(factors)
    sizes = [factor.size for factor in factor_info]
    if min(sizes, default=0) < 1:
        raise UsageError("every factor must have a number of values; a prior is of a grid")
    if array.ndim != 2 or array.shape[1] != len(sizes) or array.dtype.kind not in "iuf":
        raise UsageError(f"{name} is {array.dtype} {array.shape}; it must be numbers (N, {len(sizes)})")
    columns = np.ascontiguousarray(array.T)
    for column, factor in zip(columns, factor_info, strict=True):
        if len(column) and not (column.min() >= 0 and column.max() < factor.size):  # NaN is neither
            raise UsageError(f"{name} holds a {factor.name} that is not one of 0 to {factor.size - 1}")
    whole = columns.astype(np.int32)
    if array.dtype.kind == "f" and (whole != columns).any():
        raise UsageError(f"{name} holds a number that is not whole; factors of a grid are numbers of values")
    return whole


def _two(
    name: str, first: Any, second: Any, factor_info: Sequence[Factor]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return first and second frames as columns."""
    before, after = _columns(name, first, factor_info), _columns("second", second, factor_info)
    if before.shape != after.shape:
        raise UsageError(f"first and second are of {before.shape[1]} and {after.shape[1]} frames")
    return before, after


def make_prior(
    prior: str,
    *,
    rate: float | Literal["random"] | None = None,
    k: int | None = None,
    transitions: Transitions | str | Path | None = None,
) -> Prior:
    """Make a prior of its name and what belongs to it.

    Parameters
    ----------
    prior : {"uniform", "laplace", "natural"}
        Which prior.
    rate : float or "random", optional
        Of `Laplace`, by default 1.
    k : int, optional
        Of `Uniform`.
    transitions : Transitions, str or Path
        Of `Natural`: a table or its file.

    Raises
    ------
    UsageError
        If there is no such prior, it is given what belongs to another, or it lacks what it needs.

    Examples
    --------
    >>> make_prior("laplace", rate=6)
    Laplace(rate=6)
    """
    check_choice("prior", prior, PRIORS)
    for of, argument, value in (
        ("laplace", "rate", rate),
        ("uniform", "k", k),
        ("natural", "transitions", transitions),
    ):
        if value is not None and of != prior:
            raise UsageError(f"{argument} belongs to the prior {of}, not to {prior}")
    if prior == "uniform":
        return Uniform(k)
    if prior == "laplace":
        return Laplace(1.0 if rate is None else rate)
    if transitions is None:
        raise UsageError("the prior natural needs a table of transitions")
    if not isinstance(transitions, Transitions):
        from datagen.store import tables  # takes numba, which other priors do not wait for

        transitions = tables.load(transitions)
    return Natural(transitions)
