"""The page of a validation, made of a `slowvae.validate.Report`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.extras import has_extra
from datagen.files import atomic_path, make_folder
from datagen.page import Page, Picture, Section, Table, page_html
from datagen.records import json_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from slowvae.comparison import Examples
    from slowvae.validate import Report

__all__ = ["draw_pictures", "report_page", "write_report"]


def write_report(report: Report, folder: str | Path) -> None:
    """Write ``report.html`` and ``report.json`` into a folder, made if need be."""
    folder = Path(folder)
    make_folder(folder)
    texts = {"report.json": json_text(report.to_json()), "report.html": page_html(report_page(report))}
    for name, text in texts.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def report_page(report: Report) -> Page:
    """Say what a page shows of a report, its pictures drawn."""
    name = Path(report.file).name
    sections = [Section("Checks", checks=report.findings)]
    if report.scores:
        tables = [_mean_table(report.mcc)]
        tables += [
            _score_table(f"{model}, {_variant(report.mcc[model])}, seed {seed}", each, report.factor_names)
            for model, by_seed in report.scores.items()
            for seed, each in by_seed.items()
        ]
        text = (
            "Each score is an MCC. The interval of a mean is over seeds and sequences; that of one seed is "
            "over sequences alone, and indicative: other trainings differ. "
            "The tables of seeds are correlations of factors and latents."
        )
        sections.append(Section("Scores", text=[text], tables=tables))
    if report.examples is not None:
        sections.append(Section("Pictures", pictures=draw_pictures(report.examples, report.curves)))
    sections.append(Section("What was run", code=json_text({"file": report.file, **report.run})))
    return Page(
        title=f"{report.verdict}: {name}",
        heading=name,
        verdict=report.summary,
        status=report.verdict,
        sections=sections,
    )


def _variant(mean: dict[str, Any]) -> str:
    """Say how MCCs were taken."""
    return f"{mean['protocol']}, {mean['method']}, {mean['n']:,} frames"


def _mean_table(means: dict[str, dict[str, Any]]) -> Table:
    rows = []
    for name, mean in means.items():
        low, high = mean["interval"]
        seeds = ", ".join(map(str, mean["seeds"])) + (" (indicative)" if mean["indicative"] else "")
        rows.append([name, f"{mean['score']:.3f}", f"{low:.3f} to {high:.3f}", seeds])
    caption = f"MCC ({_variant(next(iter(means.values())))})"
    return Table(caption, ["", "mean", "95 % interval", "seeds"], rows)


def _score_table(name: str, score: dict[str, Any], factors: list[str]) -> Table:
    low, high = score["interval"]
    rows = [
        [factor, *(f"{value:+.2f}" for value in line)]
        for factor, line in zip(factors, score["correlation"], strict=True)
    ]
    columns = ["", *(f"latent {i}" for i in range(len(score["correlation"][0])))]
    return Table(f"{name}: MCC {score['score']:.3f} ({low:.3f} to {high:.3f})", columns, rows)


def draw_pictures(examples: Examples, curves: dict[str, list[dict[str, float]]]) -> list[Picture]:
    """Draw samples, training curves, traversals, and latents against factors.

    Without matplotlib there are samples and traversals only.
    """
    from slowvae.figures import figure_png, scatters, sheet, traversals_gif

    samples = BytesIO()
    sheet(examples.samples).save(samples, "png")
    pictures = [Picture("Samples: neighbouring frames above each other", samples.getvalue())]
    if curves and has_extra("figures"):
        pictures.append(Picture("Training", figure_png(_curves(curves))))
    if examples.traversals is not None:
        gif = traversals_gif(examples.traversals)
        pictures.append(Picture("Traversals: a row per image, a column per latent", gif, "gif"))
    if has_extra("figures"):
        figure = scatters(examples.latents, examples.factors, examples.factor_names, examples.correlation)
        pictures.append(Picture("Latents against factors, with their rank correlation", figure_png(figure)))
    return pictures


def _curves(curves: dict[str, list[dict[str, float]]]) -> Figure:
    """Draw each term of the objective over the iterations, a line per training (of its first seed)."""
    from matplotlib.figure import Figure

    first = next(iter(curves.values()))[0]
    terms = [name for name in first if name not in ("iteration", "seed") and name[-1] not in "0123456789"]
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
    return figure
