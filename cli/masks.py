"""`datagen masks`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import (
    OUTPUT,
    Choice,
    Real,
    Whole,
    answer_of_masks,
    automatic_option,
    check_outputs,
    format_option,
    fps_of_source_option,
    image_size_option,
    is_copy,
    json_option,
    min_area_option,
    overwrite_option,
    quiet_option,
    scheduler_option,
    sequences_option,
    skip_bad_option,
    sources_option,
    split_names,
    when_stopped,
    windows_option,
    workers_option,
)


@click.command("masks")
@sources_option(
    "Annotations: files, folders, zips or tars in any format of `datagen formats`. May be given several times."
)
@click.option("--out", required=True, type=OUTPUT, help="The dataset: .npz, .h5 or .zarr.")
@click.option(
    "--view",
    type=Choice(["kitti", "youtube", "square"]),
    default="kitti",
    show_default=True,
    help="How frames become windows: as in KITTI Masks, as in the table of YouTube-VOS, or one of the whole frame.",
)
@image_size_option("masks")
@windows_option
@min_area_option
@click.option(
    "--min-length", type=Whole(1, 1_000_000), default=2, show_default=True, help="Fewest frames of a sequence."
)
@click.option("--categories", help="Only objects of these categories, e.g. person,dog.")
@click.option("--exclude", help="No objects of these categories.")
@click.option("--every", type=Whole(1, 1_000_000), help="Take every so many-th annotated frame.  [default: 1]")
@click.option(
    "--fps", type=Real(1e-6, 1e6), help="Take so many frames a second, a whole part of the annotations' rate."
)
@sequences_option
@format_option
@automatic_option
@fps_of_source_option
@skip_bad_option
@workers_option
@scheduler_option
@json_option
@quiet_option
@overwrite_option
def command(
    sources: tuple[Path, ...],
    out: Path,
    view: str,
    image_size: int,
    windows: int,
    min_area: int,
    min_length: int,
    categories: str | None,
    exclude: str | None,
    every: int | None,
    fps: float | None,
    sequences: str | None,
    format_name: str | None,
    automatic: bool,
    fps_of_source: float | None,
    skip_bad: bool,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Build sequences of masks from any annotated video.

    Follows every object through windows of its video, by the rule of KITTI Masks without its defects. Videos that are
    higher than wide are cut from top to bottom. A .zarr store may be far larger than memory; interrupted, the same
    command goes on with it.

    \b
    Example:
      datagen masks --source DAVIS/Annotations/480p --out davis.npz
      datagen masks --source sa-v/ --fps 6 --out sa-v.zarr --scheduler tcp://head:8786
      datagen masks --source train.json --categories person,dog --every 2 --out people.h5
    """
    from datagen import store
    from datagen.build import build_masks

    store.check_suffix(out)
    check_outputs([out], overwrite, inputs=sources)
    in_parts = store.is_folder(out)
    if scheduler is not None and not in_parts:
        raise click.UsageError("--scheduler has other processes write into a .zarr store; give one to --out")
    if scheduler is not None and any(map(is_copy, (*sources, out))):
        raise click.UsageError("--scheduler: other processes do not see what is copied here; give paths that all see")
    if in_parts:
        when_stopped(f"what was done is kept in {out.name}.partial, and the same command goes on with it")
    dataset = build_masks(
        sources,
        out if in_parts else None,
        view=view,
        image_size=image_size,
        windows=windows,
        min_area=min_area,
        min_length=min_length,
        categories=None if categories is None else split_names(categories),
        exclude=() if exclude is None else split_names(exclude),
        every=1 if every is None else every,
        frames_per_second=fps,
        videos=None if sequences is None else split_names(sequences),
        format=format_name,
        automatic=automatic,
        fps_of_source=fps_of_source,
        skip_bad=skip_bad,
        workers=workers,
        scheduler=scheduler,
        overwrite=overwrite,
        show_progress=not (quiet or as_json),
    )
    manifest = dataset.manifest if in_parts else store.save(dataset, out, overwrite)
    answer_of_masks(dataset, manifest, out, as_json, quiet)
