"""BetaVAE and FactorVAE: predict from latents which factor was held fixed.

disentanglement_lib renders images that share one factor. Here the samples are given, so those that share a factor are
drawn from them: a factor is picked, then a sample at random, then others among all samples with its value. With a
full grid of factors that is the library's distribution.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.errors import UsageError
from datagen.extras import extra
from slowvae.metrics._arrays import (
    Floats,
    as_classes,
    check_arrays,
    check_seed,
    check_whole,
    converging,
    in_usual_range,
)
from slowvae.metrics._registry import register
from slowvae.metrics._score import Score

__all__ = ["beta_vae", "factor_vae"]

_MOST_POINTS, _LARGEST_BATCH = 1_000_000, 100_000


class _Peers:
    """Draws samples that share the value of a factor.

    Parameters
    ----------
    classes : ndarray of int64, shape (N, K)
        From `as_classes`.
    """

    def __init__(self, classes: NDArray[np.int64]) -> None:
        self.order = np.argsort(classes, axis=0, kind="stable")  # rows, sorted by their value
        counts = [np.bincount(column) for column in classes.T]
        # For every row and factor: where the rows of its value begin in `order`, and how many there are.
        self.count = np.stack([count[column] for count, column in zip(counts, classes.T, strict=True)], axis=1)
        begins = [np.cumsum(count) - count for count in counts]
        self.begin = np.stack([begin[column] for begin, column in zip(begins, classes.T, strict=True)], axis=1)

    def draw(self, rows: NDArray[np.int64], factor: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return for each row another (or the same) with its value of `factor`; arrays of one shape."""
        offset = (rng.random(rows.shape) * self.count[rows, factor]).astype(np.int64)
        return self.order[self.begin[rows, factor] + offset, factor]


def _checked(
    metric: str,
    latents: ArrayLike,
    factors: ArrayLike,
    num_train: int,
    num_test: int,
    batch_size: int,
    factor_bins: int | None,
) -> tuple[Floats, NDArray[np.int64]]:
    """Return latents (N, Z) and the classes of factors (N, K), or say why they cannot be scored."""
    z, y = check_arrays(latents, factors)
    if y.shape[1] < 2:
        raise UsageError(f"{metric} tells which factor was held fixed; it needs at least two")
    check_whole("num_train", num_train, 1, _MOST_POINTS)
    check_whole("num_test", num_test, 1, _MOST_POINTS)
    check_whole("batch_size", batch_size, 1, _LARGEST_BATCH)
    return in_usual_range(z)[0], as_classes(metric, y, factor_bins)


