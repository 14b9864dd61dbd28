"""`datagen package`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import INPUT, check_outputs, json_option, overwrite_option, print_json, print_table, quiet_option


@click.command("package")
@click.argument("file", type=INPUT)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder.")
@click.option(
    "--creator",
    "creators",
    multiple=True,
    help='Who publishes it, as "Family, Given" or "Family, Given (ORCID)"; may be given several times.  '
    "[default: the authors of the paper, of the very arrays that they published; else anonymous]",
)
@click.option("--data-version", default="1.0.0", show_default=True, help="Version of the dataset.")
@click.option("--date", help="Date of the dataset, e.g. 2026-01-31.")
@click.option(
    "--license",
    "licence",
    metavar="SPDX-ID",
    help="Licence of your own data, e.g. CC-BY-4.0; known data sets keep theirs.",
)
@click.option("--webdataset", is_flag=True, help="Also write WebDataset shards.")
@json_option
@quiet_option
@overwrite_option
def command(
    file: Path,
    out: Path,
    creators: tuple[str, ...],
    data_version: str,
    date: str | None,
    licence: str | None,
    webdataset: bool,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Make a folder ready to publish from a dataset file.

    It holds the data as npz, HDF5 and parquet, a dataset card, a Croissant description, a citation, licences and
    checksums. The same input gives the same bytes.

    \b
    Example:
      datagen package kitti.npz --out release
      datagen package lab.npz --out release --creator "Doe, Jane" --license CC-BY-4.0
    """
    from datagen.errors import BadInputError
    from datagen.releases.package import package
    from datagen.store import load

    check_outputs(folders=[out], inputs=[file])
    show_progress = not (quiet or as_json)
    options = (creators, data_version, date, webdataset, overwrite, show_progress)
    try:
        paths = package(load(file, lazy=True), out, *options, licence=licence)
    except BadInputError as error:
        if error.path != "manifest":
            raise
        raise BadInputError(file, error.problem, "manifest") from None
    if as_json:
        print_json({"out": str(out), "files": [{"name": path.name, "bytes": path.stat().st_size} for path in paths]})
    elif not quiet:
        print_table(str(out), ["file", "bytes"], [(path.name, path.stat().st_size) for path in paths])
