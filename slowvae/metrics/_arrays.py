"""What several metrics share: checks of their arrays, and mutual information of binned latents."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.errors import UsageError

__all__ = ["as_classes", "check_arrays", "gap_of_best_two", "mutual_information"]

Floats = NDArray[np.float64]


def check_arrays(latents: ArrayLike, factors: ArrayLike) -> tuple[Floats, Floats]:
    """Return latents (N, Z) and factors (N, K) as float64, or say why they cannot be scored.

    Raises
    ------
    UsageError
        If the shapes do not fit, a value is not finite, or a factor never changes.
    """
    z, y = np.asarray(latents, dtype=np.float64), np.asarray(factors, dtype=np.float64)
    if z.ndim != 2 or y.ndim != 2 or len(z) != len(y) or len(z) < 2:
        raise UsageError(f"latents {z.shape} and factors {y.shape}: must be (N, Z) and (N, K) with the same N >= 2")
    for name, array in (("latents", z), ("factors", y)):
        bad = ~np.isfinite(array).all(axis=1)
        if bad.any():
            raise UsageError(f"{name}: {bad.sum()} of {len(array)} rows are not finite, first row {np.argmax(bad)}")
    constant = np.flatnonzero(np.ptp(y, axis=0) == 0)
    if len(constant):
        raise UsageError(f"factor {constant[0]} never changes; no metric can score it, leave it out")
    return z, y


def as_classes(factors: Floats) -> NDArray[np.int64]:
    """Return the values of every factor as classes 0, 1, ... in rising order, (N, K)."""
    return np.stack([np.unique(column, return_inverse=True)[1] for column in factors.T], axis=1)


def mutual_information(latents: Floats, classes: NDArray[np.int64], bins: int) -> tuple[Floats, Floats]:
    """Return the mutual information of each binned latent with each factor, in nats.

    Latents are cut into equal bins between their smallest and largest value, as disentanglement_lib's histogram
    discretiser does.

    Parameters
    ----------
    latents : ndarray of float64, shape (N, Z)
    classes : ndarray of int64, shape (N, K)
        From `as_classes`.
    bins : int
        Number of bins.

    Returns
    -------
    information : ndarray of float64, shape (Z, K)
    entropy : ndarray of float64, shape (K,)
        Of the factors.
    """
    binned = np.stack([np.digitize(z, np.histogram_bin_edges(z, bins)[:-1]) - 1 for z in latents.T], axis=1)
    information = np.empty((latents.shape[1], classes.shape[1]))
    entropy = np.empty(classes.shape[1])
    for k, y in enumerate(classes.T):
        size = int(y.max()) + 1
        entropy[k] = _entropy(np.bincount(y, minlength=size))
        for i, b in enumerate(binned.T):
            joint = np.bincount(b * size + y, minlength=bins * size).reshape(bins, size)
            information[i, k] = _entropy(joint.sum(0)) + _entropy(joint.sum(1)) - _entropy(joint)
    return np.maximum(information, 0), entropy


def _entropy(counts: NDArray[Any]) -> float:
    """Return the entropy of a histogram, in nats."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def gap_of_best_two(scores: Floats) -> Floats:
    """Return how far each factor's best latent is ahead of its second best: (Z, K) to (K,)."""
    if len(scores) < 2:
        raise UsageError("a gap between the best two latents needs at least two")
    ordered = np.sort(scores, axis=0)
    return ordered[-1] - ordered[-2]
