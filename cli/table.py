"""`datagen table`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import OUTPUT, check_outputs, echo, overwrite_option, print_table, quiet_option
from datagen.errors import counted


@click.command("table")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=OUTPUT, help="The table: .md, .tex or .csv.  [default: shown]")
@quiet_option
@overwrite_option
def command(runs: tuple[Path, ...], out: Path | None, quiet: bool, overwrite: bool) -> None:
    """Put the scores of runs into one table: data sets by models, every metric, mean and deviation over seeds.

    Runs of the same file and settings but other seeds are one row. What was not scored stays empty. Scores of another
    file than the one trained on, and of another protocol of the MCC, stand apart.

    \b
    Example:
      datagen table runs/shapes3d-lap runs/shapes3d-uni --out table.md
    """
    from slowvae.table import collect, write_table

    check_outputs([out], overwrite)
    table = collect(runs)
    if out is not None:
        write_table(table, out, overwrite)
    if quiet:
        return
    if out is None:
        rows = [
            (
                row.dataset,
                row.prior,
                row.model,
                row.iterations,
                name,
                each.mean,
                "" if each.deviation is None else each.deviation,
                each.seeds,
            )
            for row in table.rows
            for name, each in row.cells.items()
        ]
        print_table("scores", ["data set", "pairs", "model", "iterations", "metric", "mean", "sd", "seeds"], rows)
    else:
        echo(f"{out}: {counted(len(table.rows), 'row')}, {counted(len(table.metrics), 'metric')}")
    if table.notes:
        echo(*table.notes)
