"""What several commands share: arguments and options, checks of outputs, and the ways of answering."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from datagen.errors import DatagenError, UsageError, counted, did_you_mean, printable

if TYPE_CHECKING:
    from datagen.datasets import Sequences

__all__ = [
    "ARGUMENTS",
    "INPUT",
    "MAX_COUNT",
    "MAX_SEED",
    "OUTPUT",
    "STATE",
    "Choice",
    "Numbers",
    "Real",
    "Whole",
    "answer_of_masks",
    "automatic_option",
    "check_outputs",
    "command_line",
    "dataset_argument",
    "echo",
    "find_dataset",
    "format_option",
    "fps_of_source_option",
    "image_size_option",
    "is_copy",
    "json_option",
    "min_area_option",
    "one_blas_thread",
    "overwrite_option",
    "print_json",
    "print_left_out",
    "print_table",
    "prior_of",
    "prior_options",
    "quiet_option",
    "scheduler_option",
    "seed_option",
    "send_outputs",
    "sequences_option",
    "skip_bad_option",
    "sources_option",
    "split_names",
    "warn",
    "when_stopped",
    "windows_option",
    "workers_option",
]

_MOST_LINES = 20
_MOST_VIDEOS = 50

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_SEED = 2**64 - 1
"""torch takes no larger seed."""

MAX_COUNT = 2**31 - 1
"""Of things that are counted: more of them fit into no file and no lifetime, and libraries count in 32 bits."""


class Whole(click.IntRange):
    """A whole number within bounds, in plain digits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; Python's own reading of texts also takes 1_0, blanks and digits of other scripts."""
        if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]{1,30}", value):
            self.fail(f"{_short(value)} is no whole number of at most 30 digits.", param, ctx)
        return super().convert(value, param, ctx)


class Real(click.FloatRange):
    """A finite number within bounds, in plain digits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; NaN is within any bounds by its comparisons."""
        if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?", value):
            self.fail(f"{_short(value)} is no number.", param, ctx)
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{_short(str(value))} is too large.", param, ctx)
        return number


class Choice(click.Choice):
    """One of some names; a mistyped one is answered with the one it was most likely meant for."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            if close := did_you_mean(value, map(str, self.choices)):
                self.fail(f"{error.message.removesuffix('.')}; did you mean {close!r}?", param, ctx)
            raise


class Numbers(click.ParamType):
    """Several whole numbers within bounds, with commas between."""

    name = "numbers"

    def __init__(self, low: int, high: int, most: int, otherwise: str) -> None:
        """Take at most `most` numbers; `otherwise` says of anything else what it is not."""
        self._low, self._high, self._most, self._otherwise = low, high, most, otherwise

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return them in their order."""
        if isinstance(value, tuple):
            return value
        parts = value.split(",")
        if not all(re.fullmatch(r" *[+-]?[0-9]{1,30} *", part) for part in parts):
            self.fail(f"{_short(value)} {self._otherwise}", param, ctx)
        numbers = tuple(map(int, parts))
        if min(numbers) < self._low or max(numbers) > self._high:
            self.fail(f"{_short(value)}: each must be at least {self._low} and at most {self._high}", param, ctx)
        if len(numbers) > self._most:
            self.fail(f"{len(numbers)} numbers: must be at most {self._most}", param, ctx)
        return numbers


class _Place(click.Path):
    """A file or folder, by path or by address; one at an address is worked on in a copy here.

    Parameters
    ----------
    output : bool
        Whether it is written, and sent to its address when the command ends well (`send_outputs`); else it is fetched.
    """

    def __init__(self, output: bool = False) -> None:
        super().__init__(path_type=Path)
        self._output = output

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, here."""
        from datagen import remote

        if ctx is None or not remote.is_remote(value):
            return super().convert(value, param, ctx)
        root = ctx.find_root()
        if _COPIES not in root.meta:
            from tempfile import TemporaryDirectory

            root.meta[_COPIES] = Path(root.with_resource(TemporaryDirectory(prefix="datagen-")))
        if not self._output:
            return remote.fetch(value, root.meta[_COPIES])
        path = root.meta[_COPIES] / "out" / remote.local_name(value)
        _outputs(root)[path] = value
        return path


_COPIES, _OUTPUTS = "datagen.copies", "datagen.outputs"
ARGUMENTS, STATE = "datagen.arguments", "datagen.state"
"""Key, in the meta of click's context, of what Ctrl-C leaves and how to go on."""

