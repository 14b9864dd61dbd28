"""Mean correlation coefficient (MCC): whether latents recover the factors, each by one of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.arguments import check_choice
from datagen.errors import UsageError
from slowvae.intervals import interval_around
from slowvae.metrics._arrays import Floats, check_arrays, check_seed, check_whole
from slowvae.metrics._registry import register
from slowvae.metrics._score import Result
from slowvae.protocols import VARIANTS, Variant

__all__ = ["MCC", "mcc"]

Method = Literal["spearman", "pearson"]

METHODS: tuple[Method, ...] = get_args(Method)

_RESAMPLES = 200

_FEWEST = 3
"""Two samples are always correlated."""


@dataclass(frozen=True, repr=False)
class MCC(Result):
    """A mean correlation coefficient and how it was taken.

    Attributes
    ----------
    score : float
        Mean over factors of the absolute correlation with the assigned latent, 0 to 1.
    interval : tuple of float, optional
        95 % bootstrap interval of the score (percentiles), if asked for.
    method, protocol : str
        As asked for.
    n : int
        Number of samples scored.
    assignment : ndarray of int64, shape (K,)
        The latent assigned to each factor.
    correlation : ndarray of float64, shape (K, Z)
        Correlation of every factor with every latent.
    resampled : ndarray of float64, shape (200,)
        Scores of the bootstrap; empty without an interval. Two scores taken with one seed, of the same samples, drew
        the same: they are paired.

    Examples
    --------
    >>> import numpy as np
    >>> factors = np.random.default_rng(0).integers(0, 3, size=(300, 2))
    >>> mcc(factors[:, ::-1], factors, protocol="rectangular").parts["by_factor"]
    array([1., 1.])
    """

    score: float
    interval: tuple[float, float] | None
    method: Method
    protocol: Variant
    n: int
    assignment: NDArray[np.int64] = field(repr=False)
    correlation: Floats = field(repr=False)
    resampled: Floats = field(repr=False)

    @property
    def parts(self) -> dict[str, Floats]:
        """Each factor's absolute correlation with its latent, (K,): ``by_factor``."""
        return {"by_factor": np.abs(self.correlation[np.arange(len(self.assignment)), self.assignment])}


