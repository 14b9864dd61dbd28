"""The page of a validation, made of a `slowvae.validate.Report`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import counted
from datagen.extras import has_extra
from datagen.files import atomic_paths
from datagen.page import (
    Bar,
    Marked,
    Page,
    Picture,
    Section,
    Table,
    glossary_section,
    origin_section,
    page_html,
)
from datagen.records import json_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from slowvae.comparison import Examples
    from slowvae.validate import Report

__all__ = ["draw_pictures", "report_files", "report_page", "write_report"]


_TERMS = (
    "MCC", "factor", "latent", "assigned latent", "baseline", "95 % interval", "bootstrap", "indicative",
    "Pearson, Spearman", "traversal",
)  # fmt: skip


def report_files(folder: str | Path) -> list[Path]:
    """Return the files that `write_report` writes into a folder."""
    return [Path(folder) / name for name in ("report.json", "report.html")]


def write_report(report: Report, folder: str | Path, command: str = "", overwrite: bool = False) -> None:
    """Write ``report.html`` and ``report.json`` into a folder, made if need be; the page names its `command`.

    Raises
    ------
    UsageError
        If one is there, and `overwrite` is false.
    """
    texts = json_text(report.to_json()), page_html(report_page(report, command))
    with atomic_paths(report_files(folder), overwrite) as temporaries:
        for temporary, text in zip(temporaries, texts, strict=True):
            temporary.write_text(text, encoding="utf-8")


def report_page(report: Report, command: str = "") -> Page:
    """Say what a page shows of a report, its pictures drawn; it names the `command` that made it, if any."""
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
            "The tables of seeds are correlations of factors and latents; the latent that is assigned to a factor is "
            "marked."
        )
        sections.append(Section("Scores", text=[text], tables=tables))
    if report.examples is not None:
        sections.append(Section("Pictures", pictures=draw_pictures(report.examples, report.curves)))
    shapes = [name for name in ("temporally sparse", "shape", "generalised normal") if _speaks_of_shapes(report)]
    sections.append(glossary_section([*shapes, *(_TERMS if report.scores else ())]))
    sections.append(origin_section(_facts(report), command))
    sections.append(Section("What was run", code=json_text({"file": report.file, **report.run})))
    return Page(
        title=f"{report.verdict}: {name}",
        heading=name,
        verdict=report.summary,
        status=report.verdict,
        sections=sections,
    )


def _speaks_of_shapes(report: Report) -> bool:
    return any(check.name.startswith("temporal sparsity") for check in report.findings)


def _facts(report: Report) -> list[tuple[str, str]]:
    dataset, settings = report.run.get("dataset", {}), report.run.get("settings", {})
    return [
        ("sha256 of the file", dataset.get("sha256", "")),
        ("seeds", ", ".join(map(str, settings.get("seeds", ())))),
        ("machine", report.run.get("machine", "")),
    ]


def _variant(mean: dict[str, Any]) -> str:
    """Say how MCCs were taken."""
    return f"{mean['protocol']}, {mean['method']}, {counted(mean['n'], 'frame')}"


def _mean_table(means: dict[str, dict[str, Any]]) -> Table:
    rows: list[list[str | Bar | Marked]] = []
    for name, mean in means.items():
        low, high = mean["interval"]
        seeds = ", ".join(map(str, mean["seeds"])) + (" (indicative)" if mean["indicative"] else "")
        interval = f"{low:.3f} to {high:.3f}"
        bar = Bar(low, high, mean["score"], f"{mean['score']:.3f}, {interval}")
        rows.append([name, f"{mean['score']:.3f}", bar, interval, seeds])
    caption = f"MCC ({_variant(next(iter(means.values())))})"
    return Table(caption, ["", "mean", "0 to 1, with its interval", "95 % interval", "seeds"], rows)


def _score_table(name: str, score: dict[str, Any], factors: list[str]) -> Table:
    low, high = score["interval"]
    rows: list[list[str | Bar | Marked]] = []
    for factor, line, latent in zip(factors, score["correlation"], score["assignment"], strict=True):
        cells: list[str | Bar | Marked] = [f"{value:+.2f}" for value in line]
        cells[latent] = Marked(f"{line[latent]:+.2f}", f"assigned to {factor}")
        rows.append([factor, *cells])
    columns = ["", *(f"latent {i}" for i in range(len(score["correlation"][0])))]
    return Table(f"{name}: MCC {score['score']:.3f} ({low:.3f} to {high:.3f})", columns, rows)


def draw_pictures(examples: Examples, curves: dict[str, list[dict[str, float]]]) -> list[Picture]:
    """Draw samples, training curves, traversals, and latents against factors.

    Without matplotlib there are samples and traversals only.
    """
    from slowvae.figures import figure_png, label_latents, scatters, sheet, traversals_gif

    samples = BytesIO()
    sheet(examples.samples).save(samples, "png")
    pictures = [Picture("Samples: neighbouring frames above each other", samples.getvalue())]
    if curves and has_extra("figures"):
        pictures.append(Picture("Training", figure_png(_curves(curves))))
    if examples.traversals is not None:
        labels = label_latents(examples.correlation, examples.factor_names, examples.assignment)
        gif = traversals_gif(examples.traversals, labels)
        caption = (
            "Traversals: a row per image, a column per latent, above it its number, the factor it is assigned to (in "
            "brackets: to none, and the nearest one) and their correlation"
        )
        pictures.append(Picture(caption, gif, "gif"))
    if has_extra("figures"):
        figure = scatters(
            examples.latents, examples.factors, examples.factor_names, examples.correlation, examples.assignment
        )
        caption = "Latents against factors, with their rank correlation; the assigned latents are framed"
        pictures.append(Picture(caption, figure_png(figure)))
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
