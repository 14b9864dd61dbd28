"""`datagen formats`."""

from __future__ import annotations

import click

from cli._common import echo, json_option, print_json, print_table


@click.command("formats")
@json_option
def command(as_json: bool) -> None:
    """List the annotations that are read: their formats, and the published data sets in each.

    A format's name is what --format of other commands takes. Frames a second are those that are annotated.

    \b
    Example:
      datagen formats
      datagen formats --json
    """
    from datagen.readers import describe_formats

    formats = describe_formats()
    if as_json:
        print_json({"formats": formats})
        return
    print_table("formats", ["format", "what it is"], [(each["name"], each["title"]) for each in formats])
    columns = ("id", "name", "licence", "frames_per_second")
    rows = [(each["name"], *(known[key] or "unknown" for key in columns)) for each in formats for known in each["sets"]]
    print_table("data sets", ["format", "source", "name", "licence", "frames/s"], rows)
    echo(
        "where to get them", *(f"  {known['id']}: {known['how_to_get']}" for each in formats for known in each["sets"])
    )
