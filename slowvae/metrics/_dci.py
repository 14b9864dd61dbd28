"""DCI: disentanglement, completeness and informativeness (Eastwood and Williams 2018)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from datagen.arguments import check_choice
from datagen.errors import UsageError
from datagen.extras import extra
from slowvae.metrics._arrays import Floats, check_discrete, check_parts, check_seed, converging, cut_factors
from slowvae.metrics._registry import Samples, register
from slowvae.metrics._score import Result

__all__ = ["DCI", "dci"]

Variant = Literal["boosting", "tree", "linear"]

VARIANTS: tuple[Variant, ...] = get_args(Variant)

_COPY = 1e-9
"""Latents whose correlation is 1 but for this are copies."""

_LARGEST = 1e30


@dataclass(frozen=True, repr=False)
class DCI(Result):
    """The three scores, 0 to 1, and the table that two of them come from. ``float()`` of it is disentanglement.

    Attributes
    ----------
    disentanglement : float
        Whether each latent serves one factor only.
    completeness : float
        Whether each factor is served by one latent only.
    informativeness_train, informativeness_test : float
        How well the factors are predicted: mean accuracy, or mean R2 for continuous factors and ``"linear"``.
    variant : str
        The predictor.
    importance : ndarray of float64, shape (Z, K)
        What each latent contributes to the prediction of each factor.
    n : int
        Number of test samples.

    Examples
    --------
    >>> import numpy as np
    >>> factors = np.random.default_rng(0).integers(0, 3, size=(300, 2))
    >>> from slowvae.metrics import dci
    >>> result = dci(factors, factors, factors, factors, variant="linear")
    >>> round(result.disentanglement, 3), round(float(result), 3)
    (1.0, 1.0)
    """

    disentanglement: float
    completeness: float
    informativeness_train: float
    informativeness_test: float
    variant: Variant
    importance: Floats = field(repr=False)
    n: int

    interval: ClassVar[None] = None
    protocol: ClassVar[None] = None

    @property
    def score(self) -> float:
        """Disentanglement."""
        return self.disentanglement

    @property
    def parts(self) -> dict[str, float]:
        """The scores by name."""
        names = ("disentanglement", "completeness", "informativeness_train", "informativeness_test")
        return {name: getattr(self, name) for name in names}


def dci(
    latents_train: ArrayLike,
    factors_train: ArrayLike,
    latents_test: ArrayLike,
    factors_test: ArrayLike,
    variant: Variant = "boosting",
    continuous: bool = False,
    seed: int = 0,
    factor_bins: int | None = None,
) -> DCI:
    """Return disentanglement, completeness and informativeness.

    Latents that are copies of each other share what they contribute: trees take them in turn, by chance, and the
    lasso's weight is divided among them.

    Parameters
    ----------
    latents_train, latents_test : array_like, shape (N, Z) and (M, Z)
    factors_train, factors_test : array_like, shape (N, K) and (M, K)
    variant : {"boosting", "tree", "linear"}
        What predicts a factor from the latents. ``"boosting"``: gradient boosted trees, disentanglement_lib's choice;
        seconds to a minute for factors of many values. ``"tree"``: a forest of 10 trees, the paper's second choice.
        ``"linear"``: a lasso regression on standardised latents, the paper's first.
    continuous : bool
        Whether the factors are quantities; if not, trees take their values for classes. ``"linear"`` takes quantities
        always.
    seed : int
        Of the trees.
    factor_bins : int, optional
        Cut factors of more values than this into so many equal bins, between their smallest and largest value, instead
        of `continuous`. By default continuous factors (fewer than three samples per value) are no classes.

    Returns
    -------
    DCI

    Raises
    ------
    UsageError
        If `variant` is unknown or the arrays cannot be scored.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import dci
    >>> factors = np.random.default_rng(0).integers([4, 3], size=(600, 2))
    >>> result = dci(factors[:300], factors[:300], factors[300:], factors[300:], variant="tree")
    >>> round(result.disentanglement, 3), round(result.completeness, 3), result.informativeness_test
    (1.0, 1.0, 1.0)
    """
    check_choice("variant", variant, VARIANTS)
    check_seed(seed)
    z, y, z_test, y_test = check_parts(latents_train, factors_train, latents_test, factors_test)
    if continuous and factor_bins is not None:
        raise UsageError("continuous and factor_bins exclude each other")
    if not continuous and variant != "linear":
        check_discrete("dci", y, factor_bins, ", or continuous=True")
    y, y_test = cut_factors(y, factor_bins, y_test)
    importance, train, test = np.zeros((z.shape[1], y.shape[1])), [], []
    for k in range(y.shape[1]):
        importance[:, k], *scores = _predict(z, y[:, k], z_test, y_test[:, k], variant, continuous, seed)
        train.append(scores[0])
        test.append(scores[1])
    return DCI(
        disentanglement=_concentration(importance),
        completeness=_concentration(importance.T),
        informativeness_train=float(np.mean(train)),
        informativeness_test=float(np.mean(test)),
        variant=variant,
        importance=importance,
        n=len(z_test),
    )


def _predict(
    z: Floats, y: Floats, z_test: Floats, y_test: Floats, variant: Variant, continuous: bool, seed: int
) -> tuple[Floats, float, float]:
    """Predict one factor; return the latents' importance (Z,), and the scores on train and test."""
    if variant == "boosting" and not continuous:
        from slowvae.metrics._boosting import boost  # numba takes a second to import

        values, classes = np.unique(y, return_inverse=True)
        importance, train, test = boost(z, classes, z_test, seed=seed)
        return importance, float((values[train] == y).mean()), float((values[test] == y_test).mean())
    with extra("metrics", "DCI"):
        from sklearn import ensemble, linear_model

    model: Any
    if variant == "linear":
        # In units of standard deviations coefficients can be compared, whatever their latents' scale.
        mean, scale = z.mean(axis=0), np.where(z.std(axis=0) > 0, z.std(axis=0), 1)
        z, z_test = (z - mean) / scale, (z_test - mean) / scale
        y, y_test = (y - y.mean()) / y.std(), (y_test - y.mean()) / y.std()
        model = linear_model.Lasso(alpha=0.01, max_iter=10_000)
        with converging("dci"):
            model.fit(z, y)
        copies = np.abs(z.T @ z) / len(z) > 1 - _COPY
        np.fill_diagonal(copies, val=True)  # constant ones too
        return (
            copies @ np.abs(model.coef_) / copies.sum(axis=1),
            float(model.score(z, y)),
            float(model.score(z_test, y_test)),
        )
    # Trees compare in float32, which has no larger numbers.
    z_test = np.clip(z_test, -_LARGEST, _LARGEST)
    if continuous:
        if variant == "boosting":
            model = ensemble.GradientBoostingRegressor(random_state=seed)
        else:
            model = ensemble.RandomForestRegressor(n_estimators=10, max_features=None, random_state=seed)
        model.fit(z, y)
        return model.feature_importances_, float(model.score(z, y)), float(model.score(z_test, y_test))
    # Trees that see all latents at every split: one that is not shown the right latent has to take another.
    model = ensemble.RandomForestClassifier(n_estimators=10, max_features=None, random_state=seed)
    values, classes = np.unique(y, return_inverse=True)
    model.fit(z, classes)
    train, test = values[model.predict(z)], values[model.predict(z_test)]
    return model.feature_importances_, float((train == y).mean()), float((test == y_test).mean())


def _concentration(importance: Floats) -> float:
    """Return how much of each row lies on one column: one minus its entropy, rows weighted by their sums."""
    total = importance.sum()
    if total == 0:
        return 0.0
    if importance.shape[1] == 1:
        return 1.0
    shares = importance + 1e-11
    shares /= shares.sum(axis=1, keepdims=True)
    entropy = -(shares * np.log(shares)).sum(axis=1) / np.log(importance.shape[1])
    return float(((1 - entropy) * importance.sum(axis=1)).sum() / total)


def _score(samples: Samples, variant: Variant) -> DCI:
    s = samples
    return dci(*s.parts, variant=variant, continuous=s.continuous, seed=s.seed, factor_bins=s.factor_bins)


register("dci", lambda s: _score(s, "boosting"), continuous=True)
register("dci-tree", lambda s: _score(s, "tree"), continuous=True)
register("dci-linear", lambda s: _score(s, "linear"), continuous=True)
