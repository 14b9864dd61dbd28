"""`datagen publish`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from cli._common import Whole, echo, json_option, print_json, quiet_option, when_stopped


@click.command("publish")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--zenodo", is_flag=True, help="On Zenodo, with the token in ZENODO_TOKEN.")
@click.option("--sandbox", is_flag=True, help="On Zenodo's sandbox, to try.")
@click.option("--record", type=Whole(1, 10**15), help="Make a new version of this record of Zenodo.")
@click.option("--huggingface", metavar="REPO", help="On the Hugging Face Hub, as dataset OWNER/NAME.")
@click.option(
    "--publish/--draft-only", default=False, help="Publish for all to see, or leave a draft.  [default: draft only]"
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@json_option
@quiet_option
def command(
    folder: Path,
    zenodo: bool,
    sandbox: bool,
    record: int | None,
    huggingface: str | None,
    publish: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Send a folder that `datagen package` made to Zenodo or to the Hugging Face Hub.

    It stays a draft (on the Hub: private) unless --publish is given. An attempt that broke off goes on file by file.

    \b
    Example:
      datagen publish release --zenodo --sandbox --dry-run
    """
    from datagen.releases import publish as publishing
    from datagen.releases.zenodo import SANDBOX, ZENODO

    zenodo = zenodo or sandbox
    if zenodo == (huggingface is not None):
        raise click.UsageError("say where to: either --zenodo or --huggingface REPO")
    if record is not None and not zenodo:
        raise click.UsageError("--record is of Zenodo")
    server = SANDBOX if sandbox else ZENODO
    if dry_run:
        if huggingface is not None:
            print_json(publishing.rehearse_huggingface(folder, huggingface, publish))
        else:
            print_json(publishing.rehearse_zenodo(folder, server, record, publish))
        return
    when_stopped("what was sent is kept, and the same command goes on with it")
    show_progress = not (quiet or as_json)
    if huggingface is not None:
        url = publishing.publish_on_huggingface(folder, huggingface, publish)
        answer = {"url": url, "published": publish}
    else:
        token = os.environ.get("ZENODO_TOKEN", "")
        deposit = publishing.publish_on_zenodo(folder, token, server, record, publish, show_progress)
        answer = asdict(deposit)
    if as_json:
        print_json(answer)
    elif not quiet:
        echo(f"{answer['url']}: {'published' if publish else 'a draft; look at it, then pass --publish'}")