def _parts(number: int, batch_size: int) -> list[NDArray[np.int64]]:
    """Cut points into parts of some 64,000 samples, which fit into memory."""
    return np.array_split(np.arange(number), max(1, number * max(batch_size, 64) // 64_000))


def beta_vae(
    latents: ArrayLike,
    factors: ArrayLike,
    num_train: int = 10_000,
    num_test: int = 5_000,
    batch_size: int = 64,
    seed: int = 0,
    factor_bins: int | None = None,
) -> Score:
    """Return the BetaVAE metric (Higgins et al. 2017), as disentanglement_lib computes it.

    A point is the mean absolute difference of the latents over `batch_size` pairs that share one factor; a logistic
    regression predicts from it which factor that was.

    Parameters
    ----------
    latents : array_like, shape (N, Z)
    factors : array_like, shape (N, K)
        Discrete values, each shared by several samples.
    num_train, num_test : int
        Number of points to fit on and to score.
    batch_size : int
        Number of pairs per point.
    seed : int
        Of the draws.
    factor_bins : int, optional
        Cut factors of more values than this into so many equal bins, between their smallest and largest value. By
        default continuous factors (fewer than three samples per value) are refused.

    Returns
    -------
    Score
        Accuracy on the test points, 0 to 1. ``parts["train"]`` is that on the points fitted.

    Raises
    ------
    UsageError
        If the arrays cannot be scored, or a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> factors = np.random.default_rng(0).integers(0, 3, size=(300, 2))
    >>> float(beta_vae(factors, factors, num_train=200, num_test=100))
    1.0
    """
    with extra("metrics", "BetaVAE's metric"):
        from sklearn.linear_model import LogisticRegression

    z, classes = _checked("beta-vae", latents, factors, num_train, num_test, batch_size, factor_bins)
    peers, rng = _Peers(classes), np.random.default_rng(check_seed(seed))
    factor = rng.integers(classes.shape[1], size=num_train + num_test)
    points = np.empty((len(factor), z.shape[1]))
    for part in _parts(len(factor), batch_size):
        first = rng.integers(len(z), size=(len(part), batch_size))
        second = peers.draw(first, np.broadcast_to(factor[part, None], first.shape), rng)
        points[part] = np.abs(z[first] - z[second]).mean(axis=1)
    if len(np.unique(factor[:num_train])) == 1:  # of few points
        return _accuracy(np.full_like(factor, factor[0]), factor, num_train, len(z))
    model = LogisticRegression(max_iter=1000, random_state=0)
    with converging("beta-vae"):
        model.fit(points[:num_train], factor[:num_train])
    return _accuracy(model.predict(points), factor, num_train, len(z))


def factor_vae(
    latents: ArrayLike,
    factors: ArrayLike,
    num_train: int = 10_000,
    num_test: int = 5_000,
    batch_size: int = 64,
    seed: int = 0,
    factor_bins: int | None = None,
) -> Score:
    """Return the FactorVAE metric (Kim and Mnih 2018), as disentanglement_lib computes it.

    A vote is the latent that varies least, relative to its variance over all samples, among `batch_size` samples that
    share one factor; the majority of the training votes says which factor each latent stands for.

    Parameters
    ----------
    latents, factors, num_train, num_test, batch_size, seed, factor_bins
        As in `beta_vae`.

    Returns
    -------
    Score
        Accuracy on the test votes, 0 to 1; 0 if every latent is constant. Constant latents have no vote.
        ``parts["train"]`` is that of the training votes.

    Raises
    ------
    UsageError
        As `beta_vae`.

    Examples
    --------
    >>> import numpy as np
    >>> factors = np.random.default_rng(0).integers(0, 3, size=(300, 2))
    >>> float(factor_vae(factors, factors, num_train=200, num_test=100))
    1.0
    """
    z, classes = _checked("factor-vae", latents, factors, num_train, num_test, batch_size, factor_bins)
    check_whole("batch_size", batch_size, 2, _LARGEST_BATCH)
    rng = np.random.default_rng(check_seed(seed))
    variance = z.var(axis=0, ddof=1)
    active = variance > 0
    if not active.any():
        return Score(0.0, n=len(z), parts={"train": 0.0})
    z, variance = z[:, active], variance[active]
    peers = _Peers(classes)
    factor = rng.integers(classes.shape[1], size=num_train + num_test)
    vote = np.empty(len(factor), dtype=np.int64)
    for part in _parts(len(factor), batch_size):
        chosen = np.broadcast_to(rng.integers(len(z), size=(len(part), 1)), (len(part), batch_size))
        rows = peers.draw(chosen, np.broadcast_to(factor[part, None], chosen.shape), rng)
        vote[part] = np.argmin(z[rows].var(axis=1, ddof=1) / variance, axis=1)
    table = np.zeros((classes.shape[1], z.shape[1]), dtype=np.int64)
    np.add.at(table, (factor[:num_train], vote[:num_train]), 1)
    stands_for = table.argmax(axis=0)
    return _accuracy(stands_for[vote], factor, num_train, len(z))


def _accuracy(predicted: NDArray[np.int64], factor: NDArray[np.int64], num_train: int, n: int) -> Score:
    """Return how often the factor is predicted on the test points, with that on those before them."""
    right = predicted == factor
    return Score(right[num_train:].mean(), n=n, parts={"train": float(right[:num_train].mean())})


register("beta-vae", lambda s: beta_vae(*s.whole, seed=s.seed, factor_bins=s.factor_bins))
register("factor-vae", lambda s: factor_vae(*s.whole, seed=s.seed, factor_bins=s.factor_bins))
