"""Which factors sprites take: those of measured transitions, without outliers, and on request on a grid.

Method: section 2.2 and appendix of the paper (Natural Sprites), with the grids of its release.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.arguments import check_whole
from datagen.errors import DatagenError, UsageError
from datagen.transitions import Transitions
from natsprites.shapes import SHAPES, shape_codes

__all__ = [
    "NATURAL_SHAPES",
    "ORIENTATIONS",
    "FactorSpace",
    "factor_space",
    "is_natural",
    "nearest_bin_centres",
    "read_color",
]

NATURAL_SHAPES = ("square", "triangle", "star_4", "spoke_4")
"""The shapes of Natural Sprites."""

ORIENTATIONS = np.arange(0.0, 360.0, 9.0)
"""The 40 orientations, degrees."""

_WINDOW = 64
"""Height and width in pixels of the window in which transitions were measured: the sprites' frame."""

_BINS = {"x": 32, "y": 32, "area": 6}
"""Number of bins of the discrete variant."""

_MOST_BINS = 1 << 20
"""More bins than any factor needs, and still few enough to hold."""

_OUTLIERS = 0.05
"""Fraction of the smallest areas, and of the largest, that is left out."""


def read_color(text: str) -> tuple[float, float, float]:
    """Read a colour: a CSS name such as ``"orange"``, or ``"#ff8800"``; red, green and blue in [0, 1].

    Raises
    ------
    UsageError
        If it is no colour.
    """
    from PIL import ImageColor

    try:
        color: tuple[int, ...] = ImageColor.getrgb(text)[:3]
    except (ValueError, TypeError, AttributeError, OverflowError):
        color = ()
    if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
        raise UsageError(f"no colour {text!r:.60}; give a CSS name such as orange, or #rrggbb")
    red, green, blue = color
    return red / 255, green / 255, blue / 255


def is_natural(transitions: Transitions) -> NDArray[np.bool_]:
    """Say which transitions are no outliers: every frame's area lies between the 5 % and 95 % quantile of its column.

    Both ends are kept, and the quantiles (linear between values) are taken over all rows, for each frame position.

    Parameters
    ----------
    transitions : Transitions
        N rows of T frames.

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    if not len(transitions):
        return np.zeros(0, dtype=bool)
    low, high = np.quantile(transitions.area, [_OUTLIERS, 1 - _OUTLIERS], axis=0)
    return ((transitions.area >= low) & (transitions.area <= high)).all(axis=1)


def nearest_bin_centres(values: NDArray[Any], bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Replace values by the nearest centre of equal-width histogram bins over all of them.

    Parameters
    ----------
    values : ndarray of float or int, any shape
        The values.
    bins : int
        Number of bins, from the least value to the greatest.

    Returns
    -------
    nearest : ndarray of float64, of the same shape
        For each value the nearest centre, the lower of two equally near.
    centres : ndarray of float64, shape (bins,)
        All centres, ascending.

    Raises
    ------
    UsageError
        If there is no value, one is not finite, or `bins` is no whole number above 0.
    """
    check_whole("bins", bins, 1, _MOST_BINS)
    values = np.asarray(values)
    if not values.size or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise UsageError("values must be finite numbers, at least one")
    edges = np.histogram_bin_edges(values, bins=bins)
    centres = edges[:-1] + (edges[1:] - edges[:-1]) / 2
    above = np.clip(np.searchsorted(centres, values), 1, bins - 1)
    nearest = above - (np.abs(values - centres[above - 1]) <= np.abs(values - centres[above]))
    return centres[nearest], centres


