"""`datagen grid`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import INPUT, OUTPUT, check_outputs, echo, json_option, overwrite_option, print_json, quiet_option
from datagen.errors import counted


@click.command("grid")
@click.option("--source", required=True, type=INPUT, help="The file, archive or folder, as it is handed out.")
@click.option("--out", required=True, type=OUTPUT, help="The dataset file: .h5, .zarr or .npz.")
@json_option
@quiet_option
@overwrite_option
def command(source: Path, out: Path, as_json: bool, quiet: bool, overwrite: bool) -> None:
    """Read an established benchmark, which is recognised by its files: an image of every combination of factors.

    Read are dSprites (npz), 3D Shapes (h5), Cars3D (tar.gz or the folder in it), small NORB (the folder of its six
    files, packed or not) and MPI3D toy, realistic and real (npz). `datagen download` fetches them. A table of
    transitions (csv, parquet) gives the grid of the discrete Natural Sprites.

    \b
    Example:
      datagen grid --source 3dshapes.h5 --out shapes3d.h5
    """
    from datagen import store
    from datagen.files import size_of
    from datagen.grids.reading import read_grid

    store.check_suffix(out)
    check_outputs([out], overwrite, inputs=[source])
    show_progress = not (quiet or as_json)
    if source.suffix.lower() in store.TABLE_SUFFIXES:
        from datagen.store import tables
        from natsprites import sprite_grid

        dataset = sprite_grid(tables.load(source), inputs={source.name: store.fingerprint(source)})
        title = "Natural Sprites"
    else:
        dataset = read_grid(source, show_progress=show_progress)
        title = dataset.manifest["sources"][0]["name"]
    manifest = store.save(dataset, out, overwrite, show_progress=show_progress)
    size, sizes = size_of(out), dataset.factor_sizes.tolist()
    if as_json:
        kept = {key: manifest[key] for key in ("counts", "parameters", "sources", "inputs")}
        factors = dict(zip(dataset.factor_names, sizes, strict=True))
        print_json({"out": str(out), "bytes": size, "factor_sizes": factors, **kept})
    elif not quiet:
        values = ", ".join(f"{name} {size}" for name, size in zip(dataset.factor_names, sizes, strict=True))
        echo(f"{title}: {values}", f"{out}: {counted(dataset.num_frames, 'image')}, {size / 1e6:.1f} MB")
