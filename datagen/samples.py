"""Small synthetic inputs in the real on-disk formats, to try the tools without a download."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.arguments import is_whole
from datagen.errors import UsageError, shown
from datagen.files import atomic_folder, atomic_path, check_output
from datagen.progress import progress_bar

__all__ = ["sample_mots", "sample_sa_v", "sample_youtube_vis"]

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
        If a number is below 1, the folder exists, or it is to be replaced and is no sample.
    """
    out = Path(out)
    if not (is_whole(sequences, 1, 2**31) and is_whole(frames, 1, 2**31)):
        raise UsageError(f"{shown(sequences)} sequences of {shown(frames)} frames: both must be at least 1, and whole")
    names = {name for name, *_ in _SETS}
    if out.is_dir() and (other := next((path for path in out.iterdir() if path.name not in names), None)) is not None:
        raise UsageError(f"{out}: exists and holds {other.name}, which is of no sample; give another folder")
    with atomic_folder(out, overwrite) as made:
        masks = 0
        for number, (name, size, first_frame) in enumerate(_SETS):
            for sequence in range(sequences):
                rng = np.random.default_rng((seed, number, sequence))
                maps = _sequence(rng, size, frames, with_ignore=sequence % 2 == 0)
                masks += _write(made / name, f"{sequence:04d}", maps, first_frame)
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
    from pycocotools import mask as coco

    folder = root / "instances" / name
    folder.mkdir(parents=True)
    (root / "instances_txt").mkdir(exist_ok=True)
    lines = []
    for frame, labels in enumerate(maps, start=first_frame):
        (folder / f"{frame:06d}.png").write_bytes(_png16(labels))
        for label in np.unique(labels)[1:]:
            rle = coco.encode(np.asfortranarray(labels == label).astype(np.uint8))
            height, width = rle["size"]
            lines.append(f"{frame} {label} {label // 1000} {height} {width} {rle['counts'].decode()}\n")
    (root / "instances_txt" / f"{name}.txt").write_text("".join(lines), encoding="ascii", newline="\n")
    return len(lines)


def _png16(labels: NDArray[np.uint16]) -> bytes:
    """Encode a label map by OpenCV, or by Pillow where OpenCV finds no libGL, as in slim containers; same pixels."""
    try:
        import cv2
    except ImportError:
        from PIL import Image

        buffer = BytesIO()
        Image.fromarray(labels).save(buffer, "png")
        return buffer.getvalue()
    return cv2.imencode(".png", labels)[1].tobytes()


def sample_youtube_vis(
    out: str | Path, seed: int = 0, videos: int = 8, frames: int = 20, overwrite: bool = False
) -> dict[str, int]:
    """Write synthetic annotations as of YouTube-VIS 2019, three objects a video of 720 x 1280 pixels.

    Parameters
    ----------
    out : str or Path
        New file, JSON.
    seed : int
        Of all that is random; the same seed gives the same file.
    videos : int
        Number of videos.
    frames : int
        Number of frames of each video.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    dict of str to int
        Counts of ``videos``, ``annotations`` and ``masks``.

    Raises
    ------
    UsageError
        If a number is below 1, or the file exists.
    """
    from datagen.readers.instance_sets import YOUTUBE_VIS_NAMES

    if not (is_whole(videos, 1, 2**31) and is_whole(frames, 1, 2**31)):
        raise UsageError(f"{shown(videos)} videos of {shown(frames)} frames: both must be at least 1, and whole")
    path = check_output(out, overwrite)
    objects, height, width = 3, 720, 1280
    masks = 0
    with atomic_path(path, overwrite) as temporary, temporary.open("w", encoding="ascii") as stream:
        entries = [
            {
                "id": video,
                "height": height,
                "width": width,
                "length": frames,
                "file_names": [f"{video:010d}/{5 * frame:05d}.jpg" for frame in range(frames)],
            }
            for video in range(1, videos + 1)
        ]
        categories = [{"id": number, "name": name} for number, name in YOUTUBE_VIS_NAMES.items()]
        stream.write(json.dumps({"videos": entries, "categories": categories})[:-1] + ', "annotations": [')
        for number in range(videos * objects):
            rng = np.random.default_rng((seed, number))
            segmentations = _segmentations(rng, height, width, frames)
            masks += sum(each is not None for each in segmentations)
            annotation = {
                "id": number + 1,
                "video_id": number // objects + 1,
                "category_id": int(rng.integers(1, len(YOUTUBE_VIS_NAMES) + 1)),
                "height": height,
                "width": width,
                "segmentations": segmentations,
            }
            stream.write((", " if number else "") + json.dumps(annotation))
        stream.write("]}")
    return {"videos": videos, "annotations": videos * objects, "masks": masks}


