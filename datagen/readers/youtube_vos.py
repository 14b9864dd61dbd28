"""YouTube-VOS (Xu et al., 2018): ``meta.json`` beside ``Annotations/VIDEO/FRAME.png``, palette PNGs, value = object.

``meta.json`` says of every object of a video its category and the frames in which it is annotated; it may come and go.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError, quote
from datagen.readers.archives import is_file, read_bytes
from datagen.readers.label_maps import LabelMaps, label_maps_in
from datagen.readers.png_objects import VOID, read_indices
from datagen.readers.reader import AnnotatedSet, Reader, Source
from datagen.readers.segmentations import JSON_ERRORS
from datagen.tracks import Sampling, Tracks, Video, printable_name

__all__ = ["READER", "YoutubeVosVideo"]

_YOUTUBE_VOS = "youtube-vos"
_META = "meta.json"


class _Object(msgspec.Struct):
    category: str
    frames: list[str] = []


class _Video(msgspec.Struct):
    objects: dict[str, _Object]


class _Meta(msgspec.Struct):
    videos: dict[str, _Video]


@dataclass(frozen=True)
class YoutubeVosVideo(LabelMaps):
    """A video. See `datagen.tracks.Video`.

    Attributes
    ----------
    objects : dict of int to tuple of int and list of str
        Category and frames of every object.
    category_names : dict of int to str
        The categories of the set.
    """

    source: str
    name: str
    path: Path
    objects: dict[int, tuple[int, list[str]]]
    category_names: dict[int, str]

    frames_per_second = 6
    may_lack_frames = True  # in which no object is listed

    def decode(self, data: bytes, path: Path, sampling: Sampling | None) -> tuple[NDArray[Any], int, int]:
        """See `LabelMaps.decode`."""
        labels, height, width = read_indices(data, path, sampling)
        unknown = np.setdiff1d(labels, [0, *VOID, *self.objects])
        if len(unknown):
            raise BadInputError(path, f"holds object {unknown[0]}, which {_META} does not list for this video")
        return labels, height, width

    def objects_of(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `LabelMaps.objects_of`."""
        category_id = np.array([self.objects.get(each, (0,))[0] for each in labels.tolist()], dtype=np.int64)
        return np.where(np.isin(labels, list(self.objects)), labels, 0), category_id

    def names_of(self, category_id: NDArray[np.int64]) -> dict[int, str]:
        """See `LabelMaps.names_of`."""
        del category_id
        return self.category_names

    def listed_objects(self, frames: int) -> NDArray[np.int64]:
        """See `LabelMaps.listed_objects`."""
        rows = [(number, category, frames) for number, (category, _) in self.objects.items()]
        return np.array(rows, dtype=np.int64).reshape(-1, 3)

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        tracks = super().read(sampling, skip_bad)
        there = {path.stem for path in label_maps_in(self.path)}
        for number, (_, frames) in self.objects.items():
            for frame in frames:
                if frame not in there:
                    problem = (
                        f"there is no label map of it, though {_META} lists it for object {number} "
                        "(other splits than train have first frames only)"
                    )
                    error = BadInputError(self.path, problem, f"frame {quote(frame, 40)}")
                    if not skip_bad:
                        raise error
                    tracks.left_out.append(str(BadInputError(self.label_of(self.path), problem, error.where)))
                    there.add(frame)
        return tracks


def _find(source: Source) -> list[Video] | None:
    if not source.is_folder:
        return None
    found: list[Video] = []
    for folder in source.folders:
        if folder.path.name == "Annotations":
            meta = folder.path.parent / _META
        elif folder.path == source.path and folder.label_maps:  # a single video
            meta = folder.path.absolute().parent.parent / _META
        else:
            continue
        if is_file(meta):
            videos = folder.folders if folder.path.name == "Annotations" else [folder.path]
            maps = {path: source.folders.at(path) for path in videos}
            found += _videos_of(meta, [path for path, inside in maps.items() if inside.label_maps])
    return found or None


def _videos_of(meta: Path, folders: list[Path]) -> list[Video]:
    """Return the videos of a set, from its list of objects."""
    try:
        listed = msgspec.json.decode(read_bytes(meta), type=_Meta).videos
    except JSON_ERRORS as error:
        raise BadInputError(meta, f"is damaged or no list of objects of YouTube-VOS ({error})") from None
    categories = sorted({each.category for video in listed.values() for each in video.objects.values()})
    numbers = {name: number for number, name in enumerate(categories, start=1)}
    names = {number: name for name, number in numbers.items()}
    found: list[Video] = []
    for path in folders:
        name = path.absolute().name
        if name not in listed:
            raise BadInputError(meta, f"lists no video {quote(name)}, though {path} holds label maps of it")
        objects: dict[int, tuple[int, list[str]]] = {}
        for number, each in listed[name].objects.items():
            if not (number.isdecimal() and number.isascii() and 0 < int(number[:9]) < 254):
                raise BadInputError(
                    meta, f"has an object {quote(number, 40)}; objects are 1 to 253", f"video {quote(name)}"
                )
            objects[int(number)] = (numbers[each.category], each.frames)
        found.append(YoutubeVosVideo(_YOUTUBE_VOS, printable_name(name), path, objects, names))
    return found


READER = Reader(
    name="youtube-vos",
    title="YouTube-VOS: meta.json beside palette PNGs in Annotations/",
    sets=(
        AnnotatedSet(
            id=_YOUTUBE_VOS,
            name="YouTube-VOS",
            url="https://youtube-vos.org/dataset/vos/",
            licence="CC BY 4.0",
            citation=(
                "N. Xu, L. Yang, Y. Fan, J. Yang, D. Yue, Y. Liang, B. Price, S. Cohen, T. Huang: "
                "YouTube-VOS: Sequence-to-Sequence Video Object Segmentation. ECCV 2018."
            ),
            frames_per_second=6,
            how_to_get=(
                "Register at https://youtube-vos.org/dataset/vos/, accept the terms, take train.zip and give the "
                "folder that holds meta.json and Annotations/."
            ),
        ),
    ),
    find=_find,
)
