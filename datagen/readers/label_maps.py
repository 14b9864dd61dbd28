"""Videos that are a folder of label maps: a PNG a frame, in which a pixel says whose it is."""

from __future__ import annotations

import hashlib
import re
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, DatagenWarning, quote
from datagen.masks import Masks
from datagen.readers.archives import list_folder, read_bytes
from datagen.tracks import Sampling, Tracks, printable_name

__all__ = ["LARGEST_FRAME", "NUMBERED", "LabelMaps", "Reading", "label_maps_in", "number_of", "step_of"]

LARGEST_FRAME = 1_000_000
"""Frames are numbered below this: above every number there is, and tables counted by frame stay small."""

NUMBERED = re.compile(r"([0-9]+)")
"""A name that is the number of a frame, nothing else."""

# Bounds the memory that whole label maps take before they become runs.
_LABELS_AT_ONCE = 1 << 24


def label_maps_in(folder: Path, pattern: re.Pattern[str] = NUMBERED) -> list[Path]:
    """Return the PNGs of a folder whose names, without suffix, match a pattern, by the number that is its group."""
    return sorted(
        (path for path in list_folder(folder) if path.suffix == ".png" and pattern.fullmatch(path.stem)),
        key=lambda path: number_of(path, pattern),
    )


def number_of(path: Path, pattern: re.Pattern[str] = NUMBERED) -> int:
    """Return the number of a label map; of far too many digits, one that is too large too."""
    match = pattern.fullmatch(path.stem)
    digits = match[1] if match else ""
    return int(digits) if 0 < len(digits) < 20 else LARGEST_FRAME


def step_of(numbers: list[int]) -> int:
    """Return how far the numbers of neighbouring frames are apart: the smallest distance there is, 1 of none."""
    steps = {after - before for before, after in pairwise(numbers)} - {0}
    return min(steps, default=1)


