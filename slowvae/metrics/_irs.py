"""IRS: whether a latent stays where it is while the other factors change (Suter et al. 2019)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from datagen.errors import UsageError
from slowvae.metrics._arrays import as_classes, check_arrays
from slowvae.metrics._registry import register
from slowvae.metrics._score import Score

__all__ = ["irs"]


def irs(latents: ArrayLike, factors: ArrayLike, quantile: float = 1.0, factor_bins: int | None = None) -> Score:
    """Return the interventional robustness score (Suter et al., ICML 2019).

    Among the samples that share a value of a factor, a latent that stands for it hardly moves, whatever the others do.
    For each latent and factor: the largest distance from the mean within each value, averaged over the values, over the
    largest distance from the mean of all samples. One minus that of the best factor is the latent's robustness; the
    score is their mean, weighted by the largest distances. So it depends on the latents' units.

    Parameters
    ----------
    latents : array_like, shape (N, Z)
    factors : array_like, shape (N, K)
        Discrete values.
    quantile : float
        Which quantile of the distances within a value is taken for the largest. 1 is the paper's; disentanglement_lib
        takes 0.99, so that single outliers do not decide.
    factor_bins : int, optional
        As in `slowvae.metrics.mig`.

    Returns
    -------
    Score
        0 to 1; 0 if every latent is constant. Constant latents are left out, as in the paper. ``parts["by_latent"]``
        (Z,) has each latent's robustness (NaN if constant), ``parts["table"]`` (Z, K) that against each factor.

    Raises
    ------
    UsageError
        If the arrays cannot be scored, or `quantile` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import irs
    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10)
    >>> float(irs(factors, factors)), float(irs(factors @ [[1, 1], [1, -1]], factors))
    (1.0, 0.5)
    """
    if not isinstance(quantile, (int, float)) or not 0 < quantile <= 1:
        raise UsageError(f"quantile {quantile!r}: must be above 0 and at most 1")
    z, y = check_arrays(latents, factors)
    classes = as_classes("irs", y, factor_bins)
    z = z - np.median(z, axis=0)  # a mean far from 0 is not exact
    furthest = np.abs(z - z.mean(axis=0)).max(axis=0)
    active = np.ptp(z, axis=0) > 0
    table = np.full((z.shape[1], y.shape[1]), np.nan)
    for k, column in enumerate(classes.T):
        order = np.argsort(column, kind="stable")
        groups = np.split(z[order][:, active], np.flatnonzero(np.diff(column[order])) + 1)
        distances = [np.abs(group - group.mean(axis=0)) for group in groups]
        # A quantile is interpolated, which takes ten times as long as the largest.
        spread = [each.max(axis=0) if quantile == 1 else np.quantile(each, quantile, axis=0) for each in distances]
        table[active, k] = 1 - np.mean(spread, axis=0) / furthest[active]
    by_latent = np.full(z.shape[1], np.nan)
    by_latent[active] = table[active].max(axis=1)
    score = np.average(by_latent[active], weights=furthest[active]) if active.any() else 0.0
    return Score(score, n=len(z), parts={"by_latent": by_latent, "table": table})


register("irs", lambda s: irs(*s.fitted, factor_bins=s.factor_bins))
