"""The discrete Natural Sprites as a grid of factors, whose images are rendered when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datagen.datasets import SPRITE_FACTORS, Factor, Sequences
from datagen.lazy_array import LazyArray
from datagen.manifest import make_manifest
from datagen.readers import describe_sources
from datagen.transitions import Transitions
from natsprites.renderer import Renderer
from natsprites.sampling import NATURAL_SHAPES, factor_space
from natsprites.shapes import SHAPES

__all__ = ["sprite_grid"]

_ROWS = 4096


def sprite_grid(
    transitions: Transitions,
    shapes: Sequence[str] = NATURAL_SHAPES,
    image_size: int = 64,
    inputs: dict[str, str] | None = None,
) -> Sequences:
    """Make the grid of all that discrete Natural Sprites can be: x, y, scale, orientation and shape.

    By `datagen.grids.Natural` of the same transitions its pairs move as Natural Sprites do, but from any place.

    Parameters
    ----------
    transitions : Transitions
        The table that the values of x, y and scale follow from, as for `natsprites.build` with ``discrete=True``.
    shapes : sequence of str
        Names of the shapes.
    image_size : int
        Height and width of the images.
    inputs : dict of str to str, optional
        sha256 of each file that the transitions come from by its name, for the manifest.

    Returns
    -------
    Sequences
        With `is_grid`: of 32 x 32 x 6 x 40 x 4 images, grey, none of which is in memory.

    Raises
    ------
    UsageError, DatagenError
        As `natsprites.sampling.factor_space`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> texts, numbers = np.full(2000, ""), np.arange(2000)
    >>> x, y = rng.uniform(10, 50, (2, 2000, 2))
    >>> table = Transitions(texts, texts, numbers, texts, numbers, numbers, y, x, rng.integers(50, 500, (2000, 2)))
    >>> grid = sprite_grid(table)
    >>> grid.factor_sizes, grid.images[1000].shape
    (array([32, 32,  6, 40,  4]), (64, 64))
    """
    space = factor_space(transitions, discrete=True, shapes=shapes)
    assert space.grid is not None
    info = tuple(
        Factor(
            name,
            description,
            (0, len(values) - 1),
            len(values),
            categorical=name == "shape",
            moves=name != "shape",
            period=len(values) if name == "orientation" else None,
            values=tuple(values.tolist()),
        )
        for name, description, values in zip(SPRITE_FACTORS, _DESCRIPTIONS, space.grid, strict=True)
    )
    parameters = {
        "shapes": [list(SHAPES)[int(code)] for code in space.grid[-1]],
        "image_size": image_size,
        "transitions": len(transitions),
        "transitions_without_outliers": len(space.motion),
    }
    sources = describe_sources(each for each in np.unique(transitions.source).tolist() if each)
    manifest = make_manifest("sprite-grid", parameters, sources, inputs or {})
    images = _RenderedImages(space.grid, Renderer(image_size))
    return Sequences.of_grid(images, info, manifest)


_DESCRIPTIONS = (
    "Position, rightwards.",
    "Position, upwards.",
    "Size.",
    "Orientation, counter-clockwise.",
    "Shape.",
)


class _RenderedImages(LazyArray):
    """Images of every combination of values of the five factors."""

    def __init__(self, grid: tuple[NDArray[np.float64], ...], renderer: Renderer) -> None:
        self._sizes = tuple(len(values) for values in grid)
        count, side = int(np.prod(self._sizes)), renderer.image_size
        super().__init__((count, side, side), np.dtype(np.uint8), _ROWS)
        self._grid, self._renderer = grid, renderer

    def read(self, begin: int, end: int) -> NDArray[np.uint8]:
        """Return some rows."""
        return self._render(np.arange(begin, end))

    def _rows(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return rows in any order; each is rendered by itself, so no others are beside it."""
        flat = np.where(rows < 0, rows + len(self), rows).ravel()
        if len(flat) and not 0 <= flat.min() <= flat.max() < len(self):
            raise IndexError(f"rows from {flat.min()} to {flat.max()} of an array of {len(self)}")
        return self._render(flat).reshape(*rows.shape, *self.shape[1:])

    def _render(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        places = np.unravel_index(numbers, self._sizes)
        x, y, scale, angle, shape = (values[place] for values, place in zip(self._grid, places, strict=True))
        return self._renderer.render(x, y, scale, angle, shape, grey=True)
