"""Which property of natural motion makes factors identifiable: MCC of models trained on sprites that move by each law.

Usage: python benchmarks/motion_laws.py TABLE --out FOLDER [--pairs 20000] [--image-size 64] [--iterations 2000]
[--seeds 0,1,2]

For each law `datagen natural-sprites --motion LAW` builds one file, every model is trained on it with equal settings,
and `datagen evaluate` scores the networks. All of it stays in FOLDER; what is done there is not done again. Writes
``motion-laws.csv`` and the figure ``motion-laws.png``, and prints a table.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from _experiment import datagen, save_figure, train

LAWS = ("natural", "gennorm:0.5", "laplace", "normal", "scale-mixture", "ar1")
MODELS = ("slowvae", "beta-vae", "pcl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="transitions measured in 64x64 windows")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--image-size", type=int, default=64, help="smaller ones are trained on faster")
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
                *("--pairs", options.pairs, "--image-size", options.image_size, "--quiet"),
            )
        for model in MODELS:
            run = options.out / f"{file.stem}-{model}"
            settings = ("--preset", "quick", "--max-delta-t", 1, "--iterations", options.iterations)
            train(file, run, "--model", model, "--seeds", options.seeds, *settings)
            answer = json.loads(datagen("evaluate", run, "--metrics", "mcc", "--json"))
            scores[law, model] = [scores["mcc"]["score"] for scores in answer["seeds"].values()]
            print(f"{law:14} {model:9} {' '.join(f'{score:.3f}' for score in scores[law, model])}", flush=True)
    write(scores, options.out)


def write(scores: dict[tuple[str, str], list[float]], folder: Path) -> None:
    """Write every score, and the figure of them."""
    with (folder / "motion-laws.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["motion", "model", "network", "mcc"])
        rows.writerows([*key, place, score] for key, of_key in scores.items() for place, score in enumerate(of_key))
    save_figure(scores, {law: law for law in LAWS}, {model: model for model in MODELS}, folder / "motion-laws.png")


if __name__ == "__main__":
    main()
