"""`datagen sweep`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from cli._common import (
    INPUT,
    Choice,
    Whole,
    check_outputs,
    echo,
    is_copy,
    json_option,
    print_json,
    print_table,
    quiet_option,
    scheduler_option,
    seed_option,
    when_stopped,
)
from cli.train import device_option, pair_settings, protocol_options, settings_options

_NUMBER = r"[0-9.]+(?:[eE][+-]?[0-9]+)?"


class _Searched(click.ParamType):
    """A setting and its numbers: ``gamma=1,5,10``, or as a range ``gamma=1:16``."""

    def __init__(self, separator: str, example: str) -> None:
        self.name, self._separator, self._example = example, separator, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return name and numbers."""
        if isinstance(value, tuple):
            return value
        name, _, text = value.partition("=")
        parts = text.split(self._separator)
        if not all(re.fullmatch(_NUMBER, part) and part.count(".") < 2 and len(part) < 30 for part in parts):
            self.fail(f"{value[:60]!r} is not of the form {self._example}", param, ctx)
        numbers = tuple(int(part) if part.isdigit() else float(part) for part in parts)
        return name.replace("-", "_"), numbers


@click.command("sweep")
@click.argument("file", type=INPUT)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the search.")
@click.option(
    "--search",
    type=Choice(["klindt2021"]),
    help="As published: gamma in 1:16 and rate in 1:10 of slowvae, beta in 1:16 of beta-vae.  [default: klindt2021]",
)
@click.option(
    "--random",
    "ranges",
    type=_Searched(":", "gamma=1:16"),
    multiple=True,
    help="Draw a setting from a range, uniformly: beta, gamma, rate, learning-rate. May be given several times.",
)
@click.option(
    "--grid",
    type=_Searched(",", "gamma=1,5,10"),
    multiple=True,
    help="All combinations of values: also batch-size, z-dim, max-delta-t. May be given several times.",
)
@click.option("--trials", type=Whole(1, 10_000), help="How many settings are drawn.  [default: 20]")
@seed_option
@settings_options(seeds="0,1,2")
@protocol_options("What is trained on and scored: a split, or the name of a publication.", None)
@device_option
@scheduler_option
@json_option
@quiet_option
def command(
    file: Path,
    out: Path,
    search: str | None,
    ranges: tuple[tuple[str, tuple[float, ...]], ...],
    grid: tuple[tuple[str, tuple[float, ...]], ...],
    trials: int | None,
    seed: int,
    model: str,
    preset: str,
    seeds: tuple[int, ...],
    device: str,
    scheduler: str | None,
    as_json: bool,
    quiet: bool,
    protocol: str | None,
    split_seed: int | None,
    prior: str | None,
    rate: float | None,
    random_rate: bool,
    k: int | None,
    transitions: Path | None,
    **changes: Any,
) -> None:
    """Search the hyper-parameters of a model: train many settings, rank them by UDR.

    Each trial is the folder of a run with several seeds. UDR asks whether these agree, and needs no labels; the MCC is
    shown beside it, and nothing is chosen by it. Interrupted, the same command goes on, and with more --trials it goes
    further.

    \b
    Example:
      datagen sweep kitti.npz --model slowvae --search klindt2021 --trials 20 --seeds 0,1,2 --out sweep/
      datagen sweep kitti.npz --grid gamma=1,5,10 --grid rate=2,6 --protocol by-object --out grid/
      datagen sweep kitti.npz --random gamma=1:16 --trials 50 --out sweep/ --scheduler tcp://head:8786
    """
    if sum(map(bool, (search, ranges, grid))) > 1:
        raise click.UsageError("--search, --random and --grid exclude each other")
    if grid and trials is not None:
        raise click.UsageError("--trials is of what is drawn; a grid has as many as it has combinations")
    for option, given in (("--random", ranges), ("--grid", grid)):
        names = [name for name, _ in given]
        if len(set(names)) < len(names):
            raise click.UsageError(f"{option}: {max(names, key=names.count)} is given twice")
    if prior is None and rate is not None:
        raise click.UsageError("--rate is of the pairs of a grid, with --prior laplace; the model's is searched")
    if scheduler is not None and is_copy(file):
        raise click.UsageError("--scheduler: other processes do not see what is copied here; give paths that all see")
    check_outputs(folders=[out], inputs=[file])
    when_stopped(f"what was trained is kept in {out}, and the same command goes on with it")
    from slowvae.protocols import training_settings
    from slowvae.results import read_result
    from slowvae.settings import make_settings
    from slowvae.sweep import Grid, Ranges, Search, search_named, sweep

    count = 20 if trials is None else trials
    searched: Search
    if grid:
        searched = Grid(dict(grid))
    elif ranges:
        searched = Ranges({name: _ends(name, numbers) for name, numbers in ranges}, count, seed)
    else:
        searched = search_named(search or "klindt2021", model, count, seed)
    drawn_by = pair_settings(prior, rate, random_rate, k, transitions)
    changes |= drawn_by | training_settings(protocol, None, split_seed, changes["max_delta_t"])
    changes = {name: value for name, value in changes.items() if value is not None}
    settings = make_settings(preset, model, seeds=seeds, **changes)
    show_progress = not (quiet or as_json)
    found = sweep(file, out, searched, settings, device, scheduler, show_progress, protocol)
    rank = found.rank_correlation
    if as_json:
        import json

        print_json(json.loads((out / "sweep.json").read_text(encoding="utf-8")))
        return
    if quiet:
        return
    names = list(found.trials[0].values)
    rows = [
        (trial.number, *trial.values.values(), *map(_cell, (trial.udr, trial.mcc, trial.mcc_deviation)), trial.folder)
        for trial in found.trials
    ]
    print_table(f"{out}: by UDR", ["trial", *names, "udr", "mcc", "sd", "folder"], rows)
    protocols = {trial.protocol: trial for trial in found.trials if trial.protocol}
    for protocol_id, trial in sorted(protocols.items()):
        words = read_result(out / trial.folder / "result.json").protocol.describe()
        echo(f"mean over seeds {', '.join(map(str, seeds))}; MCC of the protocol {protocol_id}: {words}")
    for trial in found.trials:
        if trial.failed:
            echo(f"trial {trial.number}: {trial.failed}")
        elif trial.mcc is None:
            echo(f"trial {trial.number}: no MCC; it needs factors that change, and a latent for each")
    if rank.spearman is None:
        echo(f"rank correlation of UDR and MCC: too few trials to tell (n = {rank.n})")
    else:
        echo(f"rank correlation of UDR and MCC: {rank.spearman:.2f} (p = {rank.p:.2g}, n = {rank.n})")


def _ends(name: str, numbers: tuple[float, ...]) -> tuple[float, float]:
    if len(numbers) != 2:
        raise click.UsageError(f"--random {name}: a range is two numbers, as in {name}=1:16")
    return numbers[0], numbers[1]


def _cell(value: float | None) -> float | str:
    return "" if value is None else round(value, 4)