class LabelMaps:
    """A video in a folder of label maps; what its formats share. See `datagen.tracks.Video`."""

    source: str
    name: str
    path: Path

    frames_per_second: float | None = None
    """How many label maps make a second."""
    pattern = NUMBERED
    """How frames are named."""
    counts_own_frames = False
    """Whether frames keep their numbers. Else, where every n-th frame has a label map, these are counted from 0."""
    may_mix_sizes = True
    """Whether frames may be of several sizes, of which a view takes the same pixels."""
    may_lack_frames = False
    """Whether it is no fault if a frame in the middle has no label map."""

    def decode(self, data: bytes, path: Path, sampling: Sampling | None) -> tuple[NDArray[Any], int, int]:
        """Return the labels of a file at the sampled pixels, 0 for nothing, and the size of the whole picture."""
        raise NotImplementedError

    def objects_of(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the object and the category of each mask by its label. Masks of object 0 are left out."""
        raise NotImplementedError

    def names_of(self, category_id: NDArray[np.int64]) -> dict[int, str]:
        """Return the names of categories."""
        raise NotImplementedError

    def listed_objects(self, frames: int) -> NDArray[np.int64]:
        """Return `Tracks.objects` of the video, which has so many frames."""
        del frames
        return np.zeros((0, 3), dtype=np.int64)

    def rate_of(self, size: tuple[int, int], numbers: list[int]) -> float | None:
        """Return how many label maps make a second, of a video of frames of this size and with these numbers."""
        del size, numbers
        return self.frames_per_second

    def label_of(self, path: Path) -> str:
        """Name a file of the video without saying where on this machine it lies."""
        return "/".join(printable_name(part) for part in (self.source, self.name, *path.relative_to(self.path).parts))

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        reading = Reading(self, sampling, skip_bad)
        files = label_maps_in(self.path, self.pattern)
        numbers = [number for path in files if (number := number_of(path, self.pattern)) < LARGEST_FRAME]
        frame, masks, labels = reading.read_maps(files, 1 if self.counts_own_frames else step_of(numbers))
        if not self.counts_own_frames:
            frame = reading.count(numbers, frame)
        reading.warn_of_sizes()
        object_id, category_id = self.objects_of(labels)
        if not object_id.all():
            seen = object_id > 0
            frame, masks = frame[seen], masks.select(seen)
            object_id, category_id = object_id[seen], category_id[seen]
        return Tracks(
            source=self.source,
            video=self.name,
            frame=frame,
            object_id=object_id,
            category_id=category_id,
            masks=masks,
            category_names=self.names_of(category_id),
            inputs=reading.inputs,
            left_out=reading.left_out,
            objects=self.listed_objects(int(reading.count(numbers, np.array(numbers)).max(initial=-1)) + 1),
            frames_per_second=self.rate_of(reading.size or (0, 0), numbers),
        )


class Reading:
    """The label maps of a video while they are read: what was read and what was left out.

    Parameters
    ----------
    video : LabelMaps
        The video.
    sampling, skip_bad
        As of `datagen.tracks.Video.read`.

    Attributes
    ----------
    inputs : dict of str to str
        sha256 of the files that were read.
    left_out : list of str
        What was left out.
    size : tuple of int, or None
        Height and width of the first frame that can be read; None before.
    """

    def __init__(self, video: LabelMaps, sampling: Sampling | None, skip_bad: bool) -> None:
        self.video, self.sampling, self.skip_bad = video, sampling, skip_bad
        self.inputs: dict[str, str] = {}
        self.left_out: list[str] = []
        self.size: tuple[int, int] | None = None
        self._shape: tuple[int, ...] = ()
        self._other_sizes: dict[tuple[int, int], Path] = {}

    def leave_out(self, error: BadInputError) -> None:
        """Raise an error, or list what it says."""
        if not self.skip_bad:
            raise error
        self.left_out.append(str(BadInputError(self.video.label_of(Path(error.path)), error.problem, error.where)))

    @staticmethod
    def count(numbers: list[int], frame: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count frames from 0, one by one, where only every n-th has a number; else leave them."""
        step = step_of(numbers)
        return frame if step == 1 else (frame - min(numbers)) // step

    def read_maps(self, files: list[Path], step: int) -> tuple[NDArray[np.int64], Masks, NDArray[np.int64]]:
        """Read label maps.

        Parameters
        ----------
        files : list of Path
            Of one folder, by their numbers.
        step : int
            How far numbers of neighbours are apart.

        Returns
        -------
        frame : ndarray of int64, shape (M,)
            Number of the file.
        masks : Masks
            A mask for each file and label.
        labels : ndarray of int64, shape (M,)
            The label.
        """
        frames: list[int] = []
        maps: list[NDArray[Any]] = []  # of the last frames
        parts: list[tuple[Masks, NDArray[np.int64], NDArray[np.int64]]] = []  # of those before them
        before: int | None = None

        def take_apart(labels: NDArray[Any]) -> None:
            masks, which, values = Masks.from_labels(labels)
            parts.append((masks, np.array(frames[-len(labels) :], dtype=np.int64)[which], values))

        for path in files:
            frame = number_of(path, self.video.pattern)
            if frame >= LARGEST_FRAME:
                problem = f"is numbered too high; frames are numbered below {LARGEST_FRAME}"
                self.leave_out(BadInputError(path, problem))
                continue
            if before is not None and frame - before != step:
                broken = self._break(before, frame, step)
                if broken:
                    where = f"frame {before + step if frame > before else frame}"
                    self.leave_out(BadInputError(path.parent, broken, where))
                if frame == before:
                    continue
            before = frame
            try:
                data = read_bytes(path)
                labels, height, width = self.video.decode(data, path, self.sampling)
                self._check_size(path, (height, width), labels.shape)
            except BadInputError as error:
                self.leave_out(error)
                continue
            self.inputs[self.video.label_of(path)] = hashlib.sha256(data).hexdigest()
            frames.append(frame)
            maps.append(labels)
            if len(maps) * labels.size > _LABELS_AT_ONCE:
                take_apart(np.stack(maps))
                maps = []
        if maps:
            take_apart(np.stack(maps))
        elif not parts:
            frames = [0]
            take_apart(np.zeros((1, 1, 1), np.uint8))
        return (
            np.concatenate([part[1] for part in parts]),
            Masks.concatenate([part[0] for part in parts]),
            np.concatenate([part[2] for part in parts]),
        )

    def _check_size(self, path: Path, size: tuple[int, int], shape: tuple[int, ...]) -> None:
        """Refuse a frame of another size, but where as many pixels of it are sampled as of those before it."""
        if self.size is None:
            self.size, self._shape = size, shape
        if size != self.size:
            sizes = f"{size[0]} x {size[1]} pixels, the frames before it {self.size[0]} x {self.size[1]}"
            if not self.video.may_mix_sizes:
                raise BadInputError(path, f"is {sizes}")
            if self.sampling is None or shape != self._shape:
                how = "frames of several sizes are read in the view kitti, where they have one shape"
                raise BadInputError(path, f"is {sizes}; {how}")
            self._other_sizes.setdefault(size, path)

    def warn_of_sizes(self) -> None:
        """Say which frames are of another size than the first."""
        if self.size is not None and self._other_sizes:
            sizes = [f"{height} x {width} from {path.name} on" for (height, width), path in self._other_sizes.items()]
            warnings.warn(
                f"{quote(self.video.path)}: its frames are of several sizes, {self.size[0]} x {self.size[1]} pixels "
                f"and {', '.join(sizes)}; each is taken at its own scale",
                DatagenWarning,
                stacklevel=2,
            )

    def _break(self, before: int, frame: int, step: int) -> str | None:
        """Say what is wrong with the numbers of two files that follow each other."""
        if frame == before:
            return f"there are two label maps of frame {frame}"
        if (frame - before) % step:
            return f"frames {before} and {frame} are no multiple of {step} apart, as others are"
        if self.video.may_lack_frames:
            return None
        if frame == before + 2 * step:
            return f"there is no label map of frame {frame - step}"
        return f"there is no label map of frames {before + step} to {frame - step}"
