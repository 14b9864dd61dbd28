"""CocoVID annotations (of mmtracking): one per frame, those of one object held together by ``instance_id``.

(TAO, which is written alike, calls it ``track_id``, and the number of a frame ``frame_index``.)
"""

from __future__ import annotations

import warnings
from itertools import product
from typing import Annotated, NamedTuple

import msgspec

from datagen.errors import BadInputError, DatagenWarning
from datagen.readers.annotation_file import AnnotatedVideo, AnnotationFile
from datagen.readers.json_file import Int64
from datagen.readers.reader import Reader, Source
from datagen.readers.segmentations import JSON_ERRORS
from datagen.tracks import Sampling, Tracks, Video

__all__ = ["READER", "CocoVidVideo", "find_videos"]


# Tables have a column per frame, so that a frame far off would fill the memory.
_Frame = Annotated[int, msgspec.Meta(ge=0, lt=1_000_000)]


class _Image(msgspec.Struct):
    id: Int64
    video_id: Int64
    frame_id: _Frame | None = None
    frame_index: _Frame | None = None
    height: Int64 | None = None
    width: Int64 | None = None

    @property
    def frame(self) -> int | None:
        """Number of the frame."""
        return self.frame_index if self.frame_id is None else self.frame_id


class _Annotation(msgspec.Struct):
    image_id: Int64
    category_id: Int64
    segmentation: msgspec.Raw
    instance_id: Int64 | None = None
    track_id: Int64 | None = None

    @property
    def instance(self) -> int | None:
        """The object."""
        return self.track_id if self.instance_id is None else self.instance_id


# Ids may be texts, or floats that are whole.
_image_decoder = msgspec.json.Decoder(_Image, strict=False)
_polygons_decoder = msgspec.json.Decoder(list[list[float]])
_annotation_decoder = msgspec.json.Decoder(_Annotation, strict=False)


class _Mask(NamedTuple):
    frame: int
    instance: int
    category_id: int
    segmentation: msgspec.Raw


def find_videos(file: AnnotationFile) -> list[Video]:
    """Find the videos of a file.

    Parameters
    ----------
    file : AnnotationFile
        The file. A video whose size it does not say has that of its first image.

    Returns
    -------
    list of Video
        In the order of their first annotations.

    Raises
    ------
    BadInputError
        If the list of images is damaged, or none of the annotations can be used.
    """
    images: dict[int, _Image] = {}
    frames: dict[int, dict[int, int]] = {}  # image by frame by video
    for number, raw in enumerate(file.images):
        try:
            image = _image_decoder.decode(raw)
        except JSON_ERRORS as error:
            raise BadInputError(file.path, str(error), f"images[{number}]") from None
        if image.id in images:
            raise BadInputError(file.path, f"an image before it has the id {image.id} too", f"images[{number}]")
        if image.frame is None:
            raise BadInputError(file.path, "has no `frame_id` (nor `frame_index`)", f"images[{number}]")
        other = frames.setdefault(image.video_id, {}).setdefault(image.frame, image.id)
        if other != image.id:
            same = f"image {other} is frame {image.frame} of video {image.video_id} too"
            raise BadInputError(file.path, same, f"images[{number}]")
        images[image.id] = image
        entry = file.videos.get(image.video_id)
        if entry is not None:
            entry.height = entry.height or image.height
            entry.width = entry.width or image.width

    problems: dict[str, str] = {}
    annotations: dict[int, list[_Mask]] = {}  # by video
    seen: set[tuple[int, int]] = set()
    category: dict[tuple[int, int], int] = {}  # by video and instance
    for number, raw in enumerate(file.annotations):
        where = f"annotations[{number}]"
        try:
            annotation = _annotation_decoder.decode(raw)
        except JSON_ERRORS as error:
            problems[where] = str(error)
            continue
        if annotation.image_id not in images:
            problems[where] = f"image {annotation.image_id} is not among the images of the file"
            continue
        image = images[annotation.image_id]
        if annotation.instance is None:
            problems[where] = "Expected `int`, got `null` - at `$.instance_id` (or `$.track_id`)"
            continue
        mask = _Mask(image.frame or 0, annotation.instance, annotation.category_id, annotation.segmentation)
        problem = file.problem_of(image.video_id, mask.category_id)
        if (image.id, mask.instance) in seen:
            problem = f"instance {mask.instance} is in image {image.id} a second time"
        seen.add((image.id, mask.instance))
        if problem is None:
            first = category.setdefault((image.video_id, mask.instance), mask.category_id)
            if first != mask.category_id:
                problem = f"instance {mask.instance} is of category {first} before, of {mask.category_id} here"
        if problem:
            problems[where] = problem
        else:
            annotations.setdefault(image.video_id, []).append(mask)
    if annotations and all(_is_box(mask.segmentation) for masks in annotations.values() for mask in masks):
        raise BadInputError(
            file.path,
            "its polygons are boxes, as TAO's, and boxes are no masks; BURST has masks of the videos of TAO",
        )
    if not annotations:
        if problems:
            raise file.error(*next(iter(problems.items())))
        raise BadInputError(file.path, file.none)
    _warn_of_gaps(file, {video_id: sorted(frames[video_id]) for video_id in annotations})
    # What is wrong with the file as a whole is reported with its first video.
    first = next(iter(annotations))
    return [
        CocoVidVideo(file, file.videos[video_id], each, problems if video_id == first else {})
        for video_id, each in annotations.items()
    ]


def _is_box(segmentation: msgspec.Raw) -> bool:
    """Say whether a segmentation is one polygon of four corners with sides along the axes."""
    try:
        polygons = _polygons_decoder.decode(segmentation)
    except JSON_ERRORS:
        return False
    if len(polygons) != 1 or len(polygons[0]) not in (8, 10):  # a polygon may be closed
        return False
    x, y = polygons[0][::2], polygons[0][1::2]
    return set(zip(x, y, strict=True)) == set(product((min(x), max(x)), (min(y), max(y))))


def _warn_of_gaps(file: AnnotationFile, frames: dict[int, list[int]]) -> None:
    """Say in which videos frames are not numbered one by one."""
    gaps = [video for video, numbers in frames.items() if numbers[-1] - numbers[0] >= len(numbers)]
    if gaps:
        first = ", ".join(map(str, frames[gaps[0]][:4]))
        warnings.warn(
            f"{file.path}: the frames of {len(gaps)} of {len(frames)} videos are not numbered one by one "
            f"(video {gaps[0]}: {first}, ...), and objects are not followed over a gap; to take annotated frames as "
            "neighbours, number them so in frame_id",
            DatagenWarning,
            stacklevel=2,
        )


class CocoVidVideo(AnnotatedVideo):
    """Annotations of one video, with their frames. See `datagen.tracks.Video`."""

    track_name = "instance"

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        frames = 1 + max(mask.frame for mask in self.annotations)
        objects = {mask.instance: (mask.instance, mask.category_id, frames) for mask in self.annotations}
        return self.make_tracks(self.annotations, list(objects.values()), sampling, skip_bad)


def _find(source: Source) -> list[Video] | None:
    file = source.annotation_file
    return find_videos(file) if file is not None and file.images else None


READER = Reader("coco-vid", "CocoVID: JSON that lists images, as of mmtracking and TAO", (), _find)