INPUT = _Place()
OUTPUT = _Place(output=True)


def _outputs(root: click.Context) -> dict[Path, str]:
    """Return the addresses of outputs, by the paths that they have here."""
    found: dict[Path, str] = root.meta.setdefault(_OUTPUTS, {})
    return found


def is_copy(path: Path) -> bool:
    """Say whether a path is that of the copy, here, of something at an address."""
    copies = click.get_current_context().find_root().meta.get(_COPIES)
    return copies is not None and path.is_relative_to(copies)


def send_outputs(root: click.Context) -> None:
    """Send what was written to its address."""
    for path, address in _outputs(root).items():
        for name in ("", ".manifest.json"):  # a table's manifest lies beside it
            if path.with_name(path.name + name).exists():
                from datagen import remote

                remote.upload(path.with_name(path.name + name), address + name)


def when_stopped(state: str) -> None:
    """Note what Ctrl-C leaves and how to go on, for a command that can go on; of others the outputs are named."""
    click.get_current_context().meta[STATE] = state


def command_line() -> str:
    """Return the command that is run, as it may stand in a report: what an address may carry to log in is left out."""
    arguments = click.get_current_context().meta.get(ARGUMENTS, ())
    shown = (re.sub(r"(^\w+://)[^/@]*@|(?<=^http)(s?://[^?]*)\?.*", r"\1\2", each) for each in arguments)
    return shlex.join(["datagen", *shown])


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else f"{value[:40]}...")


json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, with no progress bar.")
quiet_option = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
seed_option = click.option(
    "--seed", type=Whole(0, MAX_SEED), default=0, show_default=True, help="Seed of everything random."
)
workers_option = click.option(
    "--workers",
    type=Whole(1, 1024),  # threads; no machine has more processors to offer
    help="Number of threads; the result does not depend on it.  [default: one per processor]",
)
scheduler_option = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Have the workers of a Dask scheduler do the work, e.g. tcp://head:8786; they must see the same files.",
)


def image_size_option(what: str) -> Callable[[Function], Function]:
    """Return the option of the height and width of pictures."""
    # No frame of the sources is higher than 4096 pixels, and a picture of 64 MB is none to train on.
    return click.option(
        "--image-size",
        type=Whole(1, 4096),
        default=64,
        show_default=True,
        help=f"Height and width of the {what}, in pixels.",
    )


def sources_option(help_text: str, required: bool = True) -> Callable[[Function], Function]:
    """Return the option of annotations to read."""
    return click.option("--source", "sources", multiple=True, required=required, type=INPUT, help=help_text)


windows_option = click.option(
    "--windows",
    type=Whole(1, 4096),  # a frame has no more pixels in a row
    default=6,
    show_default=True,
    help="Number of windows cut from a frame.",
)
min_area_option = click.option(
    "--min-area",
    type=Whole(0, 4096**2),  # all pixels of the largest image
    default=30,
    show_default=True,
    help="Fewest pixels of the object in a frame.",
)
format_option = click.option("--format", "format_name", help="Name of the sources' format.  [default: recognised]")
automatic_option = click.option(
    "--automatic",
    is_flag=True,
    help="Take masks that a machine made, too, where a format distinguishes them (SA-V, BURST, UVO).",
)
fps_of_source_option = click.option(
    "--fps-of-source",
    type=Real(1e-6, 1e6),
    help="How many annotated frames of the sources make a second, where neither they nor their data set say.",
)
sequences_option = click.option("--sequences", help="Only these videos, by name, e.g. 0002,0013.")
skip_bad_option = click.option(
    "--skip-bad", is_flag=True, help="Leave out bad annotations and list them in the manifest."
)


