"""YouTube-VOS / YouTube-VIS annotations (Yang, Fan, Xu, ICCV 2019), and OVIS, which is written alike.

An annotation is a track: ``segmentations`` has an entry for every frame of its video, null where the object is absent.
"""

from __future__ import annotations

from itertools import groupby

import msgspec

from datagen.errors import BadInputError
from datagen.readers.annotation_file import OVIS, YOUTUBE_VIS, AnnotatedVideo, AnnotationFile
from datagen.readers.json_file import Int64
from datagen.readers.reader import AnnotatedSet, Reader, Source
from datagen.readers.segmentations import JSON_ERRORS
from datagen.tracks import Sampling, Tracks, Video

__all__ = ["READER", "YoutubeVisVideo", "find_videos"]


class _Annotation(msgspec.Struct):
    id: Int64
    video_id: Int64
    category_id: Int64
    segmentations: list[msgspec.Raw]


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
        # What is wrong with the file as a whole is told with its first video.
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
    return None if file is None or file.images else find_videos(file)


READER = Reader(
    name="youtube-vis",
    title="YouTube-VIS: JSON whose annotations are tracks, as of OVIS too",
    sets=(
        AnnotatedSet(
            id=YOUTUBE_VIS,
            name="YouTube-VIS 2019 (annotations of YouTube-VOS)",
            url="https://youtube-vos.org/dataset/vis/",
            licence="CC BY 4.0",
            citation="L. Yang, Y. Fan, N. Xu: Video Instance Segmentation. ICCV 2019.",
            frames_per_second=6,
            how_to_get=(
                "Register at https://youtube-vos.org/dataset/vis/, accept the terms, and take train.json of the 2019 "
                "annotations; the videos are not needed."
            ),
        ),
        AnnotatedSet(
            id=OVIS,
            name="OVIS",
            url="https://songbai.site/ovis/",
            licence="CC BY-NC-SA 4.0",
            citation="J. Qi et al.: Occluded Video Instance Segmentation: A Benchmark. IJCV 2022.",
            frames_per_second=None,  # 3 to 6
            how_to_get="Register at https://songbai.site/ovis/, accept the terms, and take annotations_train.json.",
        ),
    ),
    find=_find,
)
