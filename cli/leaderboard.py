"""`datagen leaderboard`."""

from __future__ import annotations

from pathlib import Path

import click

from cli._common import (
    OUTPUT,
    check_outputs,
    command_line,
    echo,
    json_option,
    overwrite_option,
    print_json,
    print_table,
    quiet_option,
)
from datagen.errors import counted


@click.command("leaderboard")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--metric", default="mcc", show_default=True, help="What to rank by.")
@click.option("--out", type=OUTPUT, help="The board: .html, .md or .csv.  [default: shown]")
@json_option
@quiet_option
@overwrite_option
def command(
    results: tuple[Path, ...], metric: str, out: Path | None, as_json: bool, quiet: bool, overwrite: bool
) -> None:
    """Rank results, each only among those of its protocol.

    Files that `evaluate` wrote, or folders of them, such as those of runs. Floors and ceilings (`evaluate --baseline`)
    have no rank; published scores are listed apart, as read. Entries are compared with the first seed by seed.

    \b
    Example:
      datagen leaderboard results/ runs/ --out board.html
    """
    check_outputs([out], overwrite)
    from slowvae.leaderboard import COLUMNS, cells, collect_boards, write_boards

    boards, notes = collect_boards(results, metric)
    if out is not None:
        write_boards(boards, notes, out, overwrite, command_line())
    if as_json:
        print_json(
            {
                "notes": notes,
                "boards": [
                    {
                        "protocol": board.protocol.to_json(),
                        "metric": board.metric,
                        "entries": [
                            {
                                "rank": entry.rank,
                                "entry": entry.result.entry,
                                "name": entry.result.name,
                                "mean": entry.result.score(metric),
                                "interval": entry.result.interval(metric),
                                "seeds": len(entry.result.by_seed(metric)),
                                "difference": None if entry.difference is None else entry.difference.mean,
                                "difference_interval": None if entry.difference is None else entry.difference.interval,
                                "file": str(entry.path),
                            }
                            for entry in board.entries
                        ],
                    }
                    for board in boards
                ],
            }
        )
    elif not quiet:
        for board in boards:
            if out is None:
                rows = [cells(entry, metric)[:7] for entry in board.entries]
                named = f", {board.protocol.name}" if board.protocol.name else ""
                print_table(f"protocol {board.protocol.id}{named}: {metric}", COLUMNS[:7], rows)
                echo(board.protocol.describe())
        if out is not None:
            entries = sum(len(board.entries) for board in boards)
            echo(f"{out}: {counted(entries, 'entry', 'entries')}, {counted(len(boards), 'protocol')}")
        if notes:
            echo(*notes)
