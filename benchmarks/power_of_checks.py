"""What the checks of `datagen validate` find in files with known faults.

    datagen kitti-masks --source kitti-mots/ --source motschallenge/ --out kitti.npz
    python benchmarks/power_of_checks.py kitti.npz [--every N] [--only TEXT]

Every fault is made in a copy of the file; the table has a line for each: the verdict, and the checks that do not pass.
A small drawn grid in the layout of dSprites is checked too, with half of its images in another order. Nothing is
trained.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from datagen import store
from datagen.checks import check_file, worst
from datagen.datasets import Sequences
from datagen.grids.reading import read_grid
from datagen.grids.samples import sample_grid
from datagen.moments import latents_of_masks


def in_order(dataset: Sequences, rows: np.ndarray, offsets: np.ndarray | None = None) -> Sequences:
    """Put frames of the file, with their latents, in the places of others."""
    offsets = dataset.offsets if offsets is None else offsets
    return replace(dataset, images=dataset.images[rows], factors=dataset.factors[rows], offsets=offsets)


def with_images(dataset: Sequences, images: np.ndarray, measured: bool) -> Sequences:
    """Take other images, and measure their latents anew or leave them as they were."""
    return replace(dataset, images=images, factors=latents_of_masks(images) if measured else dataset.factors)


def blurred(masks: np.ndarray) -> np.ndarray:
    """Blur masks and cut them at one half, but leave none empty."""
    from scipy.ndimage import gaussian_filter

    soft = np.concatenate(
        [gaussian_filter(part.astype(np.float32), (0, 1.5, 1.5)) > 0.5 for part in np.array_split(masks, 50)]
    )
    return np.where(soft.any(axis=(1, 2), keepdims=True), soft, masks)


def faults(dataset: Sequences) -> Iterator[tuple[str, Callable[[], Sequences]]]:
    """Name each fault, and how it is made."""
    rng = np.random.default_rng(0)
    frames, offsets, lengths = np.arange(dataset.num_frames), dataset.offsets, dataset.lengths
    sequence = dataset.sequence_of_frame()
    place = frames - offsets[sequence]
    yield "as it is", lambda: dataset
    yield "time reversed", lambda: in_order(dataset, offsets[sequence] + lengths[sequence] - 1 - place)
    yield (
        "every second frame dropped",
        lambda: in_order(dataset, frames[place % 2 == 0], np.append(0, np.cumsum((lengths + 1) // 2))),
    )
    yield "shuffled within sequences", lambda: in_order(dataset, np.lexsort((rng.random(len(frames)), sequence)))
    yield "shuffled over all", lambda: in_order(dataset, rng.permutation(len(frames)))
    yield "latents permuted", lambda: replace(dataset, factors=dataset.factors[rng.permutation(len(frames))])

    # Two sequences of different objects, long enough: the first of each of two videos.
    long = np.flatnonzero(lengths >= 40)
    one, other = long[0], long[dataset.columns["video"][long] != dataset.columns["video"][long[0]]][0]
    number = int(min(lengths[one], lengths[other]))

    def replaced(begin: int, exchanged: bool = False) -> np.ndarray:
        rows = frames.copy()
        here, there = (slice(offsets[each] + begin, offsets[each] + number) for each in (one, other))
        rows[here] = frames[there]
        if exchanged:
            rows[there] = frames[here]
        return rows

    yield "an object's frames replaced by another's", lambda: in_order(dataset, replaced(0))
    yield "the later half of them replaced", lambda: in_order(dataset, replaced(number // 2))
    yield "the later halves of two objects exchanged", lambda: in_order(dataset, replaced(number // 2, exchanged=True))

    late = {
        "later half of each sequence": place >= lengths[sequence] / 2,
        "later half of the file": frames * 2 >= len(frames),
    }
    change = {"blurred": blurred, "flipped left to right": lambda masks: np.ascontiguousarray(masks[:, :, ::-1])}
    for half, rows in late.items():
        for name, make in change.items():
            for measured in (False, True):

                def made(rows: np.ndarray = rows, make: Callable = make, measured: bool = measured) -> Sequences:
                    images = np.array(dataset.images)
                    images[rows] = make(images[rows])
                    return with_images(dataset, images, measured)

                yield f"{half} {name}, latents {'measured again' if measured else 'as they were'}", made


def grids(folder: Path) -> Iterator[tuple[str, Callable[[], Sequences]]]:
    """A drawn grid, right and with half of its images in another order."""
    sample_grid("dsprites", folder / "dsprites.npz")
    grid = read_grid(folder / "dsprites.npz")
    images = np.array(grid.images)
    rng = np.random.default_rng(0)
    half = rng.permutation(len(images))[: len(images) // 2]
    images[half] = images[rng.permutation(half)]
    yield "grid: as it is", lambda: grid
    yield "grid: half of the images permuted", lambda: replace(grid, images=images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="KITTI Masks, built from the annotations")
    parser.add_argument("--only", default="", help="only faults with this text in their name")
    parser.add_argument("--every", type=int, default=1, help="take every so-many-th sequence, to be done sooner")
    arguments = parser.parse_args()
    whole = store.load(arguments.file)
    dataset = whole.select(np.arange(0, whole.num_sequences, arguments.every))
    print("| file | verdict | checks that do not pass |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        for cases in (faults(dataset), grids(Path(temporary))):
            for name, make in cases:
                if arguments.only not in name:
                    continue
                path = Path(temporary) / "checked.npz"
                store.save(make(), path, overwrite=True)
                findings = [each for each in check_file(path)[0] if each.status != "pass"]
                said = ", ".join(f"{each.name} ({each.status})" for each in findings)
                print(f"| {name} | {worst(findings)} | {said} |", flush=True)


if __name__ == "__main__":
    main()
