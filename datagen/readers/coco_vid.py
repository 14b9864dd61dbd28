"""CocoVID annotations (of mmtracking): one a frame, those of one object held together by ``instance_id``."""

from __future__ import annotations

from typing import Annotated

import msgspec

from datagen.errors import BadInputError
from datagen.readers.annotation_file import AnnotatedVideo, AnnotationFile, Int64
from datagen.readers.segmentations import JSON_ERRORS
from datagen.tracks import Sampling, Tracks, Video

__all__ = ["CocoVidVideo", "find_videos"]


class _Image(msgspec.Struct):
    id: Int64
    video_id: Int64
    # Tables have a column a frame, so that a frame far off would fill the memory.
    frame_id: Annotated[int, msgspec.Meta(ge=0, lt=1_000_000)]
    height: Int64 | None = None
    width: Int64 | None = None


class _Annotation(msgspec.Struct):
    image_id: Int64
    instance_id: Int64
    category_id: Int64
    segmentation: msgspec.Raw


_annotation_decoder = msgspec.json.Decoder(_Annotation)


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
    for number, raw in enumerate(file.images):
        try:
            image = msgspec.json.decode(raw, type=_Image)
        except JSON_ERRORS as error:
            raise BadInputError(file.path, str(error), f"images[{number}]") from None
        if image.id in images:
            raise BadInputError(file.path, f"an image before it has the id {image.id} too", f"images[{number}]")
        images[image.id] = image
        entry = file.videos.get(image.video_id)
        if entry is not None:
            entry.height = entry.height or image.height
            entry.width = entry.width or image.width

    problems: dict[str, str] = {}
    annotations: dict[int, list[tuple[int, _Annotation]]] = {}  # frame and annotation by video
    seen: set[tuple[int, int]] = set()
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
        problem = file.problem_of(image.video_id, annotation.category_id)
        if (image.id, annotation.instance_id) in seen:
            problem = f"instance {annotation.instance_id} is in image {image.id} a second time"
        seen.add((image.id, annotation.instance_id))
        if problem:
            problems[where] = problem
        else:
            annotations.setdefault(image.video_id, []).append((image.frame_id, annotation))
    if not annotations:
        if problems:
            raise file.error(*next(iter(problems.items())))
        raise BadInputError(file.path, "holds no annotations")
    # What is wrong with the file as a whole is told with its first video.
    first = next(iter(annotations))
    return [
        CocoVidVideo(file, file.videos[video_id], each, problems if video_id == first else {})
        for video_id, each in annotations.items()
    ]


class CocoVidVideo(AnnotatedVideo):
    """Annotations of one video, with their frames. See `datagen.tracks.Video`."""

    track_name = "instance"

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        frames = 1 + max(frame for frame, _ in self.annotations)
        objects = {each.instance_id: (each.instance_id, each.category_id, frames) for _, each in self.annotations}
        segmentations = [
            (frame, each.instance_id, each.category_id, each.segmentation) for frame, each in self.annotations
        ]
        return self.make_tracks(segmentations, list(objects.values()), sampling, skip_bad)
