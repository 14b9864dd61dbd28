"""UDR: choose between models without labels, by whether they agree (Duan et al., ICLR 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.arguments import check_choice
from datagen.errors import UsageError, shown
from datagen.extras import extra
from slowvae.metrics._arrays import Floats, as_numbers, converging, in_usual_range
from slowvae.metrics._registry import register

__all__ = ["udr"]

_INFORMATIVE = 0.01


def udr(
    representations: Sequence[ArrayLike],
    divergences: Sequence[ArrayLike] | None = None,
    method: Literal["spearman", "lasso"] = "spearman",
) -> NDArray[np.float64]:
    """Return the unsupervised disentanglement ranking of models that differ in their seed.

    Two disentangled models agree up to order, sign and scale of their latents, two others do not. For a pair of models
    with the table R of similarities between the latents of one and of the other, the score is the mean over all
    informative latents, of both, of ``max(r)^2 / sum(r)`` where r is the latent's row or column of R. A model's score
    is its median over the other models.

    Parameters
    ----------
    representations : sequence of array_like, each of shape (N, Z)
        The latents of the same N samples under each of M models.
    divergences : sequence of array_like, each of shape (Z,), optional
        Mean Kullback-Leibler divergence of each latent's posterior from the prior; latents below 0.01 are not
        informative. By default those that are not constant are.
    method : {"spearman", "lasso"}
        Similarity of two latents: their rank correlation, or the weight of one in a lasso regression of the other.

    Returns
    -------
    ndarray of float64, shape (M,)
        The score of each model, 0 to 1.

    Raises
    ------
    UsageError
        If there are fewer than two models or their arrays do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import udr
    >>> latents = np.random.default_rng(0).normal(size=(1000, 2))
    >>> mixed = latents @ [[1, 1], [-1, 1]]
    >>> udr([latents, -latents, latents[:, ::-1], mixed]).round(1).tolist()
    [1.0, 1.0, 1.0, 0.4]
    """
    check_choice("method", method, ("spearman", "lasso"))
    for name, value in (("representations", representations), ("divergences", divergences)):
        if not isinstance(value, list | tuple | np.ndarray) and not (name == "divergences" and value is None):
            raise UsageError(f"{name}={shown(value)}: must be a list with an array for every model")
    z = [as_numbers(f"latents of model {i}", each) for i, each in enumerate(representations)]
    if len(z) < 2 or any(each.ndim != 2 or each.shape[0] != z[0].shape[0] for each in z) or len(z[0]) < 2:
        shapes = ", ".join(str(each.shape) for each in z[:10])
        raise UsageError(
            f"UDR needs the latents (N, Z) of at least two models on the same N >= 2 samples, not {shapes}"
        )
    z = [in_usual_range(each)[0] for each in z]
    informative = [np.ptp(each, axis=0) > 0 for each in z]
    if divergences is not None:
        given = [as_numbers(f"divergences of model {i}", each) for i, each in enumerate(divergences)]
        if [each.shape for each in given] != [each.shape[1:] for each in z]:
            raise UsageError("divergences: must be one number a latent, for every model")
        informative = [known & (each > _INFORMATIVE) for known, each in zip(informative, given, strict=True)]
    scale = _standard_ranks if method == "spearman" else _standard
    kept = [scale(each[:, use]) for each, use in zip(z, informative, strict=True)]
    scores = np.full((len(z), len(z)), np.nan)
    for i in range(len(z)):
        for j in range(i + 1, len(z)):
            scores[i, j] = scores[j, i] = _agreement(kept[i], kept[j], method)
    return np.nanmedian(scores, axis=1)


def _agreement(first: Floats, second: Floats, method: str) -> float:
    """Return the score of a pair of models, latents standardised; 0 if one has no informative latent."""
    if not first.shape[1] or not second.shape[1]:
        return 0.0
    table = np.abs(first.T @ second) / len(first) if method == "spearman" else _lasso_weights(first, second)
    rows = np.concatenate([_dominance(table), _dominance(table.T)])
    return float(rows.mean())


def _dominance(table: Floats) -> Floats:
    """Return ``max(r)^2 / sum(r)`` of every row; 0 for a row of zeros."""
    total = table.sum(axis=1)
    return np.divide(table.max(axis=1) ** 2, total, out=np.zeros_like(total), where=total > 0)


def _standard(latents: Floats) -> Floats:
    """Return latents of mean 0 and variance 1."""
    return (latents - latents.mean(0)) / latents.std(0)


def _standard_ranks(latents: Floats) -> Floats:
    """Return the ranks of each latent, standardised: a product of two of them is a rank correlation."""
    from scipy.stats import rankdata

    return _standard(rankdata(latents, axis=0))


def _lasso_weights(first: Floats, second: Floats) -> Floats:
    """Return the absolute weight of each latent of `first` in the prediction of each of `second`."""
    with extra("metrics", "UDR by lasso"):
        from sklearn.linear_model import Lasso

    with converging("udr"):
        weights = np.atleast_2d(Lasso(alpha=0.1, max_iter=10_000).fit(first, second).coef_)  # (Z of second, Z of first)
    return np.abs(weights).T


register("udr", None, continuous=True)
