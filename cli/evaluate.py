"""`datagen evaluate`."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli._common import (
    INPUT,
    MAX_COUNT,
    OUTPUT,
    Choice,
    Whole,
    check_outputs,
    echo,
    json_option,
    overwrite_option,
    print_json,
    print_table,
    quiet_option,
)
from cli.train import DISTANCE, SEEDS, device_option, protocol_options
from datagen.errors import unknown_choice
from slowvae.protocols import CHECKPOINTS, VARIANTS, Protocol

if TYPE_CHECKING:
    from slowvae.results import Result

# What is shown beside the number that stands for a score of several parts.
_PARTS = {
    "disentanglement": ("completeness", "informativeness_test"),
    "modularity": ("explicitness", "compactness"),
}


class _Metrics(click.ParamType):
    """Names of metrics with commas between: a wrong one is refused before anything is loaded or encoded."""

    name = "metrics"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        from slowvae.metrics import METRICS  # takes numpy, which `--help` does not wait for

        names = tuple(name.strip() for name in value.split(","))
        if names == ("list",) and ctx is not None:
            kinds = [(name, "any" if each.continuous else "of few values each") for name, each in METRICS.items()]
            print_table("metrics", ["metric", "factors"], kinds)
            ctx.exit()
        unknown = [name for name in names if name not in METRICS and name != "all"]
        if unknown:
            raise unknown_choice("metric", unknown[0], ["all", *METRICS])
        return tuple(dict.fromkeys(names))


@click.command("evaluate")
@click.argument("what", metavar="RUN|FILE", type=INPUT)
@click.option(
    "--latents",
    type=INPUT,
    multiple=True,
    help="Saved latents of a FILE, .npy or .npz, one row for each frame. Repeat it for several seeds.",
)
@click.option(
    "--encoder",
    "encoders",
    multiple=True,
    metavar="MODULE:NAME",
    help="A torch module or a function, which encodes the images of a FILE. Repeat it for several seeds.",
)
@click.option("--baseline", "baselines", help="Floors and a ceiling of a FILE: names with commas between, or all.")
@click.option(
    "--metrics",
    type=_Metrics(),
    default="mcc",
    show_default=True,
    help="Names with commas between, as mcc,dci,sap; all for those that apply. `--metrics list` shows them.",
)
@protocol_options(
    "A split, the name of a publication, or a result.json to be compared with.", "Which part of the split is scored."
)
@click.option(
    "--variant",
    type=Choice(VARIANTS),
    help="How the MCC is taken: factors padded with noise; as they are; assigned on one half, scored on the other.  "
    "[default: klindt2021]",
)
@click.option("--correlation", type=Choice(["spearman", "pearson"]), help="Of the MCC.  [default: spearman]")
@click.option(
    "--checkpoint",
    type=Choice(list(CHECKPOINTS)),
    help="Of a RUN, which is scored: the last, the best by agreement of its seeds, or by the labels. Of a FILE, how it "
    "was chosen: the protocol says so, and nothing else changes.  [default: last]",
)
@click.option("--max-delta-t", type=DISTANCE, help="Distance of the pairs that were trained on, of a FILE.")
@click.option("--seeds", type=SEEDS, help="The seeds of what is scored on a FILE.  [default: 0, 1, ...]")
@click.option("--iterations", type=Whole(1, MAX_COUNT), help="Steps of --baseline supervised.  [default: 2000]")
@click.option("--data", type=INPUT, help="Score a RUN on another dataset file than the one it was trained on.")
@click.option("--name", help="Name of the entry on boards.  [default: the model, the encoder or the file]")
@click.option(
    "--out",
    type=OUTPUT,
    help="Where the result goes, .json; a folder for --baseline.  [default: RUN/result.json]",
)
@device_option
@click.option("--seed", type=Whole(0, 2**32 - 1), help="Seed of everything that is drawn to score.  [default: 0]")
@json_option
@quiet_option
@overwrite_option
def command(
    what: Path,
    latents: tuple[Path, ...],
    encoders: tuple[str, ...],
    baselines: str | None,
    metrics: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    iterations: int | None,
    data: Path | None,
    name: str | None,
    out: Path | None,
    device: str,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
    **changes: Any,
) -> None:
    """Score the networks of a run, or any encoder on a dataset file.

    A run is its folder; the result is written there, as result.json. Of a dataset file, name what is scored on it.
    Every score is of a protocol, whose id says what else it depends on: only scores of one id compare.

    \b
    Example:
      datagen evaluate runs/kitti --metrics mcc
      datagen evaluate kitti.npz --encoder my_package.models:encode --protocol by-object
    """
    from datagen.store import is_folder

    kinds = [
        option
        for option, given in (("--latents", latents), ("--encoder", encoders), ("--baseline", baselines))
        if given
    ]
    is_run = not is_folder(what) and (what.is_dir() or not (what.suffix or what.exists()))
    if is_run:
        check_outputs([out], overwrite=True)
        if iterations is not None:
            raise click.UsageError(f"--iterations is of --baseline supervised, and {what} is a run's folder")
        if kinds or seeds is not None:
            raise click.UsageError(f"{(kinds or ['--seeds'])[0]} is of a dataset file, and {what} is a run's folder")
        from slowvae.device import find_device
        from slowvae.evaluation import evaluate_run

        protocol = changes.pop("protocol")
        if protocol is not None:
            made = _protocol(protocol, changes)  # which says what is wrong with it before torch is loaded
            if protocol.endswith(".json"):
                protocol, changes = made, {}
        result = evaluate_run(
            what, find_device(device), metrics, protocol, data, out=out, name=name, overwrite=overwrite,
            show_progress=not (quiet or as_json), **changes,
        )  # fmt: skip
        results = [result]
    else:
        if len(kinds) > 1:
            raise click.UsageError(f"{' and '.join(kinds)} exclude each other")
        if not kinds:
            raise click.UsageError(
                f"{what} is a dataset file: say what is scored on it, by one of --latents, --encoder and --baseline"
            )
        if data is not None:
            raise click.UsageError("--data is of a run; the dataset is the file itself here")
        wanted = _protocol(changes.pop("protocol"), changes)
        if baselines is not None:
            results = _baselines(
                what, baselines, metrics, wanted, seeds, iterations, out, name, device, overwrite, quiet or as_json
            )
        elif iterations is not None:
            raise click.UsageError("--iterations is of --baseline supervised")
        else:
            check_outputs([out], overwrite=True, inputs=[what, *latents])
            with redirect_stdout(sys.stderr):  # what encoders print is not the answer
                results = [_external(what, latents, encoders, metrics, wanted, seeds, name, device, quiet or as_json)]
            if out is not None:
                from slowvae.results import write_result

                results = [write_result(results[0], out, overwrite)]
    if as_json:
        as_data = [result.to_json() for result in results]
        print_json(as_data if baselines is not None else as_data[0])
    elif not quiet:
        for result in results:
            _show(result, str(what) if is_run else result.name, metrics)


def _protocol(name: str | None, changes: dict[str, Any]) -> Protocol:
    """Return the protocol that is meant: by its name, or that of a result's file."""
    from slowvae.protocols import make_protocol

    if name is None or not name.endswith(".json"):
        return make_protocol(name, **changes)
    from msgspec.structs import replace

    from slowvae.results import read_result

    protocol = replace(read_result(name).protocol, dataset="", rows="")
    given = next((option for option, value in changes.items() if value is not None), None)
    if given is not None:
        option = f"--{given.replace('part', 'split').replace('_', '-')}"
        raise click.UsageError(f"--protocol {name} is that of a result, as a whole; leave out {option}")
    return protocol


