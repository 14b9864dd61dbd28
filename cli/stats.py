"""`datagen stats`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli._common import (
    Choice,
    Numbers,
    Whole,
    check_outputs,
    command_line,
    dataset_argument,
    echo,
    find_dataset,
    json_option,
    one_blas_thread,
    overwrite_option,
    print_json,
    print_table,
    quiet_option,
    seed_option,
    warn,
)
from datagen.errors import UsageError, counted, printable
from datagen.extras import has_extra, missing_extra
from datagen.intervals import REPLICATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from datagen.intervals import Interval
    from datagen.statistics import Group, Summary
    from datagen.statistics.within import Level


# Nobody is followed for longer than an hour of video.
_DISTANCES = Numbers(1, 65_535, most=100, otherwise="is no list of whole numbers; write e.g. 1,2,5")
_TIMES = Numbers(1, 3_600_000, most=100, otherwise="is no list of whole numbers; write e.g. 33,67,100")


@click.command("stats")
@dataset_argument
@click.option(
    "--fit-laplace",
    is_flag=True,
    help="Fit Laplace and normal, too, beside the generalised normal (generalised Laplace).",
)
@click.option("--fit", type=Choice(["laplace", "all"]), help="Fit those, or Student's t and Cauchy as well.")
@click.option("--by", type=Choice(["category", "source", "video", "sequence"]), help="Also give each of these.")
@click.option(
    "--bootstrap",
    type=Whole(0, 1_000_000),  # the ends of an interval no longer change in their third digit
    default=REPLICATES,
    show_default=True,
    help="Replicates for intervals of kurtosis and shape; 0 for none.",
)
@click.option("--delta-t", type=_DISTANCES, default="1", show_default=True, help="Distances in frames: 1,2,5,10.")
@click.option(
    "--delta-ms",
    type=_TIMES,
    help="Also at these distances in time, in milliseconds, at each source's own rate: 33,67,100.",
)
@click.option("--ego-motion", is_flag=True, help="Also without the motion that all objects of a frame share.")
@click.option(
    "--within",
    "levels",
    multiple=True,
    type=click.Choice(["video", "object"]),
    help="Also with the scale of each video or object taken out: are changes sparse, or scales mixed?",
)
@click.option("--mi", is_flag=True, help="Estimate the mutual information of factors.")
@click.option("--verbose", is_flag=True, help="Print all parameters, criteria and tests.")
@seed_option
@click.option("--figures", type=click.Path(path_type=Path), help="Folder to draw into, as PNG, PDF and SVG.")
@click.option("--report", type=click.Path(path_type=Path), help="Web page to write (.html), with all figures in it.")
@json_option
@quiet_option
@overwrite_option
def command(
    file: Path | None,
    fit_laplace: bool,
    fit: str | None,
    by: str | None,
    bootstrap: int,
    delta_t: tuple[int, ...],
    delta_ms: tuple[int, ...] | None,
    ego_motion: bool,
    levels: tuple[Level, ...],
    mi: bool,
    verbose: bool,
    seed: int,
    figures: Path | None,
    report: Path | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Measure how a dataset's objects move: kurtosis, fits, intervals, and whether it is temporally sparse.

    FILE is a dataset file of KITTI Masks, a transition table, or one of the release's tables (CSV or pickle). Without
    it the one dataset file of the current folder is taken.

    \b
    Example:
      datagen stats kitti.npz
      datagen stats kitti.npz --within video --within object --report stats.html
      datagen stats kitti.npz --fit-laplace --by video --bootstrap 1000 --verbose
    """
    from datagen.statistics import ALL_FITS, PAPER_FITS, summarize
    from datagen.store.tables import load

    file = find_dataset(file, as_json or quiet)
    if report is not None:
        from datagen.statistics.report import check_suffix

        check_suffix(report)
    check_outputs([report], overwrite, folders=[figures], inputs=[file])
    if (report is not None or figures is not None) and not has_extra("figures"):
        raise UsageError(missing_extra("figures", "drawing statistics"))
    if figures is not None:
        from datagen.statistics.figures import check_folder

        check_folder(figures, overwrite)
    table = load(file)
    if not quiet:
        for anomaly in table.anomalies():
            click.echo(printable(f"note: {file}: {anomaly}"), err=as_json)
    pictured = figures is not None or report is not None
    names = ALL_FITS if fit == "all" else PAPER_FITS if fit or fit_laplace or pictured else ("gennorm",)
    with one_blas_thread():
        summary = summarize(
            table,
            by,
            names,
            bootstrap,
            seed,
            delta_t=delta_t,
            delta_ms=delta_ms or (),
            ego_motion=ego_motion,
            mutual_information=mi,
            levels=levels,
            show_progress=not (quiet or as_json),
        )
    if not (quiet or as_json):
        warn(f"{file}: {line}" for line in summary.warnings)
    if figures is not None:
        from datagen.statistics.figures import save_figures

        save_figures(table, summary, figures, overwrite)
    if report is not None:
        from datagen.statistics.report import save_report

        save_report(table, summary, report, printable(file.name), overwrite, file, command_line())
    if as_json:
        print_json({"file": str(file), **summary.to_json()})
    elif not quiet:
        _print(summary, verbose)


