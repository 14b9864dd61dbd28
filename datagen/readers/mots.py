"""MOTS annotations: text files and folders of 16-bit PNG label maps (Voigtlaender et al., CVPR 2019).

A set is a folder of sequences with names of four digits: ``SSSS.txt`` or ``SSSS/FFFFFF.png``, directly or under
``instances_txt/`` and ``instances/``. A line of text is ``frame object_id class_id height width rle``; a pixel of a
label map is ``class * 1000 + instance``. Class 1 is car, 2 pedestrian, 10 the ignore region (always object 10000).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, UsageError
from datagen.jit import njit
from datagen.masks import RLE_PROBLEMS, Masks, decode_rle
from datagen.readers.png16 import read_label_map
from datagen.tracks import Sampling, Tracks, Video

__all__ = [
    "CATEGORY_NAMES",
    "IGNORE",
    "KITTI_MOTS",
    "MOTS_CHALLENGE",
    "Annotations",
    "MotsImages",
    "MotsText",
    "find_videos",
]

CATEGORY_NAMES = {1: "car", 2: "pedestrian", 10: "ignore"}
IGNORE = 10
"""Class of the region in which nothing was annotated."""

KITTI_MOTS = "kitti-mots"
MOTS_CHALLENGE = "motschallenge"

Annotations = Literal["txt", "png"]

# Above every number of the format, and low enough that tables counted by frame stay small.
_LARGEST = 1_000_000
_NEWLINE, _BLANK = 10, 32

_SEQUENCE = re.compile(r"\d{4}")
_FRAME = re.compile(r"\d+")


def find_videos(folder: str | Path, annotations: Annotations | None = None) -> list[Video]:
    """Find the MOTS sequences in a folder and in the folders below it.

    Parameters
    ----------
    folder : str or Path
        A set, or a folder with sets below it.
    annotations : {"txt", "png"}, optional
        Which to read where a set has both. By default text, which holds the same and reads faster.

    Returns
    -------
    list of Video
        Sets of KITTI MOTS first, then those of MOTSChallenge (told apart by their count of frames, from 0 and from 1),
        and in each the sequences by name. Empty if there are none.

    Raises
    ------
    UsageError
        If the folder does not exist.
    BadInputError
        If one set holds a sequence twice.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    found = [videos for root in _folders_below(folder) if (videos := _set_at(root, annotations))]
    found.sort(key=lambda videos: videos[0].source != KITTI_MOTS)  # stable: by path within a source
    return [video for videos in found for video in videos]


def _folders_below(folder: Path) -> Iterator[Path]:
    """Yield a folder and those below it that may be sets, by path; the parts of a set are not."""
    yield folder
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in ("instances", "instances_txt") and not _SEQUENCE.fullmatch(path.name):
            yield from _folders_below(path)


def _set_at(root: Path, annotations: Annotations | None) -> list[Video]:
    """Return the sequences of the set at a folder, none if it is not one."""
    texts = _by_name(root, [path for place in (root, root / "instances_txt") for path in _files(place, "*.txt")])
    folders = _by_name(root, [path for place in (root, root / "instances") for path in _folders(place)])
    if texts and annotations != "png":
        first = min(_first_frame_of_text(path) for path in texts.values())
        return [MotsText(_source(first), name, root, path) for name, path in texts.items()]
    if folders and annotations != "txt":
        first = min(int(_frames(path)[0].stem) for path in folders.values())
        return [MotsImages(_source(first), name, root, path) for name, path in folders.items()]
    return []


def _files(place: Path, pattern: str) -> list[Path]:
    return [path for path in place.glob(pattern) if _SEQUENCE.fullmatch(path.stem) and path.is_file()]


def _folders(place: Path) -> list[Path]:
    return [path for path in place.glob("*") if _SEQUENCE.fullmatch(path.name) and path.is_dir() and _frames(path)]


def _frames(folder: Path) -> list[Path]:
    """Return the label maps of a sequence, in the order of their names."""
    return sorted(path for path in folder.glob("*.png") if _FRAME.fullmatch(path.stem))


