"""`datagen evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli._common import INPUT, Choice, echo, json_option, print_json, print_table, seed_option
from cli.train import device_option
from datagen.errors import unknown_choice
from slowvae.protocols import PROTOCOLS, Protocol

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
        unknown = [name for name in names if name not in METRICS]
        if unknown:
            raise unknown_choice("metric", unknown[0], METRICS)
        return names


@click.command("evaluate")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--metrics",
    type=_Metrics(),
    default="mcc",
    show_default=True,
    help="Names with commas between, as mcc,dci,sap. `--metrics list` shows all.",
)
@click.option(
    "--protocol",
    type=Choice(PROTOCOLS),
    default="klindt2021",
    show_default=True,
    help="Of the MCC: factors padded with noise; as they are; assigned on one half and scored on the other.",
)
@click.option("--data", type=INPUT, help="Another dataset file than the one trained on.")
@device_option
@seed_option
@json_option
def command(
    folder: Path, metrics: tuple[str, ...], protocol: Protocol, data: Path | None, device: str, seed: int, as_json: bool
) -> None:
    """Score the networks of a run.

    The scores are written into the folder too, as scores.json.

    \b
    Example:
      datagen evaluate runs/kitti --metrics mcc
    """
    from slowvae.device import find_device
    from slowvae.evaluate import evaluate_run
    from slowvae.scores import head_of

    answer = evaluate_run(folder, find_device(device), metrics, protocol, data, seed)
    if as_json:
        print_json(answer)
        return
    rows = []
    for of, scores in answer["seeds"].items():
        for name in (name for name in metrics if name in scores):  # the file may hold earlier ones beside them
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
    if "udr" in metrics:
        rows += [(of, "udr", value, "") for of, value in answer["udr"].items()]
    print_table(str(folder), ["seed", "metric", "score", ""], rows)
    if answer["left_out"]:
        echo(f"left out, since they never change: {', '.join(answer['left_out'])}")
    summary = answer.get("mcc", {})
    if "mcc" in metrics and summary["standard_deviation"] is not None:
        echo(f"mcc over {summary['seeds']} seeds: {summary['mean']:.3f} ± {summary['standard_deviation']:.3f}")
    if answer.get("replaced"):
        echo("scores of other data, networks or another seed stood in scores.json and were replaced")
