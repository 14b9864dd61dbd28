"""Grids of factors: the established benchmarks, and the priors that pairs are drawn by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datagen.lazy import lazy_names

if TYPE_CHECKING:
    from datagen.grids.priors import Laplace, Natural, Uniform
    from datagen.grids.reading import read_grid
    from datagen.grids.sets import SETS

__all__ = ["SETS", "Laplace", "Natural", "Uniform", "read_grid"]

_HOMES = {"SETS": "sets", "Laplace": "priors", "Natural": "priors", "Uniform": "priors", "read_grid": "reading"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
