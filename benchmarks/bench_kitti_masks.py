"""Building KITTI Masks and drawing pairs from it, beside the release's way, on the real ground truth.

    python benchmarks/bench_kitti_masks.py [--skip-release]

The release's scripts need old libraries; `release_build` and `ReleaseDataset` do what they do, step by step. The label
maps are painted from the text first, into a temporary folder.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from _side_by_side import REALDATA, command_seconds, print_rows, seconds
from torch.utils.data import DataLoader, Dataset

import kitti_masks
from datagen import store
from datagen.readers.mots import find_videos

LENGTHS = {
    "kitti-mots": [
        154,
        447,
        233,
        144,
        314,
        297,
        270,
        800,
        390,
        803,
        294,
        373,
        78,
        340,
        106,
        376,
        209,
        145,
        339,
        1059,
        837,
    ],
    "motschallenge": [600, 837, 525, 900],
}


def paint_label_maps(out: Path) -> None:
    """Paint the PNG trees that the text files stand for."""
    lengths = {name: iter(values) for name, values in LENGTHS.items()}
    for video in find_videos(REALDATA, "txt"):
        tracks = video.read()
        folder = out / video.source / "instances" / video.name
        folder.mkdir(parents=True)
        first = 0 if video.source == "kitti-mots" else 1
        for frame in range(first, first + next(lengths[video.source])):
            labels = np.zeros((tracks.masks.height, tracks.masks.width), np.uint16)
            rows = np.flatnonzero(tracks.frame == frame)
            for mask, label in zip(tracks.masks.select(rows).paint(), tracks.object_id[rows], strict=True):
                labels[mask] = label
            cv2.imwrite(str(folder / f"{frame:06d}.png"), labels)


def release_build(folders: list[Path]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Follow the release: whole pictures, nearest resize, a pass over all frames for every id of every window."""
    from scipy.ndimage import center_of_mass

    sequences, latents = [], []
    for folder in folders:
        frames = []
        for path in sorted(folder.glob("*.png")):
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32)
            size = (64, int(image.shape[1] // (image.shape[0] / 64)))
            frames.append(torch.nn.functional.interpolate(torch.from_numpy(image)[None, None], size=size)[0, 0].numpy())
        stack = np.stack(frames)
        stride = (stack.shape[2] - 64) // 5
        for k in range(6):
            cut = stack[:, :, k * stride : k * stride + 64]
            for label in np.unique(cut)[1:-1]:
                if label // 1000 == 1:
                    continue
                seen = [t for t in range(len(cut)) if (cut[t] == label).any()]
                running: list[np.ndarray] = []
                for t in range(seen[0], seen[-1] + 2):
                    mask = cut[t] == label if t <= seen[-1] else None
                    if mask is not None and mask.sum() >= 30:
                        running.append(mask)
                        continue
                    if len(running) > (1 if mask is None else 2):
                        sequences.append(np.stack(running))
                        latents.append(
                            np.array([[*center_of_mass(each), each.sum()] for each in running], dtype=np.float32)
                        )
                    running = []
    return sequences, latents


class ReleaseDataset(Dataset):
    """Draw pairs as the release does, an item at a time."""

    def __init__(self, data, max_delta_t=5):
        bounds = list(zip(data.offsets[:-1], data.offsets[1:], strict=True))
        self.sequences = [data.images[a:b] for a, b in bounds]
        self.latents = [data.factors[a:b] for a, b in bounds]
        self.ends = np.cumsum([len(each) - 1 for each in self.sequences])
        self.max_delta_t = max_delta_t

    def __len__(self):
        return int(self.ends[-1])

    def __getitem__(self, index):
        number = int(np.searchsorted(self.ends, index, side="right"))
        start = index - (int(self.ends[number - 1]) if number else 0)
        end = min(start + np.random.randint(1, self.max_delta_t + 1), len(self.sequences[number]) - 1)  # noqa: NPY002
        first, second = (self.sequences[number][t].astype(np.float32)[None] for t in (start, end))
        return first, second, self.latents[number][start], self.latents[number][end]


def building(skip_release: bool) -> None:
    datagen = str(Path(sys.executable).with_name("datagen"))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name) / "kitti.npz"
        command = [datagen, "kitti-masks", "--out", str(out), "--overwrite", "--quiet", "--source"]
        wall, memory = command_seconds([*command, str(REALDATA)])
        rows.append(("datagen kitti-masks from text, whole command", f"{wall:6.2f} s, {memory / 1e9:.2f} GB"))
        rows.append(("  size of the file", f"{out.stat().st_size / 1e6:6.2f} MB"))
        paint_label_maps(folder / "png")
        pngs = sorted((folder / "png").rglob("*.png"))
        wall, _ = command_seconds([*command, str(folder / "png")])
        decode = seconds(lambda: [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in pngs], 1)
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as pool:
            both = seconds(lambda: list(pool.map(lambda path: cv2.imread(str(path), cv2.IMREAD_UNCHANGED), pngs)), 1)
        rows.append((f"datagen kitti-masks from {len(pngs):,} PNG, whole command", f"{wall:6.2f} s"))
        rows.append(("cv2.imread of the same files alone, two threads", f"{both:6.2f} s  ({both / wall:.1f} x)"))
        one, _ = command_seconds([*command, str(folder / "png"), "--workers", "1"], 1)
        rows.append(("datagen kitti-masks from PNG, one worker", f"{one:6.2f} s"))
        rows.append(("cv2.imread of the same files alone, one thread", f"{decode:6.2f} s  ({decode / one:.1f} x)"))
        if not skip_release:
            folders = sorted({path.parent for path in pngs}, key=lambda path: (path.parts[-3] != "kitti-mots", path))
            results: list[np.ndarray] = []
            release = seconds(lambda: results.extend(release_build(folders)[0]), 1)
            rows.append(("the release's way from PNG", f"{release:6.2f} s  ({release / wall:.1f} x)"))
            same = np.array_equal(np.concatenate(results), store.load(out).images)
            rows.append(("  and its masks are", "the same" if same else "NOT THE SAME"))
    print_rows("Building KITTI Masks", rows)


def drawing() -> None:
    data = kitti_masks.build(REALDATA)
    rows = []
    release, ours = ReleaseDataset(data), kitti_masks.KittiMasks(data)
    order = random.Random(0).sample(range(len(ours)), 20_000)

    def rate(function, count):
        return count / seconds(function)

    theirs = rate(lambda: [release[i] for i in order], len(order))
    rows.append(("the release's way, items", f"{theirs:9,.0f} pairs/s"))
    batches = [order[i : i + 64] for i in range(0, len(order), 64)]
    mine = rate(lambda: [ours.__getitems__(batch) for batch in batches], len(order))
    rows.append(("KittiMasks, batches of 64 by __getitems__", f"{mine:9,.0f} pairs/s  ({mine / theirs:.1f} x)"))

    def read(loader):
        return lambda: sum(len(batch[0]) for batch in loader)

    theirs = rate(read(DataLoader(release, 64, shuffle=True)), len(release))
    rows.append(("the release's way, DataLoader, batch 64", f"{theirs:9,.0f} pairs/s"))
    for name, loader in (
        ("KittiMasks, DataLoader, its own collate", DataLoader(ours, 64, shuffle=True, collate_fn=ours.collate)),
        ("KittiMasks, DataLoader, torch's collate", DataLoader(ours, 64, shuffle=True)),
    ):
        mine = rate(read(loader), len(ours))
        rows.append((name, f"{mine:9,.0f} pairs/s  ({mine / theirs:.1f} x)"))
    print_rows("Drawing pairs", rows)


def growing() -> None:
    videos = find_videos(REALDATA)
    rows = []
    for share in (4, 2, 1):
        names = sorted({video.name for video in videos})[::share]
        wall = seconds(lambda names=names: kitti_masks.build(REALDATA, videos=names, workers=1))
        frames = kitti_masks.build(REALDATA, videos=names).num_frames
        rows.append((f"sequences 1/{share}", f"{wall:6.2f} s, {frames:,} frames, {wall / frames * 1e6:.1f} us a frame"))
    print_rows("Growth of building with its input, one worker", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skip-release", action="store_true", help="leave out the release's way, which takes minutes")
    building(parser.parse_args().skip_release)
    drawing()
    growing()
