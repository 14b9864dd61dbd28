"""What the experiments share that train models by commands and compare their scores."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

Scores = Mapping[tuple[str, str], Sequence[float]]
"""Of every network, by what stands along the axis of a figure and what is side by side there."""


def datagen(*words: object) -> str:
    """Run a command and return what it printed."""
    command = [sys.executable, "-m", "cli.main", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def train(file: Path, run: Path, *settings: object) -> None:
    """Train a run that is not finished, or go on with it."""
    record = run / "run.json"
    if not record.exists() or json.loads(record.read_text())["status"] != "finished":
        datagen("train", file, "--out", run, *(("--resume",) if run.exists() else settings), "--quiet")


def save_figure(scores: Scores, places: Mapping[str, str], sides: Mapping[str, str], path: Path) -> None:
    """Draw a dot for every network and a line for their mean; places and sides are named by the mappings' values."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for shift, (side, words) in enumerate(sides.items()):
        for number, place in enumerate(places):
            values, x = scores[place, side], number + (shift - 1) * 0.22
            label = words if number == 0 else None
            axes.plot([x] * len(values), values, "o", color=f"C{shift}", alpha=0.6, label=label)
            axes.plot([x - 0.08, x + 0.08], [sum(values) / len(values)] * 2, color=f"C{shift}")
    axes.set_xticks(range(len(places)), places.values())
    axes.set_ylabel("MCC (a dot a network, a line their mean)")
    axes.legend(frameon=False, ncols=len(sides))
    figure.savefig(path, dpi=150, metadata={"Software": None})
