"""Progress of long work, on a terminal or in a notebook only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from datagen.errors import printable

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

__all__ = ["announce_duration", "byte_bar", "duration_text", "progress_bar"]

Item = TypeVar("Item")

_REDRAWN = 0.25
"""Seconds between two drawings of a bar in a notebook."""

_MEASURED = 3.0
"""Seconds that a speed is measured over."""

_LONG = 60.0
"""Seconds of work that is announced."""


def progress_bar(items: Iterable[Item], label: str, total: int | None = None, show: bool = False) -> Iterator[Item]:
    """Yield `items` and, if asked, draw a bar with the speed and the time left on a terminal or in a notebook.

    Parameters
    ----------
    items : iterable
        What is worked through.
    label : str
        What the work is, e.g. ``"reading sequences"``.
    total : int, optional
        Number of items; by default ``len(items)`` where it has one.
    show : bool
        Whether a bar is wanted at all (library calls do not; commands do unless ``--quiet`` or ``--json``).

    Yields
    ------
    item
        The items, unchanged and in order.

    Examples
    --------
    >>> sum(progress_bar([1, 2, 3], "adding", show=True))
    6
    """
    if not _can_draw(show):
        yield from items
        return
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TimeRemainingColumn(),
    )
    with _drawn(columns) as (progress, redraw):
        task = progress.add_task(printable(label), total=total)
        for item in items:
            yield item
            progress.advance(task)
            redraw()


@contextmanager
def byte_bar(label: str, total: int, show: bool = False) -> Iterator[Callable[[int], None]]:
    """Draw a bar of bytes, if asked, on a terminal or in a notebook, while the block runs.

    Parameters
    ----------
    label : str
        What is sent or fetched.
    total : int
        Its size in bytes.
    show : bool
        Whether a bar is wanted at all.

    Yields
    ------
    callable
        To be called with the number of bytes that are done.

    Examples
    --------
    >>> with byte_bar("sending", 10) as progress:
    ...     progress(10)
    """
    if not _can_draw(show):
        yield lambda done: None
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with _drawn(columns) as (progress, redraw):
        task = progress.add_task(printable(label), total=total)

        def update(done: int) -> None:
            progress.update(task, completed=done)
            redraw()

        yield update


def announce_duration(
    items: Iterable[Item], total: int, every: int, describe: Callable[[float], str], show: bool = False
) -> Iterator[Item]:
    """Yield `items` and, once their speed is known and if the work is long, say how long it will take.

    Parameters
    ----------
    items : iterable
        What is worked through.
    total : int
        Number of items.
    every : int
        After how many items the work on them is known to be done. The first so many, which compile and warm up, are
        not measured.
    describe : callable
        Returns what to say, from the items a second.
    show : bool
        Whether it is wanted at all; like a bar it is shown on a terminal or in a notebook only.

    Yields
    ------
    item
        The items, unchanged and in order.

    Examples
    --------
    >>> list(announce_duration("abc", 3, 1, "{} a second".format))
    ['a', 'b', 'c']
    """
    announced, began = not _can_draw(show), 0.0
    for number, item in enumerate(items):  # whose first `number` are done
        if not announced and number == every:
            began = monotonic()
        elif not announced and number > every and number % every == 0 and (took := monotonic() - began) >= _MEASURED:
            announced, speed = True, (number - every) / took
            if total / speed >= _LONG:
                print(printable(describe(speed)), file=sys.stdout if _in_notebook() else sys.stderr, flush=True)
        yield item


def duration_text(seconds: float) -> str:
    """Return a duration as one says it, in the unit that fits.

    Examples
    --------
    >>> [duration_text(seconds) for seconds in (0.2, 40, 130, 5000, 43_000, 400_000)]
    ['1 s', '40 s', '2 min', '83 min', '12 h', '4.6 days']
    """
    if seconds < 6000:
        return f"{max(seconds, 1):.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
    value, unit = (seconds / 3600, "h") if seconds < 48 * 3600 else (seconds / 86_400, "days")
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def _can_draw(show: bool) -> bool:
    return show and (sys.stderr.isatty() or _in_notebook())


def _in_notebook() -> bool:
    """Say whether this process serves a notebook, which has loaded IPython then and displays what it is given."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


@contextmanager
def _drawn(columns: tuple[ProgressColumn, ...]) -> Iterator[tuple[Progress, Callable[[], None]]]:
    """Give a bar that is drawn while the block runs, and a function to be called when it may have changed."""
    from rich.console import Console
    from rich.progress import Progress

    if not _in_notebook():
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            yield progress, lambda: None  # a thread of its own draws it
        return
    # rich's own way needs ipywidgets there, and draws nothing without it; to change what is shown IPython is enough.
    from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

    progress = Progress(*columns, auto_refresh=False)
    handle: Any = display(progress, display_id=True)
    drawn = monotonic()

    def redraw() -> None:
        nonlocal drawn
        if monotonic() - drawn >= _REDRAWN:
            handle.update(progress)
            drawn = monotonic()

    try:
        yield progress, redraw
    finally:
        handle.update({"text/plain": "", "text/html": ""}, raw=True)  # as a terminal has no bar left either
