"""Explicitness: whether a logistic regression reads each factor's value off the latents (Ridgeway and Mozer 2018)."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.arguments import check_choice
from datagen.extras import extra
from slowvae.metrics._arrays import Floats, as_classes, check_arrays, within_its_steps
from slowvae.metrics._registry import register
from slowvae.metrics._score import Score

__all__ = ["explicitness"]

Classifier = Literal["multinomial", "one-vs-rest"]

CLASSIFIERS: tuple[Classifier, ...] = get_args(Classifier)


def explicitness(
    latents: ArrayLike,
    factors: ArrayLike,
    classifier: Classifier = "multinomial",
    factor_bins: int | None = None,
) -> Score:
    """Return the explicitness (Ridgeway and Mozer 2018).

    A logistic regression with balanced classes predicts each factor's value from all latents. Its probability of a
    value, against whether it is the value, has an area under the ROC curve; the score is the mean of these over the
    values and factors, scaled so that chance is 0. It is taken on the samples that were fitted.

    Parameters
    ----------
    latents : array_like, shape (N, Z)
        Brought to the range 0 to 1, since the regression has scikit-learn's usual penalty (C = 1).
    factors : array_like, shape (N, K)
        Discrete values.
    classifier : {"multinomial", "one-vs-rest"}
        One regression for all values of a factor, which is what disentanglement_lib and Ubisoft's library compute with
        today's scikit-learn; or one for each value against the others, as scikit-learn did until 0.21, whose
        probabilities are divided by their sum. A linear regression cannot tell a middle value from those on both sides,
        so the second is far lower.
    factor_bins : int, optional
        As in `slowvae.metrics.mig`.

    Returns
    -------
    Score
        -1 to 1, in practice 0 to 1: ``2 AUC - 1``. ``parts["by_factor"]`` has each factor's, (K,).

    Raises
    ------
    UsageError
        If `classifier` is unknown or the arrays cannot be scored.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import explicitness
    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10)
    >>> float(explicitness(factors @ [[1, 1], [1, -1]], factors))  # mixed, but there
    1.0
    """
    check_choice("classifier", classifier, CLASSIFIERS)
    with extra("metrics", "explicitness"):
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier

    z, y = check_arrays(latents, factors)
    classes = as_classes("explicitness", y, factor_bins)
    spread = np.ptp(z, axis=0)
    z = (z - z.min(axis=0)) / np.where(spread > 0, spread, 1)
    by_factor = np.empty(y.shape[1])
    for k, column in enumerate(classes.T):
        model: Any = LogisticRegression(class_weight="balanced")
        if classifier == "one-vs-rest":
            model = OneVsRestClassifier(model)
        with within_its_steps():
            model.fit(z, column)
        by_factor[k] = 2 * _areas(model.predict_proba(z), column).mean() - 1
    return Score(by_factor.mean(), n=len(z), parts={"by_factor": by_factor})


def _areas(probability: Floats, classes: NDArray[np.int64]) -> Floats:
    """Return the area under the ROC curve of each class's probability (N, C), from ranks: (C,)."""
    from scipy.stats import rankdata

    count = np.bincount(classes)
    own = classes[:, None] == np.arange(len(count))
    ranks = np.where(own, rankdata(probability, axis=0), 0).sum(axis=0)
    areas: Floats = (ranks - count * (count + 1) / 2) / (count * (len(classes) - count))
    return areas


register("explicitness", lambda s: explicitness(*s.fitted, factor_bins=s.factor_bins), bounded=False)
