"""InfoMEC: modularity, explicitness and compactness in terms of information (Hsu et al., NeurIPS 2023)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.errors import UsageError
from datagen.extras import extra
from slowvae.metrics._arrays import Floats, as_classes, check_arrays, check_seed, entropy_of, within_its_steps
from slowvae.metrics._registry import register
from slowvae.metrics._score import Result

__all__ = ["InfoMEC", "infomec"]

_NEIGHBOURS = 10

_ACTIVE = 1 / 20
"""A latent is active if its range is more than this part of the largest."""


@dataclass(frozen=True, repr=False)
class InfoMEC(Result):
    """The three scores, and the table that two of them come from.

    Attributes
    ----------
    modularity, explicitness, compactness : float
        InfoM, InfoE and InfoC, at most 1. ``float()`` of the object is InfoM.
    n : int
        Number of samples scored.
    active : ndarray of bool, shape (Z,)
        The latents that InfoM and InfoC are taken over.
    information : ndarray of float64, shape (Z, K)
        Mutual information of every latent and factor over the factor's entropy.

    Examples
    --------
    >>> import numpy as np
    >>> factors = np.random.default_rng(0).integers(0, 3, size=(300, 2))
    >>> result = infomec(factors, factors)
    >>> round(result.modularity, 2), round(result.compactness, 2)
    (1.0, 1.0)
    """

    modularity: float
    explicitness: float
    compactness: float
    n: int
    active: NDArray[np.bool_] = field(repr=False)
    information: Floats = field(repr=False)

    interval: ClassVar[None] = None
    protocol: ClassVar[None] = None

    @property
    def score(self) -> float:
        """InfoM."""
        return self.modularity

    @property
    def parts(self) -> dict[str, float]:
        """The three scores by name."""
        return {name: getattr(self, name) for name in ("modularity", "explicitness", "compactness")}


def infomec(latents: ArrayLike, factors: ArrayLike, seed: int = 0, factor_bins: int | None = None) -> InfoMEC:
    """Return InfoM, InfoE and InfoC (Hsu et al. 2023).

    With the mutual information I of each active latent and factor over the factor's entropy: InfoM is the mean over
    latents of the share ``max(I) / sum(I)`` that its best factor has, scaled so that even shares are 0 and a single
    factor is 1; InfoC the same over factors, of their best latent. InfoE is how much of the entropy of each factor an
    unpenalised logistic regression of all latents takes away, with balanced classes; mean over factors.

    Parameters
    ----------
    latents : array_like, shape (N, Z)
        Continuous. Active are those whose range is more than 1/20 of the largest, which depends on their units.
    factors : array_like, shape (N, K)
        Discrete values.
    seed : int
        Of a noise of 1e-10 that sets apart latents of one value.
    factor_bins : int, optional
        As in `slowvae.metrics.mig`.

    Returns
    -------
    InfoMEC
        The information is Ross's (2014) estimate from 10 neighbours, as scikit-learn has it; the regression takes 100
        steps at most, as the authors' does, so latents that determine all factors give 0.9999. A latent without
        information on any factor has no share and is left out of InfoM, as is a factor on which none has information of
        InfoC (the authors' code returns NaN); without any information both are 0. InfoM of a single factor
        is 1, and so is InfoC of a single active latent.

    Raises
    ------
    UsageError
        If the arrays cannot be scored.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import infomec
    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(4, size=(1000, 2))
    >>> result = infomec(factors + rng.uniform(size=(1000, 2)), factors)
    >>> result.modularity > 0.9, result.explicitness > 0.9, result.compactness > 0.9
    (True, True, True)
    """
    z, y = check_arrays(latents, factors)
    rng = np.random.default_rng(check_seed(seed))
    classes = as_classes("infomec", y, factor_bins)
    spread = np.ptp(z, axis=0)
    if not (spread > 0).any():
        raise UsageError("infomec: every latent is constant; there is none to score")
    active = spread > _ACTIVE * spread.max()
    z = (z - z.mean(axis=0)) / np.where(spread > 0, z.std(axis=0), 1)
    noise = 1e-10 * np.maximum(1, np.abs(z).mean(axis=0)) * rng.standard_normal(z.shape)
    entropy = np.array([entropy_of(np.bincount(column)) for column in classes.T])
    information = np.stack([_informations(column, classes) for column in (z + noise).T]) / entropy
    return InfoMEC(
        modularity=_concentration(information[active]),
        explicitness=float(np.mean([_explained(z, column) for column in classes.T])),
        compactness=_concentration(information[active].T),
        n=len(z),
        active=active,
        information=information,
    )


def _concentration(table: Floats) -> float:
    """Return the mean share of the largest of each row, scaled from even to single; rows of zeros are left out."""
    table = table[table.sum(axis=1) > 0]
    if not len(table):
        return 0.0
    number = table.shape[1]
    if number == 1:
        return 1.0
    share = (table.max(axis=1) / table.sum(axis=1)).mean()
    return float((share - 1 / number) / (1 - 1 / number))


def _explained(z: Floats, classes: NDArray[np.int64]) -> float:
    """Return how much less than nothing known the log loss of a logistic regression is, as a share."""
    with extra("metrics", "InfoE"):
        from sklearn.linear_model import LogisticRegression

    # C = inf is no penalty in every version; the tolerance and the steps are the authors'.
    model = LogisticRegression(C=np.inf, tol=1e-4, max_iter=100, class_weight="balanced")
    with within_its_steps():
        model.fit(z, classes)
    own = model.predict_proba(z)[np.arange(len(z)), classes]
    loss = -np.log(np.maximum(own, np.finfo(float).eps)).mean()
    # With balanced classes a regression that knows nothing gives each the same probability.
    return float(1 - loss / np.log(classes.max() + 1))


def _informations(z: Floats, classes: NDArray[np.int64]) -> Floats:
    """Return the mutual information of a latent (N,) with every factor (N, K), in nats: (K,).

    Ross (2014): for each sample the distance of its 10th neighbour among those of its class, and the number of samples
    of all classes that are nearer. In one dimension neighbours lie side by side.
    """
    from scipy.special import digamma

    order = np.argsort(z, kind="stable")
    z, classes = z[order], classes[order]
    information = np.zeros(classes.shape[1])
    for k, column in enumerate(classes.T):
        count = np.bincount(column)
        kept = np.flatnonzero(count[column] > 1)  # a sample alone in its class has no neighbour
        if not len(kept):
            continue
        neighbours = np.minimum(_NEIGHBOURS, count[column] - 1)
        low, high = np.empty(len(z)), np.empty(len(z))
        for value in np.flatnonzero(count > 1):
            rows = np.flatnonzero(column == value)
            low[rows], high[rows] = _limits(z[rows], int(neighbours[rows[0]]))
        among = z[kept]
        nearer = np.searchsorted(among, high[kept]) - np.searchsorted(among, low[kept], side="right")
        terms = digamma(neighbours[kept]) - digamma(count[column[kept]]) - digamma(nearer)
        information[k] = max(0.0, digamma(len(kept)) + terms.mean())
    return information


def _limits(z: Floats, near: int) -> tuple[Floats, Floats]:
    """Return between what values lies all that is nearer to each sorted value than its neighbour number `near`.

    That neighbour is at one end of a run of as many values and one more. Its own value is a limit, exactly, so that
    rounding does not count it in.
    """
    n = len(z)
    padded = np.concatenate([np.full(near, -np.inf), z, np.full(near, np.inf)])
    low, high, nearest = np.empty(n), np.empty(n), np.full(n, np.inf)
    for below in range(near + 1):
        first, last = padded[near - below : near - below + n], padded[2 * near - below : 2 * near - below + n]
        distance = np.maximum(z - first, last - z)
        better = distance < nearest
        nearest = np.where(better, distance, nearest)
        at_left = z - first >= last - z
        low = np.where(better, np.where(at_left, first, z - distance), low)
        high = np.where(better, np.where(at_left, z + distance, last), high)
    return low, high


register("infomec", lambda s: infomec(*s.fitted, seed=s.seed, factor_bins=s.factor_bins))
