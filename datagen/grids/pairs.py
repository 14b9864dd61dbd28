"""Pairs of frames of a grid, drawn by a prior: the rule that files of pairs and the torch dataset share.

An epoch goes through the grid in random order: every frame is the first of one pair. The second is drawn given it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import check_whole
from datagen.datasets import Sequences
from datagen.errors import UsageError
from datagen.grids.images import OrderedImages
from datagen.grids.priors import Laplace, Natural, Prior, Uniform
from datagen.manifest import make_manifest

__all__ = ["check_grid", "describe_prior", "draw_pairs", "second_images"]

_MOST_PAIRS = 10**8


def check_grid(grid: Any) -> Sequences:
    """Refuse a dataset that is no grid.

    Raises
    ------
    UsageError
        If it holds no image of every combination of its factors.
    """
    if not isinstance(grid, Sequences):
        raise UsageError(f"a grid is a dataset, not a {type(grid).__name__}; datagen.load reads one")
    if not grid.is_grid:
        raise UsageError("the dataset is no grid: it does not hold one image of every combination of its factors")
    return grid


def second_images(
    firsts: NDArray[np.int64], grid: Sequences, prior: Prior, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the second image of each pair.

    Parameters
    ----------
    firsts : ndarray of int64, shape (P,)
        Numbers of the first images.
    grid : Sequences
        The grid.
    prior : Prior
        What the second is drawn by.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int64, shape (P,)

    Raises
    ------
    UsageError
        If the prior is none, or cannot be drawn from on the grid.

    Examples
    --------
    >>> from datagen.datasets import Factor
    >>> info = [Factor("x", "", (0, 3), 4), Factor("shape", "", (0, 1), 2, categorical=True)]
    >>> grid = Sequences.of_grid(np.zeros((8, 4, 4), dtype=np.uint8), info)
    >>> second_images(np.array([0, 4]), grid, Laplace(), np.random.default_rng(0))
    array([2, 2])
    """
    if not callable(getattr(prior, "sample", None)) or isinstance(prior, type):
        raise UsageError(
            f"prior={prior!r:.60}: must be a prior, e.g. datagen.grids.Laplace(rate=1.0); make_prior of "
            "datagen.grids.priors makes one of its name"
        )
    sizes = tuple(grid.factor_sizes.tolist())
    drawn = prior.sample(grid.factors[firsts], grid.factor_info, rng)
    return np.ravel_multi_index(tuple(drawn.T), sizes).astype(np.int64)


def describe_prior(prior: Prior) -> dict[str, Any]:
    """Return what a manifest says of a prior."""
    if isinstance(prior, Uniform):
        return {"prior": "uniform", "k": prior.k}
    if isinstance(prior, Laplace):
        return {"prior": "laplace", "rate": prior.rate}
    if isinstance(prior, Natural):
        return {"prior": "natural", "transitions": len(prior.transitions), "frame": prior.frame}
    return {"prior": type(prior).__name__}


def draw_pairs(
    grid: Sequences,
    prior: Prior,
    pairs: int,
    seed: int = 0,
    *,
    images: bool = False,
    inputs: dict[str, str] | None = None,
) -> Sequences:
    """Draw pairs of frames of a grid.

    Parameters
    ----------
    grid : Sequences
        The grid.
    prior : Prior
        What second frames are drawn by.
    pairs : int
        Number of pairs P. The first ones of every N go through the whole grid, in another order each time.
    seed : int
        Of all that is random.
    images : bool
        Whether the dataset has the images too. They are gathered when they are asked for.
    inputs : dict of str to str, optional
        sha256 of each file that the grid and the prior come from by its name, for the manifest.

    Returns
    -------
    Sequences
        P sequences of two frames. Factors are numbers of values.

    Raises
    ------
    UsageError
        If the dataset is no grid, the prior cannot be drawn from on it, or a number is out of range.

    Examples
    --------
    >>> from datagen.datasets import Factor
    >>> info = [Factor("x", "", (0, 3), 4), Factor("shape", "", (0, 1), 2, categorical=True)]
    >>> grid = Sequences.of_grid(np.zeros((8, 4, 4), dtype=np.uint8), info)
    >>> draw_pairs(grid, Uniform(k=1), pairs=100)
    Sequences(grid-pairs: 100 sequences, 200 frames without images; factors x, shape)
    """
    check_grid(grid)
    check_whole("pairs", pairs, 1, _MOST_PAIRS)
    check_whole("seed", seed, 0)
    rows = np.empty((pairs, 2), dtype=np.int64)
    for number, begin in enumerate(range(0, pairs, grid.num_frames)):
        rng = np.random.default_rng((seed, number))
        part = rows[begin : begin + grid.num_frames]
        part[:, 0] = rng.permutation(grid.num_frames)[: len(part)]
        part[:, 1] = second_images(part[:, 0], grid, prior, rng)
    flat = rows.reshape(-1)
    factors = grid.factors[flat].reshape(pairs, 2, -1)
    gathered = None
    if images:
        if grid.images is None:
            raise UsageError("the grid has no images")
        gathered = OrderedImages(grid.images, flat).reshape(pairs, 2, *grid.images.shape[1:])
    parameters = {**describe_prior(prior), "pairs": pairs, "seed": seed}
    before = grid.manifest
    manifest = make_manifest("pairs", parameters, before.get("sources", []), inputs or {})
    return Sequences.of_grid_pairs(gathered, factors, grid.factor_info, manifest)