def prior_options(default: str | None = None) -> Callable[[Function], Function]:
    """Return the options of what pairs of a grid are drawn by; `prior_of` reads them."""
    options = (
        click.option(
            "--prior",
            type=Choice(["uniform", "laplace", "natural"]),
            default=default,
            show_default=default is not None,
            help="What the second image of a pair is drawn by, of a grid.",
        ),
        click.option(
            "--rate",
            type=Real(1e-6, 1e6),
            help="Of --prior laplace: the larger, the smaller the steps.  [default: 1, that of the paper]",
        ),
        click.option("--random-rate", is_flag=True, help="Of --prior laplace: a rate for each pair, between 1 and 10."),
        click.option(
            "--k",
            type=Whole(1, 32),  # no grid has more factors
            help="Of --prior uniform: how many factors change.  [default: drawn for each pair]",
        ),
        click.option("--transitions", type=INPUT, help="Of --prior natural: the table of transitions."),
    )

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def prior_of(
    prior: str | None, rate: float | None, random_rate: bool, k: int | None, transitions: Path | None
) -> dict[str, Any]:
    """Return what the options of a prior say, by the names of `datagen.grids.make_prior`, but what was not given."""
    if random_rate and rate is not None:
        raise click.UsageError("--rate and --random-rate exclude each other")
    given = {"prior": prior, "rate": "random" if random_rate else rate, "k": k, "transitions": transitions}
    return {name: value for name, value in given.items() if value is not None}


dataset_argument = click.argument("file", type=INPUT, required=False)
"""A dataset file that need not be named where there is only one; see `find_dataset`."""


def find_dataset(file: Path | None, silent: bool) -> Path:
    """Return the file that was named, or else the one dataset file of the current folder, and say which.

    Raises
    ------
    UsageError
        If none was named, and the folder holds none or several.
    """
    if file is not None:
        return file
    from datagen.store import SUFFIXES, is_folder

    known = (path for path in Path().iterdir() if path.suffix.lower() in SUFFIXES)
    found = sorted(path for path in known if path.is_dir() == is_folder(path))
    if not found:
        raise UsageError(f"no FILE was named, and the current folder holds no dataset file ({', '.join(SUFFIXES)})")
    if len(found) > 1:
        raise UsageError(f"no FILE was named, and there are several here; name one of {', '.join(map(str, found))}")
    if not silent:
        click.echo(f"FILE: {printable(str(found[0]))}, the only dataset file here", err=True)
    return found[0]


def split_names(text: str) -> list[str]:
    """Return names that are given with commas between."""
    return [name.strip() for name in text.split(",")]


def check_outputs(
    files: Sequence[Path | None] = (),
    overwrite: bool = False,
    *,
    folders: Sequence[Path | None] = (),
    inputs: Sequence[Path | None] = (),
) -> None:
    """Say before any work is done that outputs cannot be written, or would meet each other or an input.

    Missing folders on the way to an output are made when it is written. Suffixes are the business of each format.

    Parameters
    ----------
    files : sequence of Path or None
        Files that will be written; None stands for an option that was not given.
    overwrite : bool
        Whether existing files may be replaced.
    folders : sequence of Path or None
        Folders that will be written into.
    inputs : sequence of Path or None
        What is read.

    Raises
    ------
    UsageError
        If an output is no place for a file, exists and may not be replaced, is an input, or is named twice.
    OutputError
        If its folder cannot be written to.
    """
    from datagen.files import check_folder, check_output
    from datagen.store import is_folder

    context = click.get_current_context(silent=True)
    addresses = {} if context is None else _outputs(context.find_root())
    for path in filter(None, files):
        if path in addresses and not overwrite:
            from datagen.remote import exists

            if exists(addresses[path]):
                raise UsageError(f"{addresses[path]}: exists; pass --overwrite to replace it")
        check_output(path, overwrite, folder=is_folder(path))
    for path in filter(None, folders):
        check_folder(path)
    read = {os.path.realpath(path) for path in inputs if path is not None}
    written: set[str] = set()
    for path in filter(None, [*files, *folders]):
        place = os.path.realpath(path)  # two names of one place, as by links, are one
        if place in read:
            raise UsageError(f"{path}: is an input, too; give another name for the output")
        if place in written:
            raise UsageError(f"{path}: two outputs cannot be the same file; give each its own name")
        written.add(place)


