"""The page of a validation: self-contained HTML, made of a `slowvae.validate.Report`."""

from __future__ import annotations

import base64
import html
import tempfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from datagen.extras import has_extra
from datagen.files import atomic_path
from datagen.pairs import first_frames
from datagen.records import json_text
from slowvae.batches import Frames
from slowvae.comparison import Comparison
from slowvae.figures import figure_png, save_traversals, scatters, sheet, traversals
from slowvae.model import VAE

if TYPE_CHECKING:
    from slowvae.validate import Report

__all__ = ["draw_pictures", "page", "write_report"]

_COLOURS = {"pass": "#1a7f37", "warn": "#9a6700", "fail": "#cf222e"}

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
td, th { border-bottom: 1px solid #d0d7de; padding: .25rem .75rem; text-align: left; vertical-align: top; }
td.figure { text-align: right; font-variant-numeric: tabular-nums; }
.status { color: white; border-radius: .3rem; padding: 0 .5rem; font-weight: 600; }
img { max-width: 100%; image-rendering: auto; }
"""


def draw_pictures(frames: Frames, found: Comparison, seed: int, model: str) -> dict[str, bytes]:
    """Draw what a page shows of one seed: samples, traversals, latents against factors, curves.

    Without matplotlib there are samples and traversals only.
    """
    pictures = {}
    starts, _, _ = first_frames(frames.offsets)
    rows = np.random.default_rng(0).choice(starts, min(16, len(starts)), replace=False)
    shown = np.stack(
        [np.moveaxis((frames.at(torch.from_numpy(r)).cpu().numpy() * 255), 1, -1) for r in (rows, rows + 1)]
    )
    buffer = BytesIO()
    sheet(shown.astype(np.uint8)).save(buffer, "png")
    pictures["samples.png"] = buffer.getvalue()
    network, latents = found.networks[seed], found.latents[seed]
    if isinstance(network, VAE):
        with tempfile.TemporaryDirectory() as folder:
            save_traversals(traversals(network, latents, latents[rows[:4]]), Path(folder) / "traversals.gif")
            pictures["traversals.gif"] = (Path(folder) / "traversals.gif").read_bytes()
    if has_extra("figures"):
        figure = scatters(latents, *frames.changing_factors(), found.scores[model][seed].correlation)
        pictures["latents.png"] = figure_png(figure)
        if found.curves:
            pictures["curves.png"] = _curves(found.curves)
    return pictures


def _curves(curves: dict[str, list[dict[str, float]]]) -> bytes:
    """Draw each term of the objective over the iterations, a line a training (of its first seed)."""
    from matplotlib.figure import Figure

    told = {"iteration", "seed"}
    terms = [name for name in curves[next(iter(curves))][0] if name not in told and name[-1] not in "0123456789"]
    figure = Figure(figsize=(3.2 * len(terms), 2.6), layout="constrained")
    axes = figure.subplots(1, len(terms), squeeze=False)[0]
    for axis, term in zip(axes, terms, strict=True):
        for name, rows in curves.items():
            own = [row for row in rows if row["seed"] == rows[0]["seed"] and term in row]
            axis.plot([row["iteration"] for row in own], [row[term] for row in own], label=name, linewidth=1)
        axis.set_title(term.replace("_", " "), fontsize=9)
        axis.tick_params(labelsize=7)
    axes[0].set_yscale("log")
    axes[0].legend(fontsize=7)
    return figure_png(figure)


def page(report: Report) -> str:
    """Return the page as HTML that needs no other file."""
    parts = [
        f"<h1>{_status(report.verdict)} {html.escape(Path(report.file).name)}</h1>",
        "<h2>Checks</h2>",
        _table(
            ["", "check", "figure", ""],
            [
                [
                    _status(f.status),
                    html.escape(f.name),
                    "" if f.figure is None else f"{f.figure:.4g}",
                    html.escape(f.detail),
                ]
                for f in report.findings
            ],
            figures={2},
        ),
    ]
    for name, by_seed in report.scores.items():
        for seed, each in by_seed.items():
            low, high = each["interval"]
            parts.append(
                f"<h3>{html.escape(name)}, seed {seed}: MCC {each['score']:.3f} ({low:.3f} to {high:.3f})</h3>"
            )
            rows = [
                [html.escape(factor), *(f"{value:+.2f}" for value in line)]
                for factor, line in zip(report.factor_names, each["correlation"], strict=True)
            ]
            columns = ["", *(f"latent {i}" for i in range(len(each["correlation"][0])))]
            parts.append(_table(columns, rows, figures=set(range(1, len(columns)))))
    titles = {
        "samples.png": "Samples: neighbouring frames above each other",
        "curves.png": "Training",
        "traversals.gif": "Traversals: a row an image, a column a latent",
        "latents.png": "Latents against factors, with their rank correlation",
    }
    for file, title in titles.items():
        if file in report.pictures:
            data = base64.b64encode(report.pictures[file]).decode()
            kind = file.rsplit(".", 1)[1]
            parts.append(f'<h2>{title}</h2><img alt="{title}" src="data:image/{kind};base64,{data}">')
    parts.append("<h2>What was run</h2>")
    parts.append(f"<pre>{html.escape(json_text({'file': report.file, **report.run}))}</pre>")
    title = html.escape(f"{report.verdict}: {Path(report.file).name}")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _status(status: str) -> str:
    return f'<span class="status" style="background: {_COLOURS[status]}">{status}</span>'


def _table(columns: list[str], rows: list[list[Any]], figures: set[int]) -> str:
    """Return a table of cells that are HTML already; columns in `figures` are set as numbers."""
    kinds = [' class="figure"' if i in figures else "" for i in range(len(columns))]
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    lines = ("".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def write_report(report: Report, folder: str | Path) -> None:
    """Write ``report.html`` and ``report.json`` into a folder, made if need be."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("report.json", json_text(report.to_json())), ("report.html", page(report))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
