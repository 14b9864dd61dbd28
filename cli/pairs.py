"""`datagen pairs`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import (
    INPUT,
    OUTPUT,
    Whole,
    check_outputs,
    echo,
    json_option,
    overwrite_option,
    print_json,
    prior_of,
    prior_options,
    quiet_option,
    seed_option,
)
from datagen.errors import counted


@click.command("pairs")
@click.argument("file", metavar="GRID", type=INPUT)
@prior_options("laplace")
@click.option(
    "--pairs",
    type=Whole(1, 10**8),  # the factors of so many alone are 5 GB
    default=100_000,
    show_default=True,
    help="Number of pairs.",
)
@seed_option
@click.option("--images", is_flag=True, help="Write the images of the pairs, too.")
@click.option("--out", required=True, type=OUTPUT, help="The dataset file: .npz, .h5 or .zarr.")
@json_option
@quiet_option
@overwrite_option
def command(
    file: Path,
    prior: str,
    rate: float | None,
    random_rate: bool,
    k: int | None,
    transitions: Path | None,
    pairs: int,
    seed: int,
    images: bool,
    out: Path,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Draw pairs of images of a grid: the factors of both, and the images if asked for.

    Every image of the grid is the first of a pair in turn, in random order. uniform and laplace are UNI and LAP of the
    paper; natural moves positions and sizes by transitions measured in video.

    \b
    Example:
      datagen pairs shapes3d.h5 --prior laplace --pairs 100000 --out lap.npz
      datagen pairs dsprites.h5 --prior natural --transitions t.csv --images --out natural.h5
    """
    from datagen import store
    from datagen.files import size_of
    from datagen.grids.pairs import draw_pairs
    from datagen.grids.priors import make_prior

    store.check_suffix(out)
    check_outputs([out], overwrite, inputs=[file, transitions])
    drawn_by = make_prior(**prior_of(prior, rate, random_rate, k, transitions))
    grid = store.load(file, lazy=not images)  # pairs are gathered from everywhere
    inputs = {path.name: store.fingerprint(path) for path in (file, transitions) if path is not None}
    dataset = draw_pairs(grid, drawn_by, pairs, seed, images=images, inputs=inputs)
    manifest = store.save(dataset, out, overwrite, show_progress=not (quiet or as_json))
    size = size_of(out)
    if as_json:
        print_json({"out": str(out), "bytes": size, **{key: manifest[key] for key in ("counts", "parameters")}})
    elif not quiet:
        held = "factors and images" if images else "factors"
        echo(f"{out}: {counted(pairs, 'pair')}, {held}, {size / 1e6:.1f} MB")
