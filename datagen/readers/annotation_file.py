"""What the JSON files of video instance segmentation share: one object with ``videos``, ``annotations`` and so on.

The file is kept as its bytes, and an annotation is a view of them until it is its turn: masks written as lists of
numbers would take many times the file as Python objects.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from datagen.errors import BadInputError, UsageError
from datagen.readers.segmentations import JSON_ERRORS, decode_segmentations
from datagen.tracks import Sampling, Tracks

__all__ = ["YOUTUBE_VIS_NAMES", "AnnotatedVideo", "AnnotationFile", "Int64", "VideoEntry", "read_annotation_file"]

_NAMES = (
    "person giant_panda lizard parrot skateboard sedan ape dog snake monkey hand rabbit duck cat cow fish train horse "
    "turtle bear motorbike giraffe leopard fox deer owl surfboard airplane truck zebra tiger elephant snowboard boat "
    "shark mouse frog eagle earless_seal tennis_racket"
)
YOUTUBE_VIS_NAMES = dict(enumerate(_NAMES.split(), start=1))
"""The categories of YouTube-VIS 2019."""

YOUTUBE_VIS = "youtube-vis"
OVIS = "ovis"


Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""A whole number that an array holds."""


class VideoEntry(msgspec.Struct):
    """An entry of ``videos``."""

    id: Int64
    height: Int64 | None = None
    width: Int64 | None = None
    length: Int64 | None = None
    name: str | None = None
    file_names: list[str] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels; 0 where the entry does not say them."""
        return self.height or 0, self.width or 0

    @property
    def num_frames(self) -> int | None:
        """Number of frames, where the entry says it."""
        return self.length if self.file_names is None else len(self.file_names)


class _Category(msgspec.Struct):
    id: Int64
    name: str | None = None


class _File(msgspec.Struct):
    videos: list[VideoEntry]
    annotations: list[msgspec.Raw]
    images: list[msgspec.Raw] = []
    categories: list[_Category] | None = None
    info: Any = None


@dataclass(frozen=True)
class AnnotationFile:
    """A file, read but for its annotations.

    Attributes
    ----------
    path : Path
        The file.
    sha256 : str
        Of its bytes.
    source : str
        The data set: ``"youtube-vis"``, ``"ovis"``, or the name of the file where it is neither.
    videos : dict of int to VideoEntry
        Its videos by id.
    names : dict of int to str
        Name of every video by id.
    category_names : dict of int to str
        The categories that have a name; those of YouTube-VIS 2019 where the file has none.
    annotations, images : list of msgspec.Raw
        The entries as they stand in the file.
    """

    path: Path
    sha256: str
    source: str
    videos: dict[int, VideoEntry]
    names: dict[int, str]
    category_names: dict[int, str]
    annotations: list[msgspec.Raw]
    images: list[msgspec.Raw]

    @property
    def inputs(self) -> dict[str, str]:
        """Its checksum by its name."""
        return {f"{self.source}/{self.path.name}": self.sha256}

    def problem_of(self, video_id: int, category_id: int) -> str | None:
        """Say what is wrong with the video and the category that an annotation names."""
        if video_id not in self.videos:
            return f"video {video_id} is not among the videos of the file"
        height, width = self.videos[video_id].size
        if height < 1 or width < 1 or height * width >= 1 << 31:
            return f"video {video_id} has no possible height and width"
        if category_id not in self.category_names:
            return f"category {category_id} has no name in the file"
        return None

    def error(self, where: str, problem: str) -> BadInputError:
        """Make the error of a bad annotation."""
        return BadInputError(self.path, f"{problem}; mend it or leave it out with --skip-bad", where)

    def lines(self, problems: dict[str, str]) -> list[str]:
        """Tell problems by where they are as lines of a manifest."""
        return [f"{self.source}/{self.path.name}, {where}: {problem}" for where, problem in problems.items()]


@dataclass(frozen=True)
class AnnotatedVideo:
    """One video of a file; what its formats share. See `datagen.tracks.Video`.

    Attributes
    ----------
    file : AnnotationFile
        The file.
    entry : VideoEntry
        The video.
    annotations : list
        Its annotations, as far as they are read already.
    problems : dict of str to str
        What is wrong, by where, in annotations of the file that are of no video.
    """

    track_name: ClassVar[str]
    """What the format calls a track."""

    file: AnnotationFile
    entry: VideoEntry
    annotations: list[Any]
    problems: dict[str, str]

    @property
    def source(self) -> str:
        """See `datagen.tracks.Video`."""
        return self.file.source

    @property
    def name(self) -> str:
        """See `datagen.tracks.Video`."""
        return self.file.names[self.entry.id]

    @property
    def path(self) -> Path:
        """See `datagen.tracks.Video`."""
        return self.file.path

    def make_tracks(
        self,
        segmentations: list[tuple[int, int, int, msgspec.Raw]],
        objects: list[tuple[int, int, int]],
        sampling: Sampling | None,
        skip_bad: bool,
    ) -> Tracks:
        """Decode masks and put tracks together.

        Parameters
        ----------
        segmentations : list
            Frame, object, category and segmentation of every mask.
        objects : list
            As `Tracks.objects`.
        sampling, skip_bad
            As of `datagen.tracks.Video.read`.
        """
        table = np.array([row[:3] for row in segmentations], dtype=np.int64).reshape(-1, 3)
        masks, bad = decode_segmentations([row[3] for row in segmentations], *self.entry.size)
        problems = dict(self.problems)
        problems.update({f"{self.track_name} {table[row, 1]}, frame {table[row, 0]}": bad[row] for row in sorted(bad)})
        if problems and not skip_bad:
            raise self.file.error(*next(iter(problems.items())))
        order = np.argsort(table[:, 0], kind="stable")
        order = order[masks.areas()[order] > 0]  # an empty mask is none
        table, masks = table[order], masks.select(order)
        return Tracks(
            source=self.source,
            video=self.name,
            frame=table[:, 0],
            object_id=table[:, 1],
            category_id=table[:, 2],
            masks=masks if sampling is None else masks.sample(sampling(*self.entry.size)),
            category_names=self.file.category_names,
            inputs=self.file.inputs,
            left_out=self.file.lines(problems),
            objects=np.array(objects, dtype=np.int64).reshape(-1, 3),
        )


def read_annotation_file(path: str | Path) -> AnnotationFile:
    """Read a file.

    Parameters
    ----------
    path : str or Path
        JSON as of YouTube-VIS, OVIS or CocoVID.

    Returns
    -------
    AnnotationFile

    Raises
    ------
    UsageError
        If there is no such file.
    BadInputError
        If it is not JSON or lacks what every such file has.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    try:
        data = path.read_bytes()
        file = msgspec.json.decode(data, type=_File)
    except MemoryError:
        raise BadInputError(path, "does not fit into memory") from None
    except msgspec.ValidationError as error:
        raise BadInputError(path, f"is no file of video annotations ({error})") from None
    except JSON_ERRORS as error:
        place = re.search(r" \((byte \d+)\)", str(error))
        reason = str(error).replace(place[0], "") if place else str(error)
        raise BadInputError(path, f"is damaged or no JSON ({reason})", place[1] if place else None) from None
    names = {video.id: _name(video) for video in file.videos}
    if len(names) < len(file.videos):
        twice = Counter(video.id for video in file.videos).most_common(1)[0][0]
        raise BadInputError(path, f"lists video {twice} twice; an id is of one video")
    if len(set(names.values())) < len(names):
        names = {video.id: str(video.id) for video in file.videos}
    category_names = (
        {category.id: category.name for category in file.categories if category.name}
        if file.categories
        else YOUTUBE_VIS_NAMES
    )
    return AnnotationFile(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        source=_source(path, file.info, category_names),
        videos={video.id: video for video in file.videos},
        names=names,
        category_names=category_names,
        annotations=file.annotations,
        images=file.images,
    )


def _name(video: VideoEntry) -> str:
    """Return the name of a video: as given, else the folder of its frames, else its id."""
    if video.name:
        return video.name
    folder = video.file_names[0].rpartition("/")[0] if video.file_names else ""
    return folder or str(video.id)


def _source(path: Path, info: Any, category_names: dict[int, str]) -> str:
    if isinstance(info, dict) and info.get("description") == "OVIS":
        return OVIS
    return YOUTUBE_VIS if category_names == YOUTUBE_VIS_NAMES else path.stem