def sample_sa_v(
    out: str | Path,
    seed: int = 0,
    videos: int = 4,
    frames: int = 84,
    overwrite: bool = False,
    show_progress: bool = False,
) -> dict[str, int]:
    """Write synthetic annotations as of SA-V's training set, one file a video: three to five objects at 6 a second.

    Frames are of 848 x 480 pixels, every fourth video of 480 x 848, the sizes of SA-V; 84 frames are 14 seconds, the
    mean length there.

    Parameters
    ----------
    out : str or Path
        New folder. It gets a ``sav_NNNNNN_manual.json`` of each video.
    seed : int
        Of all that is random; the same seed gives the same files.
    videos : int
        Number of videos.
    frames : int
        Number of annotated frames of each video.
    overwrite : bool
        Whether an existing folder may be replaced.
    show_progress : bool
        Draw a progress bar where standard error is a terminal.

    Returns
    -------
    dict of str to int
        Counts of ``videos``, ``masklets`` and ``masks``.

    Raises
    ------
    UsageError
        If a number is below 1, the folder exists, or it is to be replaced and is no sample.
    """
    out = Path(out)
    if not (is_whole(videos, 1, 2**31) and is_whole(frames, 1, 2**31)):
        raise UsageError(f"{shown(videos)} videos of {shown(frames)} frames: both must be at least 1, and whole")
    if out.is_dir() and (other := next((path for path in out.iterdir() if not path.match("sav_*.json")), None)):
        raise UsageError(f"{out}: exists and holds {other.name}, which is of no sample; give another folder")
    masklets = masks = 0
    with atomic_folder(out, overwrite) as made:
        for number in progress_bar(range(videos), "writing videos", show=show_progress):
            rng = np.random.default_rng((seed, number))
            height, width = (848, 480) if number % 4 == 3 else (480, 848)
            objects = int(rng.integers(3, 6))
            # A mask of nothing is a list of one run.
            nothing = {"counts": [height * width], "size": [height, width]}
            tracks = [_segmentations(rng, height, width, frames) for _ in range(objects)]
            masklets, masks = masklets + objects, masks + sum(each is not None for track in tracks for each in track)
            video = {
                "video_id": f"sav_{number:06d}",
                "video_duration": frames / 6,
                "video_frame_count": float(4 * frames),
                "video_height": float(height),
                "video_width": float(width),
                "masklet": [[_compressed(track[t] or nothing) for track in tracks] for t in range(frames)],
                "masklet_id": list(range(objects)),
                "masklet_type": ["manual"] * objects,
                "masklet_num": objects,
            }
            path = made / f"sav_{number:06d}_manual.json"
            path.write_text(json.dumps(video), encoding="ascii", newline="\n")
    return {"videos": videos, "masklets": masklets, "masks": masks}


def _compressed(segmentation: dict[str, Any]) -> dict[str, Any]:
    """Return a list of run lengths as COCO's compressed text."""
    from pycocotools import mask as coco

    packed = coco.frPyObjects(segmentation, *segmentation["size"])
    return {"size": segmentation["size"], "counts": packed["counts"].decode()}


def _segmentations(rng: np.random.Generator, height: int, width: int, frames: int) -> list[dict[str, Any] | None]:
    """Return the masks of one object that moves in Laplace steps, as COCO's lists of run lengths; some are absent."""
    y = rng.uniform(0.3, 0.7) * height + np.cumsum(rng.laplace(0, 0.01 * height, frames))
    x = rng.uniform(0.2, 0.8) * width + np.cumsum(rng.laplace(0, 0.01 * width, frames))
    tall, wide = np.exp(rng.uniform(np.log(0.05), np.log(0.4), 2)) * (height, width)
    wave = rng.uniform(0.05, 0.25, 3)
    columns = np.arange(width)
    found: list[dict[str, Any] | None] = []
    for t in range(frames):
        across = np.clip((columns - x[t]) / wide, -1, 1)
        ripple = 1 + np.sin(np.outer([5, 11, 23], across)).T @ wave
        half = tall * np.sqrt(1 - across**2) * ripple
        top = np.clip(np.round(y[t] - half), 0, height).astype(int)
        bottom = np.clip(np.round(y[t] + half * rng.uniform(0.9, 1.1, width)), 0, height).astype(int)
        seen = bottom > top
        if not seen.any() or rng.random() < 0.05:
            found.append(None)
            continue
        edges = np.stack([columns * height + top, columns * height + bottom], axis=1)[seen].ravel()
        counts = np.diff(edges, prepend=0, append=height * width)
        found.append({"counts": counts.tolist(), "size": [height, width]})
    return found
