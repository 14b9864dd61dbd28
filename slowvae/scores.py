"""Several metrics at once, on the published numbers of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_choice
from datagen.errors import UsageError
from slowvae.metrics import METRICS
from slowvae.metrics._arrays import check_arrays, check_seed
from slowvae.metrics._registry import Samples
from slowvae.protocols import Variant

__all__ = ["MAX_TRAIN", "as_json", "check_names", "head_of", "measure", "score"]

MAX_TRAIN, _TEST, _MANY = 10_000, 5_000, 100_000
"""Published numbers of samples; the last is for MIG and Modularity."""


def check_names(names: Sequence[str], discrete: bool = True) -> None:
    """Refuse metrics that are unknown, or that do not apply to continuous factors.

    Raises
    ------
    UsageError
        If there is one, or none at all is named.
    """
    if not names:
        raise UsageError(f"name a metric; there are {', '.join(METRICS)}")
    for name in names:
        check_choice("metric", name, list(METRICS))
        if not discrete and not METRICS[name].continuous:
            others = ", ".join(each for each, metric in METRICS.items() if metric.continuous)
            raise UsageError(f"{name} needs discrete factors, and these are continuous; there are {others}")


def head_of(parts: Mapping[str, Any]) -> str | None:
    """Return the name of the number that stands for a score of several parts, as `score` writes it, or None."""
    return next((name for name in ("score", "disentanglement", "modularity") if name in parts), None)


def measure(
    latents: NDArray[np.float32],
    factors: NDArray[np.float32],
    names: Sequence[str],
    discrete: bool = True,
    protocol: Variant = "klindt2021",
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
    factor_bins: int | None = None,
    factor_names: Sequence[str] | None = None,
    correlation: Literal["spearman", "pearson"] = "spearman",
    num_samples: int = MAX_TRAIN,
) -> dict[str, Any]:
    """Score latents by several metrics, on the published numbers of samples.

    Parameters
    ----------
    latents : ndarray, shape (N, Z)
    factors : ndarray, shape (N, K)
        None may be constant.
    names : sequence of str
        Of `slowvae.metrics.METRICS`, without ``udr``.
    discrete : bool
        Whether factors have few values.
    protocol : {"klindt2021", "rectangular", "held-out"}
        Of the MCC.
    groups : ndarray of int64, shape (N,), optional
        What each sample belongs to, for the MCC's interval.
    seed : int
        Of everything drawn.
    factor_bins : int, optional
        Cut continuous factors into so many equal bins for the metrics of discrete ones; see `slowvae.metrics.mig`.
    factor_names : sequence of str, optional
        Of the K factors; the block-MCC takes ``x`` and ``y`` for one block.
    correlation : {"spearman", "pearson"}
        Of the MCC.
    num_samples : int
        At most so many samples are scored by the MCC.

    Returns
    -------
    dict
        Each metric's result by its name, as its function of `slowvae.metrics` returns it.

    Raises
    ------
    UsageError
        If a metric is unknown or does not apply.
    """
    if names:  # of udr alone there is nothing to score here
        check_names(names, discrete or factor_bins is not None)
    scorers = {name: METRICS[name].score for name in names}
    for name, scorer in scorers.items():
        if scorer is None:
            raise UsageError(f"{name} compares the networks of several seeds; see slowvae.metrics.{name}")
    check_arrays(latents, factors)
    rng = np.random.default_rng(check_seed(seed))
    order = rng.permutation(len(latents))
    train = order[: min(MAX_TRAIN, 2 * len(order) // 3)]
    test = order[len(train) : len(train) + _TEST]
    many = order[:_MANY]
    samples = Samples(
        whole=(latents, factors),
        many=(latents[many], factors[many]),
        fitted=(latents[order[:MAX_TRAIN]], factors[order[:MAX_TRAIN]]),
        parts=(latents[train], factors[train], latents[test], factors[test]),
        continuous=not discrete and factor_bins is None,
        factor_bins=factor_bins,
        protocol=protocol,
        correlation=correlation,
        num_samples=num_samples,
        groups=groups,
        factor_names=factor_names,
        seed=seed,
    )
    return {name: scorer(samples) for name, scorer in scorers.items() if scorer}


def score(
    latents: NDArray[np.float32], factors: NDArray[np.float32], names: Sequence[str], *args: Any, **options: Any
) -> dict[str, Any]:
    """Score latents by several metrics, as `measure` does, in JSON types.

    Parameters
    ----------
    latents, factors, names, *args, **options
        As of `measure`.

    Returns
    -------
    dict
        Each metric's value by its name; of the MCC, block-MCC, R2, DCI and InfoMEC a dict.

    Raises
    ------
    UsageError
        If a metric is unknown or does not apply.

    Examples
    --------
    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10)
    >>> score(factors, factors, ["mig", "modularity"])
    {'mig': 1.0, 'modularity': 1.0}
    """
    return as_json(measure(latents, factors, names, *args, **options))


def as_json(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `measure` found in JSON types."""
    return {name: _jsonable(result, METRICS[name].in_parts) for name, result in results.items()}


def _jsonable(result: Any, in_parts: bool) -> Any:
    """Return a score, its parts beside it if asked for, or the fields of a dataclass of scores, in JSON types."""
    if not is_dataclass(result):
        parts = {name: np.asarray(value).tolist() for name, value in result.parts.items()}
        return {"score": result.score, "n": result.n, **parts} if in_parts else result.score
    kept = {item.name: getattr(result, item.name) for item in fields(result) if item.name != "resampled"}
    return {name: np.asarray(value).tolist() for name, value in kept.items()}
