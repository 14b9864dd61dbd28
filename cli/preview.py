"""`datagen preview`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import INPUT, OUTPUT, check_outputs, echo, overwrite_option, quiet_option


@click.command("preview")
@click.argument("file", type=INPUT)
@click.option("--out", required=True, type=OUTPUT, help="A contact sheet (.png) or an animation (.gif).")
@quiet_option
@overwrite_option
def command(file: Path, out: Path, quiet: bool, overwrite: bool) -> None:
    """Draw sequences of a dataset file, masks with their centre of mass.

    \b
    Example:
      datagen preview kitti.npz --out kitti.png
    """
    from datagen.preview import check_suffix, save_preview
    from datagen.store import load

    check_suffix(out)
    check_outputs([out], overwrite, inputs=[file])
    save_preview(load(file, lazy=True), out, overwrite)
    if not quiet:
        echo(f"{out}: {out.stat().st_size / 1e6:.2f} MB")
