"""Transition statistics as one web page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from pathlib import Path

from datagen import __version__
from datagen.errors import UsageError
from datagen.files import atomic_path, check_output
from datagen.statistics.figures import draw
from datagen.statistics.summary import Group, Summary, describe_fit, describe_group, describe_shape, describe_value
from datagen.transitions import FACTORS, Transitions

__all__ = ["check_suffix", "save_report"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --line: #c8c8c8; --soft: #f4f4f2; --mark: #0b5394; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e6; --paper: #17191c; --line: #44484d; --soft: #202328; --mark: #8ec7ff; }
}
body { margin: 0 auto; max-width: 74rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.verdict { border-left: 4px solid var(--mark); background: var(--soft); padding: .8rem 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
th, td { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th[scope=row], thead th:first-child { text-align: left; font-weight: 500; }
figure { margin: 1.5rem 0; } figcaption { font-size: .875rem; margin-top: .4rem; }
img { max-width: 100%; height: auto; background: #ffffff; border-radius: 4px; }
@media print { body { max-width: none; } figure, table { break-inside: avoid; } }
"""


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
    parts = [
        f"<h1>How {escape(title)} moves</h1>",
        f"<p>{whole.n:,} changes between neighbouring frames, of {whole.objects:,} objects.</p>",
        f'<p class="verdict">{escape(whole.verdict[:1].upper() + whole.verdict[1:])}.</p>',
        "<h2>All transitions</h2>",
        _moments(whole),
        *(_fits(whole, factor) for factor in whole.fits if whole.fits[factor]),
        _dependence(whole),
    ]
    if whole.mean:
        parts.append("<h2>Figures</h2>")
        for _, caption, figure in draw(table, summary):
            picture = BytesIO()
            figure.savefig(picture, format="png", dpi=150, metadata={"Software": None})
            data = base64.b64encode(picture.getvalue()).decode()
            parts.append(
                f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
    if len(summary.groups) > 1:
        parts += ["<h2>Groups</h2>", _groups(summary.groups)]
    parts += ["<h2>How to read this</h2>", _notes(summary)]
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}: transitions</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def check_suffix(path: str | Path) -> None:
    """Refuse the name of a page that is no web page's."""
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{path}: a report is a web page; give a name that ends in .html")


def _table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose rows begin with their heading."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _moments(group: Group) -> str:
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
    return _table("Moments of the changes (pixels)", ["", *FACTORS], rows)


def _fits(group: Group, factor: str) -> str:
    described = {name: describe_fit(fit) for name, fit in group.fits[factor].items()}
    columns = list(dict.fromkeys(key for lines in described.values() for key in lines))
    best = group.best[factor]
    rows = [(name, *(lines.get(column, "") for column in columns)) for name, lines in described.items()]
    caption = f"Fits to {factor}; best by log-likelihood {best['log_likelihood']}, AIC {best['aic']}, BIC {best['bic']}"
    return _table(caption, ["distribution", *columns], rows)


def _dependence(group: Group) -> str:
    if not group.correlations:
        return ""
    kinds = {"Pearson (p)": ("pearson", "pearson_p"), "Spearman (p)": ("spearman", "spearman_p")}
    columns, rows = ["factors", *kinds], []
    for pair, item in group.correlations.items():
        rows.append([pair, *(f"{getattr(item, r):.3f} ({getattr(item, p):.2g})" for r, p in kinds.values())])
        if item.mutual_information is not None:
            rows[-1].append(f"{item.mutual_information:.3f}")
    if len(rows[0]) > len(columns):
        columns.append("mutual information (nats)")
    return _table("Dependence", columns, rows)


def _groups(groups: Sequence[Group]) -> str:
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
    return _table("Kurtosis and shape of each group", columns, rows)


def _notes(summary: Summary) -> str:
    drawn = (
        f"Intervals are 95 % percentile intervals of {summary.bootstrap:,} replicates that resample whole objects "
        f"(seed {summary.seed})."
        if summary.bootstrap
        else "No intervals were asked for."
    )
    return (
        "<p>Changes are temporally sparse when the shape of the generalised normal is below 1, the Laplace "
        "distribution's; 2 is the normal's. Where a factor is in whole pixels its shape is that of "
        f"<em>gennorm_rounded</em>, which takes the values as rounded. {drawn} Kolmogorov-Smirnov p-values take "
        f"transitions as independent, which they are not.</p><p>datagen {escape(__version__)}</p>"
    )
