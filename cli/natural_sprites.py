"""`datagen natural-sprites`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import (
    INPUT,
    OUTPUT,
    Whole,
    automatic_option,
    check_outputs,
    echo,
    format_option,
    fps_of_source_option,
    image_size_option,
    json_option,
    overwrite_option,
    print_json,
    quiet_option,
    seed_option,
    sources_option,
    split_names,
    workers_option,
)
from datagen.errors import counted


@click.command("natural-sprites")
@click.option(
    "--transitions",
    type=INPUT,
    help="Table of transitions, e.g. the release's downscale_keepaspect.csv.",
)
@sources_option(
    "Annotations to measure: files, folders, zips or tars in any format of `datagen formats`. May be given several "
    "times.",
    required=False,
)
@fps_of_source_option
@format_option
@automatic_option
@click.option("--out", required=True, type=OUTPUT, help="The dataset file: .npz, .h5 or .zarr.")
@click.option(
    "--pairs",
    type=Whole(max=10**8),  # the factors of so many alone are 4 GB
    default=100_000,
    show_default=True,
    help="Number of pairs (of runs, with --length).",
)
@seed_option
@click.option(
    "--length",
    type=Whole(max=65_535),  # an hour of video: no object is followed longer
    default=2,
    show_default=True,
    help="Frames of a run.",
)
@click.option(
    "--motion",
    default="natural",
    show_default=True,
    metavar="LAW",
    help="How x, y and scale change: natural, or with the same start and variance laplace, normal, gennorm:SHAPE, "
    "scale-mixture:SPREAD or ar1.",
)
@click.option("--discrete", is_flag=True, help="Put x, y and scale on a grid of 32, 32 and 6 values.")
@click.option(
    "--shapes",
    default="square,triangle,star_4,spoke_4",
    show_default=True,
    help="Shapes to draw from; also pentagon, hexagon, octagon, circle, star_5, star_6, spoke_5, spoke_6.",
)
@click.option("--colors", default="white", show_default=True, help="Colours to draw from: CSS names or #rrggbb.")
@image_size_option("images")
@click.option("--factors-only", is_flag=True, help="Leave out the images; they can be rendered on the fly.")
@workers_option
@json_option
@quiet_option
@overwrite_option
def command(
    transitions: Path | None,
    sources: tuple[Path, ...],
    fps_of_source: float | None,
    format_name: str | None,
    automatic: bool,
    out: Path,
    pairs: int,
    seed: int,
    length: int,
    motion: str,
    discrete: bool,
    shapes: str,
    colors: str,
    image_size: int,
    factors_only: bool,
    workers: int | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Build Natural Sprites from a table of transitions.

    Sprites of random shape and orientation move and grow as objects in natural video did.

    \b
    Example:
      datagen natural-sprites --transitions downscale_keepaspect.csv --out sprites.h5 --seed 0
      datagen natural-sprites --source train.json --out sprites.npz --discrete
      datagen natural-sprites --transitions downscale_keepaspect.csv --motion gennorm:0.5 --out sparse.h5
    """
    if (transitions is None) == (not sources):
        raise click.UsageError("give either --transitions or --source")
    for given, option in ((fps_of_source, "--fps-of-source"), (format_name, "--format"), (automatic, "--automatic")):
        if given and not sources:
            raise click.UsageError(f"{option} is of --source, not of a table")

    from datagen import store
    from datagen.files import size_of
    from datagen.measure import measure
    from datagen.store.tables import load
    from natsprites import Motion, build
    from natsprites.sampling import read_color

    law = Motion.read(motion)
    store.check_suffix(out)
    check_outputs([out], overwrite, inputs=[transitions, *sources])
    show_progress = not (quiet or as_json)
    if transitions is not None:
        table = load(transitions, length)
        inputs = {transitions.name: store.fingerprint(transitions)}
    else:
        measured = measure(
            sources,
            fps_of_source=fps_of_source,
            format=format_name,
            automatic=automatic,
            workers=workers,
            show_progress=show_progress,
        )
        table = measured.transitions().runs(length)
        inputs = measured.manifest["inputs"]
    dataset = build(
        table,
        pairs,
        seed,
        motion=law,
        discrete=discrete,
        shapes=split_names(shapes),
        colors=[read_color(name) for name in split_names(colors)],
        image_size=image_size,
        factors_only=factors_only,
        inputs=inputs,
        workers=workers,
        show_progress=show_progress,
    )
    manifest = store.save(dataset, out, overwrite)
    size = size_of(out)
    if as_json:
        kept = {key: manifest[key] for key in ("counts", "parameters", "inputs")}
        print_json({"out": str(out), "bytes": size, "factor_sizes": dataset.factor_sizes.tolist(), **kept})
    elif not quiet:
        parameters = manifest["parameters"]
        echo(
            f"{parameters['transitions_without_outliers']:,} of {parameters['transitions']:,} "
            "transitions are no outliers"
        )
        if law.law != "natural":
            again = parameters["changes_drawn_again"]
            echo(f"motion {law}: {again:.1%} of the changes led out of the frame and were drawn again")
        echo(f"{out}: {counted(pairs, 'run')} of {counted(length, 'frame')}, {size / 1e6:.1f} MB")