@dataclass(frozen=True)
class FactorSpace:
    """All that sprites can be: the motions, orientations, shapes and colours to draw from.

    Attributes
    ----------
    motion : ndarray of float64, shape (M, T, 3)
        x, y and scale of M measured motions of T frames, as fractions of the frame.
    transition : ndarray of int64, shape (M,)
        The row of the transition table that each motion comes from.
    shapes : ndarray of int64, shape (S,)
        Codes of the shapes.
    colors : ndarray of float64, shape (C, 3)
        Red, green and blue in [0, 1].
    grid : tuple of ndarray of float64, or None
        For the discrete variant the values of x, y, scale, orientation and shape, each ascending but the shapes, which
        are sorted by name: so the release numbers them when it scores.
    """

    motion: NDArray[np.float64]
    transition: NDArray[np.int64]
    shapes: NDArray[np.int64]
    colors: NDArray[np.float64]
    grid: tuple[NDArray[np.float64], ...] | None

    @property
    def factor_sizes(self) -> NDArray[np.int64]:
        """Number of values of each of the five factors, 0 for one that is continuous, int64 (5,)."""
        x, y, scale = (0, 0, 0) if self.grid is None else (len(values) for values in self.grid[:3])
        return np.array([x, y, scale, len(ORIENTATIONS), len(self.shapes)])

    def draw(self, runs: int, seed: int) -> NDArray[np.int64]:
        """Draw which motion, orientation, shape and colour each run takes, uniformly and independently.

        Parameters
        ----------
        runs : int
            Number of runs N. The first n of N are the same for every N.
        seed : int
            Seed, at least 0.

        Returns
        -------
        ndarray of int64, shape (N, 4)
            Places in `motion`, `ORIENTATIONS`, `shapes` and `colors`.

        Raises
        ------
        UsageError
            If there is no run, or the seed is no whole number or below 0.
        """
        check_whole("runs", runs, 1)
        check_whole("seed", seed, 0)
        sizes = (len(self.motion), len(ORIENTATIONS), len(self.shapes), len(self.colors))
        # A generator for each column, so that a longer draw begins with the shorter one.
        return np.stack(
            [np.random.default_rng((seed, column)).integers(size, size=runs) for column, size in enumerate(sizes)],
            axis=1,
        )

    def factors(self, drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the factors of drawn runs.

        Parameters
        ----------
        drawn : ndarray of int64, shape (N, 4)
            As from `draw`.

        Returns
        -------
        ndarray of float64, shape (N, T, 5)
            x, y, scale, orientation and shape of every frame; the last two are the same in all frames of a run.
        """
        factors = np.empty((len(drawn), self.motion.shape[1], 5))
        factors[:, :, :3] = self.motion[drawn[:, 0]]
        factors[:, :, 3] = ORIENTATIONS[drawn[:, 1], None]
        factors[:, :, 4] = self.shapes[drawn[:, 2], None]
        return factors


def factor_space(
    transitions: Transitions,
    discrete: bool = False,
    shapes: Sequence[str] = NATURAL_SHAPES,
    colors: ArrayLike = ((1.0, 1.0, 1.0),),
) -> FactorSpace:
    """Turn transitions measured in 64x64 windows into the factors of sprites.

    ``x = x_px / 64``, ``y = y_px / 64`` and ``scale = sqrt(area_px / 64**2)``. The measured y points downwards and the
    sprites' y upwards: the motion is mirrored, as published.

    Parameters
    ----------
    transitions : Transitions
        N rows of T frames.
    discrete : bool
        Whether x, y and area take the nearest centre of 32, 32 and 6 equal-width bins over all kept frames.
    shapes : sequence of str
        Names of the shapes.
    colors : array_like of float, shape (C, 3)
        The colours, red, green and blue in [0, 1].

    Returns
    -------
    FactorSpace

    Raises
    ------
    DatagenError
        If a value is not finite or does not fit a 64x64 window, if no row is left by `is_natural`, or if `discrete` and
        a bin is hit by no value.
    UsageError
        For no shape, an unknown one or one that is given twice, and for colours that are not (C, 3) or outside [0, 1].
    """
    if not isinstance(transitions, Transitions):
        raise UsageError(f"transitions are a {type(transitions).__name__}; datagen.load reads a table")
    names: list[Any] = list(shapes) if isinstance(shapes, Iterable) and not isinstance(shapes, str) else [None]
    if not all(isinstance(name, str) for name in names):
        raise UsageError(f"shapes must be a list of names; the shapes are {', '.join(SHAPES)}")
    if not names:
        raise UsageError(f"no shape given; the shapes are {', '.join(SHAPES)}")
    codes = shape_codes(names)
    if len(set(names)) < len(names):
        raise UsageError(f"shapes {', '.join(names)}: one is given twice")
    values = np.stack([transitions.x, transitions.y, transitions.area], axis=-1).astype(np.float64)
    fits = np.isfinite(values) & (values >= (0, 0, 1)) & (values <= (_WINDOW, _WINDOW, _WINDOW**2))
    if not fits.all():
        row, frame, column = np.argwhere(~fits)[0]
        raise DatagenError(
            f"transitions, row {row}: {('x', 'y', 'area')[column]} is {values[row, frame, column]:g}, which no mask in "
            f"a {_WINDOW}x{_WINDOW} window has; measure transitions in {_WINDOW}x{_WINDOW} windows"
        )
    try:
        colors = np.array(colors, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError("colors must be numbers, (C, 3)") from None
    if colors.ndim != 2 or colors.shape[1] != 3 or len(colors) == 0:
        raise UsageError(f"colors must be (C, 3), but are {colors.shape}")
    if not ((colors >= 0) & (colors <= 1)).all():
        raise UsageError("colors hold a value outside [0, 1]")
    kept = np.flatnonzero(is_natural(transitions))
    if len(kept) == 0:
        raise DatagenError(
            f"none of the {len(transitions)} transitions is left without outliers of area; give a larger table"
        )
    values = values[kept]
    grid = None
    if discrete:
        centres = []
        for column, (name, bins) in enumerate(_BINS.items()):
            values[..., column], values_of_bins = nearest_bin_centres(values[..., column], bins)
            hit = len(np.unique(values[..., column]))
            if hit < bins:
                raise DatagenError(
                    f"discrete: the {len(kept)} transitions without outliers hit {hit} of the {bins} bins of {name}; "
                    "give a larger table"
                )
            centres.append(_to_frame(values_of_bins, name))
        grid = (*centres, ORIENTATIONS, shape_codes(sorted(names)).astype(np.float64))
    motion = np.stack([_to_frame(values[..., column], name) for column, name in enumerate(_BINS)], axis=-1)
    return FactorSpace(motion, kept, codes, colors, grid)


def _to_frame(pixels: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Turn x or y (pixels) into fractions of the frame, and area (pixels) into a scale."""
    return np.sqrt(pixels / _WINDOW**2) if name == "area" else pixels / _WINDOW
