"""Progress of long work, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from datagen.errors import printable

__all__ = ["byte_bar", "progress_bar"]

Item = TypeVar("Item")


def progress_bar(items: Iterable[Item], label: str, total: int | None = None, show: bool = False) -> Iterator[Item]:
    """Yield `items` and, if asked and if standard error is a terminal, draw a bar with the speed and the time left.

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
    """
    if not show or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
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
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, total=total, description=printable(label))


@contextmanager
def byte_bar(label: str, total: int, show: bool = False) -> Iterator[Callable[[int], None]]:
    """Draw a bar of bytes, if asked and if standard error is a terminal, while the block runs.

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
    """
    if not show or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(printable(label), total=total)
        yield lambda done: progress.update(task, completed=done)
