"""Mean correlation coefficient (MCC): whether latents recover the factors, each by one of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.errors import UsageError
from slowvae.metrics._arrays import Floats, check_arrays

__all__ = ["MCC", "METHODS", "PROTOCOLS", "mcc"]

Method = Literal["spearman", "pearson"]
Protocol = Literal["klindt2021", "rectangular", "held-out"]

METHODS = ("spearman", "pearson")
PROTOCOLS = ("klindt2021", "rectangular", "held-out")

_RESAMPLES = 200


@dataclass(frozen=True)
class MCC:
    """A mean correlation coefficient and how it was taken.

    Attributes
    ----------
    score : float
        Mean over factors of the absolute correlation with the assigned latent, 0 to 1.
    interval : tuple of float
        95 % bootstrap interval of the score (percentiles).
    method, protocol : str
        As asked for.
    n : int
        Number of samples scored.
    assignment : ndarray of int64, shape (K,)
        The latent assigned to each factor.
    correlation : ndarray of float64, shape (K, Z)
        Correlation of every factor with every latent.
    resampled : ndarray of float64, shape (200,)
        Scores of the bootstrap. Two scores taken with one seed, of the same samples, drew the same: they are paired.
    """

    score: float
    interval: tuple[float, float]
    method: Method
    protocol: Protocol
    n: int
    assignment: NDArray[np.int64]
    correlation: Floats
    resampled: Floats


def mcc(
    latents: ArrayLike,
    factors: ArrayLike,
    method: Method = "spearman",
    protocol: Protocol = "klindt2021",
    num_samples: int = 10_000,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> MCC:
    """Return the mean correlation coefficient of latents and factors.

    Correlate every latent with every factor, assign latents to factors one to one so that the sum of the absolute
    correlations is largest, and average these over the factors (Hyvarinen and Morioka 2016; Klindt et al. 2021).

    Parameters
    ----------
    latents : array_like, shape (N, Z)
        For a VAE, the posterior means.
    factors : array_like, shape (N, K)
        Ground truth, K <= Z.
    method : {"spearman", "pearson"}
        Correlation of ranks (the paper's) or of values.
    protocol : {"klindt2021", "rectangular", "held-out"}
        ``"klindt2021"``: the factors are padded to Z columns with normal noise and all Z are assigned, as in the
        release; the score is the mean over the real factors. Noise takes latents away that correlate with it by
        chance. ``"rectangular"``: K latents are assigned to K factors. ``"held-out"``: as rectangular, on a random
        half of the samples (or groups); the score is that of the other half, without the assignment's optimism.
    num_samples : int
        At most so many rows are scored, drawn at random.
    seed : int
        Of the rows, the noise, the halves and the bootstrap. The noise is that of ``numpy.random.RandomState(seed)``,
        as in the release.
    groups : array_like, shape (N,), optional
        What each row belongs to, e.g. its sequence. Rows of one group are alike, so the bootstrap draws whole groups.

    Returns
    -------
    MCC
        Correlations with a constant latent count as 0. The bootstrap keeps the ranks of the whole sample.

    Raises
    ------
    UsageError
        If a name is unknown, there are more factors than latents, or the arrays cannot be scored.
    """
    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}; there are {', '.join(METHODS)}")
    if protocol not in PROTOCOLS:
        raise UsageError(f"unknown protocol {protocol!r}; there are {', '.join(PROTOCOLS)}")
    z, y = check_arrays(latents, factors)
    if y.shape[1] > z.shape[1]:
        raise UsageError(f"{y.shape[1]} factors cannot be assigned to {z.shape[1]} latents")
    rng = np.random.default_rng(seed)
    members = np.arange(len(z)) if groups is None else np.asarray(groups)
    if len(z) > num_samples:
        rows = rng.choice(len(z), num_samples, replace=False)
        z, y, members = z[rows], y[rows], members[rows]
    n, num_factors = y.shape
    if protocol == "klindt2021":
        y = np.hstack([y, np.random.RandomState(seed).normal(size=(n, z.shape[1] - num_factors))])
    if method == "spearman":
        from scipy.stats import rankdata

        z, y = rankdata(z, axis=0), rankdata(y, axis=0)
    group = np.unique(members, return_inverse=True)[1]
    num_groups = int(group.max()) + 1

    assigned = None
    scored = np.ones(num_groups)
    if protocol == "held-out":
        scored = (rng.permutation(num_groups) >= num_groups // 2).astype(np.float64)
        assigned = _assign(_correlate(y, z, 1 - scored[group]))
    correlation = _correlate(y, z, scored[group])
    assignment = _assign(correlation) if assigned is None else assigned
    drawn = np.flatnonzero(scored)
    resampled = []
    for _ in range(_RESAMPLES):
        weights = np.bincount(rng.choice(drawn, len(drawn)), minlength=num_groups).astype(np.float64)
        again = _correlate(y, z, weights[group])
        resampled.append(_score(again, _assign(again) if assigned is None else assigned, num_factors))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return MCC(
        score=_score(correlation, assignment, num_factors),
        interval=(float(low), float(high)),
        method=method,
        protocol=protocol,
        n=int(scored[group].sum()),
        assignment=assignment[:num_factors],
        correlation=correlation[:num_factors],
        resampled=np.array(resampled),
    )


def _correlate(y: Floats, z: Floats, weights: Floats) -> Floats:
    """Return the weighted correlation of all columns, (K, Z); 0 where a column is constant."""
    share = (weights / weights.sum())[:, None]
    y, z = y - (share * y).sum(0), z - (share * z).sum(0)
    scale = np.sqrt(np.outer((share * y * y).sum(0), (share * z * z).sum(0)))
    # What is constant up to rounding is constant.
    tiny = 1e-12 * np.outer(np.abs(y).max(0) + 1e-300, np.abs(z).max(0) + 1e-300)
    return np.divide((share * y).T @ z, scale, out=np.zeros_like(scale), where=scale > tiny)


def _assign(correlation: Floats) -> NDArray[np.int64]:
    """Return the latent of each factor that makes the sum of absolute correlations largest, (K,)."""
    from scipy.optimize import linear_sum_assignment

    assignment: NDArray[np.int64] = linear_sum_assignment(-np.abs(correlation))[1]
    return assignment


def _score(correlation: Floats, assignment: NDArray[np.int64], num_factors: int) -> float:
    """Return the mean absolute correlation of the first factors with their latents."""
    return float(np.abs(correlation[np.arange(num_factors), assignment[:num_factors]]).mean())
