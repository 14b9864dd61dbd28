"""Results of video instance segmentation, as they are sent to the servers of YouTube-VIS, OVIS and others.

A file is a list; each entry is a track of a model: ``video_id``, ``score``, ``category_id``, and ``segmentations`` with
an entry for every frame of its video. An object is the place of its entry in the list.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from datagen.masks import is_frame_size
from datagen.readers.json_file import Int64, bad_annotation, make_tracks
from datagen.readers.reader import Reader, Source
from datagen.readers.segmentations import JSON_ERRORS
from datagen.tracks import Sampling, Tracks, Video, printable_name

__all__ = ["READER", "ResultsVideo"]


class _Entry(msgspec.Struct):
    video_id: Int64
    category_id: Int64
    segmentations: list[msgspec.Raw]


class _Size(msgspec.Struct):
    size: tuple[int, int]


_decoder = msgspec.json.Decoder(_Entry, strict=False)
_size_decoder = msgspec.json.Decoder(_Size)


@dataclass(frozen=True)
class ResultsVideo:
    """Entries of one video. See `datagen.tracks.Video`.

    Attributes
    ----------
    sha256 : str
        Of the file.
    size : tuple of int
        Height and width of its frames, as its first mask has them.
    entries : dict
        Its entries by their places in the list.
    problems : dict of str to str
        What is wrong, by where, in entries of the file that are of no video.
    """

    source: str
    name: str
    path: Path
    sha256: str
    size: tuple[int, int]
    entries: dict[int, _Entry] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        return make_tracks(
            self,
            self.sha256,
            self.size,
            [
                (frame, place, entry.category_id, segmentation)
                for place, entry in self.entries.items()
                for frame, segmentation in enumerate(entry.segmentations)
            ],
            [(place, entry.category_id, len(entry.segmentations)) for place, entry in self.entries.items()],
            {entry.category_id: str(entry.category_id) for entry in self.entries.values()},
            track_name="entry",
            problems=self.problems,
            sampling=sampling,
            skip_bad=skip_bad,
            frames_per_second=None,
        )


def _find(source: Source) -> list[Video] | None:
    json = source.json_file
    if json is None or not json.items or not _is_result(json.items[0]):
        return None
    problems: dict[str, str] = {}
    videos: dict[int, ResultsVideo] = {}
    for place, raw in enumerate(json.items):
        try:
            entry = _decoder.decode(raw)
        except JSON_ERRORS as error:
            problems[f"entry {place}"] = str(error)
            continue
        size = _size_of(entry)
        if entry.video_id not in videos:
            if size is None or not is_frame_size(*size):
                problems[f"entry {place}"] = (
                    f"no frame has {size[0]} x {size[1]} pixels"
                    if size
                    else "none of its segmentations is of run lengths with a size, which a list of results does not say"
                )
                continue
            name = str(entry.video_id)
            stem = printable_name(json.path.stem)
            videos[entry.video_id] = ResultsVideo(stem, name, json.path, json.sha256, size)
        others = videos[entry.video_id].entries
        frames = next((len(other.segmentations) for other in others.values()), len(entry.segmentations))
        if len(entry.segmentations) != frames:
            problems[f"entry {place}"] = (
                f"it has {len(entry.segmentations)} segmentations, one before it of video {entry.video_id} {frames}"
            )
            continue
        others[place] = entry
    if not videos:
        raise bad_annotation(json.path, *next(iter(problems.items())))
    found = list(videos.values())
    # What is wrong with the file as a whole is reported with its first video.
    return [replace(found[0], problems=problems), *found[1:]]


def _is_result(entry: msgspec.Raw) -> bool:
    try:
        return {"video_id", "segmentations"} <= msgspec.json.decode(entry, type=dict[str, msgspec.Raw]).keys()
    except JSON_ERRORS:
        return False


def _size_of(entry: _Entry) -> tuple[int, int] | None:
    for segmentation in entry.segmentations:
        try:
            return _size_decoder.decode(segmentation).size
        except JSON_ERRORS:
            continue
    return None


READER = Reader("results", "Results of YouTube-VIS and OVIS: a JSON list with one entry per track", (), _find)
