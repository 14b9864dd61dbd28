"""`datagen download`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import Whole, check_outputs, echo, json_option, print_json, print_table, quiet_option, when_stopped


@click.command("download")
@click.argument("names", nargs=-1, metavar="[NAME | DOI [FILE]...]...")
@click.option("--list", "show_list", is_flag=True, help="List the releases, and where raw annotations are to be had.")
@click.option("--zenodo", "record", type=Whole(1, 10**15), help="Fetch a record of Zenodo, or some of its FILEs.")
@click.option("--doi", help="The same by its DOI, e.g. 10.5281/zenodo.3931823; it may be given without --doi too.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the files.  [default: the cache]"
)
@click.option(
    "--mirror",
    metavar="URL",
    help="A server that answers as https://zenodo.org does, to be asked instead; of a set, a folder with its files.",
)
@json_option
@quiet_option
def command(
    names: tuple[str, ...],
    show_list: bool,
    record: int | None,
    doi: str | None,
    out: Path | None,
    mirror: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Fetch a published release (kitti-masks, natural-sprites) or an established benchmark.

    These are dsprites, shapes3d, cars3d, smallnorb, mpi3d-toy, mpi3d-realistic and mpi3d-real. What is there and right
    is not fetched again; what broke off goes on where it broke. The cache is where DATAGEN_CACHE says.

    \b
    Example:
      datagen download kitti-masks
      datagen download 10.5281/zenodo.3948069 --out data
      datagen download shapes3d --out data
    """
    from datagen.grids.sets import SETS
    from datagen.releases import fetch, fetch_record, fetch_set, find_release
    from datagen.releases.zenodo import ZENODO, is_reference, parse_doi

    if show_list:
        _list(as_json)
        return
    if record is not None and doi is not None:
        raise click.UsageError("--zenodo and --doi exclude each other")
    if not names and record is None and doi is None:
        raise click.UsageError("name a release, or pass --list, --zenodo or --doi")
    server, show_progress = mirror or ZENODO, not (quiet or as_json)
    paths: list[Path] = []
    if record is None and doi is None and is_reference(names[0]):
        doi, names = names[0], names[1:]
    check_outputs(folders=[out])
    when_stopped("what was fetched is kept, and the same command goes on with it")
    number = parse_doi(doi) if doi is not None else record
    if number is None:
        for name in names:
            if name not in SETS:
                find_release(name)  # before anything is fetched
        for name in names:
            if name in SETS:
                paths += fetch_set(name, out, mirror, show_progress)
            else:
                paths.append(fetch(name, out, server=server, show_progress=show_progress))
    else:
        paths = fetch_record(number, names, out, server, show_progress)
    if as_json:
        print_json([{"file": str(path), "bytes": path.stat().st_size} for path in paths])
    elif not quiet:
        for path in paths:
            echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def _list(as_json: bool) -> None:
    from dataclasses import asdict

    from datagen.grids.sets import SETS
    from datagen.readers import annotated_sets
    from datagen.releases.registry import PAPER, RELEASES

    if as_json:
        by_hand = {
            name: {what: text for what, text in each.described().items() if what != "id"} | {"by_hand": each.how_to_get}
            for name, each in annotated_sets().items()
        }
        releases = {name: {**asdict(release), "url": release.url} for name, release in RELEASES.items()}
        sets = {
            name: {**each.described(), "files": [asdict(file) for file in each.files]} for name, each in SETS.items()
        }
        print_json({"releases": releases, "sets": sets, "raw_annotations": by_hand, "cite": PAPER.bibtex})
        return
    print_table(
        "releases",
        ["name", "from", "file", "holds", "counts", "licence"],
        [
            (
                release.name,
                release.url,
                release.file,
                release.holds,
                ", ".join(f"{count:,} {what}" for what, count in release.counts.items()),
                release.licence,
            )
            for release in RELEASES.values()
        ],
    )
    print_table(
        "established benchmarks",
        ["name", "from", "files", "holds", "licence", "cite"],
        [
            (
                name,
                each.url,
                ", ".join(file.name for file in each.files),
                each.image,
                each.licence or "not stated",
                each.citation,
            )
            for name, each in SETS.items()
        ],
    )
    print_table(
        "raw annotations, to be had by hand",
        ["name", "licence", "how", "cite"],
        [
            (name, each.licence or "not stated", each.how_to_get, each.citation)
            for name, each in annotated_sets().items()
        ],
    )
    echo("cite both releases as", *PAPER.bibtex.splitlines())
