"""Transition statistics as one web page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from datagen import __version__
from datagen.errors import UsageError
from datagen.files import atomic_path, check_output
from datagen.page import Page, Picture, Section, Table, page_html
from datagen.statistics.figures import draw
from datagen.statistics.summary import (
    Group,
    Summary,
    describe_fit,
    describe_group,
    describe_shape,
    describe_value,
    describe_within,
)
from datagen.transitions import FACTORS, Transitions

__all__ = ["check_suffix", "save_report"]


def save_report(
    table: Transitions, summary: Summary, path: str | Path, title: str = "Transitions", overwrite: bool = False
) -> Path:
    """Write tables, figures and verdict as one HTML page without any reference to other files.

    Parameters
    ----------
    table : Transitions
        The table that was summarised.
    summary : Summary
        Its statistics, with fits.
    path : str or Path
        The page to write.
    title : str
        What the data are called on the page.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        The page.
    """
    check_suffix(path)
    path = check_output(path, overwrite)
    whole = summary.groups[0]
    tables = [_moments(whole), *(_fits(whole, factor) for factor in whole.fits if whole.fits[factor])]
    tables += [_within(whole)] if whole.within else []
    if whole.dependence:
        tables.append(_dependence(whole))
    sections = [Section("All transitions", tables=tables, text=summary.warnings)]
    if whole.mean:
        sections.append(Section("Figures", pictures=_pictures(table, summary)))
    if len(summary.groups) > 1:
        distances = [f"{distance}." for distance in summary.distances]
        sections.append(Section("Groups", tables=[_groups(summary.groups)], text=distances))
    page = Page(
        title=f"{title}: transitions",
        heading=f"How {title} moves",
        lead=f"{whole.n:,} changes between neighbouring frames, of {whole.objects:,} objects.",
        verdict=f"{whole.verdict[:1].upper()}{whole.verdict[1:]}.",
        sections=[*sections, Section("How to read this", text=_notes(summary))],
    )
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(page_html(page), encoding="utf-8")
    return path


def check_suffix(path: str | Path) -> None:
    """Refuse the name of a page that is no web page's."""
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{path}: a report is a web page; give a name that ends in .html")


def _pictures(table: Transitions, summary: Summary) -> list[Picture]:
    pictures = []
    for _, caption, figure in draw(table, summary):
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
        pictures.append(Picture(caption, buffer.getvalue()))
    return pictures


def _moments(group: Group) -> Table:
    rows = [
        (what, *(describe_value(values.get(factor), intervals.get(factor)) for factor in FACTORS))
        for what, values, intervals in (
            ("mean", group.mean, {}),
            ("standard deviation", group.sd, {}),
            ("excess kurtosis", group.kurtosis, group.kurtosis_interval),
            ("skewness", group.skewness, {}),
            ("share of zeros", group.zeros, {}),
        )
    ]
    return Table("Moments of the changes (pixels)", ["", *FACTORS], rows)


def _fits(group: Group, factor: str) -> Table:
    described = {name: describe_fit(fit) for name, fit in group.fits[factor].items()}
    columns = list(dict.fromkeys(key for lines in described.values() for key in lines))
    best = group.best[factor]
    rows = [(name, *(lines.get(column, "") for column in columns)) for name, lines in described.items()]
    caption = f"Fits to {factor}; best by log-likelihood {best['log_likelihood']}, AIC {best['aic']}, BIC {best['bic']}"
    return Table(caption, ["distribution", *columns], rows)


def _within(group: Group) -> Table:
    rows: list[tuple[str, ...]] = []
    for level, found in group.within.items():
        lines = {factor: describe_within(each) for factor, each in found.items()}
        for what in dict.fromkeys(key for each in lines.values() for key in each):
            name = level if level == "pooled" else f"within {level}"
            rows.append((f"{name}: {what}", *(lines.get(factor, {}).get(what, "") for factor in FACTORS)))
    return Table("Shape with scales taken out, every object and frame once", ["", *FACTORS], rows)


def _dependence(group: Group) -> Table:
    kinds = {"Pearson (p)": ("pearson", "pearson_p"), "Spearman (p)": ("spearman", "spearman_p")}
    columns, rows = ["factors", *kinds], []
    for pair, item in group.dependence.items():
        rows.append([pair, *(f"{getattr(item, r):.3f} ({getattr(item, p):.2g})" for r, p in kinds.values())])
        if item.mutual_information is not None:
            rows[-1].append(f"{item.mutual_information:.3f}")
    if len(rows[0]) > len(columns):
        columns.append("mutual information (nats)")
    n = next(iter(group.dependence.values())).n
    return Table(f"Dependence, of {n:,} transitions: every object and frame once", columns, rows)


def _groups(groups: Sequence[Group]) -> Table:
    columns = ["group", "n", "objects", *(f"{what} {factor}" for what in ("kurtosis", "shape") for factor in FACTORS)]
    rows = [
        [
            describe_group(group),
            f"{group.n:,}",
            f"{group.objects:,}",
            *(describe_value(group.kurtosis.get(factor), group.kurtosis_interval.get(factor)) for factor in FACTORS),
            *(describe_shape(group.fits.get(factor, {})) for factor in FACTORS),
        ]
        for group in groups
    ]
    return Table("Kurtosis and shape of each group", columns, rows)


def _notes(summary: Summary) -> list[str]:
    drawn = (
        f"Intervals are 95 % percentile intervals of {summary.bootstrap:,} replicates that resample whole objects "
        f"(seed {summary.seed})."
        if summary.bootstrap
        else "No intervals were asked for."
    )
    return [
        "Changes are temporally sparse when the shape of the generalised normal is below 1, the Laplace "
        "distribution's; 2 is the normal's. Where a factor is in whole pixels its shape is that of gennorm_rounded, "
        f"which takes the values as rounded. {drawn} Kolmogorov-Smirnov p-values take transitions as independent, "
        "which they are not.",
        f"datagen {__version__}",
    ]
