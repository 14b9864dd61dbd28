"""BDD100K's multi-object tracking and segmentation (Yu et al., CVPR 2020) in the JSON of scalabel.

A file is a list of frames, or an object with ``frames``, of one video or several. Labels with an ``rle`` are masks of
objects, those of a crowd or an ignored region of none. Object ids are texts: where all of a video are whole numbers,
they are kept, else objects are numbered from 1 in the order in which they are first seen.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec

from datagen.errors import BadInputError
from datagen.masks import is_frame_size
from datagen.readers.archives import files_below, read_head
from datagen.readers.json_file import JsonFile, bad_annotation, make_tracks, read_json_file
from datagen.readers.reader import AnnotatedSet, Reader, Source
from datagen.readers.segmentations import JSON_ERRORS
from datagen.tracks import Sampling, Tracks, Video, printable_name

__all__ = ["READER", "ScalabelFile", "ScalabelVideo"]

BDD100K = "bdd100k-mots"

_CATEGORIES = ["pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"]
_NUMBERS = {name: number for number, name in enumerate(_CATEGORIES, start=1)}
_RATE = 5.0
_HEAD = 1 << 12
_VIDEO_NAME = re.compile(rb'"videoName"(?:\s*:\s*("(?:[^"\\]|\\.)*"))?')

# There may be a hundred thousand of them, too many to look into.
_OF_SA_V = ("_manual.json", "_auto.json")

# Tables have a column a frame, so that a frame far off would fill the memory.
_Index = Annotated[int, msgspec.Meta(ge=0, lt=1_000_000)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class _Frame(msgspec.Struct):
    videoName: _Name
    frameIndex: _Index
    labels: list[msgspec.Raw] | None = None


class _Attributes(msgspec.Struct):
    crowd: bool | None = None
    ignored: bool | None = None


class _Label(msgspec.Struct):
    id: _Name | int
    category: _Name | None = None
    rle: msgspec.Raw = msgspec.Raw(b"null")
    poly2d: Any = None
    attributes: _Attributes | None = None

    @property
    def is_object(self) -> bool:
        """Whether it is of an object, not of a crowd or an ignored region."""
        return self.attributes is None or not (self.attributes.crowd or self.attributes.ignored)


class _Size(msgspec.Struct):
    size: tuple[int, int]


class _File(msgspec.Struct):
    frames: list[msgspec.Raw]


_frame_decoder = msgspec.json.Decoder(_Frame, strict=False)
_label_decoder = msgspec.json.Decoder(_Label)
_size_decoder = msgspec.json.Decoder(_Size)


def find_videos(json: JsonFile) -> list[ScalabelVideo]:
    """Find the videos of a file, in the order of their first frames.

    Raises
    ------
    BadInputError
        If not one of its frames can be used.
    """
    frames = json.items or json.decode(_File, "BDD100K's form").frames
    videos: dict[str, ScalabelVideo] = {}
    problems: dict[str, str] = {}
    for number, raw in enumerate(frames):
        try:
            frame = _frame_decoder.decode(raw)
        except JSON_ERRORS as error:
            problems[f"frames[{number}]"] = str(error)
            continue
        video = videos.setdefault(frame.videoName, ScalabelVideo(frame.videoName, json.path, json.sha256))
        if frame.frameIndex in video.frames:
            problems[f"frames[{number}]"] = f"video {frame.videoName} has a frame {frame.frameIndex} before it"
        else:
            video.frames[frame.frameIndex] = frame.labels or []
    if not videos:
        if problems:
            raise bad_annotation(json.path, *next(iter(problems.items())))
        raise BadInputError(json.path, "holds no frames")
    found = list(videos.values())
    # What is wrong with the file as a whole is reported with its first video.
    return [replace(found[0], problems=problems), *found[1:]]


@dataclass(frozen=True)
class ScalabelVideo:
    """A video of a file. See `datagen.tracks.Video`.

    Attributes
    ----------
    sha256 : str
        Of the file.
    frames : dict of int to list of msgspec.Raw
        Labels by frame.
    problems : dict of str to str
        What is wrong, by where, in frames of the file that are of no video.
    """

    name: str
    path: Path
    sha256: str
    frames: dict[int, list[msgspec.Raw]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    source: str = BDD100K

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        problems = dict(self.problems)
        labels: list[tuple[int, _Label]] = []
        category: dict[str, str] = {}  # by id
        size = None
        for index in sorted(self.frames):
            seen: set[str] = set()
            for number, raw in enumerate(self.frames[index]):
                where = f"video {self.name}, frame {index}, labels[{number}]"
                try:
                    label = _label_decoder.decode(raw)
                    text = str(label.id)
                    if not label.is_object:
                        continue
                    if problem := _problem_of(label, text in seen, category.get(text)):
                        problems[where] = problem
                        continue
                    size = size or _size_decoder.decode(label.rle).size
                except JSON_ERRORS as error:
                    problems[where] = str(error)
                    continue
                seen.add(text)
                category[text] = label.category or ""
                labels.append((index, label))
        if size is not None and not is_frame_size(*size):
            problems = {f"video {self.name}": f"no frame has {size[0]} x {size[1]} pixels"} | problems
            labels = []
        objects = _numbers_of(list(category))
        return make_tracks(
            self,
            self.sha256,
            size if size is not None and labels else (1, 1),
            [
                (index, objects[str(label.id)], _number_of_category(label.category or ""), label.rle)
                for index, label in labels
            ],
            [
                (number, _number_of_category(category[text]), max(self.frames) + 1)
                for text, number in objects.items()
                if labels
            ],
            {_number_of_category(name): name for name in category.values()},
            track_name=f"video {self.name}, object",
            problems=problems,
            sampling=sampling,
            skip_bad=skip_bad,
            frames_per_second=_RATE,
        )


def _problem_of(label: _Label, is_again: bool, category: str | None) -> str | None:
    """Say what is wrong with a label, with the category that its object had before."""
    if bytes(label.rle) == b"null":
        if label.poly2d:
            return "its mask is a polygon (of Bezier curves), which is not read; give the files with `rle`"
        return "it has no mask (`rle`)"
    if label.category is None:
        return f"object {label.id} has no category"
    if is_again:
        return f"object {label.id} is in this frame a second time"
    if category not in (None, label.category):
        return f"object {label.id} is a {category} before, a {label.category} here"
    return None


def _numbers_of(texts: list[str]) -> dict[str, int]:
    """Return the objects of a video by their ids, which are in the order in which they are first seen."""
    if all(text.isascii() and text.isdigit() and len(text) < 19 and str(int(text)) == text for text in texts):
        return {text: int(text) for text in texts}
    return {text: number for number, text in enumerate(texts, start=1)}


def _number_of_category(name: str) -> int:
    """Return the number of a category; one of own data has the same in all files, which are read one by one."""
    return _NUMBERS.get(name) or 1000 + zlib.crc32(name.encode("utf-8", "replace"))


@dataclass(frozen=True)
class ScalabelFile:
    """A file of one video, as they lie in a folder. See `datagen.tracks.Video`."""

    name: str
    path: Path
    source: str = BDD100K

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        try:
            videos = find_videos(read_json_file(self.path))
            if len(videos) > 1:
                raise BadInputError(self.path, f"holds {len(videos)} videos; give the file itself, not its folder")
            return replace(videos[0], name=self.name).read(sampling, skip_bad)
        except BadInputError as error:
            if not skip_bad:
                raise
            return Tracks.left_out_whole(self, error.problem)


def _find(source: Source) -> list[Video] | None:
    if source.is_folder:
        paths = [path for path in files_below(source.path, ".json") if not path.name.endswith(_OF_SA_V)]
        names = ((path, _name_of_video(path)) for path in paths)
        return [ScalabelFile(name, path) for path, name in names if name is not None] or None
    json = source.json_file
    if json is None or (("videos" in json.parts or "frames" not in json.parts) and not _is_list_of_frames(json)):
        return None
    return [*find_videos(json)]


def _name_of_video(path: Path) -> str | None:
    """Return the video of the first frame of a file, by how the file begins; None if it is of another form."""
    found = _VIDEO_NAME.search(read_head(path, _HEAD))
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[1] or b"null", type=_Name)
    except JSON_ERRORS:  # reading says what is wrong
        return printable_name(path.stem)


def _is_list_of_frames(json: JsonFile) -> bool:
    try:
        first = msgspec.json.decode(json.items[0], type=dict[str, msgspec.Raw]) if json.items else {}
    except JSON_ERRORS:
        return False
    return "videoName" in first or {"name", "labels"} <= first.keys()


READER = Reader(
    name="bdd100k",
    title="BDD100K: scalabel JSON whose labels have run lengths, a file or a folder of them",
    sets=(
        AnnotatedSet(
            id=BDD100K,
            name="BDD100K MOTS",
            url="https://doc.bdd100k.com/format.html",
            licence="BDD100K licence (research only)",
            citation=(
                "F. Yu et al.: BDD100K: A Diverse Driving Dataset for Heterogeneous Multitask Learning. CVPR 2020."
            ),
            frames_per_second=_RATE,
            how_to_get=(
                "Register at http://bdd-data.berkeley.edu/, accept the licence, and take the labels of MOTS 2020: of "
                "seg_track_20, the folder rles (not polygons)."
            ),
        ),
    ),
    find=_find,
)
