"""Confidence intervals: what one is, and how many replicates they are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["REPLICATES", "Interval"]

REPLICATES = 200
"""Replicates of an interval unless another number is asked for: its ends are then known to a tenth of its width."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes
    ----------
    low, high : float
        Its ends.
    level : float
        The share of repetitions in which it is meant to hold the true value.

    Examples
    --------
    >>> Interval(0.4, 0.6)
    Interval(low=0.4, high=0.6, level=0.95)
    >>> str(Interval(0.4, 0.6))
    '0.4 to 0.6'
    """

    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.low:.3g} to {self.high:.3g}"
