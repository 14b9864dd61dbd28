"""Small synthetic inputs in the real on-disk formats, to try the tools without a download."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datagen.errors import UsageError

__all__ = ["sample_mots"]

# Set, size of a frame, number of the first frame: what the readers tell KITTI MOTS and MOTSChallenge apart by.
_SETS = (("kitti-mots", (375, 1242), 0), ("motschallenge", (480, 640), 1))
_IGNORE = 10000


def sample_mots(
    out: str | Path, seed: int = 0, sequences: int = 2, frames: int = 30, overwrite: bool = False
) -> dict[str, int]:
    """Write a synthetic MOTS set: people and cars that move in small steps with a rare jump.

    Parameters
    ----------
    out : str or Path
        New folder. It gets ``kitti-mots/`` and ``motschallenge/``, each with ``instances/SSSS/FFFFFF.png`` and
        ``instances_txt/SSSS.txt``.
    seed : int
        Of all that is random; the same seed gives the same files.
    sequences : int
        Number of sequences in each set.
    frames : int
        Number of frames of each sequence.
    overwrite : bool
        Whether an existing folder may be replaced.

    Returns
    -------
    dict of str to int
        Counts of ``sequences``, ``frames`` and ``masks``.

    Raises
    ------
    UsageError
        If a number is below 1, or the folder exists.
    """
    out = Path(out)
    if sequences < 1 or frames < 1:
        raise UsageError(f"{sequences} sequences of {frames} frames: both must be at least 1")
    if out.exists() and not overwrite:
        raise UsageError(f"{out}: exists; pass --overwrite to replace it")
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: no such folder; create it first")
    # Written beside its place and renamed, so that a kill leaves no half set under the name.
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary:
        made = Path(temporary) / out.name
        masks = 0
        for number, (name, size, first_frame) in enumerate(_SETS):
            for sequence in range(sequences):
                rng = np.random.default_rng((seed, number, sequence))
                maps = _sequence(rng, size, frames, with_ignore=sequence % 2 == 0)
                masks += _write(made / name, f"{sequence:04d}", maps, first_frame)
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)
    return {"sequences": sequences * len(_SETS), "frames": sequences * len(_SETS) * frames, "masks": masks}


def _sequence(rng: np.random.Generator, size: tuple[int, int], frames: int, with_ignore: bool) -> NDArray[np.uint16]:
    """Paint one sequence of label maps, uint16 (T, H, W)."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    maps = np.zeros((frames, height, width), dtype=np.uint16)
    if with_ignore:
        maps[:, : height // 8, : width // 3] = _IGNORE
    people, cars = 5, 2
    for label in [1001 + car for car in range(cars)] + [2001 + person for person in range(people)]:
        is_car = label < 2000
        tall = rng.uniform(0.1, 0.2 if is_car else 0.4) * height
        wide = tall * (1.8 if is_car else 0.4)
        # Laplace steps: mostly small, sometimes a jump, as the transitions of natural video are (paper, section 3).
        y = rng.uniform(0.3, 0.8) * height + np.cumsum(rng.laplace(0, 0.004 * height, frames))
        x = rng.uniform(0.1, 0.9) * width + np.cumsum(
            rng.laplace(rng.uniform(-0.002, 0.002) * width, 0.003 * width, frames)
        )
        grow = np.exp(np.cumsum(rng.laplace(0, 0.01, frames)))
        for t in range(frames):
            from_y, from_x = (rows - y[t]) / (tall * grow[t] / 2), (columns - x[t]) / (wide * grow[t] / 2)
            inside = np.maximum(abs(from_y), abs(from_x)) < 1 if is_car else from_y**2 + from_x**2 < 1
            maps[t][inside & (maps[t] != _IGNORE)] = label
    return maps


def _write(root: Path, name: str, maps: NDArray[np.uint16], first_frame: int) -> int:
    """Write a sequence as label maps and as text, and return the number of its masks."""
    import cv2
    from pycocotools import mask as coco

    folder = root / "instances" / name
    folder.mkdir(parents=True)
    (root / "instances_txt").mkdir(exist_ok=True)
    lines = []
    for frame, labels in enumerate(maps, start=first_frame):
        cv2.imwrite(str(folder / f"{frame:06d}.png"), labels)
        for label in np.unique(labels)[1:]:
            rle = coco.encode(np.asfortranarray(labels == label).astype(np.uint8))
            height, width = rle["size"]
            lines.append(f"{frame} {label} {label // 1000} {height} {width} {rle['counts'].decode()}\n")
    (root / "instances_txt" / f"{name}.txt").write_text("".join(lines), encoding="ascii", newline="\n")
    return len(lines)
