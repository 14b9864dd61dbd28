"""`datagen sample`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import Whole, check_outputs, echo, json_option, overwrite_option, print_json, quiet_option, seed_option
from cli._group import Group
from datagen.errors import counted


@click.group("sample", cls=Group)
def command() -> None:
    """Make a small synthetic input to try things with.

    \b
    Example:
      datagen sample mots --out mots
      datagen sample youtube-vis --out train.json
      datagen sample sa-v --out sa-v
      datagen sample grid shapes3d --small --out 3dshapes.h5
    """


@command.command("mots")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder.")
@seed_option
@click.option(
    "--sequences",
    type=Whole(1, 9999),  # names have four digits
    default=2,
    show_default=True,
    help="Number of sequences in each of the two sets.",
)
@click.option(
    "--frames",
    type=Whole(1, 1000),  # a sequence is painted in memory: 1 GB
    default=30,
    show_default=True,
    help="Number of frames of each sequence.",
)
@json_option
@quiet_option
@overwrite_option
def mots(out: Path, seed: int, sequences: int, frames: int, as_json: bool, quiet: bool, overwrite: bool) -> None:
    """Make MOTS annotations, as text and as label maps, of people and cars that move sparsely.

    \b
    Example:
      datagen sample mots --out mots --seed 0
    """
    from datagen.samples import sample_mots

    counts = sample_mots(out, seed, sequences, frames, overwrite)
    if as_json:
        print_json({"out": str(out), **counts})
    elif not quiet:
        echo(f"{out}: " + ", ".join(counted(counts[f"{noun}s"], noun) for noun in ("sequence", "frame", "mask")))


@command.command("grid")
@click.argument("name")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New file; of smallnorb, new folder.")
@click.option("--small", is_flag=True, help="Few values of each factor, instead of all that the set has.")
@json_option
@quiet_option
@overwrite_option
def grid(name: str, out: Path, small: bool, as_json: bool, quiet: bool, overwrite: bool) -> None:
    """Make synthetic files in the layout of an established benchmark, of simple drawings.

    NAME is dsprites, shapes3d, cars3d, smallnorb, mpi3d-toy, mpi3d-realistic or mpi3d-real.

    \b
    Example:
      datagen sample grid shapes3d --small --out 3dshapes.h5
    """
    from datagen.grids.samples import sample_grid

    counts = sample_grid(name, out, small, overwrite, show_progress=not (quiet or as_json))
    if as_json:
        print_json({"out": str(out), **counts})
    elif not quiet:
        sizes = " x ".join(map(str, counts["factor_sizes"]))
        echo(f"{out}: {counted(counts['images'], 'image')}, {sizes} values of the factors")


@command.command("youtube-vis")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New file, JSON.")
@seed_option
@click.option(
    "--videos",
    type=Whole(1, 100_000),  # the real set has some 3,000
    default=8,
    show_default=True,
    help="Number of videos.",
)
@click.option(
    "--frames",
    type=Whole(1, 19_999),  # names of every fifth frame have five digits
    default=20,
    show_default=True,
    help="Number of frames of each video.",
)
@json_option
@quiet_option
@overwrite_option
def youtube_vis(out: Path, seed: int, videos: int, frames: int, as_json: bool, quiet: bool, overwrite: bool) -> None:
    """Make annotations as of YouTube-VIS 2019, of objects that move sparsely.

    \b
    Example:
      datagen sample youtube-vis --out train.json --seed 0
    """
    from datagen.samples import sample_youtube_vis

    check_outputs([out], overwrite)
    counts = sample_youtube_vis(out, seed, videos, frames, overwrite)
    if as_json:
        print_json({"out": str(out), **counts})
    elif not quiet:
        objects = counted(counts["annotations"], "object")
        echo(f"{out}: {counted(counts['videos'], 'video')}, {objects}, {counted(counts['masks'], 'mask')}")


@command.command("sa-v")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder.")
@seed_option
@click.option(
    "--videos",
    type=Whole(1, 100_000),  # the real set has some 51,000
    default=4,
    show_default=True,
    help="Number of videos.",
)
@click.option(
    "--frames",
    type=Whole(1, 10_000),
    default=84,
    show_default=True,
    help="Number of annotated frames of each video.",
)
@json_option
@quiet_option
@overwrite_option
def sa_v(out: Path, seed: int, videos: int, frames: int, as_json: bool, quiet: bool, overwrite: bool) -> None:
    """Make annotations as of SA-V's training set, of objects that move sparsely; as many as wanted.

    \b
    Example:
      datagen sample sa-v --out sa-v --videos 100
    """
    from datagen.samples import sample_sa_v

    counts = sample_sa_v(out, seed, videos, frames, overwrite, show_progress=not (quiet or as_json))
    if as_json:
        print_json({"out": str(out), **counts})
    elif not quiet:
        objects = counted(counts["masklets"], "object")
        echo(f"{out}: {counted(counts['videos'], 'video')}, {objects}, {counted(counts['masks'], 'mask')}")
