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
    dataset_argument,
    echo,
    find_dataset,
    json_option,
    overwrite_option,
    print_json,
    print_table,
    quiet_option,
    seed_option,
)
from datagen.errors import UsageError, printable
from datagen.extras import has_extra, missing_extra

if TYPE_CHECKING:
    from datagen.statistics import Group, Summary


# Nobody is followed for longer than an hour of video.
_DISTANCES = Numbers(1, 65_535, most=100, otherwise="is no list of whole numbers; write e.g. 1,2,5")
_TIMES = Numbers(1, 3_600_000, most=100, otherwise="is no list of whole numbers; write e.g. 33,67,100")


@click.command("stats")
@dataset_argument
@click.option(
    "--fit-laplace", is_flag=True, help="Fit the generalised normal (generalised Laplace), Laplace and normal."
)
@click.option("--fit", type=Choice(["laplace", "all"]), help="Fit those three, or Student's t and Cauchy as well.")
@click.option("--by", type=Choice(["category", "source", "video", "sequence"]), help="Also give each of these.")
@click.option(
    "--bootstrap",
    type=Whole(0, 1_000_000),  # the ends of an interval no longer change in their third digit
    default=0,
    show_default=True,
    help="Replicates for intervals of kurtosis and shape.",
)
@click.option("--delta-t", type=_DISTANCES, default="1", show_default=True, help="Distances in frames: 1,2,5,10.")
@click.option(
    "--delta-ms",
    type=_TIMES,
    help="Also at these distances in time, in milliseconds, at each source's own rate: 33,67,100.",
)
@click.option("--ego-motion", is_flag=True, help="Also without the motion that all objects of a frame share.")
@click.option("--mi", is_flag=True, help="Estimate the mutual information of factors.")
@seed_option
@click.option("--figures", type=click.Path(path_type=Path), help="Folder to draw into, as PNG and PDF.")
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
    mi: bool,
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
      datagen stats kitti.npz --fit-laplace
      datagen stats kitti.npz --fit-laplace --by video --bootstrap 1000 --report stats.html
    """
    from datagen.statistics import ALL_FITS, PAPER_FITS, summarize
    from datagen.store.tables import load

    file = find_dataset(file, as_json)
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
        for oddity in table.oddities():
            click.echo(printable(f"note: {file}: {oddity}"), err=as_json)
    pictured = figures is not None or report is not None
    names = ALL_FITS if fit == "all" else PAPER_FITS if fit or fit_laplace or pictured else ()
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
        show_progress=not (quiet or as_json),
    )
    if not (quiet or as_json):
        for line in summary.warnings:
            click.echo(printable(f"warning: {file}: {line}"), err=True)
    if figures is not None:
        from datagen.statistics.figures import save_figures

        save_figures(table, summary, figures, overwrite)
    if report is not None:
        from datagen.statistics.report import save_report

        save_report(table, summary, report, title=printable(file.name), overwrite=overwrite)
    if as_json:
        print_json({"file": str(file), **summary.to_json()})
    elif not quiet:
        _print(summary)


def _print(summary: Summary) -> None:
    """Print all transitions in full, then one line per group."""
    from datagen.statistics.summary import describe_fit, describe_value
    from datagen.transitions import FACTORS

    whole = summary.groups[0]
    rows = [
        (what, *(describe_value(values.get(factor), intervals.get(factor)) for factor in FACTORS))
        for what, values, intervals in (
            ("mean", whole.mean, {}),
            ("standard deviation", whole.sd, {}),
            ("excess kurtosis", whole.kurtosis, whole.kurtosis_interval),
            ("skewness", whole.skewness, {}),
            ("share of zeros", whole.zeros, {}),
        )
    ]
    names = dict.fromkeys(name for fits in whole.fits.values() for name in fits)
    for name in names:
        described = [
            describe_fit(whole.fits[factor][name]) if name in whole.fits.get(factor, {}) else {} for factor in FACTORS
        ]
        rows += [
            (f"{name} {what}", *(each.get(what, "") for each in described))
            for what in dict.fromkeys(key for each in described for key in each)
        ]
    rows += [
        (f"best by {what}", *(whole.best[factor][what] if factor in whole.best else "" for factor in FACTORS))
        for what in ("log_likelihood", "aic", "bic")
        if whole.best
    ]
    print_table(f"{whole.name}: {whole.n:,} transitions of {whole.objects:,} objects", ["", *FACTORS], rows)
    if whole.correlations:
        print_table(
            "dependence",
            ["", *whole.correlations],
            [
                (what, *(describe_value(getattr(item, key), None) for item in whole.correlations.values()))
                for what, key in (
                    ("Pearson", "pearson"),
                    ("p", "pearson_p"),
                    ("Spearman", "spearman"),
                    ("p", "spearman_p"),
                    ("mutual information", "mutual_information"),
                )
                if all(getattr(item, key) is not None for item in whole.correlations.values())
            ],
        )
    if len(summary.groups) > 1:
        columns = ["group", "n", "objects", *(f"kurtosis {factor}" for factor in FACTORS)]
        columns += [f"shape {factor}" for factor in FACTORS] if names else []
        print_table("groups", columns, [_line(group, columns) for group in summary.groups])
    echo(*map(str, summary.distances))
    for why in dict.fromkeys(whole.not_enough.values()):
        echo(f"{', '.join(factor for factor in FACTORS if whole.not_enough.get(factor) == why)}: {why}")
    echo(whole.verdict)


def _line(group: Group, columns: list[str]) -> list[object]:
    """Return a group's line; intervals, which would not fit beside each other, are in the report and the JSON."""
    from datagen.statistics.summary import describe_group, describe_value, shape_fit

    line: list[object] = [describe_group(group), group.n, group.objects]
    for column in columns[len(line) :]:
        what, factor = column.split()
        if what == "kurtosis":
            line.append(describe_value(group.kurtosis.get(factor)))
        else:
            fit = shape_fit(group.fits.get(factor, {}))
            line.append("" if fit is None else "at the bound" if fit.at_bound else f"{fit.parameters['shape']:.4g}")
    return line
