"""Pictures of transition statistics; all that they show can be had as numbers from `datagen.statistics.summarize`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError, quote
from datagen.extras import extra
from datagen.files import atomic_path, check_output
from datagen.intervals import Interval
from datagen.statistics.atlas import Atlas
from datagen.statistics.fits import ROUNDED, distribution
from datagen.statistics.summary import Group, Summary, describe_distance, describe_shape, shape_fit
from datagen.transitions import FACTORS, Transitions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "check_folder", "draw", "draw_atlas", "save_figures"]

# Okabe and Ito's colours, which the colour-blind can tell apart; line styles tell them apart in grey print as well.
_STYLES: dict[str, dict[str, Any]] = {
    "gennorm": {"color": "#D55E00", "linestyle": "-", "label": "gennorm"},
    ROUNDED: {"color": "#009E73", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "label": ROUNDED},
    "laplace": {"color": "#0072B2", "linestyle": "--", "label": "laplace"},
    "norm": {"color": "#000000", "linestyle": ":", "label": "norm"},
    "t": {"color": "#CC79A7", "linestyle": "-.", "label": "t"},
    "cauchy": {"color": "#E69F00", "linestyle": (0, (1, 1)), "label": "cauchy"},
}
_LEVELS = {"pooled": ("o", "#0072B2"), "video": ("s", "#D55E00"), "object": ("D", "#009E73")}
"""Mark and colour of what the scale is taken out of."""
_MARKERS = {"gennorm": "o", ROUNDED: "D", "laplace": "^", "norm": "s", "t": "v", "cauchy": "x"}
_DATA = "#8C8C8C"
_NAMES = ("histograms", "tails", "qq", "joint", "within", "distances", "groups", "groups-kurtosis")
FORMATS = {".png": "Software", ".pdf": "CreationDate", ".svg": "Date"}
"""Formats of pictures, and what their metadata leave out so that the same statistics give the same bytes."""
_HALVES = 2.0**52  # below it, the halves between whole numbers are numbers of their own
_SETTINGS: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E0E0E0",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "pdf.fonttype": 42,
    "svg.hashsalt": "datagen",
}


def draw(table: Transitions, summary: Summary) -> Iterator[tuple[str, str, Figure]]:
    """Draw the figures of a table's statistics.

    Parameters
    ----------
    table : Transitions
        The table that was summarised.
    summary : Summary
        Its statistics, with fits.

    Yields
    ------
    name, caption, figure
        ``"histograms"``, ``"tails"``, ``"qq"``, ``"joint"``; ``"within"`` where scales were taken out, ``"distances"``
        where there are several, ``"groups"`` where there is more than one.
        The caller closes nothing: the figures belong to no window.

    Raises
    ------
    UsageError
        If matplotlib is not installed.
    DatagenError
        If there are no figures because there are not enough data.
    """
    with extra("figures", "drawing statistics"):
        import matplotlib
        from matplotlib.figure import Figure

    whole = summary.groups[0]
    columns = {factor: table.differences(factor).astype(np.float64) for factor in FACTORS if factor in whole.mean}
    if not columns:
        raise DatagenError(f"nothing to draw: {'; '.join(dict.fromkeys(whole.not_enough.values()))}")
    count = len(columns)
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(2.6 * count + 0.4, 4.8), layout="constrained")
        for place, (factor, values) in enumerate(columns.items()):
            for row, logarithmic in enumerate((False, True)):
                _histogram(figure.add_subplot(2, count, row * count + place + 1), whole, factor, values, logarithmic)
        _legend(figure)
        yield (
            "histograms",
            "Across: change of area, x and y between neighbouring frames, in pixels; up: its density, below on a log "
            "scale. Lines are the fitted densities; above each panel stands the shape of the generalised normal.",
            figure,
        )

        figure = Figure(figsize=(2.6 * count + 0.4, 2.8), layout="constrained")
        for place, (factor, values) in enumerate(columns.items()):
            _tail(figure.add_subplot(1, count, place + 1), whole, factor, values)
        _legend(figure)
        yield (
            "tails",
            "Across: size of a change in pixels; up: share of changes that are larger. Both axes are logarithmic.",
            figure,
        )

        figure = Figure(figsize=(2.6 * count + 0.4, 2.8), layout="constrained")
        for place, (factor, values) in enumerate(columns.items()):
            _quantiles(figure.add_subplot(1, count, place + 1), whole, factor, values)
        _legend(figure)
        yield (
            "qq",
            "Across: quantiles of each fit; up: those of the data, in pixels. On the diagonal they agree.",
            figure,
        )

        pairs = [pair.split("-") for pair in whole.correlations]
        if pairs:
            figure = Figure(figsize=(2.7 * len(pairs) + 0.4, 2.8), layout="constrained")
            for place, (first, second) in enumerate(pairs):
                _joint(figure, figure.add_subplot(1, len(pairs), place + 1), first, second, columns)
            yield (
                "joint",
                "Across and up: changes of two factors in pixels; the colour, logarithmic, is how often they occur "
                "together.",
                figure,
            )

        if whole.within:
            figure = Figure(figsize=(2.6 * count + 0.6, 2.6), layout="constrained")
            for place, factor in enumerate(columns):
                _within(figure.add_subplot(1, count, place + 1), whole, factor, place == 0)
            yield (
                "within",
                "Across: shape of the changes of area, x and y of all together, and with the scale of each video or "
                "object taken out, with 95 % intervals; left of the dashed line (1, Laplace) they are sparse, the "
                "dotted line is the normal's 2. What moves right is a mixture of scales.",
                figure,
            )

        distances = [(what, groups) for what, groups in _by_distance(summary) if groups[0].mean]
        if len(distances) > 1:
            figure = Figure(figsize=(2.6 * count + 0.4, 2.6), layout="constrained")
            for place, factor in enumerate(columns):
                _shape_against_distance(figure.add_subplot(1, count, place + 1), distances, factor)
            yield (
                "distances",
                "Up: shape of all changes, with 95 % intervals; across: distance of the two frames. Below the dashed "
                "line (1, Laplace) they are sparse.",
                figure,
            )

        if len(summary.groups) > 1:
            rows = max(len(groups) for _, groups in distances) if distances else 0
            width = 1.5 * len(distances) + 1.2
            for what in ("shape", "excess kurtosis"):
                if what == "shape" and not whole.sparse:
                    continue
                figure = Figure(figsize=(max(5.0, width * count), max(2.4, 0.9 + 0.14 * rows)), layout="constrained")
                _groups(figure, distances, list(columns), what)
                yield (
                    "groups" if what == "shape" else "groups-kurtosis",
                    f"Across: {what} of the changes of area, x and y of each group (number of transitions), with 95 % "
                    "intervals; a column for each distance."
                    + (" Left of the dashed line (1, Laplace) they are sparse." if what == "shape" else ""),
                    figure,
                )


def draw_atlas(atlas: Atlas, paths: Sequence[Path]) -> str:
    """Draw the shapes of several sets side by side: a panel for each factor, a row for each set.

    Parameters
    ----------
    atlas : Atlas
        What `datagen.statistics.atlas.build_atlas` returns.
    paths : sequence of Path
        Where the picture is written, each in the format of its suffix, of `FORMATS`.

    Returns
    -------
    str
        Its caption.

    Raises
    ------
    UsageError
        If matplotlib is not installed.
    """
    with extra("figures", "drawing statistics"):
        import matplotlib
        from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS):
        height = 0.9 + 0.5 * max(1, len(atlas.sets))
        figure = Figure(figsize=(2.6 * len(FACTORS) + 1.2, height), layout="constrained")
        for place, factor in enumerate(FACTORS):
            _sets(figure.add_subplot(1, len(FACTORS), place + 1), atlas, factor, place == 0)
        _legend(figure)
        for path in paths:
            figure.savefig(path, dpi=200, metadata={FORMATS[path.suffix]: None})
    return (
        f"Across: shape of the changes of area, x and y over {atlas.delta_ms:g} ms, of all together and with the scale "
        "of each video or object taken out, with 95 % intervals; a row for each set. Left of the dashed line (1, "
        "Laplace) they are sparse, the dotted line is the normal's 2. A mark without a line has no interval."
    )


def check_folder(folder: str | Path, overwrite: bool = False) -> None:
    """Say early that the figures cannot be written; `UsageError` if one of them exists or the folder is none."""
    folder = Path(folder)
    for name in _NAMES:
        for suffix in FORMATS:
            check_output(folder / f"{name}{suffix}", overwrite)


def save_figures(table: Transitions, summary: Summary, folder: str | Path, overwrite: bool = False) -> list[Path]:
    """Write every figure as PNG, PDF and SVG; the same statistics give the same bytes.

    Parameters
    ----------
    table, summary
        As for `draw`.
    folder : str or Path
        Made if need be.
    overwrite : bool
        Whether existing files may be replaced.

    Returns
    -------
    list of Path
        The files.
    """
    check_folder(folder, overwrite)
    written = []
    for name, _, figure in draw(table, summary):
        for suffix, left_out in FORMATS.items():
            path = Path(folder) / f"{name}{suffix}"
            with atomic_path(path, overwrite) as temporary:
                figure.savefig(temporary, dpi=200, metadata={left_out: None})
            written.append(path)
    return written


def _histogram(axes: Any, group: Group, factor: str, values: NDArray[np.float64], logarithmic: bool) -> None:
    whole_numbers = ROUNDED in group.fits[factor]
    share = (0.0005, 0.9995) if logarithmic else (0.02, 0.98)
    edges = _edges(values, share, whole_numbers)
    heights = np.histogram(values, edges)[0] / len(values) / np.diff(edges)
    axes.stairs(heights, edges, fill=True, color=_DATA, alpha=0.6, label="data")
    grid = np.linspace(edges[0], edges[-1], 2001)
    for name, fit in group.fits[factor].items():
        density = distribution(name, fit.parameters).pdf(grid)
        axes.plot(grid, density, **_STYLES[name])
    seen = heights[heights > 0]
    if logarithmic:
        axes.set_yscale("log")
        axes.set_ylim(seen.min() / 2, seen.max() * 5)
    else:
        axes.set_ylim(0, seen.max() * 1.15)
    axes.set_xlim(edges[0], edges[-1])
    if not logarithmic and (shape := describe_shape(group.fits[factor])):
        axes.set_title(f"shape {shape}", fontsize=7)
    axes.set_xlabel(f"change of {factor} (pixels)")
    axes.set_ylabel("density")


def _edges(values: NDArray[np.float64], share: tuple[float, float], whole_numbers: bool) -> NDArray[np.float64]:
    """Return edges of bins over the middle `share` of the values; of whole width for whole numbers."""
    low, high = np.quantile(values, share)
    if low == high:
        low, high = values.min(), values.max()
    if not whole_numbers or max(abs(low), abs(high)) >= _HALVES:
        return np.unique(np.linspace(low, high, 102))  # fewer where they are as near as numbers can be
    step = max(1, int(np.ceil((high - low) / 100)))
    return np.arange(np.floor(low), np.ceil(high) + step + 1, step) - 0.5


def _tail(axes: Any, group: Group, factor: str, values: NDArray[np.float64]) -> None:
    size = np.sort(abs(values))
    size = size[size > 0]
    share = np.arange(len(size), 0, -1) / len(values)
    axes.loglog(size, share, color=_DATA, linewidth=3, alpha=0.7, label="data", drawstyle="steps-post")
    grid = np.geomspace(np.quantile(size, 0.05), size[-1], 400)
    for name, fit in group.fits[factor].items():
        model = distribution(name, fit.parameters)
        axes.plot(grid, model.sf(grid) + model.cdf(-grid), **_STYLES[name])
    axes.set_xlim(grid[0], grid[-1] * 1.3)
    axes.set_ylim(share[-1] / 3, 1.5)
    axes.set_xlabel(f"size of the change of {factor} (pixels)")
    axes.set_ylabel("share that is larger")


def _quantiles(axes: Any, group: Group, factor: str, values: NDArray[np.float64]) -> None:
    count = min(len(values), 400)
    # Even in the middle and ever denser towards the ends, where fits differ.
    levels = (1 + np.tanh(np.linspace(-1, 1, count) * np.arctanh(1 - 1 / len(values)))) / 2
    data = np.quantile(values, levels)
    limit = abs(data).max()
    for name, fit in group.fits[factor].items():
        quantiles = distribution(name, fit.parameters).ppf(levels)
        style = _STYLES[name]
        axes.plot(
            quantiles,
            data,
            _MARKERS[name],
            color=style["color"],
            label=style["label"],
            markersize=2.5,
            fillstyle="none",
            markeredgewidth=0.7,
        )
    axes.axline((0, 0), slope=1, color=_DATA, linewidth=0.8)
    # Most of both lie near 0 and a few far out: linear within the bulk, logarithmic beyond it.
    bulk = max(float(np.quantile(abs(values), 0.5)), limit / 1e4)
    axes.set_xscale("symlog", linthresh=bulk)
    axes.set_yscale("symlog", linthresh=bulk)
    decades = 10.0 ** np.arange(np.ceil(np.log10(bulk)) + 1, np.floor(np.log10(limit)) + 1, 2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([*-decades[::-1], 0, *decades])
    axes.set_xlim(-2 * limit, 2 * limit)
    axes.set_ylim(-2 * limit, 2 * limit)
    axes.set_xlabel(f"fitted change of {factor} (pixels)")
    axes.set_ylabel("measured")


def _joint(figure: Any, axes: Any, first: str, second: str, columns: dict[str, NDArray[np.float64]]) -> None:
    from matplotlib.colors import LogNorm

    edges = []
    for factor in (first, second):
        low, high = np.quantile(columns[factor], (0.005, 0.995))
        if low == high:
            low, high = columns[factor].min(), columns[factor].max()
        whole_numbers = bool((columns[factor] == np.rint(columns[factor])).all())
        if whole_numbers and max(abs(low), abs(high)) < _HALVES:
            step = max(1, round((high - low) / 60))
            edges.append(np.arange(low, high + step + 1, step) - 0.5)
        else:
            edges.append(np.unique(np.linspace(low, high, 61)))
    counts, across, up = np.histogram2d(columns[first], columns[second], bins=edges)
    shown = np.ma.masked_equal(counts.T, 0)
    if shown.count():
        mesh = axes.pcolormesh(
            across, up, shown, norm=LogNorm(1, max(2.0, counts.max())), cmap="cividis", rasterized=True
        )
        figure.colorbar(mesh, ax=axes, label="transitions")
    axes.set_xlabel(f"change of {first} (pixels)")
    axes.set_ylabel(f"change of {second} (pixels)")


def _by_distance(summary: Summary) -> list[tuple[str, list[Group]]]:
    """Return the groups of each distance, and without the shared motion, by what tells these apart."""
    found: dict[str, list[Group]] = {}
    for group in summary.groups:
        found.setdefault(describe_distance(group), []).append(group)
    return list(found.items())


def _within(axes: Any, group: Group, factor: str, named: bool) -> None:
    levels = list(group.within)
    for row, level in enumerate(levels):
        found = group.within[level].get(factor)
        if found is None or found.at_bound:
            continue
        axes.plot(found.shape, row, "o", color="#0072B2", markersize=4)
        if found.shape_interval is not None:
            interval = found.shape_interval
            axes.plot([interval.low, interval.high], [row, row], "-", color="#0072B2", linewidth=1.3)
        axes.annotate(
            f"{found.shape:.2f}", (found.shape, row), (0, 5), textcoords="offset points", ha="center", fontsize=7
        )
    axes.axvline(1, color="#D55E00", linestyle="--", linewidth=0.8)
    axes.axvline(2, color="#000000", linestyle=":", linewidth=0.8)
    names = [level if level == "pooled" else f"within {level}" for level in levels]
    axes.set_yticks(range(len(levels)), names if named else [])
    axes.set_ylim(len(levels) - 0.5, -0.6)
    axes.set_xscale("log", base=2)
    ticks = [0.25, 0.5, 1, 2, 4]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlim(0.2, 5)
    axes.minorticks_off()
    axes.set_xlabel(f"shape of {factor}" + _kind(group, factor))


def _sets(axes: Any, atlas: Atlas, factor: str, named: bool) -> None:
    """Draw a row for each set, with a mark for each level."""
    apart = dict(zip(_LEVELS, (-0.25, 0.0, 0.25), strict=True))
    for level, (marker, colour) in _LEVELS.items():
        label = level if level == "pooled" else f"within {level}"
        axes.plot([], [], marker, color=colour, markersize=3.5, label=label)
        for place, each in enumerate(atlas.sets):
            for row in each.rows:
                if (row.factor, row.level, row.ego_motion_removed) != (factor, level, False):
                    continue
                if row.found is None or row.found.at_bound:
                    continue
                at, interval = place + apart[level], row.found.shape_interval
                axes.plot(row.found.shape, at, marker, color=colour, markersize=3.5)
                if interval is not None:
                    axes.plot([interval.low, interval.high], [at, at], "-", color=colour, linewidth=1.3)
    axes.axvline(1, color="#D55E00", linestyle="--", linewidth=0.8)
    axes.axvline(2, color="#000000", linestyle=":", linewidth=0.8)
    axes.set_yticks(range(len(atlas.sets)))
    axes.set_yticklabels([quote(each.name, 30) if named else "" for each in atlas.sets], parse_math=False)
    axes.set_ylim(max(1, len(atlas.sets)) - 0.5, -0.5)
    axes.set_xscale("log", base=2)
    low, high = axes.get_xlim()
    axes.set_xlim(min(0.25, low), max(4.5, high))
    ticks = [0.125, 0.25, 0.5, 1, 2, 4, 8, 16]
    axes.set_xticks([tick for tick in ticks if min(0.25, low) <= tick <= max(4.5, high)])
    axes.set_xticklabels([f"{tick:g}" for tick in axes.get_xticks()])
    axes.minorticks_off()
    axes.set_xlabel(f"shape of {factor}")


def _kind(group: Group, factor: str) -> str:
    kind = group.kind.get(factor)
    return f"\n{kind or 'undecided'}"


def _shape_against_distance(axes: Any, distances: list[tuple[str, list[Group]]], factor: str) -> None:
    for place, (_, groups) in enumerate(distances):
        value, interval = _shape(groups[0], factor)
        if value is not None:
            axes.plot(place, value, "o", color="#0072B2", markersize=4)
            axes.annotate(f"{value:.2f}", (place, value), (5, 3), textcoords="offset points", fontsize=7)
        if interval is not None:
            axes.plot([place, place], [interval.low, interval.high], "-", color="#0072B2", linewidth=1.3)
    axes.axhline(1, color="#D55E00", linestyle="--", linewidth=0.8)
    axes.set_xticks(range(len(distances)), [what for what, _ in distances], rotation=30, ha="right", fontsize=7)
    axes.set_xlim(-0.5, len(distances) - 0.2)
    axes.set_ylabel(f"shape of {factor}")


def _groups(figure: Any, distances: list[tuple[str, list[Group]]], factors: list[str], what: str) -> None:
    """Draw a row for each group and, for each factor, a column for each distance."""
    names = list(dict.fromkeys(group.name for _, groups in distances for group in groups))
    first = {group.name: group.n for group in distances[0][1]}
    labels = [f"{name} ({first[name]:,})" if name in first else name for name in names]
    of_row = {name: row for row, name in enumerate(names)}
    size = 7.0 if len(names) <= 40 else 6.0
    columns = [(factor, distance) for factor in factors for distance in distances]
    for place, (factor, (distance, groups)) in enumerate(columns):
        axes = figure.add_subplot(1, len(columns), place + 1)
        for group in groups:
            value, interval = _kurtosis(group, factor) if what != "shape" else _shape(group, factor)
            if value is None:
                continue
            row = of_row[group.name]
            axes.plot(value, row, "D" if group.name == "all" else "o", color="#0072B2", markersize=2.5)
            if interval is not None:
                axes.plot([interval.low, interval.high], [row, row], "-", color="#0072B2", linewidth=0.9)
            axes.annotate(
                f"{value:.2f}", (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=size - 1
            )
        if what == "shape":
            axes.axvline(1, color="#D55E00", linestyle="--", linewidth=0.8)
        else:
            axes.set_xscale("symlog")
        axes.set_yticks(range(len(names)), labels if place == 0 else [], fontsize=size, parse_math=False)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_title(factor if len(distances) == 1 else f"{factor}, {distance}", fontsize=7)


def _kurtosis(group: Group, factor: str) -> tuple[float | None, Interval | None]:
    return group.kurtosis.get(factor), group.kurtosis_interval.get(factor)


def _shape(group: Group, factor: str) -> tuple[float | None, Interval | None]:
    fit = shape_fit(group.fits.get(factor, {}))
    return (None, None) if fit is None or fit.at_bound else (fit.parameters["shape"], fit.shape_interval)


def _legend(figure: Any) -> None:
    """Put one legend below all panels of a figure."""
    entries = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries.update(dict(zip(labels, handles, strict=True)))
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=len(entries), fontsize=7)
