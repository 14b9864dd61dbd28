"""`datagen validate`."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from cli._common import (
    MAX_COUNT,
    Choice,
    Whole,
    check_outputs,
    command_line,
    dataset_argument,
    echo,
    find_dataset,
    json_option,
    overwrite_option,
    print_json,
    print_table,
    prior_options,
    quiet_option,
    when_stopped,
)
from cli.train import DISTANCE, SEEDS, device_option, pair_settings
from datagen.checks import MEANINGS, kind_of
from datagen.errors import FailedCheckError
from slowvae.settings import BASELINES, MODELS
from slowvae.validate import BUDGETS, validate

_WITHOUT_TRAINING = {"file", "model", "out", "as_json", "quiet", "overwrite"}
"""Parameters of the command that do not need --train."""


@click.command("validate")
@dataset_argument
@click.option("--train", "model", type=Choice(list(MODELS)), help="Also train this model and compare what it recovers.")
@click.option(
    "--budget",
    type=Choice(list(BUDGETS)),
    default="quick",
    show_default=True,
    help="How long to train: minutes on two cores, or the published 300,000 iterations.",
)
@click.option("--seeds", type=SEEDS, default="0,1,2", show_default=True, help="Of the trainings; one is indicative.")
@click.option(
    "--baseline",
    "baselines",
    type=Choice(BASELINES),
    multiple=True,
    help="What to compare with; may be given several times.  [default: all]",
)
@click.option("--iterations", type=Whole(1, MAX_COUNT), help="Length of each training.  [default: the budget's]")
@click.option(
    "--max-delta-t", type=DISTANCE, help="Largest distance within a pair, in frames.  [default: 20; paper: 5]"
)
@prior_options()
@click.option("--amp", type=Choice(["bf16"]), help="Compute the networks in lower precision.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for report.html, report.json and the runs.")
@device_option
@json_option
@quiet_option
@overwrite_option
def command(
    file: Path | None,
    model: str | None,
    budget: str,
    seeds: tuple[int, ...],
    baselines: tuple[str, ...],
    iterations: int | None,
    max_delta_t: int | None,
    prior: str | None,
    rate: float | None,
    random_rate: bool,
    k: int | None,
    transitions: Path | None,
    amp: str | None,
    out: Path | None,
    device: str,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> int:
    """Check a dataset file end to end, and give one verdict.

    Leaves with exit code 1 if a check fails. A check that was stopped goes on from the runs in --out; a report that is
    there needs --overwrite. Without FILE the one dataset file of the current folder is taken.

    \b
    Example:
      datagen validate kitti.npz
      datagen validate kitti.npz --train slowvae --budget quick --out report
    """
    from slowvae.report import report_files, write_report

    if model is None:
        _refuse_options_of_training()
    file = find_dataset(file, as_json or quiet)
    check_outputs(folders=[out], inputs=[file])
    check_outputs(report_files(out) if out is not None else [], overwrite)
    if model is not None:
        kept = f"the same command goes on with what was trained, in {out}"
        when_stopped("nothing was written; with --out the trainings are kept" if out is None else kept)
    drawn_by = pair_settings(prior, rate, random_rate, k, transitions)
    options = {"iterations": iterations, "max_delta_t": max_delta_t, "amp": amp, **drawn_by}
    changes = {name: value for name, value in options.items() if value is not None}
    report = validate(
        file, model, budget, seeds, baselines or None, device, out, changes, show_progress=not (quiet or as_json)
    )
    if out is not None:
        write_report(report, out, command_line(), overwrite)
    if as_json:
        print_json(report.to_json())
    elif not quiet:
        rows = [(finding.status, finding.name, finding.detail) for finding in report.findings]
        print_table(str(file), ["", "check", "detail"], rows)
        kinds = dict.fromkeys(kind_of(finding.name) for finding in report.findings)
        print_table("What they mean, and what to do", ["check", ""], [(kind, MEANINGS[kind]) for kind in kinds])
        echo(report.summary)
    elif report.verdict == "fail":
        failed = ", ".join(finding.name for finding in report.findings if finding.status == "fail")
        raise FailedCheckError(f"{file}: fails ({failed})")
    return int(report.verdict == "fail")


def _refuse_options_of_training() -> None:
    """Refuse options that say how to train, where nothing is trained."""
    context = click.get_current_context()
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name not in _WITHOUT_TRAINING
        and context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"{given[0]} is of a training; name the model by --train {next(iter(MODELS))}")
