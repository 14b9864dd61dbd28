"""The commands by name, each loaded only when it is called."""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from typing import Any

import click

from datagen import __version__

__all__ = ["COMMANDS", "datagen"]

COMMANDS: dict[str, str] = {
    "sample": "Make a small synthetic input to try things with.",
    "formats": "List the annotations that are read.",
    "kitti-masks": "Build KITTI Masks from MOTS annotations.",
    "masks": "Build sequences of masks from any annotated video.",
    "transitions": "Measure how objects move from frame to frame.",
    "natural-sprites": "Build Natural Sprites from a table of transitions.",
    "grid": "Read dSprites, 3D Shapes, Cars3D, small NORB or MPI3D.",
    "pairs": "Draw pairs of images of a grid by a prior.",
    "info": "Describe a dataset file.",
    "preview": "Draw sequences of a dataset file.",
    "convert": "Convert a dataset file to another format.",
    "stats": "Measure how objects move: kurtosis, fits, intervals, a verdict.",
    "verify": "Check a dataset file or a package, also against another or the release.",
    "download": "Fetch a published release.",
    "package": "Make a folder ready to publish.",
    "publish": "Send such a folder to Zenodo or to the Hugging Face Hub.",
    "train": "Train SlowVAE or a baseline on a dataset file.",
    "evaluate": "Score the networks of a run, or any encoder.",
    "table": "Put the scores of runs into one table.",
    "leaderboard": "Rank results, each among those of its protocol.",
    "validate": "Check a dataset file end to end, by training on it if asked.",
}
"""Command name -> its one-line help. Each lives in the module of the same name (dashes as underscores) as `command`."""


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is called, and none of them for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"cli.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        close = [] if args[0] in COMMANDS else get_close_matches(args[0].lower().replace("_", "-"), COMMANDS, 1)
        if close:
            raise click.UsageError(f"No such command {args[0]!r}; did you mean {close[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            code = super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None  # at a KeyboardInterrupt click prints an empty line
        if not code:
            from cli._common import send_outputs

            send_outputs(ctx.find_root())
        return code

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="datagen")
def datagen() -> None:
    """Build, measure, train on and publish datasets of natural motion.

    \b
    Example:
      datagen kitti-masks --source mots/ --out kitti.npz
      datagen info kitti.npz
    """
