"""Transition statistics as one web page that needs nothing else; several sets side by side as a page and a CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import BytesIO, StringIO
from pathlib import Path

from datagen.errors import UsageError, counted, quote, quote_for_sheet
from datagen.files import atomic_path, atomic_paths, check_output
from datagen.intervals import Interval
from datagen.page import Page, Picture, Section, Table, glossary_section, origin_section, page_html
from datagen.statistics.atlas import MAX_DEVIATION, Atlas, AtlasRow, AtlasSet
from datagen.statistics.figures import FORMATS, draw, draw_atlas
from datagen.statistics.summary import (
    Group,
    Summary,
    describe_fit,
    describe_group,
    describe_shape,
    describe_value,
    describe_within,
)
from datagen.store import fingerprint
from datagen.transitions import FACTORS, Transitions

__all__ = ["ATLAS_COLUMNS", "check_atlas", "check_suffix", "save_report", "write_atlas"]


_TERMS = (
    "transition", "temporally sparse", "generalised normal", "shape", "gennorm_rounded", "excess kurtosis", "skewness",
    "share of zeros", "log-likelihood", "Kolmogorov-Smirnov (KS)", "95 % interval", "bootstrap", "Pearson, Spearman",
)  # fmt: skip
_ATLAS_TERMS = (
    "transition", "temporally sparse", "shape", "generalised normal", "excess kurtosis", "share of zeros",
    "mixture of scales", "autocorrelation", "ego-motion", "95 % interval", "bootstrap",
)  # fmt: skip


def save_report(
    table: Transitions,
    summary: Summary,
    path: str | Path,
    title: str = "Transitions",
    overwrite: bool = False,
    file: str | Path | None = None,
    command: str = "",
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
    file : str or Path, optional
        Where the table was read; the page then gives its sha256.
    command : str
        The command that makes the page, for those who read it.

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
        lead=f"{counted(whole.n, 'change')} between neighbouring frames, of {counted(whole.objects, 'object')}.",
        verdict=f"{whole.verdict[:1].upper()}{whole.verdict[1:]}.",
        sections=[
            *sections,
            Section("How to read this", text=_notes(summary)),
            glossary_section(_terms(summary)),
            origin_section(
                [
                    *([] if file is None else [_hashed(str(file), fingerprint(file))]),
                    ("seed", str(summary.seed)),
                    ("replicates of the bootstrap", f"{summary.bootstrap:,}"),
                ],
                command,
            ),
        ],
    )
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(page_html(page), encoding="utf-8")
    return path


def _hashed(file: str, sha256: str) -> tuple[str, str]:
    return f"sha256 of {Path(file).name}", sha256


def _terms(summary: Summary) -> list[str]:
    """Return the terms that a report uses."""
    whole = summary.groups[0]
    terms = [*_TERMS]
    if whole.within:
        terms += ["mixture of scales", "autocorrelation"]
    if any(group.ego_motion_removed for group in summary.groups):
        terms.append("ego-motion")
    if any(item.mutual_information is not None for item in whole.dependence.values()):
        terms.append("mutual information")
    return terms


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
    return Table(f"Dependence, of {counted(n, 'transition')}: every object and frame once", columns, rows)


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
    ]


def check_atlas(folder: str | Path, overwrite: bool = False) -> list[Path]:
    """Return the files that `write_atlas` writes; `UsageError` if one exists or the folder is none."""
    names = ("atlas.html", "atlas.csv", *(f"atlas{suffix}" for suffix in FORMATS))
    return [check_output(Path(folder) / name, overwrite) for name in names]


def write_atlas(atlas: Atlas, folder: str | Path, overwrite: bool = False, command: str = "") -> list[Path]:
    """Write several sets side by side: all files or none, and the same atlas as the same bytes.

    Parameters
    ----------
    atlas : Atlas
        What `datagen.statistics.atlas.build_atlas` returns.
    folder : str or Path
        Made if need be.
    overwrite : bool
        Whether existing files may be replaced.
    command : str
        The command that makes them, for those who read the page.

    Returns
    -------
    list of Path
        The page (``atlas.html``, which refers to no other file), the figures (``atlas.csv``) and the picture as PNG,
        PDF and SVG.

    Raises
    ------
    UsageError
        If a file exists, or matplotlib is not installed.
    """
    paths = check_atlas(folder, overwrite)
    with atomic_paths(paths, overwrite) as (page, table, *pictures):
        caption = draw_atlas(atlas, pictures)
        page.write_text(page_html(_atlas_page(atlas, caption, pictures[0].read_bytes(), command)), encoding="utf-8")
        table.write_text(_atlas_csv(atlas), encoding="utf-8", newline="\n")
    return paths


def _atlas_page(atlas: Atlas, caption: str, picture: bytes, command: str) -> Page:
    sections = [Section("Sets", tables=[_atlas_sets(atlas.sets)] if atlas.sets else [], text=atlas.left_out)]
    if atlas.sets:
        sections.append(Section("Figures", pictures=[Picture(caption, picture)]))
        sections.append(Section(f"At {atlas.delta_ms:g} ms", tables=[_atlas_figures(atlas.sets, f) for f in FACTORS]))
    if atlas.apart:
        tables = [_atlas_sets(atlas.apart), *(_atlas_figures(atlas.apart, factor) for factor in FACTORS)]
        why = "These do not compare: neither with each other nor with those above, since the time is another."
        sections.append(Section("Apart: neighbouring frames", [why], tables=tables))
    hashes = {each.file: each.sha256 for each in [*atlas.sets, *atlas.apart]}
    return Page(
        title="Motion atlas",
        heading="How objects move in several sets",
        verdict=_atlas_verdict(atlas),
        sections=[
            *sections,
            Section("How to read this", text=_atlas_notes(atlas)),
            glossary_section(_ATLAS_TERMS),
            origin_section(
                [
                    *(_hashed(file, sha256) for file, sha256 in hashes.items()),
                    ("seed", str(atlas.seed)),
                    ("replicates of the bootstrap", f"{atlas.bootstrap:,}"),
                ],
                command,
            ),
        ],
    )


def _atlas_verdict(atlas: Atlas) -> str:
    """Say in how many sets each factor is found to be sparse in itself, and what does not compare."""
    count = len(atlas.sets)
    sparse = dict.fromkeys(FACTORS, 0)
    for each in atlas.sets:
        for factor in FACTORS:
            kinds = {row.kind for row in each.rows if row.factor == factor and not row.ego_motion_removed}
            sparse[factor] += not kinds.isdisjoint(("sparse", "both"))
    found = ", ".join(f"{factor} in {number}" for factor, number in sparse.items())
    verdict = f"No set has frames that are {atlas.delta_ms:g} ms apart."
    if count:
        verdict = (
            f"{counted(count, 'set')} at {atlas.delta_ms:g} ms. Found temporally sparse, with the scale of each object "
            f"taken out: {found}."
        )
    if atlas.apart:
        verdict += f" Frames of {counted(len(atlas.apart), 'set')} are of another or an unknown rate, and given apart."
    return verdict


def _atlas_sets(sets: Sequence[AtlasSet]) -> Table:
    rows = [
        [
            quote(each.name),
            "; ".join(map(str, each.sources)),
            "; ".join(dict.fromkeys(source.licence or "not stated" for source in each.sources)),
            f"{each.transitions:,}",
            f"{each.videos:,}" if each.videos else "not named",
            f"{each.objects:,}",
            "; ".join(each.notes),
        ]
        for each in sets
    ]
    columns = ["set", "frames", "licence", "transitions", "videos", "objects", "notes"]
    return Table("Sets, their licences and rates", columns, rows)


def _atlas_figures(sets: Sequence[AtlasSet], factor: str) -> Table:
    rows = [
        [quote(each.name), row.of, *_atlas_cells(row)] for each in sets for row in each.rows if row.factor == factor
    ]
    columns = ["set", "changes", "n", "shape", "excess kurtosis", "zeros", "autocorrelation", "kind", "note"]
    return Table(f"Changes of {factor}", columns, rows, sortable=True)


def _atlas_cells(row: AtlasRow) -> list[str]:
    found = row.found
    if found is None:
        return ["", "", "", "", "", "", row.note]
    lag = min(found.autocorrelation, default=None)
    return [
        f"{found.n:,}",
        "" if found.at_bound else describe_value(found.shape, found.shape_interval),
        "" if found.kurtosis is None else describe_value(found.kurtosis, found.kurtosis_interval),
        describe_value(found.zeros),
        "" if lag != 1 else describe_value(found.autocorrelation[1], found.autocorrelation_interval.get(1)),
        row.kind or "undecided",
        row.note,
    ]


ATLAS_COLUMNS = (
    "set", "file", "sources", "licences", "fps", "delta_ms", "frames", "exact_ms", "transitions", "videos", "objects",
    "factor", "level", "ego_motion_removed", "n", "groups", "still", "shape", "shape_low", "shape_high", "kurtosis",
    "kurtosis_low", "kurtosis_high", "zeros", "autocorrelation", "autocorrelation_low", "autocorrelation_high", "kind",
    "note",
)  # fmt: skip
"""Columns of ``atlas.csv``: a row for each set, factor and level; `delta_ms` is empty for neighbouring frames.

