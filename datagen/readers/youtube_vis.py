"""YouTube-VOS / YouTube-VIS annotations (Yang, Fan, Xu, ICCV 2019), and OVIS, UVO and LV-VIS, which are written alike.

An annotation is a track: ``segmentations`` has an entry for every frame of its video, null where the object is absent.
"""

from __future__ import annotations

from itertools import groupby

import msgspec

from datagen.errors import BadInputError
from datagen.readers.annotation_file import AnnotatedVideo, AnnotationFile
from datagen.readers.instance_sets import SETS
from datagen.readers.json_file import ASK_FOR_AUTOMATIC, Int64
from datagen.readers.reader import Reader, Source
from datagen.readers.segmentations import JSON_ERRORS
from datagen.tracks import Sampling, Tracks, Video

__all__ = ["READER", "YoutubeVisVideo", "find_videos"]


class _Annotation(msgspec.Struct):
    id: Int64
    video_id: Int64
    category_id: Int64
    segmentations: list[msgspec.Raw]


# UVO has files of masks between those that people drew.
_INTERPOLATED = "with_interpolation"

_decoder = msgspec.json.Decoder(_Annotation, strict=False)  # ids may be texts, or floats that are whole


def find_videos(file: AnnotationFile) -> list[Video]:
    """Find the videos of a file.

    Parameters
    ----------
    file : AnnotationFile
        The file.

    Returns
    -------
    list of Video
        Annotations that follow each other and are of one video, together; so all annotations keep their order.

    Raises
    ------
    BadInputError
        If none of the annotations can be used.
    """
    problems: dict[str, str] = {}
    annotations: list[_Annotation] = []
    seen: set[int] = set()
    for number, raw in enumerate(file.annotations):
        try:
            annotation = _decoder.decode(raw)
        except JSON_ERRORS as error:
            problems[f"annotations[{number}]"] = str(error)
            continue
        problem = file.problem_of(annotation.video_id, annotation.category_id)
        if problem is None:
            frames, given = file.videos[annotation.video_id].num_frames, len(annotation.segmentations)
            if frames not in (None, given):
                problem = f"it has {given} segmentations, its video {frames} frames"
            elif annotation.id in seen:
                problem = "an annotation before it has the same id"
        seen.add(annotation.id)
        if problem:
            problems[f"annotation {annotation.id}"] = problem
        else:
            annotations.append(annotation)
    if not annotations:
        if problems:
            raise file.error(*next(iter(problems.items())))
        raise BadInputError(file.path, file.none)
    videos: list[Video] = []
    for video_id, group in groupby(annotations, lambda annotation: annotation.video_id):
        # What is wrong with the file as a whole is reported with its first video.
        videos.append(YoutubeVisVideo(file, file.videos[video_id], list(group), problems if not videos else {}))
    return videos


class YoutubeVisVideo(AnnotatedVideo):
    """Annotations of one video. See `datagen.tracks.Video`."""

    track_name = "annotation"

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        objects = [(each.id, each.category_id, len(each.segmentations)) for each in self.annotations]
        segmentations = [
            (frame, each.id, each.category_id, segmentation)
            for each in self.annotations
            for frame, segmentation in enumerate(each.segmentations)
        ]
        return self.make_tracks(segmentations, objects, sampling, skip_bad)


def _find(source: Source) -> list[Video] | None:
    file = source.annotation_file
    if file is None or file.images:
        return None
    if _INTERPOLATED in file.path.stem and not source.automatic:
        raise BadInputError(file.path, f"holds interpolated masks; {ASK_FOR_AUTOMATIC}")
    return find_videos(file)


READER = Reader(
    name="youtube-vis",
    title="YouTube-VIS: JSON whose annotations are tracks, as of OVIS, UVO and LV-VIS too",
    sets=SETS,
    find=_find,
)
