"""Pictures of transition statistics; all that they show can be had as numbers from `datagen.statistics.summarize`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import DatagenError
from datagen.extras import extra
from datagen.files import atomic_path, check_output
from datagen.intervals import Interval
from datagen.statistics.fits import ROUNDED, distribution
from datagen.statistics.summary import Group, Summary, describe_group, shape_fit
from datagen.transitions import FACTORS, Transitions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_folder", "draw", "save_figures"]

# Okabe and Ito's colours, which the colour-blind can tell apart; line styles tell them apart in grey print as well.
_STYLES: dict[str, dict[str, Any]] = {
    "gennorm": {"color": "#D55E00", "linestyle": "-", "label": "generalised normal"},
    ROUNDED: {"color": "#009E73", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "label": "generalised normal, rounded"},
    "laplace": {"color": "#0072B2", "linestyle": "--", "label": "Laplace"},
    "norm": {"color": "#000000", "linestyle": ":", "label": "normal"},
    "t": {"color": "#CC79A7", "linestyle": "-.", "label": "Student's t"},
    "cauchy": {"color": "#E69F00", "linestyle": (0, (1, 1)), "label": "Cauchy"},
}
_MARKERS = {"gennorm": "o", ROUNDED: "D", "laplace": "^", "norm": "s", "t": "v", "cauchy": "x"}
_DATA = "#8C8C8C"
_NAMES = ("histograms", "tails", "qq", "joint", "groups")
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
        ``"histograms"``, ``"tails"``, ``"qq"``, ``"joint"`` and, where there is more than one group, ``"groups"``.
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
            "Changes between neighbouring frames and the fitted densities; below on a log scale.",
            figure,
        )

        figure = Figure(figsize=(2.6 * count + 0.4, 2.8), layout="constrained")
        for place, (factor, values) in enumerate(columns.items()):
            _tail(figure.add_subplot(1, count, place + 1), whole, factor, values)
        _legend(figure)
        yield "tails", "Share of changes that are larger than a given one; both axes are logarithmic.", figure

        figure = Figure(figsize=(2.6 * count + 0.4, 2.8), layout="constrained")
        for place, (factor, values) in enumerate(columns.items()):
            _quantiles(figure.add_subplot(1, count, place + 1), whole, factor, values)
        _legend(figure)
        yield "qq", "Quantiles of the data against those of each fit; on the diagonal they agree.", figure

        pairs = [pair.split("-") for pair in whole.correlations]
        if pairs:
            figure = Figure(figsize=(2.7 * len(pairs) + 0.4, 2.8), layout="constrained")
            for place, (first, second) in enumerate(pairs):
                _joint(figure, figure.add_subplot(1, len(pairs), place + 1), first, second, columns)
            yield "joint", "How often two factors change together; the colour is logarithmic.", figure

        if len(summary.groups) > 1:
            height = 1.0 + 0.19 * len(summary.groups)
            figure = Figure(figsize=(2.6 * count + 1.4, max(3.6, height)), layout="constrained")
            _groups(figure, summary.groups, list(columns))
            yield "groups", "Excess kurtosis (top) and shape (bottom) of each group, with 95 % intervals.", figure


def check_folder(folder: str | Path, overwrite: bool = False) -> None:
    """Say early that the figures cannot be written; `UsageError` if one of them exists or the folder is none."""
    folder = Path(folder)
    for name in _NAMES:
        for suffix in (".png", ".pdf"):
            check_output(folder / f"{name}{suffix}", overwrite)


def save_figures(table: Transitions, summary: Summary, folder: str | Path, overwrite: bool = False) -> list[Path]:
    """Write every figure as PNG and PDF; the same statistics give the same bytes.

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
        for suffix, metadata in ((".png", {"Software": None}), (".pdf", {"CreationDate": None})):
            path = Path(folder) / f"{name}{suffix}"
            with atomic_path(path, overwrite) as temporary:
                figure.savefig(temporary, dpi=200, metadata=metadata)
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


def _groups(figure: Any, groups: list[Group], factors: list[str]) -> None:
    labels = [f"{describe_group(group)} ({group.n:,})" for group in groups]
    rows = np.arange(len(groups))
    for place, factor in enumerate(factors):
        for part, what in enumerate(("excess kurtosis", "shape")):
            axes = figure.add_subplot(2, len(factors), part * len(factors) + place + 1)
            for row, group in zip(rows, groups, strict=True):
                value, interval = _kurtosis(group, factor) if part == 0 else _shape(group, factor)
                if value is None:
                    continue
                axes.plot(value, row, "D" if group.name == "all" else "o", color="#0072B2", markersize=3)
                if interval is not None:
                    axes.plot([interval.low, interval.high], [row, row], "-", color="#0072B2", linewidth=1)
            if part == 0:
                axes.set_xscale("symlog")
            else:
                axes.axvline(1, color="#D55E00", linestyle="--", linewidth=0.8)
            axes.set_yticks(rows, labels if place == 0 else [], fontsize=6)
            axes.set_ylim(len(groups) - 0.4, -0.6)
            axes.set_xlabel(f"{what} of {factor}")


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
