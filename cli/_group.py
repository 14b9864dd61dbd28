"""The commands by name, each loaded only when it is called."""

from __future__ import annotations

import importlib
from typing import Any

import click

from datagen import __version__
from datagen.errors import did_you_mean

__all__ = ["COMMANDS", "GROUPS", "Group", "datagen"]

GROUPS: dict[str, dict[str, str]] = {
    "Build": {
        "sample": "Make a small synthetic input to try things with.",
        "formats": "List the annotations that are read.",
        "kitti-masks": "Build KITTI Masks from MOTS annotations.",
        "masks": "Build sequences of masks from any annotated video.",
        "natural-sprites": "Build Natural Sprites from a table of transitions.",
        "grid": "Read dSprites, 3D Shapes, Cars3D, small NORB or MPI3D.",
        "pairs": "Draw pairs of images of a grid by a prior.",
        "convert": "Convert a dataset file to another format.",
    },
    "Look": {
        "info": "Describe a dataset file.",
        "preview": "Draw sequences of a dataset file.",
        "doctor": "Say what is installed, and what is missing for what.",
    },
    "Measure": {
        "transitions": "Measure how objects move from frame to frame.",
        "stats": "Say how objects move: kurtosis, fits, intervals, a verdict.",
        "atlas": "Compare how the objects of several sets move.",
        "verify": "Check a dataset file or a package, or compare two.",
    },
    "Train": {
        "train": "Train SlowVAE or a baseline on a dataset file.",
        "evaluate": "Score the networks of a run, or any encoder.",
        "sweep": "Search hyper-parameters without labels, here or on a cluster.",
        "table": "Put the scores of runs into one table.",
        "leaderboard": "Rank results, each among those of its protocol.",
        "validate": "Check a dataset file end to end, with a training if asked.",
    },
    "Share": {
        "download": "Fetch a published release or an established benchmark.",
        "package": "Make a folder ready to publish.",
        "publish": "Send such a folder to Zenodo or to the Hugging Face Hub.",
    },
}
"""What the commands are for -> command name -> its one-line help.

Each lives in the module of the same name (dashes as underscores) as `command`.
"""

_MOST_NAMES = 3

COMMANDS: dict[str, str] = {name: text for commands in GROUPS.values() for name, text in commands.items()}
"""Command name -> its one-line help."""


class Group(click.Group):
    """A group that answers a mistyped command with the one it was most likely meant for."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command's name, itself, and the arguments that are left for it."""
        names = self.list_commands(ctx)
        if args[0] not in names and (close := did_you_mean(args[0], names)):
            raise click.UsageError(f"No such command {args[0]!r}; did you mean {close!r}?", ctx)
        return super().resolve_command(ctx, args)


class _LazyGroup(Group):
    """A group that imports a command's module when the command is called, and none of them for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"cli.{cmd_name.replace('-', '_')}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from cli._common import ARGUMENTS

        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        from datagen.files import written

        written.clear()
        try:
            code = super().invoke(ctx)
        except KeyboardInterrupt:  # at which click prints an empty line
            from cli._common import STATE

            outputs = ", ".join(map(str, list(written)[-_MOST_NAMES:]))
            state = f"written before: {outputs}" if written else "nothing was written"
            raise click.Abort(ctx.meta.get(STATE, state)) from None
        if not code:
            from cli._common import send_outputs

            send_outputs(ctx.find_root())
        return code

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, COMMANDS))  # one column of texts for all groups
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), text) for name, text in commands.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="datagen")
def datagen() -> None:
    """Build, measure, train on and publish datasets of natural motion.

    \b
    Example:
      datagen kitti-masks --source mots/ --out kitti.npz
      datagen info kitti.npz
    """
