"""R2: how well a regression predicts the factors from the latents."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from datagen.arguments import check_choice
from datagen.errors import UsageError
from datagen.extras import extra
from slowvae.metrics._arrays import Floats, check_parts, check_seed
from slowvae.metrics._registry import Samples, register
from slowvae.metrics._score import Score

__all__ = ["r2"]

Variant = Literal["linear", "boosting"]

VARIANTS: tuple[Variant, ...] = get_args(Variant)


def r2(
    latents_train: ArrayLike,
    factors_train: ArrayLike,
    latents_test: ArrayLike,
    factors_test: ArrayLike,
    variant: Variant = "linear",
    seed: int = 0,
) -> Score:
    """Return the coefficient of determination of a regression of the factors on all latents.

    It asks whether the factors are known at all, up to the regression's kind of map: 1 for ``"linear"`` means that the
    factors are identified up to an affine map, 1 for ``"boosting"`` up to some map. It does not ask for a latent each.

    Parameters
    ----------
    latents_train, latents_test : array_like, shape (N, Z) and (M, Z)
    factors_train, factors_test : array_like, shape (N, K) and (M, K)
        Quantities.
    variant : {"linear", "boosting"}
        Least squares, or boosted trees (scikit-learn's ``HistGradientBoostingRegressor``, 100 trees a factor).
    seed : int
        Of the trees, which draw the samples of their bins where there are more than 200,000.

    Returns
    -------
    Score
        Mean over factors of ``1 - SSE / SST`` on the test samples, at most 1; 0 is as good as their mean, and below 0
        worse. ``parts["by_factor"]`` has each factor's, (K,).

    Raises
    ------
    UsageError
        If `variant` is unknown, the arrays cannot be scored, or there are not more training samples than latents.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.metrics import r2
    >>> factors = np.random.default_rng(0).normal(size=(600, 2))
    >>> latents = factors @ [[1, 2], [-3, 1]]
    >>> result = r2(latents[:400], factors[:400], latents[400:], factors[400:])
    >>> round(float(result), 6), result.parts["by_factor"].round(6).tolist()
    (1.0, [1.0, 1.0])
    """
    check_choice("variant", variant, VARIANTS)
    check_seed(seed)
    z, y, z_test, y_test = check_parts(latents_train, factors_train, latents_test, factors_test)
    if len(z) <= z.shape[1] + 1:
        raise UsageError(
            f"r2: {len(z)} training samples determine {z.shape[1]} weights and a constant whatever they are; "
            f"it needs more than {z.shape[1] + 1}"
        )
    predicted = _linear(z, y, z_test) if variant == "linear" else _boosted(z, y, z_test, seed)
    left = ((y_test - predicted) ** 2).sum(axis=0)
    by_factor = 1 - left / ((y_test - y_test.mean(axis=0)) ** 2).sum(axis=0)
    return Score(by_factor.mean(), n=len(z_test), parts={"by_factor": by_factor})


def _linear(z: Floats, y: Floats, z_test: Floats) -> Floats:
    """Return the predictions (M, K) of a least squares fit, of the smallest weights if latents depend on each other."""
    mean, scale = z.mean(axis=0), np.where(z.std(axis=0) > 0, z.std(axis=0), 1)
    weights = np.linalg.lstsq((z - mean) / scale, y - y.mean(axis=0), rcond=None)[0]
    predicted: Floats = (z_test - mean) / scale @ weights + y.mean(axis=0)
    return predicted


def _boosted(z: Floats, y: Floats, z_test: Floats, seed: int) -> Floats:
    """Return the predictions (M, K) of boosted trees, fitted to each factor."""
    with extra("metrics", "the nonlinear R2"):
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

    models = [HistGradientBoostingRegressor(early_stopping=False, random_state=seed) for _ in y.T]
    with threadpool_limits(1, "openmp"):  # threads that wait for each other cost more than they save, on a busy machine
        return np.stack([m.fit(z, column).predict(z_test) for m, column in zip(models, y.T, strict=True)], axis=1)


def _score(samples: Samples, variant: Variant) -> Score:
    return r2(*samples.parts, variant=variant, seed=samples.seed)


register("r2", lambda s: _score(s, "linear"), continuous=True, in_parts=True, bounded=False)
register("r2-nonlinear", lambda s: _score(s, "boosting"), continuous=True, in_parts=True, bounded=False)
