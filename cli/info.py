"""`datagen info`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import INPUT, json_option, print_json, print_table


@click.command("info")
@click.argument("file", type=INPUT)
@json_option
def command(file: Path, as_json: bool) -> None:
    """Describe a dataset file: counts, lengths, factors, where it comes from.

    \b
    Example:
      datagen info kitti.npz
    """
    from datagen.info import describe
    from datagen.store import load

    answer = describe(load(file, lazy=True))
    if as_json:
        print_json({"file": str(file), **answer})
        return
    print_table(str(file), ["what", "value"], [(key, value) for key, value in answer["summary"].items()])
    print_table(
        "factors",
        ["factor", *next(iter(answer["factors"].values()))],
        [(name, *row.values()) for name, row in answer["factors"].items()],
    )
    if answer["groups"]:
        print_table("by source", list(answer["groups"][0]), [list(row.values()) for row in answer["groups"]])
    print_table("made by", ["what", "value"], [(key, value) for key, value in answer["provenance"].items()])