def mcc(
    latents: ArrayLike,
    factors: ArrayLike,
    method: Method = "spearman",
    protocol: Variant = "klindt2021",
    num_samples: int = 10_000,
    seed: int = 0,
    groups: ArrayLike | None = None,
    intervals: bool = True,
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
        What each row belongs to, e.g. its sequence. Rows of one group are alike, so the bootstrap draws whole groups;
        of a single group it draws rows.
    intervals : bool
        Whether to take the interval, for which everything is correlated and assigned 200 times.

    Returns
    -------
    MCC
        Correlations with a constant latent count as 0; the release ends in an error there. The bootstrap keeps the
        ranks of the whole sample, and assigns anew each time (but with ``"held-out"``); what its scores are higher for
        that, on average, is taken off the interval.

    Raises
    ------
    UsageError
        If a name is unknown, a number is out of range, there are more factors than latents, or the arrays cannot be
        scored.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import mcc
    >>> factors = np.random.default_rng(0).normal(size=(1000, 2))
    >>> latents = factors[:, [1, 0, 1]] * [1, -2, 0]  # both factors, in another order, and nothing
    >>> result = mcc(latents, factors, protocol="rectangular")
    >>> result.assignment.tolist(), round(result.score, 3)
    ([1, 0], 1.0)
    """
    check_choice("method", method, METHODS)
    check_choice("protocol", protocol, VARIANTS)
    check_whole("num_samples", num_samples, _FEWEST, 2**53)
    z, y = check_arrays(latents, factors)
    if y.shape[1] > z.shape[1]:
        raise UsageError(f"{y.shape[1]} factors cannot be assigned to {z.shape[1]} latents")
    if len(z) < (needed := max(_FEWEST, z.shape[1] + 1)):
        raise UsageError(
            f"{len(z)} samples of {z.shape[1]} latents: some correlate by chance; the MCC needs at least {needed}"
        )
    members = np.arange(len(z)) if groups is None else _labels(groups, len(z))
    rng = np.random.default_rng(check_seed(seed))
    if len(z) > num_samples:
        rows = rng.choice(len(z), num_samples, replace=False)
        z, y, members = z[rows], y[rows], members[rows]
    n, num_factors = y.shape
    if protocol == "klindt2021":
        # The release draws one padding factor after the other.
        y = np.hstack([y, np.random.RandomState(seed).normal(size=(z.shape[1] - num_factors, n)).T])
    if method == "spearman":
        from scipy.stats import rankdata

        z, y = rankdata(z, axis=0), rankdata(y, axis=0)
    scored, assigned = np.arange(n), None
    if protocol == "held-out":
        group = np.unique(members, return_inverse=True)[1]
        num_groups = int(group.max()) + 1
        held_out = (rng.permutation(num_groups) >= num_groups // 2)[group]
        kept = int(held_out.sum())
        if min(kept, n - kept) < _FEWEST:
            raise UsageError(
                f"held-out: {n - kept} samples to assign on and {kept} to score; it needs at least {_FEWEST} each, of "
                "different groups"
            )
        assigned = _assign(_Correlations(y, z).at(~held_out))
        scored = np.flatnonzero(held_out)
        y, z = y[scored], z[scored]
    correlations = _Correlations(y, z)
    correlation = correlations.at(np.ones(len(scored)))
    assignment = _assign(correlation) if assigned is None else assigned

    resampled = np.empty(_RESAMPLES if intervals else 0)
    if intervals:
        group = np.unique(members[scored], return_inverse=True)[1]
        if not group.any():
            group = scored  # there is but one
        num_groups = int(group.max()) + 1
        for i in range(_RESAMPLES):
            weights = np.bincount(rng.integers(num_groups, size=num_groups), minlength=num_groups)
            again = correlations.at(weights[group])
            resampled[i] = _score(again, _assign(again) if assigned is None else assigned, num_factors)
    score = _score(correlation, assignment, num_factors)
    return MCC(
        score=score,
        interval=interval_around(score, resampled) if intervals else None,
        method=method,
        protocol=protocol,
        n=len(scored),
        assignment=assignment[:num_factors],
        correlation=correlation[:num_factors],
        resampled=resampled,
    )


register(
    "mcc",
    lambda s: mcc(*s.whole, s.correlation, s.protocol, s.num_samples, s.seed, s.groups),
    continuous=True,
)


def _labels(groups: ArrayLike, number: int) -> NDArray[np.generic]:
    """Return what each row belongs to, (N,), or say why that is no such label."""
    try:
        labels = np.asarray(groups)
        kinds = np.unique(labels)
    except (TypeError, ValueError, RuntimeError):
        raise UsageError("groups: must be one number or name a row") from None
    if labels.shape != (number,):
        raise UsageError(f"groups {labels.shape}: must be one number or name a row, ({number},)")
    if (kinds != kinds).any():  # neither a number nor a time
        raise UsageError("groups: holds NaN; every row must belong to one")
    return labels


class _Correlations:
    """Weighted correlations of all columns, taken many times.

    Columns are centred first, so that sums of squares lose no digits, and brought below 1, so that none overflows.

    Parameters
    ----------
    y, z : ndarray of float64, shape (N, K) and (N, Z)
    """

    def __init__(self, y: Floats, z: Floats) -> None:
        self._y, self._z = _centred(y), _centred(z)
        self._y_squared, self._z_squared = self._y**2, self._z**2
        self._weighted = np.empty_like(self._y)

    def at(self, weights: NDArray[Any]) -> Floats:
        """Return the correlations (K, Z) under weights (N,) of the samples; 0 where a column is constant."""
        share = weights / weights.sum()
        np.multiply(self._y, share, out=self._weighted)
        mean_y, mean_z = self._weighted.sum(axis=1), self._z @ share
        power_y, power_z = self._y_squared @ share, self._z_squared @ share
        variance_y, variance_z = power_y - mean_y**2, power_z - mean_z**2
        # What is constant up to rounding is constant.
        known = np.outer(variance_y > 1e-12 * power_y, variance_z > 1e-12 * power_z)
        covariance = self._weighted @ self._z.T - np.outer(mean_y, mean_z)
        scale = np.sqrt(np.outer(np.maximum(variance_y, 0), np.maximum(variance_z, 0)))
        correlation = np.divide(covariance, scale, out=np.zeros_like(scale), where=known)
        return np.clip(correlation, -1, 1, out=correlation)


def _centred(columns: Floats) -> Floats:
    """Return columns (N, K) of mean 0 and at most 1 as rows (K, N), of which sums over samples are faster."""
    rows = np.ascontiguousarray(columns.T)
    rows -= rows.mean(axis=1, keepdims=True)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows /= np.where(largest > 0, largest, 1)
    return rows


def _assign(correlation: Floats) -> NDArray[np.int64]:
    """Return the latent of each factor that makes the sum of absolute correlations largest, (K,)."""
    from scipy.optimize import linear_sum_assignment

    assignment: NDArray[np.int64] = linear_sum_assignment(-np.abs(correlation))[1]
    return assignment


def _score(correlation: Floats, assignment: NDArray[np.int64], num_factors: int) -> float:
    """Return the mean absolute correlation of the first factors with their latents."""
    return float(np.abs(correlation[np.arange(num_factors), assignment[:num_factors]]).mean())
