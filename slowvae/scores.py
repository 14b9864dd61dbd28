"""Several metrics at once, on the published numbers of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import UsageError
from slowvae import metrics
from slowvae.metrics._arrays import check_arrays, check_seed
from slowvae.metrics.mcc import Protocol
from slowvae.names import METRICS

__all__ = ["MAX_TRAIN", "METRICS", "check_names", "score"]

_OF_QUANTITIES = ("mcc", "dci", "dci-tree", "dci-linear", "sap", "udr")
"""Those that apply to continuous factors too."""

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
        if name not in METRICS:
            raise UsageError(f"unknown metric {name!r}; there are {', '.join(METRICS)}")
        if not discrete and name not in _OF_QUANTITIES:
            raise UsageError(
                f"{name} needs discrete factors, and these are continuous; there are {', '.join(_OF_QUANTITIES)}"
            )


def score(
    latents: NDArray[np.float32],
    factors: NDArray[np.float32],
    names: Sequence[str],
    discrete: bool = True,
    protocol: Protocol = "klindt2021",
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
    factor_bins: int | None = None,
) -> dict[str, Any]:
    """Score latents by several metrics, on the published numbers of samples.

    Parameters
    ----------
    latents : ndarray, shape (N, Z)
    factors : ndarray, shape (N, K)
        None may be constant.
    names : sequence of str
        Of `METRICS`, without ``udr``.
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

    Returns
    -------
    dict
        Each metric's value by its name; of the MCC and DCI a dict. JSON types only.

    Raises
    ------
    UsageError
        If a metric is unknown or does not apply.
    """
    if names:  # of udr alone there is nothing to score here
        check_names(names, discrete or factor_bins is not None)
    if "udr" in names:
        raise UsageError("udr compares the networks of several seeds; see slowvae.metrics.udr")
    check_arrays(latents, factors)
    rng = np.random.default_rng(check_seed(seed))
    order = rng.permutation(len(latents))
    train = order[: min(MAX_TRAIN, 2 * len(order) // 3)]
    test = order[len(train) : len(train) + _TEST]
    many = order[:_MANY]
    parts = latents[train], factors[train], latents[test], factors[test]
    quantities = not discrete and factor_bins is None
    scores: dict[str, Any] = {}
    for name in names:
        if name == "mcc":
            scores[name] = _jsonable(metrics.mcc(latents, factors, protocol=protocol, seed=seed, groups=groups))
        elif name.startswith("dci"):
            variant: Any = {"dci": "boosting", "dci-tree": "tree", "dci-linear": "linear"}[name]
            told = metrics.dci(*parts, variant=variant, continuous=quantities, seed=seed, factor_bins=factor_bins)
            scores[name] = _jsonable(told)
        elif name == "sap":
            scores[name] = metrics.sap(*parts, continuous=quantities, factor_bins=factor_bins)
        elif name == "mig":
            scores[name] = metrics.mig(latents[many], factors[many], factor_bins=factor_bins)
        elif name == "modularity":
            scores[name] = metrics.modularity(latents[many], factors[many], factor_bins=factor_bins)
        elif name == "beta-vae":
            scores[name] = metrics.beta_vae(latents, factors, seed=seed, factor_bins=factor_bins)
        elif name == "factor-vae":
            scores[name] = metrics.factor_vae(latents, factors, seed=seed, factor_bins=factor_bins)
    return scores


def _jsonable(result: metrics.MCC | metrics.DCI) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(result).items() if name != "resampled"}
    return {name: np.asarray(value).tolist() for name, value in kept.items()}
