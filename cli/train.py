"""`datagen train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from cli._common import (
    INPUT,
    MAX_COUNT,
    MAX_SEED,
    Choice,
    Numbers,
    Real,
    Whole,
    check_outputs,
    echo,
    json_option,
    print_json,
    prior_of,
    prior_options,
    quiet_option,
    when_stopped,
)
from datagen.errors import counted, printable
from slowvae.settings import MODELS, PRESETS

Function = TypeVar("Function", bound=Callable[..., Any])

# All networks of a run are in memory together.
SEEDS = Numbers(0, MAX_SEED, most=1000, otherwise="is not a list of numbers like 0,1,2")
DISTANCE = Whole(1, 65_535)
"""Between the frames of a pair. An hour of video: no object is followed longer."""
device_option = click.option(
    "--device", default="auto", show_default=True, metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps."
)


def protocol_options(protocol_help: str, split_help: str | None) -> Callable[[Function], Function]:
    """Return the options that say which part of a dataset is meant; `slowvae.protocols` knows the names.

    Without help for it there is no --split: the command trains on one part and scores another.
    """
    options = [
        click.option("--protocol", metavar="NAME", help=f"{protocol_help}  [default: release, no split]"),
        click.option("--split-seed", type=Whole(0, 2**63 - 1), help="Of the split.  [default: 0]"),
    ]
    if split_help is not None:
        options.insert(1, click.option("--split", "part", type=Choice(["train", "val", "test"]), help=split_help))

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def settings_options(seeds: str) -> Callable[[Function], Function]:
    """Return the options of a run's settings, but for the hyper-parameters of the model."""
    options = (
        click.option("--model", type=Choice(list(MODELS)), default="slowvae", show_default=True),
        click.option(
            "--preset",
            type=Choice(list(PRESETS)),
            default="klindt2021",
            show_default=True,
            help="klindt2021: as published. quick: 2,000 larger steps on pairs further apart.",
        ),
        click.option("--seeds", type=SEEDS, default=seeds, show_default=True, help="One network for each, e.g. 0,1,2."),
        click.option("--iterations", type=Whole(1, MAX_COUNT), help="Number of steps.  [default: 300000; quick: 2000]"),
        click.option("--batch-size", type=Whole(2, 2**20), help="Images a step, every two a pair.  [default: 64]"),
        click.option(
            "--learning-rate", type=Real(0, 1e6, min_open=True), help="Of Adam.  [default: 1e-4; quick: 5e-4]"
        ),
        click.option("--z-dim", type=Whole(1, 4096), help="Number of latents.  [default: 10]"),
        click.option(
            "--max-delta-t",
            type=DISTANCE,
            help="Largest distance within a pair, in frames.  [default: 5; quick: 20]",
        ),
        prior_options(),
        click.option("--amp", type=Choice(["bf16"]), help="Compute the networks in lower precision."),
        click.option("--compile", is_flag=True, default=None, help="Use torch.compile."),
        click.option(
            "--log-every",
            type=Whole(1, MAX_COUNT),
            help="Iterations between lines of the log.  [default: the preset's]",
        ),
        click.option(
            "--save-every", type=Whole(1, MAX_COUNT), help="Iterations between checkpoints.  [default: the preset's]"
        ),
        click.option(
            "--keep-every",
            type=Whole(1, MAX_COUNT),
            help="Iterations between checkpoints that stay.  [default: the preset's]",
        ),
    )

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def pair_settings(*options: Any) -> dict[str, Any]:
    """Return the options of a prior as settings of a run."""
    found = prior_of(*options)
    names = {name: name if name == "prior" else f"prior_{name}" for name in found}
    return {names[name]: str(value) if name == "transitions" else value for name, value in found.items()}


@click.command("train")
@click.argument("file", type=INPUT)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@settings_options(seeds="0")
@click.option("--beta", type=Real(0, 1e6), help="Weight of the normal prior.  [default: the model's published one]")
@click.option("--gamma", type=Real(0, 1e6), help="Weight of the Laplace prior.  [default: 10]")
@click.option(
    "--rate-prior",
    "loss_rate",
    type=Real(0, 1e6, min_open=True),
    help="Rate of the Laplace prior on latents.  [default: 6]",
)
@protocol_options("What is trained on: a split, or the name of a publication.", "Which part; train by default.")
@click.option("--resume", is_flag=True, help="Go on with the run in the folder, with the settings that it has.")
@device_option
@json_option
@quiet_option
def command(
    file: Path,
    out: Path,
    model: str,
    preset: str,
    seeds: tuple[int, ...],
    resume: bool,
    device: str,
    as_json: bool,
    quiet: bool,
    loss_rate: float | None,
    protocol: str | None,
    part: str | None,
    split_seed: int | None,
    prior: str | None,
    rate: float | None,
    random_rate: bool,
    k: int | None,
    transitions: Path | None,
    **changes: Any,
) -> None:
    """Train a model on a dataset file.

    A file of sequences has pairs of its own; on a grid, --prior says how they are drawn.

    Writes settings, log, checkpoints, traversals and scatter plots into the folder of the run. Ctrl-C saves and leaves;
    --resume goes on.

    \b
    Example:
      datagen train kitti.npz --model slowvae --out runs/kitti --seeds 0,1,2
      datagen train kitti.npz --protocol by-object --out runs/kitti-by-object
      datagen train shapes3d.h5 --prior laplace --rate 1 --out runs/shapes3d-lap
    """
    check_outputs(folders=[out], inputs=[file])
    when_stopped(f"what was trained is kept in {out}, and the same command with --resume goes on with it")
    from slowvae.protocols import training_settings

    if prior is None and rate is not None:
        raise click.UsageError("--rate is of the pairs of a grid, with --prior laplace; the model's is --rate-prior")
    of_protocol = training_settings(protocol, part, split_seed, changes["max_delta_t"])
    drawn_by = pair_settings(prior, rate, random_rate, k, transitions)
    changes |= {"rate": loss_rate, **of_protocol, **drawn_by}
    changes = {name: value for name, value in changes.items() if value is not None}
    # What is not given is that of the run, where one goes on.
    source = click.get_current_context().get_parameter_source
    if not resume or source("seeds") is not ParameterSource.DEFAULT:
        changes["seeds"] = seeds
    chosen = None if resume and source("model") is ParameterSource.DEFAULT else model
    begins = resume and not (out / "run.json").exists()
    from slowvae.pipeline import left_out, train
    from slowvae.runs import read_run

    show_progress = not (quiet or as_json)
    if begins and show_progress:
        click.echo(printable(f"{out}: holds no run to go on with; a new one begins"), err=True)
    train(file, out, preset, model=chosen, device=device, resume=resume, show_progress=show_progress, **changes)
    settings, notes = read_run(out).settings, left_out()
    if as_json:
        answer = {"folder": str(out), "iterations": settings.iterations, "seeds": list(settings.seeds), "notes": notes}
        print_json(answer)
    elif not quiet:
        echo(f"{out}: {counted(settings.iterations, 'iteration')}, seeds {', '.join(map(str, settings.seeds))}", *notes)
