"""Which property of natural motion makes factors identifiable: MCC of models trained on sprites that move by each law.

Usage: python benchmarks/motion_laws.py TABLE --out FOLDER [--pairs 20000] [--iterations 2000] [--seeds 0,1,2]

For each law `datagen natural-sprites --motion LAW` builds one file, every model is trained on it with equal settings,
and `datagen evaluate` scores the networks. All of it stays in FOLDER; what is done there is not done again. Writes
``motion-laws.csv`` and the figure ``motion-laws.png``, and prints a table.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

LAWS = ("natural", "gennorm:0.5", "laplace", "normal", "scale-mixture", "ar1")
MODELS = ("slowvae", "beta-vae", "pcl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="transitions measured in 64x64 windows")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--iterations", type=int, default=2_000)
    parser.add_argument("--seeds", default="0,1,2")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    scores: dict[tuple[str, str], list[float]] = {}
    for law in LAWS:
        file = options.out / f"{law.replace(':', '-')}.h5"
        if not file.exists():
            datagen(
                *("natural-sprites", "--transitions", options.table, "--out", file, "--motion", law),
                *("--pairs", options.pairs, "--quiet"),
            )
        for model in MODELS:
            run = options.out / f"{file.stem}-{model}"
            ended = (run / "run.json").exists() and json.loads((run / "run.json").read_text())["status"] == "finished"
            if not ended:
                settings = ("--preset", "quick", "--max-delta-t", 1, "--iterations", options.iterations)
                again = ("--resume",) if run.exists() else ("--seeds", options.seeds, *settings)
                datagen("train", file, "--model", model, "--out", run, *again, "--quiet")
            answer = json.loads(datagen("evaluate", run, "--metrics", "mcc", "--json"))
            scores[law, model] = [scores["mcc"]["score"] for scores in answer["seeds"].values()]
            print(f"{law:14} {model:9} {' '.join(f'{score:.3f}' for score in scores[law, model])}", flush=True)
    write(scores, options.out)


def datagen(*words: object) -> str:
    """Run a command and return what it printed."""
    command = [sys.executable, "-m", "cli.main", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def write(scores: dict[tuple[str, str], list[float]], folder: Path) -> None:
    """Write every score, and the figure of them."""
    with (folder / "motion-laws.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["motion", "model", "network", "mcc"])
        rows.writerows([*key, place, score] for key, of_key in scores.items() for place, score in enumerate(of_key))
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for shift, model in enumerate(MODELS):
        for place, law in enumerate(LAWS):
            values = scores[law, model]
            x = place + (shift - 1) * 0.22
            axes.plot([x] * len(values), values, "o", color=f"C{shift}", alpha=0.6, label=model if not place else None)
            axes.plot([x - 0.08, x + 0.08], [sum(values) / len(values)] * 2, color=f"C{shift}")
    axes.set_xticks(range(len(LAWS)), LAWS)
    axes.set_ylabel("MCC (a dot a network, a line their mean)")
    axes.legend(frameon=False, ncols=3)
    figure.savefig(folder / "motion-laws.png", dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
