"""MIG-sup, DCIMIG and JEMMIG: other scores of the table of mutual information that the MIG is taken from."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from datagen.arguments import check_choice
from datagen.errors import UsageError
from slowvae.metrics._arrays import (
    Information,
    as_classes,
    check_arrays,
    check_rivals,
    gap_of_best_two,
    in_usual_range,
    mutual_information,
)
from slowvae.metrics._registry import register
from slowvae.metrics._score import Score

__all__ = ["dcimig", "jemmig", "mig_sup"]

Normaliser = Literal["factor", "latent"]

NORMALISERS: tuple[Normaliser, ...] = get_args(Normaliser)


def _information_of(
    metric: str, latents: ArrayLike, factors: ArrayLike, bins: int, factor_bins: int | None
) -> Information:
    z, y = check_arrays(latents, factors)
    classes = as_classes(metric, y, factor_bins)
    if metric == "jemmig":
        check_rivals(z)
    elif y.shape[1] < 2:
        raise UsageError(f"{metric}: a gap between the best two factors needs at least two")
    return mutual_information(in_usual_range(z)[0], classes, bins)


def mig_sup(
    latents: ArrayLike,
    factors: ArrayLike,
    bins: int = 20,
    entropy: Normaliser = "factor",
    factor_bins: int | None = None,
) -> Score:
    """Return the MIG-sup, the gap of the MIG taken for each latent (Li et al., ICLR 2020).

    For each latent the mutual information with the best factor minus that with the second best, each over an entropy;
    mean over the latents. The MIG asks whether a factor has one latent only, this whether a latent has one factor only.

    Parameters
    ----------
    latents : array_like, shape (N, Z)
        Constant ones are left out; the paper takes latents that mean something. Leave out those that the prior
        swallowed.
    factors : array_like, shape (N, K)
        Discrete values, K >= 2.
    bins : int
        As in `slowvae.metrics.mig`.
    entropy : {"factor", "latent"}
        Divide the information by each factor's entropy, as the paper does, or by the binned latent's, as Ubisoft's
        library does. The second is the lower, the more noise a latent has.
    factor_bins : int, optional
        As in `slowvae.metrics.mig`.

    Returns
    -------
    Score
        0 to 1; 0 if every latent is constant. ``parts["by_latent"]`` has each latent's gap (NaN if constant), (Z,).

    Raises
    ------
    UsageError
        If `entropy` is unknown or the arrays cannot be scored.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import mig_sup
    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10)
    >>> float(mig_sup(factors, factors)), float(mig_sup(factors[:, [0, 1, 0]], factors))
    (1.0, 1.0)
    """
    check_choice("entropy", entropy, NORMALISERS)
    information = _information_of("mig-sup", latents, factors, bins, factor_bins)
    active = information.of_latents > 0
    shares = information.table[active] / (
        information.of_factors if entropy == "factor" else information.of_latents[active, None]
    )
    by_latent = np.full(len(active), np.nan)
    by_latent[active] = gap_of_best_two(shares.T)
    score = by_latent[active].mean() if active.any() else 0.0
    return Score(score, n=information.n, parts={"by_latent": by_latent})


def dcimig(latents: ArrayLike, factors: ArrayLike, bins: int = 20, factor_bins: int | None = None) -> Score:
    """Return the DCIMIG (Sepliarskaia et al. 2019).

    Each latent is given to its best factor, with the mutual information that it has more with this than with its second
    best. Each factor keeps the best of what it was given; their sum over the sum of the factors' entropies.

    Parameters
    ----------
    latents : array_like, shape (N, Z)
    factors : array_like, shape (N, K)
        Discrete values, K >= 2.
    bins, factor_bins
        As in `slowvae.metrics.mig`.

    Returns
    -------
    Score
        0 to 1. ``parts["by_factor"]`` has what each factor keeps, over its entropy, (K,).

    Raises
    ------
    UsageError
        If the arrays cannot be scored.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import dcimig
    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10)
    >>> float(dcimig(factors, factors)), float(dcimig(factors[:, :1], factors))
    (1.0, 0.5)
    """
    information = _information_of("dcimig", latents, factors, bins, factor_bins)
    given = np.zeros_like(information.table)
    given[np.arange(len(given)), information.table.argmax(axis=1)] = gap_of_best_two(information.table.T)
    kept = given.max(axis=0)
    return Score(
        kept.sum() / information.of_factors.sum(),
        n=information.n,
        parts={"by_factor": kept / information.of_factors},
    )


def jemmig(latents: ArrayLike, factors: ArrayLike, bins: int = 20, factor_bins: int | None = None) -> Score:
    """Return the normalised JEMMIG, the joint entropy minus the mutual information gap (Do and Tran, ICLR 2020).

    For each factor y with its best latent z and second best z': ``H(z, y) - (I(z, y) - I(z', y))``, which is low where
    z tells all of y and nothing else. Over its largest value, ``H(y) + log(bins)``, and taken from one.

    Parameters
    ----------
    latents : array_like, shape (N, Z)
        At least two.
    factors : array_like, shape (N, K)
        Discrete values.
    bins, factor_bins
        As in `slowvae.metrics.mig`.

    Returns
    -------
    Score
        0 to 1. ``parts["by_factor"]`` has each factor's, (K,).

    Raises
    ------
    UsageError
        If the arrays cannot be scored.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import jemmig
    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10)
    >>> round(float(jemmig(factors, factors, bins=2)), 6)
    1.0
    """
    information = _information_of("jemmig", latents, factors, bins, factor_bins)
    best, each = information.table.argmax(axis=0), np.arange(len(information.of_factors))
    joint = information.of_latents[best] + information.of_factors - information.table[best, each]
    by_factor = 1 - (joint - gap_of_best_two(information.table)) / (information.of_factors + np.log(bins))
    return Score(by_factor.mean(), n=information.n, parts={"by_factor": by_factor})


register("mig-sup", lambda s: mig_sup(*s.many, factor_bins=s.factor_bins))
register("dcimig", lambda s: dcimig(*s.many, factor_bins=s.factor_bins))
register("jemmig", lambda s: jemmig(*s.many, factor_bins=s.factor_bins))
