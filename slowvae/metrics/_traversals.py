"""Flatness and linearity: the way that latents go as one factor runs through its values (Michlo et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from datagen.errors import UsageError
from slowvae.metrics._arrays import Floats, check_arrays, check_seed
from slowvae.metrics._registry import register
from slowvae.metrics._score import Score

__all__ = ["flatness", "linearity"]

_MOST = 1024
"""So many traversals of a factor are looked at."""


def _traversals(metric: str, latents: ArrayLike, factors: ArrayLike, seed: int) -> tuple[int, list[Floats]]:
    """Return the number of samples, and the latents along traversals of each factor: (T, values, Z) each.

    Raises
    ------
    UsageError
        If the arrays cannot be scored, or no rows run through all values of a factor while the others stay.
    """
    z, y = check_arrays(latents, factors)
    # Any values will do: those of quantities hold no traversal.
    classes = np.stack([np.unique(column, return_inverse=True)[1] for column in y.T], axis=1)
    rng = np.random.default_rng(check_seed(seed))
    found = []
    for k, column in enumerate(classes.T):
        size = int(column.max()) + 1
        others = np.delete(classes, k, axis=1)
        group = np.unique(others, axis=0, return_inverse=True)[1].ravel() if others.shape[1] else np.zeros_like(column)
        cells, rows = np.unique(group * size + column, return_index=True)  # the first row of each combination
        owner, counts = np.unique(cells // size, return_counts=True)
        whole = owner[counts == size]
        if not len(whole):
            raise UsageError(
                f"{metric} needs traversals: rows with every value of factor {k} while the other factors stay, as a "
                "whole grid has"
            )
        if len(whole) > _MOST:
            whole = np.sort(rng.choice(whole, _MOST, replace=False))
        found.append(z[rows[np.isin(cells // size, whole)]].reshape(len(whole), size, z.shape[1]))
    return len(z), found


def flatness(latents: ArrayLike, factors: ArrayLike, seed: int = 0) -> Score:
    """Return the flatness (Michlo et al.'s library disent): how straight, and along an axis, latents go.

    Along a traversal, the rows in which one factor takes all its values in order while the others stay: the Euclidean
    distance of the two latents furthest apart, over the length of the way in city blocks. The way is closed, and its
    longest step is left out, so a factor that begins anew (an angle) can start anywhere. Widths and lengths are
    averaged over the traversals, the ratio over the factors.

    Parameters
    ----------
    latents : array_like, shape (N, Z)
    factors : array_like, shape (N, K)
        Discrete values, in rows that hold whole traversals of each factor, as a whole grid does. Of rows that have the
        same values the first is taken.
    seed : int
        Of the traversals: at most 1,024 of each factor are drawn, as disent draws.

    Returns
    -------
    Score
        0 to 1. ``parts["by_factor"]`` has each factor's, (K,); 0 where the latents do not move.

    Raises
    ------
    UsageError
        If the arrays cannot be scored, or hold no whole traversal of a factor.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import flatness
    >>> factors = np.array([[a, b] for a in range(4) for b in range(3)] * 3)
    >>> float(flatness(factors, factors)), round(float(flatness(factors @ [[1, 1], [1, -1]], factors)), 3)
    (1.0, 0.707)
    """
    n, found = _traversals("flatness", latents, factors, seed)
    by_factor = np.empty(len(found))
    for k, each in enumerate(found):
        width = np.zeros(len(each))
        for lag in range(1, each.shape[1]):
            width = np.maximum(width, np.linalg.norm(each[:, lag:] - each[:, :-lag], axis=2).max(axis=1))
        steps = np.abs(np.roll(each, -1, axis=1) - each).sum(axis=2)
        length = (steps.sum(axis=1) - steps.max(axis=1)).mean()
        by_factor[k] = width.mean() / length if length > 0 else 0.0
    return Score(by_factor.mean(), n=n, parts={"by_factor": by_factor})


def linearity(latents: ArrayLike, factors: ArrayLike, seed: int = 0) -> Score:
    """Return the linearity (Michlo et al.'s library disent): whether latents go along a line, and along an axis.

    Along each traversal (see `flatness`), the share of the latents' variance that their first principal component has,
    scaled so that even shares are 0; mean over the traversals, geometric mean over the factors. The same of the first
    axis instead of the component is the axis ratio.

    Parameters
    ----------
    latents, factors, seed
        As in `flatness`; at least two latents.

    Returns
    -------
    Score
        The linear ratio, 0 to 1. ``parts["by_factor"]`` has each factor's, (K,), ``parts["axis_ratio"]`` the axis ratio
        and ``parts["axis_ratio_by_factor"]`` that of each, at most the linear one. A traversal along which the latents
        do not move counts as 0.

    Raises
    ------
    UsageError
        As `flatness`, and if there is a single latent.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import linearity
    >>> factors = np.array([[a, b] for a in range(4) for b in range(3)] * 3)
    >>> score = linearity(factors @ [[1, 1], [1, -1]], factors)
    >>> round(float(score), 3), round(score.parts["axis_ratio"], 3)
    (1.0, 0.0)
    """
    n, found = _traversals("linearity", latents, factors, seed)
    if found[0].shape[2] < 2:
        raise UsageError("linearity: the way of a single latent is always a line; it needs at least two")
    ratios = np.array([[_ratio(values).mean() for values in _variances(each)] for each in found])
    linear, axis = np.exp(np.log(np.maximum(ratios, 1e-300)).mean(axis=0)) * (ratios > 0).all(axis=0)
    parts = {"by_factor": ratios[:, 0], "axis_ratio": float(axis), "axis_ratio_by_factor": ratios[:, 1]}
    return Score(linear, n=n, parts=parts)


def _variances(traversals: Floats) -> Iterator[Floats]:
    """Yield the variances along the principal components and along the axes, (T, Z) each."""
    centred = traversals - traversals.mean(axis=1, keepdims=True)
    covariance = np.swapaxes(centred, 1, 2) @ centred / (centred.shape[1] - 1)
    yield np.abs(np.linalg.eigvalsh(covariance))
    yield np.diagonal(covariance, axis1=1, axis2=2)


def _ratio(variances: Floats) -> Floats:
    """Return the share of the largest variance, scaled from even to single: (T, Z) to (T,)."""
    total, number = variances.sum(axis=1), variances.shape[1]
    share = np.divide(variances.max(axis=1), total, out=np.full(len(total), 1 / number), where=total > 0)
    ratio: Floats = (share - 1 / number) / (1 - 1 / number)
    return ratio


register("flatness", lambda s: flatness(*s.whole, seed=s.seed))
register("linearity", lambda s: linearity(*s.whole, seed=s.seed))
