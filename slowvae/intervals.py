"""The interval of a mean over trainings: seeds and sequences both drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.errors import UsageError

__all__ = ["interval_around", "interval_over_seeds"]

_LEVELS = (0.025, 0.975)
_SEED_DRAWS = 999


def _about(score: float, resampled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift draws so that their mean is the score.

    Latents are assigned anew in every draw, to what correlates by chance, and a draw repeats sequences: where factors
    are hardly recovered, draws score higher than what they are drawn from, by more than their spread.
    """
    return resampled + (score - resampled.mean())


def interval_around(score: float, resampled: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of a score between 0 and 1, by its draws (B,), less what they are higher on average.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = interval_around(0.1, 0.15 + np.linspace(-0.04, 0.04, 101))
    >>> round(low, 3), round(high, 3)
    (0.062, 0.138)
    """
    low, high = np.quantile(_about(score, resampled), _LEVELS)
    return max(float(low), 0.0), min(float(high), 1.0)


def interval_over_seeds(scores: ArrayLike, resampled: ArrayLike | None = None) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean score of several trainings.

    Two things vary: which sequences there are to be scored on, and how each training went. Sequences are drawn by a
    bootstrap. Of seeds there are too few to draw from: the smallest and the largest of three hold the mean of all
    trainings between them in 3 of 4 cases only. Their mean is drawn from Student's t instead, with as many degrees of
    freedom as seeds but one and their standard error as its scale. Every draw of the one meets every draw of the other,
    so nothing is random.

    Parameters
    ----------
    scores : array_like, shape (S,)
        The score of each seed, or the differences of two models seed by seed.
    resampled : array_like, shape (S, B), optional
        The scores of each seed on B draws of the sequences, the same draws for every seed, such as
        `slowvae.metrics.MCC.resampled`; they are shifted so that their mean is that of the scores. Without it (or with
        B = 0) the sequences are taken as they are.

    Returns
    -------
    tuple of float, or None
        Lower and upper limit; not cut to the range that a score has, since differences have another. Of a single seed
        it is that of the sequences alone, which says nothing of other trainings: it is indicative. None if nothing
        varies: one seed and no draws.

    Raises
    ------
    UsageError
        If the arrays do not fit, or a score is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from slowvae.intervals import interval_over_seeds
    >>> low, high = interval_over_seeds([0.70, 0.74, 0.72])
    >>> round(low, 2), round(high, 2)
    (0.67, 0.77)
    >>> draws = 0.72 + np.random.default_rng(0).normal(scale=0.01, size=(1, 200))
    >>> low, high = interval_over_seeds([0.72], draws)
    >>> round(low, 2), round(high, 2)
    (0.7, 0.74)
    """
    values = np.asarray(scores, dtype=np.float64)
    draws = np.empty((values.size, 0)) if resampled is None else np.asarray(resampled, dtype=np.float64)
    if values.ndim != 1 or not values.size or draws.ndim != 2 or len(draws) != len(values):
        raise UsageError(f"scores {values.shape} and resampled {draws.shape}: must be (S,) and (S, B), S at least 1")
    if not (np.isfinite(values).all() and np.isfinite(draws).all()):
        raise UsageError("scores: must be finite, and their resamples too")
    of_sequences = np.array([values.mean()])
    if draws.size:
        of_sequences = _about(float(values.mean()), draws.mean(axis=0))  # (B,)
    of_seeds = np.zeros(1)
    if len(values) > 1:
        from scipy.stats import t

        evenly = (np.arange(_SEED_DRAWS) + 0.5) / _SEED_DRAWS
        of_seeds = t.ppf(evenly, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    elif not draws.size:
        return None
    low, high = np.quantile(of_sequences[:, None] + of_seeds, _LEVELS)
    return float(low), float(high)
