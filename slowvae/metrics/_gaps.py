"""MIG, SAP and Modularity: scores of a table of the information of each latent about each factor."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from datagen.errors import UsageError
from slowvae.metrics._arrays import (
    Floats,
    as_classes,
    check_arrays,
    check_discrete,
    check_parts,
    check_rivals,
    cut_factors,
    gap_of_best_two,
    in_usual_range,
    mutual_information,
)
from slowvae.metrics._machines import fit_machines, predict
from slowvae.metrics._registry import register
from slowvae.metrics._score import Score

__all__ = ["mig", "modularity", "sap"]

_COST = 0.01
"""liblinear's C, of SAP's machines in disentanglement_lib."""


def mig(latents: ArrayLike, factors: ArrayLike, bins: int = 20, factor_bins: int | None = None) -> Score:
    """Return the mutual information gap (Chen et al. 2018), as disentanglement_lib computes it.

    For each factor the mutual information with the best latent minus that with the second best, over the factor's
    entropy; mean over factors.

    Parameters
    ----------
    latents : array_like, shape (N, Z)
    factors : array_like, shape (N, K)
        Discrete values.
    bins : int
        Number of equal bins that each latent is cut into.
    factor_bins : int, optional
        Cut factors of more values than this into so many equal bins, between their smallest and largest value. By
        default continuous factors (fewer than three samples per value) are refused.

    Returns
    -------
    Score
        0 to 1. ``parts["by_factor"]`` has each factor's gap, (K,).

    Raises
    ------
    UsageError
        If the arrays cannot be scored.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import mig
    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10)
    >>> mig(factors, factors)
    Score(1.0000, n=40)
    >>> score = mig(factors[:, [0, 1, 0]], factors)  # the first factor has two latents
    >>> float(score), score.parts["by_factor"].tolist()
    (0.5, [0.0, 1.0])
    """
    z, y = check_arrays(latents, factors)
    check_rivals(z)
    (z,) = in_usual_range(z)
    information = mutual_information(z, as_classes("mig", y, factor_bins), bins)
    gaps = gap_of_best_two(information.table) / information.of_factors
    return Score(gaps.mean(), n=len(z), parts={"by_factor": gaps})


def modularity(latents: ArrayLike, factors: ArrayLike, bins: int = 20, factor_bins: int | None = None) -> Score:
    """Return the modularity (Ridgeway and Mozer 2018), as disentanglement_lib computes it.

    A latent is modular if it informs about one factor only: one minus the mean squared information on the other
    factors, over that on its best. A latent that informs about none has 0. Mean over latents.

    Parameters
    ----------
    latents, factors, bins, factor_bins
        As in `mig`.

    Returns
    -------
    Score
        0 to 1; 1 if there is but one factor. ``parts["by_latent"]`` has each latent's, (Z,).

    Raises
    ------
    UsageError
        If the arrays cannot be scored.

    Examples
    --------
    >>> import numpy as np
    >>> factors = np.random.default_rng(0).integers(0, 3, size=(300, 2))
    >>> round(modularity(factors, factors), 2)
    1.0
    """
    z, y = check_arrays(latents, factors)
    (z,) = in_usual_range(z)
    squared = mutual_information(z, as_classes("modularity", y, factor_bins), bins).table ** 2
    best = squared.max(axis=1)
    others = squared.sum(axis=1) - best
    ratio = np.divide(others, best * max(y.shape[1] - 1, 1), out=np.ones_like(best), where=best > 0)
    return Score((1 - ratio).mean(), n=len(z), parts={"by_latent": 1 - ratio})


def sap(
    latents_train: ArrayLike,
    factors_train: ArrayLike,
    latents_test: ArrayLike,
    factors_test: ArrayLike,
    continuous: bool = False,
    factor_bins: int | None = None,
) -> Score:
    """Return the separated attribute predictability (Kumar et al. 2018), as disentanglement_lib computes it.

    Predict each factor from each single latent; for each factor the score of the best latent minus that of the second
    best; mean over factors. The machine's penalty depends on where latents lie and how wide they spread, there as
    here; only those far from what is usual are standardised first (`slowvae.metrics._arrays.in_usual_range`), for which
    the library returns 0.

    Parameters
    ----------
    latents_train, latents_test : array_like, shape (N, Z) and (M, Z)
    factors_train, factors_test : array_like, shape (N, K) and (M, K)
    continuous : bool
        Score by the squared correlation on the training samples instead of the accuracy of a linear support vector
        machine (C = 0.01, balanced classes) on the test samples.
    factor_bins : int, optional
        As in `mig`; instead of `continuous`.

    Returns
    -------
    Score
        0 to 1. ``parts["by_factor"]`` has each factor's gap, (K,).

    Raises
    ------
    UsageError
        If the arrays cannot be scored.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import sap
    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10)
    >>> sap(factors, factors, factors, factors)  # each factor's own latent is always right, the other half of the time
    Score(0.5000, n=40)
    """
    z, y, z_test, y_test = check_parts(latents_train, factors_train, latents_test, factors_test)
    check_rivals(z)
    if continuous:
        if factor_bins is not None:
            raise UsageError("continuous and factor_bins exclude each other")
        gaps = gap_of_best_two(_squared_correlation(z, y))
        return Score(gaps.mean(), n=len(z), parts={"by_factor": gaps})
    check_discrete("sap", y, factor_bins, ", or continuous=True")
    y, y_test = cut_factors(y, factor_bins, y_test)
    scores = np.zeros((z.shape[1], y.shape[1]))
    for k in range(y.shape[1]):
        values, classes = np.unique(y[:, k], return_inverse=True)
        for i in range(z.shape[1]):
            predicted = values[predict(z_test[:, i], *fit_machines(z[:, i], classes, _COST))]
            scores[i, k] = (predicted == y_test[:, k]).mean()
    gaps = gap_of_best_two(scores)
    return Score(gaps.mean(), n=len(z_test), parts={"by_factor": gaps})


def _squared_correlation(z: Floats, y: Floats) -> Floats:
    """Return the squared correlation of all columns, (Z, K); 0 for a latent of variance below 1e-12."""
    covariance = (z - z.mean(0)).T @ (y - y.mean(0)) / (len(z) - 1)
    variance = z.var(0, ddof=1)[:, None]
    return np.where(variance > 1e-12, covariance**2 / (np.maximum(variance, 1e-12) * y.var(0, ddof=1)), 0.0)


register("mig", lambda s: mig(*s.many, factor_bins=s.factor_bins))
register("modularity", lambda s: modularity(*s.many, factor_bins=s.factor_bins))
register("sap", lambda s: sap(*s.parts, continuous=s.continuous, factor_bins=s.factor_bins), continuous=True)