_WIDTH = 80


def _print(summary: Summary, verbose: bool) -> None:
    """Print the verdict in a sentence, then the figures it rests on, then a line for each group."""
    from textwrap import fill

    whole = summary.groups[0]
    echo(*fill(f"{whole.verdict[:1].upper()}{whole.verdict[1:]}.", _WIDTH).splitlines())
    for why in dict.fromkeys(whole.not_enough.values()):
        factors = ", ".join(factor for factor, each in whole.not_enough.items() if each == why)
        echo(*fill(f"{factors}: {why}", _WIDTH).splitlines())
    _print_figures(summary)
    if whole.within:
        _print_within(whole)
    if verbose:
        _print_fits(whole)
    if whole.dependence and (verbose or any(item.mutual_information is not None for item in whole.dependence.values())):
        _print_dependence(whole)
    if len(summary.groups) > 1:
        _print_groups(summary, verbose)
    echo(*map(str, summary.distances))


def _by_factor(name: str, text: Callable[[str], str]) -> tuple[str, ...]:
    from datagen.transitions import FACTORS

    return (name, *(text(factor) for factor in FACTORS))


def _print_figures(summary: Summary) -> None:
    """Print the moments and the shape, each interval and published figure on a line of its own."""
    from datagen.statistics.fits import ROUNDED
    from datagen.statistics.summary import describe_shape, describe_value, shape_fit
    from datagen.transitions import FACTORS

    whole, published = summary.groups[0], summary.published
    shapes = {factor: shape_fit(whole.fits.get(factor, {})) for factor in FACTORS}

    def interval(of: dict[str, Interval | None]) -> list[tuple[str, ...]]:
        return [_by_factor("  95 % interval", lambda factor: str(of.get(factor) or ""))] if any(of.values()) else []

    def beside(figures: dict[str, float]) -> list[tuple[str, ...]]:
        return [_by_factor("  published", lambda factor: f"{figures[factor]:.4g}")]

    rows = [
        _by_factor("mean (pixels)", lambda factor: describe_value(whole.mean.get(factor))),
        _by_factor("standard deviation", lambda factor: describe_value(whole.sd.get(factor))),
        _by_factor("share of zeros", lambda factor: describe_value(whole.zeros.get(factor))),
        _by_factor("skewness", lambda factor: describe_value(whole.skewness.get(factor))),
        _by_factor("excess kurtosis", lambda factor: describe_value(whole.kurtosis.get(factor))),
        *interval(dict(whole.kurtosis_interval)),
        *(beside(published.kurtosis) if published else []),
    ]
    if any(shapes.values()):
        rows += [
            _by_factor("shape", lambda factor: describe_shape(whole.fits.get(factor, {}), with_interval=False)),
            *interval({factor: fit.shape_interval for factor, fit in shapes.items() if fit}),
            *(beside(published.shape) if published else []),
        ]
    title = f"{whole.name}: {counted(whole.n, 'transition')} of {counted(whole.objects, 'object')}"
    print_table(title, ["", *FACTORS], rows, _WIDTH)
    rounded = [factor for factor, fits in whole.fits.items() if ROUNDED in fits]
    if rounded:
        echo(f"shape of {', '.join(rounded)}: of {ROUNDED}, since all changes are whole numbers")
    if published:
        echo(f"published: of {published.name}, which has as many transitions; shapes of gennorm")


