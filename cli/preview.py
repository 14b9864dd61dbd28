"""`datagen preview`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import INPUT, OUTPUT, Numbers, Whole, check_outputs, echo, overwrite_option, quiet_option


@click.command("preview")
@click.argument("file", type=INPUT)
@click.option("--out", required=True, type=OUTPUT, help="A contact sheet (.png) or an animation (.gif).")
@click.option(
    "--sequences",
    type=Numbers(0, 2**31, most=100, otherwise="is no list of numbers of sequences; write e.g. 0,7,12"),
    help="Which to show, by number: 0,7,12.  [default: some of the whole]",
)
@click.option("--scale", type=Whole(1, 16), default=1, show_default=True, help="How many times as large to draw.")
@quiet_option
@overwrite_option
def command(file: Path, out: Path, sequences: tuple[int, ...] | None, scale: int, quiet: bool, overwrite: bool) -> None:
    """Draw sequences of a dataset file, masks with their centre of mass.

    Over each stands its number and, as far as the file says it, what it is of: source, video, object, category, frame.

    \b
    Example:
      datagen preview kitti.npz --out kitti.png
      datagen preview kitti.npz --sequences 0,7,12 --scale 3 --out three.gif
    """
    from datagen.preview import check_suffix, save_preview
    from datagen.store import load

    check_suffix(out)
    check_outputs([out], overwrite, inputs=[file])
    save_preview(load(file, lazy=True), out, overwrite, sequences, scale)
    if not quiet:
        echo(f"{out}: {out.stat().st_size / 1e6:.2f} MB")
