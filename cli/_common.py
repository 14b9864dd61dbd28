"""What several commands share: options, and the two ways of answering, a table or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

__all__ = [
    "json_option",
    "overwrite_option",
    "print_json",
    "print_left_out",
    "print_table",
    "quiet_option",
    "seed_option",
    "workers_option",
]

_MOST_LINES = 20

Function = TypeVar("Function", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON, with no progress bar.")
quiet_option = click.option("--quiet", is_flag=True, help="Print nothing but errors.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
seed_option = click.option("--seed", default=0, show_default=True, help="Seed of everything random.")
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Number of threads; the result does not depend on it.  [default: one a processor]",
)


def print_json(answer: Any) -> None:
    """Print an answer as JSON."""
    click.echo(json.dumps(answer, indent=2))


def print_left_out(lines: Sequence[str]) -> None:
    """Print what was left out, the first of it where it is much; the manifest has all."""
    for line in lines[:_MOST_LINES]:
        click.echo(f"left out: {line}")
    if len(lines) > _MOST_LINES:
        click.echo(f"left out: {len(lines) - _MOST_LINES} more, which are in the manifest")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers to the right, texts to the left, whatever the terminal's width allows."""
    from rich.console import Console
    from rich.table import Table

    rows = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(
            isinstance(row[index], int | float) and not isinstance(row[index], bool) for row in rows
        )
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    console = Console()
    if not console.is_terminal:
        console.width = 120  # a pipe has no width; do not fold to the default of 80
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