def _external(
    file: Path,
    latents: tuple[Path, ...],
    encoders: tuple[str, ...],
    metrics: tuple[str, ...],
    protocol: Protocol,
    seeds: tuple[int, ...] | None,
    name: str | None,
    device: str,
    silent: bool,
) -> Result:
    """Score saved latents or encoders."""
    number = len(latents) or len(encoders)
    numbers = tuple(range(number)) if seeds is None else seeds
    if len(numbers) != number:
        raise click.UsageError(f"--seeds names {len(numbers)} seeds, for {number} to score; give each its own")
    if len(set(numbers)) != number:
        raise click.UsageError("--seeds names one twice; give each of what is scored its own")
    from datagen.store import load
    from slowvae.encoders import find_encoder, load_latents
    from slowvae.evaluation import evaluate

    given: dict[int, Any]
    if latents:
        num_frames = load(file, lazy=True).num_frames
        given = {seed: load_latents(path, num_frames) for seed, path in zip(numbers, latents, strict=True)}
    else:
        given = {seed: find_encoder(each) for seed, each in zip(numbers, encoders, strict=True)}
    name = name or (latents[0].stem if latents else encoders[0])
    return evaluate(given, file, metrics, protocol, name=name, device=device, show_progress=not silent)


def _baselines(
    file: Path,
    names: str,
    metrics: tuple[str, ...],
    protocol: Protocol,
    seeds: tuple[int, ...] | None,
    iterations: int | None,
    out: Path | None,
    name: str | None,
    device: str,
    overwrite: bool,
    silent: bool,
) -> list[Result]:
    """Score floors and the ceiling, each into a file of its own."""
    if name is not None:
        raise click.UsageError("--baseline has names of its own; leave out --name")
    if iterations is not None and not {"all", "supervised"} & {each.strip() for each in names.split(",")}:
        raise click.UsageError("--iterations is of --baseline supervised")
    check_outputs(folders=[out], inputs=[file])
    from slowvae.baselines import BASELINE_ENCODERS, evaluate_baseline
    from slowvae.results import write_result

    wanted = list(BASELINE_ENCODERS) if names == "all" else [each.strip() for each in names.split(",")]
    for each in wanted:
        if each not in BASELINE_ENCODERS:
            raise unknown_choice("baseline", each, ["all", *BASELINE_ENCODERS])
    results = []
    options = {} if iterations is None else {"iterations": iterations}
    for each in wanted:
        result = evaluate_baseline(
            each, file, metrics, protocol, seeds or (0,), device=device, show_progress=not silent, **options
        )
        if out is not None:
            result = write_result(result, out / f"{each}.json", overwrite)
        results.append(result)
    return results


