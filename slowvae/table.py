"""The paper's table from whatever runs there are: data sets by models, every metric, mean and deviation over seeds."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from datagen.errors import UsageError
from datagen.files import write_text
from datagen.records import read_record
from slowvae.metrics import METRICS
from slowvae.protocols import CHECKPOINTS
from slowvae.results import Source, read_result
from slowvae.runs import DataFile, read_run
from slowvae.scores import head_of
from slowvae.settings import Settings, pairs_in_words, settings_json

__all__ = ["Cell", "Row", "Table", "collect", "write_table"]


class _Scores(msgspec.Struct):
    """What of ``result.json``, or of ``scores.json`` as older runs have it, stands in a table."""

    iteration: int
    seeds: dict[str, dict[str, Any]]
    data: DataFile | Source | None = None
    udr: dict[str, float | None] | None = None
    of: str = ""  # in words, what was scored where that is not the last checkpoint on everything


class _OldScores(msgspec.Struct):
    iteration: int
    seeds: dict[str, dict[str, Any]]
    data: DataFile | None = None
    udr: dict[str, float | None] | None = None


@dataclass(frozen=True)
class Cell:
    """A score over the seeds of a row.

    Attributes
    ----------
    mean : float
        The mean.
    deviation : float or None
        The standard deviation (ddof = 1); None of a single seed.
    seeds : int
        How many networks.
    """

    mean: float
    deviation: float | None
    seeds: int


@dataclass(frozen=True)
class Row:
    """One model on one data set.

    Attributes
    ----------
    dataset, prior, model : str
        The name of the file that was scored without its suffix, with the one trained on where that is another; what its
        pairs are drawn by; and the model. Where rows would look alike, with the settings in which they differ, and
        their files with the beginning of their sha256.
    iterations : int
        How long the networks were trained that were scored.
    cells : dict of str to Cell
        By the column of `Table.metrics`.
    """

    dataset: str
    prior: str
    model: str
    iterations: int
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Table:
    """Rows and their columns.

    Attributes
    ----------
    metrics : tuple of str
        Those that any run has. Where there are several protocols of the MCC, each is a column, ``"mcc (held-out)"``.
    rows : list of Row
        By data set, prior and model.
    notes : list of str
        What was not used, and which protocol of the MCC the figures are of.
    """

    metrics: tuple[str, ...]
    rows: list[Row]
    notes: list[str]


def collect(folders: Iterable[str | Path]) -> Table:
    """Collect the scores of runs.

    Runs of one file, with the same settings but for their seeds and as long, scored on the same file, are one row.

    Parameters
    ----------
    folders : iterable of path
        Folders of runs. One that was not scored is named in the notes.

    Returns
    -------
    Table

    Raises
    ------
    UsageError
        If a folder holds no run, none was scored, or a seed of one row stands in two folders.
    BadInputError
        If a file is damaged.
    """
    found: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    where: dict[tuple[Any, ...], _Origin] = {}
    notes = []
    for folder in map(Path, folders):
        run = read_run(folder)
        scores = _scores_of(folder)
        if scores is None:
            notes.append(f"{folder} was not scored; `datagen evaluate` does that")
            continue
        alike = settings_json(replace(run.settings, seeds=(0,), iterations=1))
        scored = run.dataset if scores.data is None else scores.data
        files = (scored.sha256, run.dataset.sha256)
        key = (files, scores.of, scores.iteration, tuple(sorted((k, str(v)) for k, v in alike.items())))
        name, trained = _name(scored), _name(run.dataset)
        if len(set(files)) > 1:
            name = f"{name} (trained on {trained})"
        name += f" ({scores.of})" if scores.of else ""
        where[key] = _Origin(name, tuple(str(sha256)[:8] for sha256 in files), run.settings, scores.iteration)
        for seed, values in scores.seeds.items():
            if seed in found.setdefault(key, {}):
                raise UsageError(
                    f"{folder}: seed {seed} of the same run stands in another folder, too; give one of them"
                )
            agreement = {} if scores.udr is None else {"udr": scores.udr.get(seed)}
            found[key][seed] = {**values, **agreement}
    if not found:
        raise UsageError("; ".join(notes) or "no run; give the folders of some")
    protocols = {
        str(_variant(value))
        for seeds in found.values()
        for values in seeds.values()
        if isinstance(value := values.get("mcc"), dict) and "protocol" in value
    }
    if protocols:
        what = "protocol" if len(protocols) == 1 else "protocols, which do not compare,"
        notes.append(f"MCC of the {what} {', '.join(sorted(protocols))}")
    columns = [
        (name, protocol)
        for name in METRICS
        for protocol in (sorted(protocols) if name == "mcc" and len(protocols) > 1 else [None])
    ]
    rows = [_row(where[key], seeds, columns) for key, seeds in found.items()]
    metrics = tuple(name for name in (_column(*each) for each in columns) if any(name in row.cells for row in rows))
    order = sorted(range(len(rows)), key=lambda n: (rows[n].dataset, rows[n].prior, rows[n].model, rows[n].iterations))
    named = _distinguished([rows[n] for n in order], [list(where.values())[n] for n in order])
    return Table(metrics, named, notes)


def _scores_of(folder: Path) -> _Scores | None:
    """Return the scores of a run, or None if it was not scored."""
    if (folder / "result.json").exists():
        result = read_result(folder / "result.json")
        protocol, words = result.protocol, []
        if protocol.split != "release":
            words.append(f"{protocol.part} of {protocol.split}")
        words += [f"split seed {protocol.split_seed}"] if protocol.split_seed else []
        if protocol.trained_on and not protocol.trained_on.startswith("another file"):
            leaks = ", which may hold what is scored" if protocol.split != "release" else ""
            words.append(f"trained on {protocol.trained_on}{leaks}")
        if protocol.checkpoint != "last":
            words.append(CHECKPOINTS[protocol.checkpoint])
        return _Scores(result.iteration or 0, result.seeds, result.data, result.udr, ", ".join(words))
    if not (folder / "scores.json").exists():
        return None
    old = read_record(folder / "scores.json", _OldScores, "score it anew")
    return _Scores(old.iteration, old.seeds, old.data, old.udr)


def _variant(mcc: dict[str, Any]) -> str | None:
    """Return the variant of an MCC, with its correlation where that is not of ranks."""
    pearson = mcc.get("method") == "pearson"
    return f"{mcc['protocol']}, pearson" if pearson and "protocol" in mcc else mcc.get("protocol")


@dataclass(frozen=True)
class _Origin:
    """What the scores of a row are of; `files` are the one scored and the one trained on."""

    dataset: str
    files: tuple[str, ...]
    settings: Settings
    iterations: int


def _name(file: DataFile | Source) -> str:
    return "" if file.path is None else Path(file.path).stem


def _column(name: str, protocol: str | None) -> str:
    return name if protocol is None else f"{name} ({protocol})"


def _row(origin: _Origin, seeds: dict[str, dict[str, Any]], columns: list[tuple[str, str | None]]) -> Row:
    cells = {}
    for name, protocol in columns:
        scores = [each[name] for each in seeds.values() if name in each]
        if protocol is not None:
            scores = [each for each in scores if isinstance(each, dict) and _variant(each) == protocol]
        numbers = map(_number, scores)
        values = [value for value in numbers if value is not None and np.isfinite(value)]
        if values:
            deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
            cells[_column(name, protocol)] = Cell(float(np.mean(values)), deviation, len(values))
    return Row(origin.dataset, pairs_in_words(origin.settings), origin.settings.model, origin.iterations, cells)


def _number(value: Any) -> float | None:
    """Return the number of a score, which may stand among parts."""
    if isinstance(value, dict):
        value = value.get(head_of(value))
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _distinguished(rows: list[Row], origins: list[_Origin]) -> list[Row]:
    """Add to rows that look alike in what they differ: their files, and settings of the model."""
    distinguished = []
    for number, row in enumerate(rows):
        twins = [
            origins[other]
            for other, each in enumerate(rows)
            if (each.dataset, each.prior, each.model, each.iterations)
            == (row.dataset, row.prior, row.model, row.iterations)
        ]
        files, mine = origins[number].files, settings_json(origins[number].settings)
        others = [settings_json(twin.settings) for twin in twins]
        different = [
            name for name in mine if name not in ("seeds", "iterations") and any(t[name] != mine[name] for t in others)
        ]
        extra = ", ".join(f"{name} {mine[name]}" for name in different)
        dataset = row.dataset
        if any(twin.files != files for twin in twins):
            dataset += f" (sha256 {', '.join(dict.fromkeys(files))})"
        distinguished.append(replace(row, dataset=dataset, model=f"{row.model} ({extra})" if extra else row.model))
    return distinguished


def write_table(table: Table, path: str | Path, overwrite: bool = False) -> None:
    """Write a table as Markdown (``.md``), LaTeX (``.tex``) or CSV (``.csv``), whole or not at all.

    Markdown and LaTeX have scores in per cent, as papers do; CSV as they are, with deviation and number of seeds. What
    is not there stays empty.

    Raises
    ------
    UsageError
        If the suffix is another, or the file exists.
    """
    writers = {".md": _markdown, ".tex": _latex, ".csv": _csv}
    texts = {suffix: partial(writer, table) for suffix, writer in writers.items()}
    write_text(path, "a table", texts, overwrite)


def _shown(cell: Cell | None, plus_minus: str) -> str:
    if cell is None:
        return ""
    spread = "" if cell.deviation is None else f" {plus_minus} {100 * cell.deviation:.1f}"
    return f"{100 * cell.mean:.1f}{spread}"


def _lines(table: Table, plus_minus: str) -> list[list[str]]:
    return [
        [row.dataset, row.prior, row.model, str(row.iterations)]
        + [_shown(row.cells.get(name), plus_minus) for name in table.metrics]
        for row in table.rows
    ]


def _markdown(table: Table) -> str:
    head = ["data set", "pairs", "model", "iterations", *table.metrics]
    lines = [head, ["---"] * 3 + ["---:"] * (len(head) - 3), *_lines(table, "±")]
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*rows, "", *(f"{note}  " for note in [*table.notes, _CAPTION]), ""])


_CAPTION = "Per cent, mean ± standard deviation over seeds."


def _latex(table: Table) -> str:
    head = ["data set", "pairs", "model", "iterations", *table.metrics]
    lines = [" & ".join(map(_escaped, head)) + r" \\ \hline"]
    lines += [" & ".join([*map(_escaped, row[:4]), *row[4:]]) + r" \\" for row in _lines(table, r"$\pm$")]
    columns = "lll" + "r" * (len(head) - 3)
    notes = [f"% {note}" for note in [*table.notes, _CAPTION]]
    return "\n".join([*notes, rf"\begin{{tabular}}{{{columns}}}", *lines, r"\end{tabular}", ""])


def _escaped(text: str) -> str:
    plain = re.sub(r"[\\{}^~]", "", text)  # no name needs them, and TeX would run them
    return re.sub(r"([&%$#_])", r"\\\1", plain)


def _csv(table: Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    kinds = ("mean", "deviation", "seeds")
    writer.writerow(
        ["dataset", "pairs", "model", "iterations", *(f"{m}_{kind}" for m in table.metrics for kind in kinds)]
    )
    for row in table.rows:
        cells = [row.cells.get(name) for name in table.metrics]
        values = [[None] * 3 if each is None else [each.mean, each.deviation, each.seeds] for each in cells]
        writer.writerow(
            [row.dataset, row.prior, row.model, row.iterations, *(value for each in values for value in each)]
        )
    return stream.getvalue()
