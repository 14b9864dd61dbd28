"""From transitions to Natural Sprites (every step is described in docs/natural-sprites.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from datagen.arguments import check_instance, is_whole
from datagen.datasets import SPRITE_FACTORS, Sequences
from datagen.errors import UsageError, shown
from datagen.manifest import make_manifest
from datagen.parallel import check_workers, map_ordered
from datagen.progress import progress_bar
from datagen.readers import describe_sources
from datagen.transitions import Transitions
from natsprites.motion import Motion, Moved
from natsprites.renderer import Renderer
from natsprites.sampling import NATURAL_SHAPES, FactorSpace, factor_space
from natsprites.shapes import SHAPES

__all__ = ["build"]

_CHUNK = 1024
"""Runs rendered at a time."""


def build(
    transitions: Transitions,
    pairs: int = 100_000,
    seed: int = 0,
    *,
    motion: str | Motion = "natural",
    discrete: bool = False,
    shapes: Sequence[str] = NATURAL_SHAPES,
    colors: ArrayLike = ((1.0, 1.0, 1.0),),
    image_size: int = 64,
    factors_only: bool = False,
    inputs: dict[str, str] | None = None,
    workers: int | None = None,
    show_progress: bool = False,
) -> Sequences:
    """Build Natural Sprites.

    Each run takes its motion from one transition, and an orientation, a shape and a colour that its frames share, all
    drawn uniformly. Sprites are rendered from float64 factors and these are stored as float32.

    Parameters
    ----------
    transitions : Transitions
        Rows of T frames, measured in 64x64 windows; outliers of area are left out (`natsprites.sampling.is_natural`).
    pairs : int
        Number of runs N of T frames (of pairs, when ``T == 2``).
    seed : int
        Seed of all draws. The first n runs are the same for every N.
    motion : str or Motion
        The law by which x, y and scale change from where each transition begins (`natsprites.Motion`), such as
        ``"normal"`` or ``"gennorm:0.5"``.
    discrete : bool
        Whether x, y and scale lie on a grid, as in the discrete variant (`natsprites.sampling.factor_space`).
    shapes : sequence of str
        Names of the shapes to draw from.
    colors : array_like of float, shape (C, 3)
        The colours to draw from, red, green and blue in [0, 1].
    image_size : int
        Height and width of the images.
    factors_only : bool
        Leave out the images.
    inputs : dict of str to str, optional
        sha256 of each file that the transitions come from by its name, for the manifest.
    workers : int, optional
        Number of threads; by default one per processor. The result does not depend on it.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

    Returns
    -------
    Sequences
        Its images are grey when all colours are. The manifest holds the parameters, and as ``factor_values`` the
        values of each factor that is not continuous.

    Raises
    ------
    UsageError
        If an argument is out of range, or if colours are asked for together with `factors_only`: they are no factors,
        so such a file could not hold them;
        or for another law of motion together with `discrete`, whose grid is too coarse to tell laws apart.
    DatagenError
        If the transitions cannot serve (`natsprites.sampling.factor_space`, `natsprites.Motion.move`).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> names, numbers = np.full(50, ""), np.arange(50)
    >>> y, x = rng.uniform(20, 44, (2, 50, 1)) + rng.laplace(0, 1, (2, 50, 2))
    >>> area = rng.integers(100, 900, (50, 1)) + rng.integers(0, 20, (50, 2))
    >>> moved = Transitions(names, names, numbers, names, numbers, numbers, y, x, area)
    >>> build(moved, pairs=100, image_size=32)
    Sequences(sprite-sequences: 100 sequences, 200 frames of 32 x 32 uint8; factors x, y, scale, orientation, shape)
    """
    check_instance("transitions", transitions, Transitions, "as datagen.load returns of a table")
    if not is_whole(pairs, 1, 2**62):
        raise UsageError(f"{shown(pairs)} pairs: must be at least 1, and whole")
    if not is_whole(seed, 0, 2**64 - 1):
        raise UsageError(f"seed {shown(seed)}: must be at least 0, and whole")
    check_workers(workers)
    motion = Motion.read(motion)
    if discrete and motion.law != "natural":
        raise UsageError(f"motion {motion} is of continuous factors; leave out discrete")
    space = factor_space(transitions, discrete, shapes, colors)
    if factors_only and (space.colors != 1).any():
        raise UsageError("a file of factors only cannot hold colours; leave out the colours or keep the images")
    renderer = Renderer(image_size)
    drawn = space.draw(pairs, seed)
    factors = space.factors(drawn)
    moved = motion.move(space.motion, drawn[:, 0], seed)
    factors[:, :, :3] = moved.values
    images = None
    if not factors_only:
        frames = factors.shape[:2]
        grey = bool((space.colors == space.colors[:, :1]).all())
        images = np.empty((*frames, image_size, image_size, *(() if grey else (3,))), dtype=np.uint8)

        def paint(first: int) -> None:
            chunk = slice(first, first + _CHUNK)
            x, y, scale, angle, shape = factors[chunk].reshape(-1, 5).T
            color = np.repeat(space.colors[drawn[chunk, 3]], frames[1], axis=0)
            pictures = renderer.render(x, y, scale, angle, shape, color, grey=grey)
            images[chunk] = pictures.reshape(-1, *images.shape[1:])

        chunks = range(0, pairs, _CHUNK)
        for _ in progress_bar(map_ordered(paint, chunks, workers), "rendering", total=len(chunks), show=show_progress):
            pass
    manifest = make_manifest(
        command="natural-sprites",
        preset="paper",
        parameters={
            "pairs": pairs,
            "length": transitions.length,
            "seed": seed,
            "discrete": discrete,
            "shapes": list(shapes),
            "colors": space.colors.tolist(),
            "image_size": image_size,
            "transitions": len(transitions),
            "transitions_without_outliers": len(space.motion),
            **(_law(motion, moved) if motion.law != "natural" else {}),
        },
        sources=describe_sources(sorted({str(source) for source in np.unique(transitions.source)} - {""})),
        inputs=inputs or {},
    )
    transition = space.transition[drawn[:, 0]]
    return Sequences.of_sprites(
        images=images,
        factors=factors.astype(np.float32),
        factor_sizes=space.factor_sizes,
        transition=transition,
        fps=None if np.isnan(transitions.fps).all() else transitions.fps[transition],
        manifest={**manifest, "shape_codes": _codes(space), "factor_values": _values(space)},
    )


def _law(motion: Motion, moved: Moved) -> dict[str, Any]:
    """Return what the manifest says of a law that is not the measured one."""
    names = SPRITE_FACTORS[:3]
    return {
        "motion": str(motion),
        "measured_standard_deviation": dict(zip(names, moved.asked.tolist(), strict=True)),
        "standard_deviation": dict(zip(names, moved.found.tolist(), strict=True)),
        "changes_drawn_again": moved.redrawn,
    }


def _codes(space: FactorSpace) -> dict[str, int]:
    """Return the code of each shape in use by its name."""
    return {name: code for code, name in enumerate(SHAPES) if code in space.shapes}


def _values(space: FactorSpace) -> dict[str, list[float]]:
    """Return the values that each factor on a grid can take."""
    if space.grid is None:
        return {}
    return {name: values.tolist() for name, values in zip(SPRITE_FACTORS, space.grid, strict=True)}
