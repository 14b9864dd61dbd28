"""`datagen kitti-masks`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import (
    OUTPUT,
    Choice,
    Real,
    answer_of_masks,
    check_outputs,
    fps_of_source_option,
    image_size_option,
    json_option,
    min_area_option,
    overwrite_option,
    quiet_option,
    sequences_option,
    skip_bad_option,
    sources_option,
    split_names,
    windows_option,
    workers_option,
)


@click.command("kitti-masks")
@sources_option("Folder of MOTS annotations, or of several sets of them. May be given several times; order is kept.")
@click.option(
    "--out",
    required=True,
    type=OUTPUT,
    help="The dataset file: .npz, .h5, or .pickle (the release's).",
)
@click.option(
    "--preset",
    type=Choice(["paper", "clean"]),
    default="paper",
    show_default=True,
    help="As published, or with the published defects corrected.",
)
@image_size_option("masks")
@windows_option
@min_area_option
@sequences_option
@click.option("--include-cars", is_flag=True, help="Keep cars as well as pedestrians.")
@click.option(
    "--annotations",
    type=Choice(["txt", "png"]),
    help="Which to read.  [default: txt, and png of sequences without txt]",
)
@fps_of_source_option
@skip_bad_option
@click.option(
    "--transitions",
    type=OUTPUT,
    help="Also write the table of all pairs of neighbouring frames: .csv or .parquet.",
)
@click.option(
    "--rotate",
    type=Real(-360, 360),
    help="Rotate both masks of a pair by these degrees before measuring them for the table.",
)
@workers_option
@json_option
@quiet_option
@overwrite_option
def command(
    sources: tuple[Path, ...],
    out: Path,
    preset: str,
    image_size: int,
    windows: int,
    min_area: int,
    sequences: str | None,
    include_cars: bool,
    annotations: str | None,
    fps_of_source: float | None,
    skip_bad: bool,
    transitions: Path | None,
    rotate: float | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Build KITTI Masks from MOTS annotations.

    Reads KITTI MOTS and MOTSChallenge, as text or as 16-bit label maps, and writes sequences of small masks of single
    pedestrians with their centre of mass and area.

    \b
    Example:
      datagen kitti-masks --source mots/ --out kitti.npz
    """
    if rotate is not None and transitions is None:
        raise click.UsageError("--rotate is for the table of pairs; give --transitions FILE too")

    import kitti_masks
    from datagen import store
    from datagen.store.tables import check_table

    store.check_suffix(out)
    if transitions is not None:
        check_table(transitions, overwrite)
    check_outputs([out, transitions], overwrite, inputs=sources)
    dataset = kitti_masks.build(
        sources,
        preset,  # type: ignore[arg-type]  # click has checked both choices
        image_size=image_size,
        windows=windows,
        min_area=min_area,
        videos=None if sequences is None else split_names(sequences),
        include_cars=include_cars,
        annotations=annotations,  # type: ignore[arg-type]
        fps_of_source=fps_of_source,
        skip_bad=skip_bad,
        workers=workers,
        show_progress=not (quiet or as_json),
    )
    table = None  # measured before anything is written: a stop in between leaves no dataset without its table
    if transitions is not None:
        table = kitti_masks.transitions(dataset, rotate, workers=workers, show_progress=not (quiet or as_json))
    manifest = store.save(dataset, out, overwrite)
    if transitions is not None and table is not None:
        from datagen.store.tables import save as save_transitions

        save_transitions(table, transitions, overwrite)
    answer_of_masks(dataset, manifest, out, as_json, quiet)
