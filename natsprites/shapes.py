"""The shapes of sprites: Spriteworld's twelve polygons, each of area 1 around the origin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.errors import UsageError, unknown_choice

__all__ = ["SHAPES", "shape_codes"]


def _on_circle(radius: float, turns: NDArray[Any], corner: float, start: float) -> NDArray[np.float64]:
    """Return points at the angles ``turns * corner + start`` (radians), float64 (len(turns), 2)."""
    angles = turns * corner + start
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _polygon(sides: int, start: float = 0.0) -> NDArray[np.float64]:
    """Return a regular polygon whose first corner lies at the angle `start`."""
    corner = 2 * np.pi / sides
    area = sides * np.sin(corner / 2) * np.cos(corner / 2)
    return _on_circle(1, np.arange(sides), corner, start) / np.sqrt(area)


def _star(points: int, start: float = 0.0) -> NDArray[np.float64]:
    """Return a star: inner corners on a circle of radius 1, points halfway between them on one of radius 2."""
    corner = 2 * np.pi / points
    path = np.empty((2 * points, 2))
    path[0::2] = _on_circle(1, np.arange(points), corner, start)
    path[1::2] = _on_circle(2, np.arange(points) + 0.5, corner, start)
    return path / np.sqrt(2 * points * np.sin(corner / 2))


def _spokes(spokes: int, start: float = 0.0) -> NDArray[np.float64]:
    """Return a regular polygon with a rectangle of length 1 on every side."""
    corner = 2 * np.pi / spokes
    hub = _on_circle(1, np.arange(spokes), corner, start)
    path = np.empty((3 * spokes, 2))
    path[0::3] = _on_circle(1, np.arange(spokes) - 0.5, corner, start) + hub
    path[1::3] = hub
    path[2::3] = _on_circle(1, np.arange(spokes) + 0.5, corner, start) + hub
    return path / np.sqrt(spokes * np.sin(corner / 2) * (2 + np.cos(corner / 2)))


SHAPES: dict[str, NDArray[np.float64]] = {
    "square": _polygon(4, np.pi / 4),
    "triangle": _polygon(3, np.pi / 2),
    "star_4": _star(4, np.pi / 4),
    "spoke_4": _spokes(4, np.pi / 4),
    "pentagon": _polygon(5, np.pi / 2),
    "hexagon": _polygon(6),
    "octagon": _polygon(8),
    "circle": _polygon(30),
    "star_5": _star(5, np.pi + np.pi / 10),
    "star_6": _star(6),
    "spoke_5": _spokes(5, np.pi + np.pi / 10),
    "spoke_6": _spokes(6),
}
"""Name -> vertices, float64 (V, 2) as (x, y) with y upwards, equal to Spriteworld's to the last bit.

A shape's code is its place in this table. The first four are those of Natural Sprites, with the release's codes 0 to 3.
"""


def shape_codes(shape: ArrayLike | Sequence[str]) -> NDArray[np.int64]:
    """Return the codes of shapes given by name or by code.

    Parameters
    ----------
    shape : array_like of str or of int
        Names (keys of `SHAPES`) or codes; floats are taken where they are whole, as factors are stored as floats.

    Returns
    -------
    ndarray of int64, of the same shape
        The codes.

    Raises
    ------
    UsageError
        For a name or a code that does not exist.
    """
    try:
        shape = np.asarray(shape)
    except ValueError:
        raise UsageError("shapes are not in rows of equal length") from None
    if shape.dtype.kind in "UO":
        names, places = np.unique(shape.astype(str), return_inverse=True)
        if unknown := [name for name in names.tolist() if name not in SHAPES]:
            raise unknown_choice("shape", unknown[0], SHAPES)
        known = list(SHAPES)
        return np.array([known.index(name) for name in names.tolist()], dtype=np.int64)[places].reshape(shape.shape)
    if shape.dtype.kind not in "iuf" or not np.isin(shape, np.arange(len(SHAPES))).all():
        raise UsageError(f"shape codes are whole numbers from 0 to {len(SHAPES) - 1}")
    return shape.astype(np.int64)
