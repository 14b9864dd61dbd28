"""YouTube-VOS / YouTube-VIS annotations (Yang, Fan, Xu, ICCV 2019), and OVIS, which is written alike.

An annotation is a track: ``segmentations`` has an entry for every frame of its video, null where the object is absent.
"""

from __future__ import annotations

from itertools import groupby

import msgspec

from datagen.errors import BadInputError
from datagen.readers.annotation_file import AnnotatedVideo, AnnotationFile
from datagen.readers.segmentations import NULL
from datagen.tracks import Sampling, Tracks, Video

__all__ = ["YoutubeVisVideo", "find_videos"]


class _Head(msgspec.Struct):
    id: int
    video_id: int
    category_id: int


class _Body(msgspec.Struct):
    segmentations: list[msgspec.Raw]


_head_decoder = msgspec.json.Decoder(_Head)
_body_decoder = msgspec.json.Decoder(_Body)


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
    annotations: list[tuple[_Head, msgspec.Raw]] = []
    seen: set[int] = set()
    for number, raw in enumerate(file.annotations):
        try:
            head = _head_decoder.decode(raw)
        except msgspec.MsgspecError as error:
            problems[f"annotations[{number}]"] = str(error)
            continue
        problem = file.problem_of(head.video_id, head.category_id)
        if head.id in seen:
            problem = "an annotation before it has the same id"
        seen.add(head.id)
        if problem:
            problems[f"annotation {head.id}"] = problem
        else:
            annotations.append((head, raw))
    if not annotations:
        if problems:
            raise file.error(*next(iter(problems.items())))
        raise BadInputError(file.path, "holds no annotations")
    videos: list[Video] = []
    for video_id, group in groupby(annotations, lambda annotation: annotation[0].video_id):
        # What is wrong with the file as a whole is told with its first video.
        videos.append(YoutubeVisVideo(file, file.videos[video_id], list(group), problems if not videos else {}))
    return videos


class YoutubeVisVideo(AnnotatedVideo):
    """Annotations of one video, as their heads and all they hold. See `datagen.tracks.Video`."""

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        problems: dict[str, str] = {}
        segmentations: list[tuple[int, int, int, msgspec.Raw]] = []
        objects: list[tuple[int, int, int]] = []
        for head, raw in self.annotations:
            try:
                each_frame = _body_decoder.decode(raw).segmentations
            except msgspec.MsgspecError as error:
                problems[f"annotation {head.id}"] = str(error)
                continue
            count = self.entry.num_frames
            if count is not None and len(each_frame) != count:
                problems[f"annotation {head.id}"] = f"has {len(each_frame)} segmentations, its video {count} frames"
                continue
            objects.append((head.id, head.category_id, len(each_frame)))
            segmentations += [
                (frame, head.id, head.category_id, segmentation)
                for frame, segmentation in enumerate(each_frame)
                if segmentation != NULL
            ]
        return self.make_tracks(segmentations, objects, problems, sampling, skip_bad)
