"""`datagen transitions`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import (
    OUTPUT,
    Choice,
    Whole,
    automatic_option,
    check_outputs,
    echo,
    format_option,
    fps_of_source_option,
    json_option,
    overwrite_option,
    print_json,
    print_left_out,
    print_table,
    quiet_option,
    sequences_option,
    skip_bad_option,
    sources_option,
    split_names,
    workers_option,
)


@click.command("transitions")
@sources_option(
    "Annotations: files, folders, zips or tars in any format of `datagen formats`. May be given several times."
)
@click.option(
    "--out",
    type=OUTPUT,
    help="The release's table, one row per track: .csv. (.parquet: as --table.)",
)
@click.option(
    "--table",
    type=OUTPUT,
    help="The long table, one row per pair of neighbouring frames: .csv or .parquet.",
)
@click.option(
    "--preset",
    type=Choice(["paper", "clean"]),
    default="paper",
    show_default=True,
    help="clean is --view coverage.",
)
@click.option(
    "--view",
    type=Choice(["youtube", "kitti", "square", "frame", "coverage"]),
    help="How frames become windows: as in the table of YouTube-VOS, as in KITTI Masks, one of the whole frame made "
    "square, the frame as it is, or as youtube with the aspect ratio kept and exact coverage measured."
    "  [default: youtube]",
)
@click.option("--stride", type=Whole(1, 65_535), help="Distance of windows, in pixels.  [default: 32]")
@click.option("--no-windows", is_flag=True, help="The release's name of --view square.")
@click.option("--no-resize", is_flag=True, help="The release's name of --view frame.")
@sequences_option
@format_option
@automatic_option
@fps_of_source_option
@skip_bad_option
@workers_option
@json_option
@quiet_option
@overwrite_option
def command(
    sources: tuple[Path, ...],
    out: Path | None,
    table: Path | None,
    preset: str,
    view: str | None,
    stride: int | None,
    no_windows: bool,
    no_resize: bool,
    sequences: str | None,
    format_name: str | None,
    automatic: bool,
    fps_of_source: float | None,
    skip_bad: bool,
    workers: int | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Measure how objects move from frame to frame.

    Follows every annotated object through windows of its video and writes where its centre of mass is and how large it
    is. FILE.manifest.json beside each table says how it was made.

    \b
    Example:
      datagen transitions --source train.json --out downscale_keepaspect.csv
      datagen transitions --source train.json --view coverage --table transitions.parquet
    """
    from datagen.measure import measure
    from datagen.store.tables import check_table, save_tables

    outputs = [path for path in (out, table) if path is not None]
    if not outputs:
        raise click.UsageError("nothing to write; give --out FILE.csv, --table FILE, or both")
    for path in outputs:
        check_table(path, overwrite)
    check_outputs(outputs, overwrite, inputs=sources)
    measured = measure(
        sources,
        _view_name(view, preset == "clean", no_windows, no_resize),
        stride=stride,
        fps_of_source=fps_of_source,
        skip_bad=skip_bad,
        videos=None if sequences is None else split_names(sequences),
        format=format_name,
        automatic=automatic,
        workers=workers,
        show_progress=not (quiet or as_json),
    )
    transitions = measured.transitions()
    manifest = measured.manifest
    manifest["counts"]["transitions"] = len(transitions)
    of_release = {path for path in outputs if path == out and path.suffix.lower() == ".csv"}
    tables = {path: measured.videos if path in of_release else transitions for path in outputs}
    save_tables(tables, overwrite, manifest)
    if as_json:
        summary = {key: manifest[key] for key in ("preset", "parameters", "counts", "left_out")}
        print_json({"out": [str(path) for path in outputs], **summary})
    elif not quiet:
        counts = manifest["counts"]
        print_table("measured", ["what", "count"], list(counts.items()))
        print_left_out(manifest["left_out"])
        for path in outputs:
            echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def _view_name(view: str | None, clean: bool, no_windows: bool, no_resize: bool) -> str:
    """Return the view that the options mean, by its own name or by those of the release."""
    if clean and no_windows and not no_resize:
        raise click.UsageError("--preset clean keeps the aspect ratio, which a square without windows does not")
    other = "frame" if no_resize else "square" if no_windows else "coverage" if clean else None
    # Those flags were given beside youtube, the default, before views had names.
    if other and view not in (None, "youtube", other):
        raise click.UsageError(f"--view {view} excludes --no-windows, --no-resize and --preset clean")
    return other or view or "youtube"