@contextmanager
def _to_standard_output() -> Iterator[None]:
    """Name it in an error, which else names nothing."""
    try:
        yield
    except BrokenPipeError:  # as under `head`, which has read enough
        raise
    except OSError as error:
        raise DatagenError(f"standard output: {error.strerror or error}") from None


def echo(*lines: str) -> None:
    """Print lines, of which parts may come from files."""
    with _to_standard_output():
        click.echo("\n".join(map(printable, lines)))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Have linear algebra take one thread: on small matrices, threads that wait for each other halve the speed.

    The limit is of the whole process, so a library must not set it.
    """
    import scipy.linalg  # noqa: F401 - what is loaded later would not be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield


def warn(lines: Iterable[str]) -> None:
    """Print warnings on standard error, as the command line prints those of the library."""
    for line in lines:
        click.echo(printable(f"datagen: warning: {line}"), err=True)


def print_json(answer: Any) -> None:
    """Print an answer as JSON."""
    from datagen.records import json_text

    with _to_standard_output():
        click.echo(json_text(answer))


def print_left_out(lines: Sequence[str]) -> None:
    """Print what was left out, the first of it where it is much; the manifest has all."""
    for line in lines[:_MOST_LINES]:
        echo(f"left out: {line}")
    if len(lines) > _MOST_LINES:
        echo(f"left out: {len(lines) - _MOST_LINES} more, which are in the manifest")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], width_of_pipe: int = 120) -> None:
    """Print a table; numbers to the right, texts to the left, whatever the terminal's width allows.

    A pipe has no width of its own; it is given one so that little is folded.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(title=Text(printable(title), "bold"), title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(
            isinstance(row[index], int | float) and not isinstance(row[index], bool) for row in rows
        )
        table.add_column(Text(printable(column)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_cell(value))) for value in row))  # a plain text would be read as markup
    console = Console()
    if not console.is_terminal:
        console.width = width_of_pipe
    with _to_standard_output():
        console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def answer_of_masks(dataset: Sequences, manifest: dict[str, Any], out: Path, as_json: bool, quiet: bool) -> None:
    """Say what was built of masks: counts by video, what was left out, and the file."""
    from datagen.build import count_by_video
    from datagen.files import size_of

    found = count_by_video(dataset)
    if as_json:
        wanted = ("preset", "counts", "parameters", "left_out", "mended")
        summary = {key: manifest[key] for key in wanted if key in manifest}
        print_json({"out": str(out), "bytes": size_of(out), "found": found, **summary})
    elif not quiet:
        print_table("found and used", list(found[0]), [list(row.values()) for row in found[:_MOST_VIDEOS]])
        if len(found) > _MOST_VIDEOS:
            echo(f"and {len(found) - _MOST_VIDEOS:,} more videos; --json lists all")
        print_left_out(manifest["left_out"])
        if "mended" in manifest:
            added = manifest["mended"]
            echo("clean adds " + ", ".join(counted(added[f"added_{noun}s"], noun) for noun in ("sequence", "frame")))
        counts = ", ".join(counted(manifest["counts"][f"{noun}s"], noun) for noun in ("sequence", "frame", "pair"))
        echo(f"{out}: {counts}, {size_of(out) / 1e6:.1f} MB")
