"""What the JSON files of video instance segmentation share: one object with ``videos``, ``annotations`` and so on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from datagen.errors import BadInputError
from datagen.masks import is_frame_size
from datagen.readers.instance_sets import YOUTUBE_VIS_NAMES, set_of
from datagen.readers.json_file import Int64, JsonFile, bad_annotation, make_tracks
from datagen.readers.other_forms import name_of_json
from datagen.readers.segmentations import JSON_ERRORS
from datagen.tracks import Sampling, Tracks, printable_name

__all__ = [
    "AnnotatedVideo",
    "AnnotationFile",
    "VideoEntry",
    "read_annotation_file",
]

# Every row of a table holds its names.
_LONGEST_NAME = 1000


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
    annotations: list[msgspec.Raw] | None
    images: list[msgspec.Raw] = []
    categories: list[_Category] | None = None
    info: msgspec.Raw = msgspec.Raw(b"null")


class _Info(msgspec.Struct):
    description: Any = None


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
        The data set, as ``"youtube-vis"`` (`datagen.readers.instance_sets`), or the name of the file where it is none
        of them.
    frames_per_second : float or None
        Of that data set.
    videos : dict of int to VideoEntry
        Its videos by id.
    names : dict of int to str
        Name of every video by id.
    category_names : dict of int to str
        The categories that have a name; those of YouTube-VIS 2019 where the file has none.
    annotations, images : list of msgspec.Raw
        The entries as they stand in the file.
    none : str
        What to say if it has no annotation.
    """

    path: Path
    sha256: str
    source: str
    frames_per_second: float | None
    videos: dict[int, VideoEntry]
    names: dict[int, str]
    category_names: dict[int, str]
    annotations: list[msgspec.Raw]
    images: list[msgspec.Raw]
    none: str = "holds no annotations"

    def problem_of(self, video_id: int, category_id: int) -> str | None:
        """Say what is wrong with the video and the category that an annotation names."""
        if video_id not in self.videos:
            return f"video {video_id} is not among the videos of the file"
        height, width = self.videos[video_id].size
        if not is_frame_size(height, width):
            return f"video {video_id} has no possible height and width ({height} x {width})"
        if category_id not in self.category_names:
            return f"category {category_id} has no name in the file"
        return None

    def error(self, where: str, problem: str) -> BadInputError:
        """Make the error of a bad annotation."""
        return bad_annotation(self.path, where, problem)


@dataclass(frozen=True)
class AnnotatedVideo(ABC):
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

    @abstractmethod
    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""

    def make_tracks(
        self,
        segmentations: Sequence[tuple[int, int, int, msgspec.Raw]],
        objects: list[tuple[int, int, int]],
        sampling: Sampling | None,
        skip_bad: bool,
    ) -> Tracks:
        """Put tracks together; see `datagen.readers.json_file.make_tracks`."""
        return make_tracks(
            self,
            self.file.sha256,
            self.entry.size,
            segmentations,
            objects,
            self.file.category_names,
            track_name=self.track_name,
            problems=self.problems,
            sampling=sampling,
            skip_bad=skip_bad,
            frames_per_second=self.file.frames_per_second,
        )


def read_annotation_file(json: JsonFile) -> AnnotationFile:
    """Read a file.

    Parameters
    ----------
    json : JsonFile
        As of YouTube-VIS, OVIS or CocoVID.

    Returns
    -------
    AnnotationFile

    Raises
    ------
    BadInputError
        If it lacks what every such file has, or is of a form that is known and not read.
    """
    path = json.path
    try:
        file = msgspec.json.decode(json.data, type=_File, strict=False)  # ids may be texts, or floats that are whole
    except JSON_ERRORS as error:
        problem = name_of_json(json.parts) or f"is no file of video annotations ({error})"
        raise BadInputError(path, problem) from None
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
    for what, named in (("video", names), ("category", category_names)):
        for number, name in named.items():
            if len(name) > _LONGEST_NAME:
                raise BadInputError(
                    path, f"{what} {number} has a name of {len(name)} characters; give it a shorter one"
                )
    known = set_of(_description(file.info), path.stem, category_names)
    return AnnotationFile(
        path=path,
        sha256=json.sha256,
        source=known.id if known else printable_name(path.stem),
        frames_per_second=known.frames_per_second if known else None,
        videos={video.id: video for video in file.videos},
        names=names,
        category_names=category_names,
        annotations=file.annotations or [],
        images=file.images,
        none="holds no annotations" + (" (is it that of a validation or test split?)" if not file.annotations else ""),
    )


def _name(video: VideoEntry) -> str:
    """Return the name of a video: as given, else the folder of its frames, else its id."""
    if video.name:
        return video.name
    folder = video.file_names[0].rpartition("/")[0] if video.file_names else ""
    return folder or str(video.id)


def _description(info: msgspec.Raw) -> str:
    try:
        described = msgspec.json.decode(info, type=_Info).description
    except JSON_ERRORS:
        described = None
    return described if isinstance(described, str) else ""
