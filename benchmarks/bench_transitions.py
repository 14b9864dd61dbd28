"""Measuring transitions and reading them back, beside the release's way, on synthetic annotations.

    python benchmarks/bench_transitions.py [--videos 100]

Times are of one core: processor time of this process, which other work on the machine does not lengthen.
"""

from __future__ import annotations

import argparse
import ast
import csv
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _side_by_side import core_seconds, print_rows
from PIL import Image
from pycocotools import mask as coco
from scipy.ndimage import center_of_mass

from datagen.measure import measure
from datagen.samples import sample_youtube_vis
from datagen.store.tables import load, save, save_measured
from datagen.transitions import Transitions


def release_measure(source: Path, out: Path) -> None:
    """Follow the release: decode a frame, resize it, cut it, measure the pieces."""
    content = json.loads(source.read_text())
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        frames = max(len(each["segmentations"]) for each in content["annotations"])
        writer.writerow(["id", "cat_id", *(f"t_{frame}" for frame in range(frames))])
        for annotation in content["annotations"]:
            row = [annotation["id"], annotation["category_id"]]
            for segmentation in annotation["segmentations"]:
                if segmentation is None:
                    row.append("")
                    continue
                mask = coco.decode(coco.frPyObjects(segmentation, *segmentation["size"]))
                if not mask.any():
                    row.append("")
                    continue
                small = np.array(Image.fromarray(mask).resize((128, 64), Image.Resampling.BILINEAR))
                windows = [small[:, left : left + 64] for left in (0, 32, 64)]
                row.append(
                    str(
                        [
                            (*map(float, center_of_mass(each)), int(each.sum())) if each.any() else None
                            for each in windows
                        ]
                    )
                )
            writer.writerow(row)


def release_load(path: Path) -> dict[str, list]:
    """Follow the release: evaluate every cell, and collect pairs in a dictionary of lists."""
    names = ("id", "category_id", "area", "x", "y", "area_diff", "x_diff", "y_diff")
    table: dict[str, list] = {name: [] for name in names}
    with path.open(newline="") as stream:
        for row in list(csv.reader(stream))[1:]:
            cells = [ast.literal_eval(cell) if cell else None for cell in row[2:]]
            for first, second in itertools.pairwise(cells):
                for before, after in zip(first or (), second or (), strict=False):
                    if before is None or after is None:
                        continue
                    table["id"].append(int(row[0]))
                    table["category_id"].append(int(row[1]))
                    for place, name in enumerate(("y", "x", "area")):
                        table[name].append([before[place], after[place]])
                        table[f"{name}_diff"].append(after[place] - before[place])
    return table


def measuring(folder: Path, videos: int) -> None:
    source, theirs, ours = folder / "train.json", folder / "theirs.csv", folder / "ours.csv"
    masks = sample_youtube_vis(source, videos=videos)["masks"]

    def build() -> None:
        save_measured(measure(source, workers=1).videos, ours, overwrite=True)

    build()  # compiled before it is timed
    mine, release = core_seconds(build), core_seconds(lambda: release_measure(source, theirs), 1)
    print_rows(
        f"Measuring {masks:,} masks of 720 x 1280 ({source.stat().st_size / 1e6:.0f} MB), one core,",
        [
            ("the release's way", f"{masks / release:9,.0f} masks/s"),
            ("datagen transitions --workers 1", f"{masks / mine:9,.0f} masks/s  ({release / mine:.1f} x)"),
            ("  and its table is", "the same" if ours.read_bytes() == theirs.read_bytes() else "NOT THE SAME"),
        ],
    )


def growing(folder: Path, videos: int) -> None:
    rows = []
    for share in (4, 2, 1):
        source = folder / f"{share}.json"
        masks = sample_youtube_vis(source, videos=max(videos // share, 1))["masks"]
        took = core_seconds(lambda source=source: measure(source, workers=1))
        # A process of its own tells how far its memory grows beyond what the libraries take.
        code = (
            "import re, sys; from pathlib import Path; from datagen.measure import measure\n"
            "peak = lambda: 1024 * int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
            "measure(sys.argv[1], workers=1); before = peak(); measure(sys.argv[2]); print(peak() - before)"
        )
        small = folder / "small.json"
        sample_youtube_vis(small, videos=1, frames=2, overwrite=True)
        done = subprocess.run([sys.executable, "-c", code, small, source], check=True, capture_output=True, text=True)
        growth = int(done.stdout) / source.stat().st_size
        rows.append(
            (
                f"{masks:7,} masks",
                f"{took:6.2f} s, {took / masks * 1e6:.0f} us a mask, memory grows by {growth:.2f} x the file",
            )
        )
    print_rows("Growth of measuring with its input, one core,", rows)


def reading(folder: Path, pairs: int = 234_652) -> None:
    source, table = folder / "train.json", folder / "table.csv"
    once = measure(source)
    parts = [once.videos] * (pairs // len(once.transitions()) + 1)
    save_measured([video for part in parts for video in part], table)
    load(table)
    mine, release = core_seconds(lambda: load(table)), core_seconds(lambda: release_load(table), 1)
    expected, got = release_load(table), load(table)
    same = got.object_id.tolist() == expected["id"] and all(
        getattr(got, name).tolist() == expected[name] for name in ("y", "x", "area")
    )
    rows = [
        ("the release's way", f"{release:6.2f} s"),
        ("datagen.store.tables.load, the release's table", f"{mine:6.2f} s  ({release / mine:.1f} x)"),
        ("  and its pairs are", "the same" if same else "NOT THE SAME"),
    ]
    for suffix in (".csv", ".parquet"):
        long: Path = folder / f"long{suffix}"
        whole: Transitions = got
        save(whole, long)
        rows.append(
            (f"datagen.store.tables.load, long {suffix}", f"{core_seconds(lambda path=long: load(path)):6.2f} s")
        )
    rows.append(("runs of 3 frames of it", f"{core_seconds(lambda: got.runs(3)):6.2f} s"))
    print_rows(f"Reading {len(got):,} pairs ({table.stat().st_size / 1e6:.0f} MB), one core,", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=100, help="size of the synthetic file")
    videos = parser.parse_args().videos
    with tempfile.TemporaryDirectory() as name:
        measuring(Path(name), videos)
        growing(Path(name), videos)
        reading(Path(name))
