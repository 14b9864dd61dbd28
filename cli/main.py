"""The entry point: finds commands by name, loads one only when it is called, and turns errors into one line."""

from __future__ import annotations

import importlib
import signal
import sys
import warnings
from typing import Any

import click

from datagen import __version__
from datagen.errors import DatagenError, DatagenWarning

__all__ = ["datagen", "main"]

COMMANDS: dict[str, str] = {
    "sample": "Make a small synthetic input to try things with.",
    "kitti-masks": "Build KITTI Masks from MOTS annotations.",
    "transitions": "Measure how objects move from frame to frame.",
    "natural-sprites": "Build Natural Sprites from a table of transitions.",
    "info": "Describe a dataset file.",
    "preview": "Draw sequences of a dataset file.",
    "convert": "Convert a dataset file to another format.",
    "stats": "Measure how objects move: kurtosis, fits, intervals, a verdict.",
    "verify": "Check a dataset file or a package, also against another or the release.",
    "download": "Fetch a published release.",
    "package": "Make a folder ready to publish.",
    "publish": "Send such a folder to Zenodo or to the Hugging Face Hub.",
    "train": "Train SlowVAE or a baseline on a dataset file.",
    "evaluate": "Score the networks of a run.",
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


def main(args: list[str] | None = None) -> Any:
    """Run the command line and leave with its exit code: 0 well, 1 bad data or failed check, 2 usage."""
    # A polite kill ends like Ctrl-C: temporary files are removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DatagenWarning)
            result = datagen.main(args=args, prog_name="datagen", standalone_mode=False)
        quiet = "--quiet" in (sys.argv[1:] if args is None else args)
        for warning in caught:  # not before: where it ends in an error, that is the one line to read
            if issubclass(warning.category, DatagenWarning):
                if not quiet:
                    print(f"datagen: warning: {warning.message}", file=sys.stderr)
            else:
                warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        print(f"datagen: {error.format_message()}{hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("datagen: stopped", file=sys.stderr)
        sys.exit(130)
    except DatagenError as error:
        print(f"datagen: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except MemoryError:
        print("datagen: out of memory; use fewer workers, smaller batches or a machine with more", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"datagen: {place}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)


if __name__ == "__main__":
    main()