def _by_name(root: Path, paths: list[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: path.stem):
        if path.stem in named:
            raise BadInputError(root, f"holds sequence {path.stem} twice: {named[path.stem]} and {path}; remove one")
        named[path.stem] = path
    return named


def _first_frame_of_text(path: Path) -> int:
    with path.open("rb") as stream:
        fields = stream.readline().split()
    return int(fields[0]) if fields and fields[0].isdigit() else 1


def _source(first_frame: int) -> str:
    return KITTI_MOTS if first_frame == 0 else MOTS_CHALLENGE


@dataclass(frozen=True)
class MotsText:
    """A sequence in one text file. See `datagen.tracks.Video`."""

    source: str
    name: str
    root: Path
    path: Path

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        data = _read_bytes(self.path)
        text = np.frombuffer(data, dtype=np.uint8)
        numbers, begins, ends, lines, malformed = _scan_lines(text)
        height, width = (int(numbers[0, 3]), int(numbers[0, 4])) if len(numbers) else (1, 1)
        bad = _explain_malformed(data, malformed) | _wrong_numbers(numbers, lines)
        masks, status = decode_rle(text, begins, ends, height, width)
        for row in np.flatnonzero(status):
            bad.setdefault(int(lines[row]), f"{RLE_PROBLEMS[int(status[row])]} ({height} x {width})")
        sound = ~np.isin(lines, list(bad))
        bad |= _repeated(numbers[sound], lines[sound])
        if bad and not skip_bad:
            line = min(bad)
            raise BadInputError(
                self.path, f"{bad[line]}; mend the line or leave it out with --skip-bad", f"line {line}"
            )

        good = np.flatnonzero(~np.isin(lines, list(bad)))
        good = good[np.argsort(numbers[good, 0], kind="stable")]
        if len(good) < len(lines) or (np.diff(good) < 0).any():
            numbers, lines, masks = numbers[good], lines[good], masks.select(good)
        while pair := masks.find_overlap(numbers[:, 0]):
            first, second = pair
            frame = int(numbers[first, 0])
            problem = f"object {numbers[second, 1]} overlaps object {numbers[first, 1]} (line {lines[first]})"
            if not skip_bad:
                raise BadInputError(
                    self.path,
                    f"{problem}; a pixel belongs to one object: mend it or leave the line out with --skip-bad",
                    f"line {lines[second]}, frame {frame}",
                )
            bad[int(lines[second])] = problem
            keep = np.arange(len(lines)) != second
            numbers, lines, masks = numbers[keep], lines[keep], masks.select(keep)

        if sampling is not None and len(masks):
            masks = masks.sample(sampling(height, width))
        return Tracks(
            source=self.source,
            video=self.name,
            frame=numbers[:, 0],
            object_id=numbers[:, 1],
            category_id=numbers[:, 2],
            masks=masks,
            category_names=CATEGORY_NAMES,
            inputs={_label(self.source, self.root, self.path): hashlib.sha256(data).hexdigest()},
            left_out=[f"{_label(self.source, self.root, self.path)}, line {line}: {bad[line]}" for line in sorted(bad)],
        )


@njit(cache=True, nogil=True)
def _scan_lines(text):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Find the numbers (L, 5) and the encoding of every line, its number, and the numbers of the malformed lines."""
    most = 1
    for character in text:
        most += character == _NEWLINE
    numbers = np.zeros((most, 5), np.int64)
    begins = np.zeros(most, np.int64)
    ends = np.zeros(most, np.int64)
    lines = np.zeros(most, np.int64)
    malformed = np.zeros(most, np.int64)
    used, wrong, p = 0, 0, 0
    for line in range(1, most + 1):
        field, good = 0, True
        while p < len(text) and text[p] != _NEWLINE:
            if text[p] <= _BLANK:
                p += 1
                continue
            begin, value = p, 0
            while p < len(text) and text[p] > _BLANK:
                if field < 5:
                    digit = np.int64(text[p]) - 48
                    value = min(value * 10 + digit, _LARGEST) if 0 <= digit <= 9 else _LARGEST
                p += 1
            if field < 5:
                numbers[used, field] = value
                good = good and value < _LARGEST
            else:
                begins[used], ends[used] = begin, p
            field += 1
        p += 1
        if good and field == 6:
            lines[used] = line
            used += 1
        elif field > 0:
            malformed[wrong] = line
            wrong += 1
    return numbers[:used], begins[:used], ends[:used], lines[:used], malformed[:wrong]


def _explain_malformed(data: bytes, malformed: NDArray[np.int64]) -> dict[int, str]:
    """Say what is wrong with lines that are not five numbers and an encoding, by line number."""
    if not len(malformed):
        return {}
    contents = data.split(b"\n")
    fields = {int(line): len(contents[line - 1].split()) for line in malformed}
    return {
        line: f"frame, object id, class, height and width must be whole numbers below {_LARGEST}"
        if count == 6
        else f"has {count} fields, not the 6 of `frame object_id class_id height width rle`"
        for line, count in fields.items()
    }


def _wrong_numbers(numbers: NDArray[np.int64], lines: NDArray[np.int64]) -> dict[int, str]:
    """Return what is wrong with the numbers of each line, by line number."""
    bad: dict[int, str] = {}
    if not len(numbers):
        return bad
    _, object_id, class_id, height, width = numbers.T
    size = (height[0], width[0])
    checks = [
        (~np.isin(class_id, list(CATEGORY_NAMES)), "has a class other than 1 (car), 2 (pedestrian), 10 (ignore)"),
        (object_id // 1000 != class_id, "has an object id that is not class * 1000 + instance"),
        ((height < 1) | (width < 1) | (height * width >= 1 << 31), "has an impossible height or width"),
        ((height != size[0]) | (width != size[1]), f"has another size than the first line's {size[0]} x {size[1]}"),
    ]
    for wrong, problem in checks:
        for row in np.flatnonzero(wrong):
            bad.setdefault(int(lines[row]), problem)
    return bad


def _repeated(numbers: NDArray[np.int64], lines: NDArray[np.int64]) -> dict[int, str]:
    """Return, by line number, the lines that give an object a second time in a frame."""
    frame, object_id = numbers[:, 0], numbers[:, 1]
    order = np.lexsort((lines, object_id, frame))
    again = order[1:][(np.diff(frame[order]) == 0) & (np.diff(object_id[order]) == 0)]
    return {int(lines[row]): f"object {object_id[row]} is in frame {frame[row]} a second time" for row in again}


@dataclass(frozen=True)
class MotsImages:
    """A sequence in a folder of 16-bit PNG label maps. See `datagen.tracks.Video`."""

    source: str
    name: str
    root: Path
    path: Path

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        paths = {int(path.stem): path for path in _frames(self.path)}
        inputs: dict[str, str] = {}
        left_out: list[str] = []
        frames: list[int] = []
        maps: list[NDArray[np.uint16]] = []
        size: tuple[int, int] | None = None
        for frame in range(min(paths), max(paths) + 1):
            try:
                if frame not in paths:
                    raise BadInputError(self.path, f"there is no label map of frame {frame}", f"frame {frame}")
                data = _read_bytes(paths[frame])
                labels, *new_size = read_label_map(data, paths[frame], sampling)
                if size is not None and tuple(new_size) != size:
                    raise BadInputError(
                        paths[frame],
                        f"is {new_size[0]} x {new_size[1]} pixels, the frames before it {size[0]} x {size[1]}",
                    )
                known = np.isin(labels // 1000, [0, *CATEGORY_NAMES]) & ((labels >= 1000) | (labels == 0))
                if not known.all():
                    raise BadInputError(
                        paths[frame],
                        f"holds label {labels[~known][0]}, of a class other than 1 (car), 2 (pedestrian), 10 (ignore)",
                    )
            except BadInputError as error:
                if not skip_bad:
                    raise
                left_out.append(str(error).replace(str(self.root), self.source))
                continue
            size = (new_size[0], new_size[1])
            inputs[_label(self.source, self.root, paths[frame])] = hashlib.sha256(data).hexdigest()
            frames.append(frame)
            maps.append(labels)
        masks, row, object_id = _masks_of_labels(np.stack(maps) if maps else np.zeros((0, 1, 1), np.uint16))
        return Tracks(
            source=self.source,
            video=self.name,
            frame=np.array(frames, dtype=np.int64)[row],
            object_id=object_id,
            category_id=object_id // 1000,
            masks=masks,
            category_names=CATEGORY_NAMES,
            inputs=inputs,
            left_out=left_out,
        )


def _masks_of_labels(labels: NDArray[np.uint16]) -> tuple[Masks, NDArray[np.int64], NDArray[np.int64]]:
    """Take label maps (T, H, W) apart into a mask for each map and label, with its map and label."""
    _, height, width = labels.shape
    starts, stops, owners = _runs_of_labels(labels)
    # Owners are (map, label) in one number; a stable sort keeps the runs of each in order.
    order = np.argsort(owners, kind="stable")
    keys, counts = np.unique(owners, return_counts=True)
    masks = Masks(height, width, starts[order], stops[order], np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
    return masks, keys >> 16, keys & 0xFFFF


@njit(cache=True, nogil=True)
def _runs_of_labels(labels):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    count, height, width = labels.shape
    total = 0
    for fill in range(2):  # count, then fill
        if fill:
            starts = np.empty(total, np.int32)
            stops = np.empty(total, np.int32)
            owners = np.empty(total, np.int64)
        total = 0
        for t in range(count):
            last = 0
            for x in range(width):
                for y in range(height):
                    label = np.int64(labels[t, y, x])
                    if label != last:
                        if fill and last:
                            stops[total - 1] = x * height + y
                        if label:
                            if fill:
                                starts[total] = x * height + y
                                owners[total] = (t << 16) | label
                            total += 1
                        last = label
            if fill and last:
                stops[total - 1] = width * height
    return starts, stops, owners


def _label(source: str, root: Path, path: Path) -> str:
    """Name a file without saying where on this machine it lies."""
    return f"{source}/{path.relative_to(root).as_posix()}"


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(path, f"cannot be read ({error.strerror})") from None
