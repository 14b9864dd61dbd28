"""The metrics by the names that the command line has for them; each module of this package registers its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import ArrayLike

from slowvae.protocols import Variant

__all__ = ["METRICS", "Metric", "Samples", "register"]


@dataclass(frozen=True)
class Samples:
    """The latents (N, Z) of a network and the factors (N, K), as a metric may want them.

    Attributes
    ----------
    whole : tuple
        Latents and factors of all samples.
    many : tuple
        Latents and factors of at most the published number that are drawn for metrics without training.
    fitted : tuple
        Latents and factors of at most the published number for training, for metrics that score what they fit.
    parts : tuple
        Latents and factors to train on, and latents and factors to test on.
    continuous : bool
        Whether factors are to be taken as quantities.
    factor_bins : int or None
        How many bins factors of more values are to be cut into.
    protocol, correlation : str
        Of the MCC.
    num_samples : int
        At most so many are scored by the MCC.
    groups : array_like or None
        What each sample belongs to, (N,).
    factor_names : sequence of str or None
        Of the K factors, where they are known.
    seed : int
        Of everything drawn.
    """

    whole: tuple[ArrayLike, ArrayLike]
    many: tuple[ArrayLike, ArrayLike]
    fitted: tuple[ArrayLike, ArrayLike]
    parts: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]
    continuous: bool
    factor_bins: int | None
    protocol: Variant
    correlation: Literal["spearman", "pearson"]
    num_samples: int
    groups: ArrayLike | None
    factor_names: Sequence[str] | None
    seed: int


@dataclass(frozen=True)
class Metric:
    """A metric and what it applies to.

    Attributes
    ----------
    score : callable or None
        From `Samples` to a `slowvae.metrics.Score` or a dataclass of numbers. None if it compares the networks of
        several seeds.
    continuous : bool
        Whether it applies to continuous factors as they are, not cut into bins.
    in_parts : bool
        Whether its score is written with its parts; if not, as the number alone.
    bounded : bool
        Whether no score is below 0. None is above 1.
    """

    score: Callable[[Samples], Any] | None
    continuous: bool
    in_parts: bool
    bounded: bool


METRICS: dict[str, Metric] = {}
"""Every metric by its name, in the order of their imports."""


def register(
    name: str,
    score: Callable[[Samples], Any] | None,
    continuous: bool = False,
    in_parts: bool = False,
    bounded: bool = True,
) -> None:
    """Make a metric known by a name; see `Metric`."""
    METRICS[name] = Metric(score, continuous, in_parts, bounded)