Of several sources, their values stand in one cell with semicolons between. A shape at its bound is left empty.
"""


def _atlas_csv(atlas: Atlas) -> str:
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(ATLAS_COLUMNS)
    for each in [*atlas.sets, *atlas.apart]:
        sources = each.sources
        of_set = [
            quote_for_sheet(each.name),
            quote_for_sheet(each.file),
            quote_for_sheet("; ".join(source.name for source in sources)),
            quote_for_sheet("; ".join(source.licence for source in sources)),
            "; ".join("" if source.fps is None else f"{source.fps:g}" for source in sources),
            each.delta_ms,
            "; ".join(str(source.frames) for source in sources),
            "; ".join("" if source.exact_ms is None else f"{source.exact_ms:.6g}" for source in sources),
            each.transitions,
            each.videos or None,
            each.objects,
        ]
        for row in each.rows:
            writer.writerow([*of_set, row.factor, row.level, row.ego_motion_removed, *_atlas_numbers(row), row.note])
    return stream.getvalue()


def _atlas_numbers(row: AtlasRow) -> list[object]:
    found = row.found
    if found is None:
        return [None] * 14

    def ends(interval: Interval | None) -> tuple[float | None, float | None]:
        return (None, None) if interval is None else (interval.low, interval.high)

    return [
        found.n,
        found.groups,
        found.still,
        None if found.at_bound else found.shape,
        *ends(found.shape_interval),
        found.kurtosis,
        *ends(found.kurtosis_interval),
        found.zeros,
        found.autocorrelation.get(1),
        *ends(found.autocorrelation_interval.get(1)),
        row.kind,
    ]


def _atlas_notes(atlas: Atlas) -> list[str]:
    drawn = (
        f"Intervals are 95 % percentile intervals of {atlas.bootstrap:,} replicates that resample whole objects (seed "
        f"{atlas.seed}); they say how sure the figures are for such objects in these videos, not for other videos."
        if atlas.bootstrap
        else "No intervals were asked for."
    )
    return [
        f"A source is compared where a whole number of its frames is within {MAX_DEVIATION:.0%} of {atlas.delta_ms:g} "
        "ms. Every object and frame counts once; n leaves out groups that never move, which have no scale.",
        "Changes are sparse when the shape of the generalised normal is below 1, the Laplace distribution's; 2 is the "
        "normal's. Where the shape is below 1 for all together but not within objects, scales are mixed (kind: "
        "mixture). Autocorrelation is that of the size of a change and of the next one of the same object: above 0, "
        f"jumps are clustered. {drawn}",
    ]
