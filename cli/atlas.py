"""`datagen atlas`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli._common import (
    INPUT,
    Whole,
    check_outputs,
    command_line,
    echo,
    json_option,
    one_blas_thread,
    overwrite_option,
    print_json,
    print_table,
    quiet_option,
    seed_option,
    warn,
)
from datagen.errors import UsageError
from datagen.extras import has_extra, missing_extra
from datagen.intervals import REPLICATES

if TYPE_CHECKING:
    from datagen.statistics.atlas import AtlasSet


@click.command("atlas")
@click.argument("files", nargs=-1, required=True, type=INPUT)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for the page, the CSV and the picture.",
)
@click.option(
    "--delta-ms",
    type=Whole(1, 3_600_000),  # nobody is followed for longer than an hour
    default=100,
    show_default=True,
    help="Time between the two frames of a change, in milliseconds.",
)
@click.option(
    "--bootstrap",
    type=Whole(0, 1_000_000),
    default=REPLICATES,
    show_default=True,
    help="Replicates for the intervals; 0 for none.",
)
@seed_option
@json_option
@quiet_option
@overwrite_option
def command(
    files: tuple[Path, ...],
    out: Path,
    delta_ms: int,
    bootstrap: int,
    seed: int,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Compare how the objects of several sets move, over one time.

    FILES are transition tables or dataset files of masks, one for each set. Shape, kurtosis, zeros and autocorrelation
    of each: of all changes, with the scale of each video or object taken out, and without the shared motion. Sets of
    which no whole number of frames is near that time are named, and given apart.

    \b
    Example:
      datagen atlas kitti.npz sa-v.csv mine.zarr --out atlas/
      datagen atlas kitti.npz sa-v.csv mine.zarr --delta-ms 200 --out atlas-200/
    """
    check_outputs(folders=[out], inputs=files)
    if not has_extra("figures"):
        raise UsageError(missing_extra("figures", "drawing statistics"))
    from datagen.statistics.atlas import build_atlas
    from datagen.statistics.report import check_atlas, write_atlas

    check_outputs(check_atlas(out, overwrite), overwrite, inputs=files)
    with one_blas_thread():
        atlas = build_atlas(files, delta_ms, bootstrap, seed, show_progress=not (quiet or as_json))
    written = write_atlas(atlas, out, overwrite, command_line())
    if as_json:
        print_json({"out": [str(path) for path in written], **atlas.to_json()})
    elif not quiet:
        warn(f"left out at {delta_ms} ms: {line}" for line in atlas.left_out)
        if atlas.sets:
            _print(f"shape of changes over {delta_ms} ms", atlas.sets)
        if atlas.apart:
            _print("apart: shape of changes between neighbouring frames", atlas.apart)
        echo(*map(str, written))


def _print(title: str, sets: list[AtlasSet]) -> None:
    """Print the shapes of each set as measured; the page and the CSV have the rest."""
    from datagen.statistics.within import LEVELS
    from datagen.transitions import FACTORS

    rows = []
    for each in sets:
        shapes = {
            (row.factor, row.level): row.found.shape
            for row in each.rows
            if row.found is not None and not row.found.at_bound and not row.ego_motion_removed
        }
        for factor in FACTORS:
            cells = (shapes.get((factor, level)) for level in LEVELS)
            rows.append([each.name, each.objects, factor, *("" if cell is None else f"{cell:.3g}" for cell in cells)])
    print_table(title, ["set", "objects", "factor", "pooled", "within video", "within object"], rows, 80)
    for each in sets:
        for line in [*each.sources, *each.notes]:
            echo(f"{each.name}: {line}")
