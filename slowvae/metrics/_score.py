"""What a metric returns: a number that knows what it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from datagen.fragments import fragment_html, value_text

__all__ = ["Result", "Score"]


class Result:
    """What the dataclasses of several scores share: ``float()`` gives their `score`, and they print in short."""

    def __float__(self) -> float:
        return float(getattr(self, "score"))  # noqa: B009  # a field of some, a property of others

    def __repr__(self) -> str:
        shown = [each.name for each in fields(self) if each.repr]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{name}={_short(getattr(self, name))}' for name in shown)})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: every number, and of large arrays the shape."""
        names = [each.name for each in fields(self)]  # type: ignore[arg-type]
        rows = [(name, value_text(getattr(self, name))) for name in names if getattr(self, name) is not None]
        return fragment_html(type(self).__name__, ["", "value"], rows)


def _short(value: Any) -> str:
    """Return a value to four digits."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_short, value))})"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else repr(value)


class Score(float):
    """The score of a metric: a float, with what it is made of.

    Attributes
    ----------
    score : float
        The plain number.
    n : int
        Number of samples that were scored.
    parts : dict of str to float or ndarray
        What the score is the mean of, such as ``by_factor`` (K,), or what else was measured.
    interval : tuple of float, or None
        95 % interval, where the metric can say one and was asked for it.
    protocol : str, or None
        What else the score depends on, where it has a name.

    Examples
    --------
    >>> from slowvae.metrics import Score
    >>> score = Score(0.5, n=1000, parts={"by_factor": [0.25, 0.75]})
    >>> score
    Score(0.5000, n=1,000)
    >>> float(score), score.parts["by_factor"], f"{score:.2f}", score > 0.4
    (0.5, [0.25, 0.75], '0.50', True)
    """

    def __new__(
        cls,
        score: float,
        n: int,
        parts: Mapping[str, Any] | None = None,
        interval: tuple[float, float] | None = None,
        protocol: str | None = None,
    ) -> Score:
        new = super().__new__(cls, score)
        new.n, new.parts, new.interval, new.protocol = n, dict(parts or {}), interval, protocol
        return new

    n: int
    parts: dict[str, Any]
    interval: tuple[float, float] | None
    protocol: str | None

    @property
    def score(self) -> float:
        """The plain number."""
        return float(self)

    def __repr__(self) -> str:
        words = [_short(float(self)), f"n={self.n:,}"]
        if self.interval is not None:
            words.append(f"interval={_short(self.interval)}")
        if self.protocol is not None:
            words.append(f"protocol={self.protocol!r}")
        return f"Score({', '.join(words)})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the score and what it is made of."""
        said = {"score": float(self), "95 % interval": self.interval, "n": self.n, "protocol": self.protocol}
        rows = [(name, value_text(value)) for name, value in {**said, **self.parts}.items() if value is not None]
        return fragment_html("Score", ["", "value"], rows)

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return what a copy or a pickle is made of."""
        return float(self), self.n, self.parts, self.interval, self.protocol
