"""What is a score worth: the same model scored as the literature does it, and in other ways.

Usage: python benchmarks/score_worth.py kitti.npz --out FOLDER [--iterations 900] [--checkpoints 3] [--seeds 0,1,2]

SlowVAE is trained on everything, on random pairs, by object and by sequence, each with the same settings. Every run is
scored at its last checkpoint, at the one on which its seeds agree most, and at the one of the best MCC; of a split on
its test part. All of it stays in FOLDER; what is done there is not done again. Writes ``score-worth.csv`` and the
figure ``score-worth.png``, and prints a table.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

from _experiment import datagen, save_figure, train

SPLITS = {
    "release": "everything",
    "random-pairs": "random pairs",
    "by-object": "by object",
    "by-sequence": "by sequence",
}
CHECKPOINTS = {"last": "last", "udr": "best by UDR", "labels": "best by labels"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=900)
    parser.add_argument("--checkpoints", type=int, default=3)
    parser.add_argument("--seeds", default="0,1,2")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kept = max(options.iterations // options.checkpoints, 1)
    results: dict[tuple[str, str], dict[str, Any]] = {}
    for split in SPLITS:
        run = options.out / split
        settings = (
            *("--preset", "quick", "--max-delta-t", 5, "--iterations", options.iterations),
            *("--save-every", kept, "--keep-every", kept, "--seeds", options.seeds, "--protocol", split),
        )
        train(options.file, run, *settings)
        for checkpoint in CHECKPOINTS:
            result = options.out / f"{split}-{checkpoint}.json"
            if not result.exists():
                part = () if split == "release" else ("--split", "test")
                datagen("evaluate", run, *part, "--checkpoint", checkpoint, "--out", result, "--quiet")
            results[split, checkpoint] = json.loads(result.read_text())
    write(results, options.out)


def write(results: dict[tuple[str, str], dict[str, Any]], folder: Path) -> None:
    """Write every score, and the figure of them; print the table."""
    means = {key: [scores["mcc"]["score"] for scores in each["seeds"].values()] for key, each in results.items()}
    with (folder / "score-worth.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["split", "checkpoint", "seed", "mcc"])
        for (split, checkpoint), each in results.items():
            rows.writerows([split, checkpoint, seed, scores["mcc"]["score"]] for seed, scores in each["seeds"].items())
    print("| trained and scored | " + " | ".join(CHECKPOINTS.values()) + " |\n|---|" + "---|" * len(CHECKPOINTS))
    for split, words in SPLITS.items():
        cells = (
            f"{100 * sum(means[split, name]) / len(means[split, name]):.1f} "
            f"({', '.join(f'{100 * value:.1f}' for value in means[split, name])})"
            for name in CHECKPOINTS
        )
        print(f"| {words} | {' | '.join(cells)} |")
    save_figure(means, SPLITS, CHECKPOINTS, folder / "score-worth.png")


if __name__ == "__main__":
    main()
