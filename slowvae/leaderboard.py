"""Boards of results: ranked only within one protocol, with floors and ceilings, and published scores as they were read.

A rank says that two entries were measured alike, so only results of one protocol's id stand in one ranking.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from datagen.errors import BadInputError, UsageError, counted, quote, quote_for_sheet
from datagen.files import write_text
from datagen.page import Bar, Page, Section, Table, glossary_section, origin_section, page_html
from slowvae.protocols import Protocol
from slowvae.results import Difference, Result, compare_results, is_result, read_result
from slowvae.settings import pairs_in_words, settings_of

__all__ = ["PUBLISHED", "Board", "Entry", "Published", "collect_boards", "write_boards"]

_TERMS = (
    "protocol", "MCC", "factor", "latent", "floor, ceiling", "95 % interval", "bootstrap", "indicative",
)  # fmt: skip
_MOST_FIRSTS = 3
_DIGITS = 9
"""Scores that differ by less are equal: by rounding alone."""
_MOST_DAMAGED = 5
"""Results whose damage is named one by one."""
_MOST_FILES = 10_000
"""Of JSON files that are looked at below the given folders."""


class Published(msgspec.Struct, frozen=True):
    """A score as it was read in a publication.

    Attributes
    ----------
    source, method, protocol, score : str
        Where it stands, what was scored and how, and the MCC in per cent.
    """

    source: str
    method: str
    protocol: str
    score: str


PUBLISHED = (
    Published(
        "Klindt et al. 2021",
        "SlowVAE",
        "max_delta_t 1, 300,000 iterations, 10 seeds, last checkpoint, the training data scored, Spearman, 10 latents",
        "66.1 ± 4.5",
    ),
    Published("Klindt et al. 2021", "SlowVAE", "the same with max_delta_t 5", "79.6 ± 5.8"),
    Published(
        "Zimmermann et al. 2021", "InfoNCE, Laplace, box", "300,000 iterations, distance not stated where seen", "80.9"
    ),
    Published(
        "Yao et al. 2022, repository",
        "LEAP",
        "max_delta_t 5, 2,560 training pairs, 10 latents, one run, the checkpoint with the best ground-truth MCC on a "
        "random split of pairs",
        "90.9",
    ),
)
"""Scores on KITTI Masks. They were measured differently from each other and are ranked with nothing."""


@dataclass(frozen=True)
class Entry:
    """A result on a board.

    Attributes
    ----------
    rank : int or None
        From 1, the same for equal scores; None of a floor or ceiling.
    result : Result
        The scores.
    path : Path
        Its file.
    difference : Difference or None
        Its score less that of the first in rank, seed by seed; None of that one, and where they share no seed.
    """

    rank: int | None
    result: Result
    path: Path
    difference: Difference | None


@dataclass(frozen=True)
class Board:
    """All results of one protocol, the best first.

    Attributes
    ----------
    protocol : Protocol
        What they share.
    metric : str
        What they are ranked by.
    entries : list of Entry
        By their mean score.
    """

    protocol: Protocol
    metric: str
    entries: list[Entry]


def collect_boards(paths: Iterable[str | Path], metric: str = "mcc") -> tuple[list[Board], list[str]]:
    """Read results and rank those of each protocol.

    Parameters
    ----------
    paths : iterable of path
        Files of results, or folders that are searched for them, at any depth; links are not followed.
    metric : str
        What to rank by, of `slowvae.metrics.METRICS`.

    Returns
    -------
    boards : list of Board
        That of most entries first.
    notes : list of str
        What was not used, and what a board lacks.

    Raises
    ------
    UsageError
        If a path is not there, nothing in it is a result, too many files are, or the metric is unknown or was not
        scored.
    BadInputError
        If a result that is named is damaged, or all that are found are; else those in folders are left out, and noted.
    """
    from slowvae.scores import check_names

    check_names([metric])
    found: dict[str, list[tuple[Result, Path]]] = {}
    notes, lacking, damaged = [], [], []
    for path, named in _files(paths):
        try:
            result = read_result(path)
        except BadInputError as error:
            if named:
                raise
            damaged.append(error)
            continue
        if result.by_seed(metric):
            found.setdefault(result.protocol.id, []).append((result, path))
        else:
            lacking.append(str(path))
    if not found and damaged:
        raise damaged[0]
    if not found:
        raise UsageError(
            f"{metric} was not scored in any of {len(lacking)} results"
            if lacking
            else "no result.json was found; `datagen evaluate` makes them"
        )
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        notes.append(f"without {metric}, and left out: {', '.join(lacking[:3])}{more}")
    notes += [f"left out: {error}" for error in damaged[:_MOST_DAMAGED]]
    if len(damaged) > _MOST_DAMAGED:
        notes.append(f"left out: {len(damaged) - _MOST_DAMAGED} more that are damaged")
    boards = [_board(group, metric) for group in found.values()]
    boards.sort(key=lambda board: (-len(board.entries), board.protocol.id))
    for board in boards:
        kinds = {entry.result.entry for entry in board.entries}
        missing = [what for what in ("floor", "ceiling") if what not in kinds]
        if missing:
            notes.append(
                f"protocol {board.protocol.id} has no {' and no '.join(missing)}: datagen evaluate FILE --baseline all "
                "with the same protocol adds them"
            )
    return boards, notes


def _files(paths: Iterable[str | Path]) -> list[tuple[Path, bool]]:
    """Return the files of results that paths name or hold, and whether they name them."""
    found: dict[str, tuple[Path, bool]] = {}
    looked_at = 0
    for path in map(Path, paths):
        if path.is_file():
            found[os.path.realpath(path)] = path, True
            continue
        if not path.is_dir():
            raise UsageError(f"{path}: no such file or folder")
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                each = Path(folder, name)
                if each.suffix.lower() != ".json" or each.is_symlink() or not each.is_file():
                    continue
                looked_at += 1
                if looked_at > _MOST_FILES:
                    raise UsageError(f"{path}: more than {_MOST_FILES:,} JSON files; name the folders of results")
                if is_result(each):
                    found.setdefault(os.path.realpath(each), (each, False))
    return list(found.values())


def _board(group: list[tuple[Result, Path]], metric: str) -> Board:
    """Rank results of one protocol."""
    scored = [(round(result.score(metric), _DIGITS), result, path) for result, path in group]
    scored.sort(key=lambda each: (-each[0], each[1].name, str(each[2])))
    ranked = [(score, result) for score, result, _ in scored if result.entry not in ("floor", "ceiling")]
    first = ranked[0][1] if ranked else scored[0][1]
    entries: list[Entry] = []
    for score, result, path in scored:
        # Equal ones have the same rank, and the next as many more.
        in_rank = result.entry not in ("floor", "ceiling")
        rank = 1 + [each for each, _ in ranked].index(score) if in_rank else None
        difference = None if result is first else compare_results(result, first, metric)
        entries.append(Entry(rank, result, path, difference))
    return Board(first.protocol, metric, entries)


def write_boards(
    boards: Sequence[Board], notes: Sequence[str], path: str | Path, overwrite: bool = False, command: str = ""
) -> None:
    """Write boards as one page (``.html``), Markdown (``.md``) or CSV (``.csv``), whole or not at all.

    The page needs no other file and can be sorted. CSV holds the entries alone; the others have the published scores
    and the notes too, and the page the `command` that made it.

    Raises
    ------
    UsageError
        If the suffix is another, or the file exists.
    """
    texts = {
        ".html": partial(_html, boards, notes, command),
        ".md": partial(_markdown, boards, notes),
        ".csv": partial(_csv, boards),
    }
    write_text(path, "a board", texts, overwrite)


COLUMNS = ("entry", "rank", "score", "95 %", "sd", "seeds", "less the first", "trained", "notes")


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}"  # no -0.000


def cells(entry: Entry, metric: str) -> list[str]:
    """Return an entry as the texts of `COLUMNS`."""
    result = entry.result
    values = list(result.by_seed(metric).values())
    interval, spread = result.interval(metric), ""
    if len(values) > 1:
        mean = sum(values) / len(values)
        spread = f"{(sum((each - mean) ** 2 for each in values) / (len(values) - 1)) ** 0.5:.3f}"
    limits = "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
    difference = ""
    if entry.difference is not None:
        difference = _signed(entry.difference.mean)
        if entry.difference.interval is not None:
            difference += f" ({_signed(entry.difference.interval[0])} to {_signed(entry.difference.interval[1])})"
        difference += "; one seed, indicative" if entry.difference.indicative else ""
    name = result.name if result.entry not in ("floor", "ceiling") else f"{result.name} ({result.entry})"
    return [
        name,
        "" if entry.rank is None else str(entry.rank),
        f"{result.score(metric):.3f}",
        f"{limits}, indicative only" if len(values) == 1 and limits else limits,
        spread,
        str(len(values)),
        difference,
        _trained(result),
        "; ".join(result.notes),
    ]


def _trained(result: Result) -> str:
    """Say how the networks of a run were trained."""
    if result.settings is None:
        return ""
    try:
        settings = settings_of(dict(result.settings))
    except ValueError:
        return ""
    return f"{counted(result.iteration or 0, 'iteration')}, {pairs_in_words(settings)}"


def _html(boards: Sequence[Board], notes: Sequence[str], command: str) -> str:
    sections = []
    for board in boards:
        rows: list[list[str | Bar]] = []
        for entry in board.entries:
            texts: list[str | Bar] = [*cells(entry, board.metric)]
            low, high = entry.result.interval(board.metric) or (entry.result.score(board.metric),) * 2
            texts.insert(3, Bar(low, high, entry.result.score(board.metric), str(texts[3]) or str(texts[2])))
            rows.append(texts)
        columns = [*COLUMNS[:3], f"{board.metric}, 0 to 1", *COLUMNS[3:]]
        table = Table(f"Ranked by {board.metric}; floors and ceilings have no rank", columns, rows, sortable=True)
        sections.append(Section(_title(board.protocol), [_about(board)], tables=[table]))
    sections.append(
        Section(
            "Published, as read",
            ["Scores on KITTI Masks from the literature. They were measured differently and are ranked with nothing."],
            tables=[Table("MCC in per cent", PUBLISHED_COLUMNS, [list(msgspec.structs.astuple(p)) for p in PUBLISHED])],
        )
    )
    if notes:
        sections.append(Section("Notes", list(notes)))
    sections.append(glossary_section(_TERMS))
    protocols = [(f"dataset of protocol {board.protocol.id} (sha256)", board.protocol.dataset) for board in boards]
    files = [(f"result: {entry.result.name}", str(entry.path)) for board in boards for entry in board.entries]
    sections.append(origin_section([*protocols, *files], command))
    return page_html(Page("Leaderboard", "Leaderboard", _verdict(boards), sections))


def _verdict(boards: Sequence[Board]) -> str:
    """Say who is first in each ranking, and what does not compare."""
    firsts = []
    for board in boards:
        ranked = [entry for entry in board.entries if entry.rank is not None]
        if ranked:
            score = f"{board.metric} {ranked[0].result.score(board.metric):.3f}"
            best = [entry.result.name for entry in ranked if entry.rank == 1]
            names = f"{', '.join(best[:-1])} and {best[-1]} are" if len(best) > 1 else f"{best[0]} is"
            firsts.append(f"{names} first of {len(ranked)} under {board.protocol.id} ({score})")
    number = sum(len(board.entries) for board in boards)
    held = f"{counted(number, 'entry', 'entries')} of {counted(len(boards), 'protocol')}"
    counts = f"{held}; entries compare only within one protocol"
    return f"{'; '.join([*firsts[:_MOST_FIRSTS], counts])}."


PUBLISHED_COLUMNS = ("source", "method", "protocol", "MCC")


def _title(protocol: Protocol) -> str:
    return f"Protocol {protocol.id}" + (f", {protocol.name}" if protocol.name else "")


def _about(board: Board) -> str:
    return f"{board.protocol.describe()}. Dataset {board.protocol.dataset[:8]}."


def _markdown(boards: Sequence[Board], notes: Sequence[str]) -> str:
    lines = []
    for board in boards:
        lines += [f"## {_title(board.protocol)}", "", _about(board), ""]
        lines += _table(COLUMNS, [cells(entry, board.metric) for entry in board.entries])
    lines += ["## Published, as read", ""]
    lines += _table(PUBLISHED_COLUMNS, [list(msgspec.structs.astuple(each)) for each in PUBLISHED])
    lines += [f"{_plain(note)}  " for note in notes]
    return "\n".join([*lines, ""])


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *([_plain(cell) for cell in row] for row in rows)]
    return [*("| " + " | ".join(line) + " |" for line in lines), ""]


def _plain(text: str) -> str:
    """Return a text that may be somebody's as it may stand in Markdown: on one line, and neither a link nor HTML."""
    return re.sub(r"[\\`*\[\]|#]", r"\\\g<0>", quote(text, 2000)).replace("<", "&lt;")


def _csv(boards: Sequence[Board]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["protocol", "protocol_name", "metric", "rank", "entry", "name", "mean", "low", "high", "seeds", "difference",
         "difference_low", "difference_high", "shared_seeds", "dataset", "file"]
    )  # fmt: skip
    for board in boards:
        for entry in board.entries:
            result, difference = entry.result, entry.difference
            low, high = result.interval(board.metric) or (None, None)
            gap = (None,) * 4
            if difference is not None:
                gap = (difference.mean, *(difference.interval or (None, None)), len(difference.seeds))
            writer.writerow(
                [board.protocol.id, board.protocol.name, board.metric, entry.rank, result.entry,
                 quote_for_sheet(result.name), result.score(board.metric), low, high,
                 len(result.by_seed(board.metric)), *gap, board.protocol.dataset, quote_for_sheet(str(entry.path))]
            )  # fmt: skip
    return stream.getvalue()