def _show(result: Result, title: str, metrics: tuple[str, ...]) -> None:
    """Print scores, what they are of, and what a reader should know."""
    from slowvae.scores import head_of

    rows: list[tuple[Any, ...]] = []
    asked = result.seeds[next(iter(result.seeds))] if "all" in metrics else metrics
    for of, scores in result.seeds.items():
        for name in (name for name in asked if name in scores):  # the file may hold earlier ones beside them
            value = scores[name]
            if name == "mcc":
                low, high = value["interval"]
                detail = f"95 % {low:.3f} to {high:.3f}, {value['protocol']}, {value['method']}, n = {value['n']:,}"
                rows.append((of, name, value["score"], detail))
            elif isinstance(value, dict):
                head = str(head_of(value))
                shown = [f"{part} {value[part]:.3f}" for part in _PARTS.get(head, ()) if part in value]
                if "by_factor" in value:
                    shown.append("by factor " + ", ".join(f"{each:.3f}" for each in value["by_factor"]))
                detail = ", ".join(shown)
                rows.append((of, name, value[head], detail if head == "score" else f"{head}; {detail}"))
            else:
                rows.append((of, name, value, ""))
    if result.udr is not None and ("udr" in metrics or "all" in metrics):
        rows += [(of, "udr", value, "") for of, value in result.udr.items()]
    print_table(title, ["seed", "metric", "score", ""], rows)
    if result.left_out:
        echo(f"left out, since they never change: {', '.join(result.left_out)}")
    for name, why in result.not_measured.items():
        echo(f"not measured: {name}: {why}")
    if result.mcc is not None and ("mcc" in metrics or "all" in metrics):
        if result.mcc["standard_deviation"] is None:
            echo("mcc of a single seed: indicative only, its interval says nothing of other trainings")
        else:
            low, high = result.mcc["interval"]
            spread = f"{result.mcc['mean']:.3f} ± {result.mcc['standard_deviation']:.3f}"
            echo(f"mcc over {result.mcc['seeds']} seeds: {spread}, 95 % of seeds and sequences {low:.3f} to {high:.3f}")
    named = f" ({result.protocol.name})" if result.protocol.name else ""
    echo(f"protocol {result.protocol.id}{named}: {result.protocol.describe()}")
    for note in result.notes:
        echo(f"note: {note}")
    if result.replaced:
        echo("scores of other networks stood in the file and were replaced")