def _print_within(group: Group) -> None:
    """Print the shapes with scales taken out, from coarse to fine."""
    from datagen.statistics.summary import describe_within
    from datagen.transitions import FACTORS

    rows: list[tuple[str, ...]] = []
    for level, found in group.within.items():
        lines = {factor: describe_within(each) for factor, each in found.items()}
        for what in dict.fromkeys(key for each in lines.values() for key in each):
            name = f"  {what}" if what != "shape" else "pooled" if level == "pooled" else f"within {level}"
            rows.append((name, *(lines.get(factor, {}).get(what, "") for factor in FACTORS)))
    n = max((each.n for each in group.within["pooled"].values()), default=0)
    title = f"shape with scales taken out; every object and frame once ({n:,})"
    print_table(title, ["", *FACTORS], rows, _WIDTH)


def _print_fits(group: Group) -> None:
    from datagen.statistics.summary import describe_fit
    from datagen.transitions import FACTORS

    rows: list[tuple[str, ...]] = []
    for name in dict.fromkeys(name for fits in group.fits.values() for name in fits):
        described = {factor: describe_fit(fits[name]) for factor, fits in group.fits.items() if name in fits}
        for what in dict.fromkeys(key for each in described.values() for key in each):
            texts = {factor: each.get(what, "") for factor, each in described.items()}
            rows.append((f"{name} {what}", *(texts.get(factor, "") for factor in FACTORS)))
    rows += [
        (f"best by {what}", *(group.best.get(factor, {}).get(what, "") for factor in FACTORS))
        for what in ("log_likelihood", "aic", "bic")
        if group.best
    ]
    print_table("fits; KS of every object and frame once", ["", *FACTORS], rows)


def _print_dependence(group: Group) -> None:
    from datagen.statistics.summary import describe_value

    n = next(iter(group.dependence.values())).n
    kinds = {
        "Pearson": "pearson",
        "Pearson p": "pearson_p",
        "Spearman": "spearman",
        "Spearman p": "spearman_p",
        "mutual information": "mutual_information",
    }
    rows = [
        (what, *(describe_value(getattr(item, key)) for item in group.dependence.values()))
        for what, key in kinds.items()
        if all(getattr(item, key) is not None for item in group.dependence.values())
    ]
    title = f"dependence; every object and frame once ({n:,})"
    print_table(title, ["", *group.dependence], rows, _WIDTH)


def _print_groups(summary: Summary, verbose: bool) -> None:
    """Print a line for each group; intervals, which would not fit beside each other, are in the report and the JSON."""
    from datagen.statistics.summary import describe_group, describe_shape, describe_value
    from datagen.transitions import FACTORS

    columns = ["group", "n", "objects"]
    columns += [f"kurtosis {factor}" for factor in FACTORS] if verbose else []
    columns += [f"shape {factor}" for factor in FACTORS]
    rows = []
    for group in summary.groups:
        line: list[object] = [describe_group(group), group.n, group.objects]
        if verbose:
            line += [describe_value(group.kurtosis.get(factor)) for factor in FACTORS]
        line += [describe_shape(group.fits.get(factor, {}), with_interval=False) for factor in FACTORS]
        rows.append(line)
    print_table("groups", columns, rows, 120 if verbose else _WIDTH)
