"""`datagen convert`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import INPUT, OUTPUT, check_outputs, echo, overwrite_option, quiet_option


@click.command("convert")
@click.argument("source", metavar="IN", type=INPUT)
@click.argument("target", metavar="OUT", type=OUTPUT)
@quiet_option
@overwrite_option
def command(source: Path, target: Path, quiet: bool, overwrite: bool) -> None:
    """Convert a dataset file between .npz, .h5, .zarr and .pickle (the release's).

    \b
    Example:
      datagen convert kitti_peds_v2.pickle kitti.npz
    """
    from datagen import store
    from datagen.files import size_of

    store.check_suffix(target)
    check_outputs([target], overwrite, inputs=[source])
    store.save(store.load(source, lazy=True), target, overwrite, show_progress=not quiet)
    if not quiet:
        echo(f"{target}: {size_of(target) / 1e6:.1f} MB")
