"""Block-MCC: the MCC where some factors are known only together, up to a linear map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.errors import UsageError
from slowvae.metrics._arrays import Floats, check_arrays, check_seed, check_whole
from slowvae.metrics._registry import Samples, register
from slowvae.metrics._score import Score

__all__ = ["block_mcc"]

_FEWEST = 3
"""Two samples are always correlated."""

_MOST = 200_000
"""So many ways to give latents to blocks are tried."""


def block_mcc(
    latents: ArrayLike,
    factors: ArrayLike,
    blocks: Sequence[Sequence[int]],
    num_samples: int = 10_000,
    seed: int = 0,
) -> Score:
    """Return the mean correlation coefficient of blocks of factors, each up to a linear map.

    Some factors are distinguished only by convention: a position is x and y, or any other two axes. A block of b
    factors is given b latents of its own; each of its factors is held against the linear map of these that is closest
    to it. All latents are given so that the mean over the factors of these (multiple) correlations is largest. With
    blocks of one factor each it is the MCC of `slowvae.metrics.mcc` with ``"pearson"`` and ``"rectangular"``.

    Parameters
    ----------
    latents : array_like, shape (N, Z)
    factors : array_like, shape (N, K)
        K <= Z.
    blocks : sequence of sequences of int
        The columns of `factors` that belong together, each column in one block: ``[[0, 1], [2]]``.
    num_samples : int
        At most so many rows are scored, drawn at random.
    seed : int
        Of the rows.

    Returns
    -------
    Score
        0 to 1. ``parts["by_factor"]`` (K,) has each factor's correlation, ``parts["block"]`` (K,) its block, and
        ``parts["latents"]`` (K,) the latents of each block, in rising order along it.

    Raises
    ------
    UsageError
        If the blocks are no partition of the factors, there are more factors than latents, too many ways to give
        latents to blocks, or the arrays cannot be scored.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import block_mcc
    >>> factors = np.random.default_rng(0).normal(size=(1000, 3))
    >>> latents = factors @ [[1, 1, 0], [1, -1, 0], [0, 0, 2]]  # the first two are rotated
    >>> round(float(block_mcc(latents, factors, [[0, 1], [2]])), 3)
    1.0
    >>> round(float(block_mcc(latents, factors, [[0], [1], [2]])), 1)
    0.8
    """
    check_whole("num_samples", num_samples, _FEWEST, 2**53)
    check_seed(seed)
    z, y = check_arrays(latents, factors)
    (_, width), num_factors = z.shape, y.shape[1]
    parts = _checked(blocks, num_factors)
    if num_factors > width:
        raise UsageError(f"{num_factors} factors cannot be assigned to {width} latents")
    if len(z) < _FEWEST:
        raise UsageError(f"{len(z)} samples are always correlated; the block-MCC needs at least {_FEWEST}")
    if len(z) > num_samples:
        rows = np.random.default_rng(seed).choice(len(z), num_samples, replace=False)
        z, y = z[rows], y[rows]
    z, y = _standard(z), _standard(y)
    among, between = z.T @ z / len(z), z.T @ y / len(z)  # (Z, Z), (Z, K)

    wide = [part for part in parts if len(part) > 1]
    single = [part[0] for part in parts if len(part) == 1]
    ways, left = 1, width
    for part in wide:
        ways, left = ways * comb(left, len(part)), left - len(part)
    if ways > _MOST:
        raise UsageError(
            f"blocks: there are {ways:,} ways to give {width} latents to them, and at most {_MOST:,} are tried; "
            "leave out latents, or score blocks apart"
        )
    tables = [_tables(among, between[:, part], len(part)) for part in wide]
    best, found = -1.0, (np.empty(0), np.empty(0, dtype=np.int64))
    alone = np.abs(between[:, single]).T
    for chosen in _disjoint([sets for sets, _ in tables]):
        correlation, owned = np.empty(num_factors), np.empty(num_factors, dtype=np.int64)
        for part, (sets, values), i in zip(wide, tables, chosen, strict=True):
            correlation[part], owned[part] = values[i], sets[i]
        free = np.setdiff1d(np.arange(width), owned[[k for part in wide for k in part]])
        own = _assigned(alone[:, free])
        correlation[single], owned[single] = alone[np.arange(len(single)), free[own]], free[own]
        if correlation.sum() > best:
            best, found = float(correlation.sum()), (correlation, owned)
    by_factor, owned = found
    block = np.empty(num_factors, dtype=np.int64)
    for number, part in enumerate(parts):
        block[part] = number
    return Score(by_factor.mean(), n=len(z), parts={"by_factor": by_factor, "block": block, "latents": owned})


def _checked(blocks: Sequence[Sequence[int]], num_factors: int) -> list[list[int]]:
    """Return the blocks as lists of columns, or say why they are no partition of them."""
    try:
        parts = [[check_whole("blocks", k, 0, num_factors - 1) for k in block] for block in blocks]
    except TypeError:
        raise UsageError("blocks: must be lists of columns of the factors, as [[0, 1], [2]]") from None
    if sorted(k for part in parts for k in part) != list(range(num_factors)) or not all(parts):
        raise UsageError(f"blocks {parts}: must hold each of the {num_factors} columns of the factors once")
    return parts


def _standard(columns: Floats) -> Floats:
    """Return columns of mean 0 and variance 1, or of zeros if they are constant."""
    columns = columns - columns.mean(axis=0)
    largest = np.abs(columns).max(axis=0)
    columns = columns / np.where(largest > 0, largest, 1)
    spread = columns.std(axis=0)
    standard: Floats = columns / np.where(spread > 0, spread, 1)
    return standard


def _tables(among: Floats, between: Floats, size: int) -> tuple[NDArray[np.int64], Floats]:
    """Return all sets of so many latents (S, b), and the multiple correlation of each factor with each set (S, b)."""
    sets = np.array(list(combinations(range(len(among)), size)))
    inner = among[sets[:, :, None], sets[:, None, :]]
    cross = between[sets]  # (S, b latents, b factors)
    weights = np.linalg.pinv(inner, rcond=1e-10, hermitian=True) @ cross  # copies and constants among them
    return sets, np.sqrt(np.clip((cross * weights).sum(axis=1), 0, 1))


def _disjoint(tables: list[NDArray[np.int64]], used: frozenset[int] = frozenset()) -> Iterable[tuple[int, ...]]:
    """Yield every choice of a set from each table so that no two sets share a latent."""
    if not tables:
        yield ()
        return
    for i, each in enumerate(tables[0].tolist()):
        if used.isdisjoint(each):
            for rest in _disjoint(tables[1:], used.union(each)):
                yield (i, *rest)


def _assigned(correlation: Floats) -> NDArray[np.int64]:
    """Return the latent of each single factor that makes the sum of their correlations largest."""
    from scipy.optimize import linear_sum_assignment

    chosen: NDArray[np.int64] = linear_sum_assignment(-correlation)[1]
    return chosen


def _score(samples: Samples) -> Score:
    """Score x and y as one block, and every other factor (all, where their names are not known) by itself."""
    names = samples.factor_names or range(np.shape(samples.whole[1])[1])
    position = [k for k, name in enumerate(names) if name in ("x", "y")]
    blocks = [[k] for k, _ in enumerate(names) if k not in position]
    return block_mcc(*samples.whole, blocks=[*([position] if position else []), *blocks], seed=samples.seed)


register("block-mcc", _score, continuous=True, in_parts=True)
