"""How sprites move: as was measured, or by another law of the same start and the same variance.

With laws that differ in nothing else one can ask which property of natural motion makes factors identifiable: that its
changes are sparse (paper, section 3.1), or something else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_choice, check_whole
from datagen.errors import DatagenError, UsageError

__all__ = ["LAWS", "Motion", "Moved"]

LAWS = {
    "natural": None,
    "laplace": None,
    "normal": None,
    "gennorm": (0.2, 20.0, 0.5),
    "scale-mixture": (0.0, 2.0, 0.7),
    "ar1": None,
}
"""Name of a law -> the least and the greatest value of its parameter, and the one taken where none is given."""

_STREAM = 4
"""Random streams 0 to 3 of a seed are those of `natsprites.sampling.FactorSpace.draw`."""

_MOST_DRAWS = 10_000
"""Draws of one change until it is given up that one stays in the frame; at a corner a quarter of them do."""


@dataclass(frozen=True)
class Moved:
    """Motion by a law.

    Attributes
    ----------
    values : ndarray of float64, shape (N, T, 3)
        x, y and scale, as fractions of the frame.
    asked, found : ndarray of float64, shape (3,)
        Standard deviation of the measured changes of x, y and scale, which the law has too, and that of `values`,
        which is less where changes that led out of the frame were drawn again.
    redrawn : float
        Share of changes that were.
    """

    values: NDArray[np.float64]
    asked: NDArray[np.float64]
    found: NDArray[np.float64]
    redrawn: float


@dataclass(frozen=True)
class Motion:
    """A law of motion.

    From frame to frame each of x, y and scale changes by a number of mean 0 and of the variance that the measured
    changes have, independently of the others but for what is said here:

    ``natural``
        The measured motions themselves.
    ``normal``, ``laplace``, ``gennorm``
        Generalised normal: a density proportional to ``exp(-abs(change / scale) ** shape)``, of shape 2, 1, or as given
        (paper, section 3.1).
    ``scale-mixture``
        Normal, times a number that a run draws once for all its changes: its logarithm is normal, with the parameter
        as its standard deviation. All changes together are heavy-tailed as sparse ones are; within a run they are
        normal.
    ``ar1``
        Normal steps of an autoregressive process that keeps the variance of the starts: the further from the mean of
        all a sprite is, the more it is drawn back.

    Attributes
    ----------
    law : str
        A key of `LAWS`.
    parameter : float or None
        Of ``gennorm`` the shape, by default 0.5; of ``scale-mixture`` the spread, by default 0.7.

    Raises
    ------
    UsageError
        If there is no such law, or its parameter is out of range or one that it does not have.

    Examples
    --------
    >>> Motion.read("gennorm:0.5")
    Motion(law='gennorm', parameter=0.5)
    >>> str(Motion("scale-mixture"))
    'scale-mixture:0.7'
    """

    law: str = "natural"
    parameter: float | None = None

    def __post_init__(self) -> None:
        check_choice("motion", self.law, tuple(LAWS))
        limits = LAWS[self.law]
        if limits is None:
            if self.parameter is not None:
                raise UsageError(f"motion {self.law} takes no parameter, but has {self.parameter!r:.60}")
            return
        low, high, default = limits
        value = default if self.parameter is None else self.parameter
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise UsageError(f"motion {self.law}: {value!r:.60} is not between {low:g} and {high:g}")
        object.__setattr__(self, "parameter", float(value))

    def __str__(self) -> str:
        return self.law if self.parameter is None else f"{self.law}:{self.parameter:g}"

    @classmethod
    def read(cls, text: str | Motion) -> Motion:
        """Read a law as the command line spells it, its name or name:parameter; one that was read stays as it is.

        Raises
        ------
        UsageError
            If it is none.
        """
        if isinstance(text, Motion):
            return text
        if not isinstance(text, str):
            raise UsageError(f"motion is a {type(text).__name__}; give the name of a law: {', '.join(LAWS)}")
        law, colon, number = text.partition(":")
        if not colon:
            return cls(law)
        try:
            parameter = float(number)
        except ValueError:
            raise UsageError(f"motion {text!r:.60}: no number follows the colon") from None
        return cls(law, parameter)

    def move(self, measured: NDArray[np.float64], rows: NDArray[np.int64], seed: int) -> Moved:
        """Return the motion of runs.

        Parameters
        ----------
        measured : ndarray of float64, shape (M, T, 3)
            x, y and scale of measured motions.
        rows : ndarray of int64, shape (N,)
            The measured motion of each run; of laws other than ``natural`` its first frame alone is taken.
        seed : int
            Of the changes. The first n runs are the same for every N.

        Returns
        -------
        Moved
            Sprites stay in the frame and within the measured scales: a change that would lead out is drawn again.

        Raises
        ------
        DatagenError
            If no change of a factor stays in the frame, or the changes are too large for ``ar1``.
        """
        check_whole("seed", seed, 0)
        asked = np.diff(measured, axis=1).std(axis=(0, 1))
        if self.law == "natural":
            return Moved(measured[rows], asked, asked, 0.0)
        low = np.array([0.0, 0.0, measured[..., 2].min()])
        high = np.array([1.0, 1.0, measured[..., 2].max()])
        values = np.empty((len(rows), *measured.shape[1:]))
        values[:, 0] = measured[rows, 0]
        # What a step keeps of the distance to the mean, and the standard deviation of what is added.
        keeps, spread, centre = np.ones(3), asked, np.zeros(3)
        if self.law == "ar1":
            centre, variance = measured[:, 0].mean(axis=0), measured[:, 0].var(axis=0)
            # Of a stationary process the changes have the variance 2 (1 - keeps) variance.
            keeps = 1 - asked**2 / np.where(variance > 0, 2 * variance, np.inf)
            if (keeps <= -1).any():
                raise DatagenError("motion ar1: the measured changes are larger than the frame that they happen in")
            spread = np.sqrt((1 - keeps**2) * variance)
        sizes = np.broadcast_to(spread, (len(rows), 3))
        if self.law == "scale-mixture":
            assert self.parameter is not None
            of_run = np.random.default_rng((seed, _STREAM)).standard_normal(len(rows))
            # Its square has the mean 1.
            sizes = sizes * np.exp(self.parameter * of_run - self.parameter**2)[:, None]
        redrawn = 0
        for frame in range(1, values.shape[1]):
            towards = centre + keeps * (values[:, frame - 1] - centre)
            after = values[:, frame]
            out = np.ones(after.shape, dtype=bool)
            for attempt in range(_MOST_DRAWS):
                # Runs in their order take what one stream gives, so more runs begin with the same numbers.
                changes = self._unit((seed, _STREAM, frame, attempt), int(out.sum()))
                after[out] = towards[out] + sizes[out] * changes
                out = (after < low) | (after > high)
                if not out.any():
                    break
                redrawn += int(out.sum())
            else:
                raise DatagenError(
                    f"motion {self}: no change of run {int(np.argmax(out.any(axis=1)))} stays in the frame"
                )
        found = np.diff(values, axis=1).std(axis=(0, 1))
        return Moved(values, asked, found, redrawn / max(1, redrawn + values[:, 1:].size))

    def _unit(self, stream: tuple[int, ...], count: int) -> NDArray[np.float64]:
        """Draw numbers of mean 0 and variance 1, each from the next of the streams' own numbers."""
        rng = np.random.default_rng((*stream, 0))
        shape = {"laplace": 1.0, "gennorm": self.parameter}.get(self.law)
        if shape is None:
            return rng.standard_normal(count)
        sign = np.random.default_rng((*stream, 1)).integers(0, 2, count) * 2 - 1
        # |change / scale| ** shape has a gamma distribution; the scale is that of variance 1.
        scale = math.exp((math.lgamma(1 / shape) - math.lgamma(3 / shape)) / 2)
        magnitudes: NDArray[np.float64] = scale * rng.standard_gamma(1 / shape, count) ** (1 / shape)
        return sign * magnitudes
