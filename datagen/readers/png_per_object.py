"""A PNG for each object and frame, ``VIDEO/OBJECT/00000.png``: SA-V's val and test, and SAM 2's output by object.

What is not 0 is the object. Objects may overlap, and one that is not seen has an empty picture or none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.errors import BadInputError
from datagen.masks import Masks
from datagen.readers.archives import parts_of
from datagen.readers.label_maps import LARGEST_FRAME, LabelMaps, Reading, label_maps_in, number_of, step_of
from datagen.readers.png_objects import are_label_maps, read_indices, videos_are_objects
from datagen.readers.reader import Reader, Source
from datagen.readers.sa_v import SA_V
from datagen.tracks import NO_CATEGORIES, Sampling, Tracks, Video, printable_name

__all__ = ["READER", "PngPerObject"]

_SA_V_FOLDER = "Annotations_6fps"


@dataclass(frozen=True)
class PngPerObject(LabelMaps):
    """A video. See `datagen.tracks.Video`.

    Attributes
    ----------
    folders : list of Path
        Those of its objects.
    """

    source: str
    name: str
    path: Path
    folders: list[Path]

    may_lack_frames = True  # in which the object is not seen

    def decode(self, data: bytes, path: Path, sampling: Sampling | None) -> tuple[NDArray[Any], int, int]:
        """See `LabelMaps.decode`."""
        pixels, height, width = read_indices(data, path, sampling)
        values = np.unique(pixels[pixels > 0])
        if len(values) > 1:
            problem = f"holds {values[0]} and {values[1]}; a picture of one object has one value beside 0"
            raise BadInputError(path, problem)
        return pixels > 0, height, width

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        reading = Reading(self, sampling, skip_bad)
        files = {int(folder.name): label_maps_in(folder) for folder in self.folders}
        numbers = sorted({number_of(path) for paths in files.values() for path in paths} - {LARGEST_FRAME})
        parts: list[tuple[NDArray[np.int64], Masks]] = []
        object_id: list[NDArray[np.int64]] = []
        for number, paths in files.items():
            frame, masks, _ = reading.read_maps(paths, step_of(numbers))
            if len(frame):
                parts.append((reading.count(numbers, frame), masks))
                object_id.append(np.full(len(frame), number, dtype=np.int64))
        reading.warn_of_sizes()
        if not parts:
            tracks = Tracks.left_out_whole(self, "no object is seen")
            tracks.left_out[:] = reading.left_out  # it is no fault
            tracks.inputs.update(reading.inputs)
            return tracks
        frame = np.concatenate([part[0] for part in parts])
        order = np.argsort(frame, kind="stable")
        return Tracks(
            source=self.source,
            video=self.name,
            frame=frame[order],
            object_id=np.concatenate(object_id)[order],
            category_id=np.ones(len(frame), dtype=np.int64),
            masks=Masks.concatenate([part[1] for part in parts]).select(order),
            category_names=NO_CATEGORIES,
            inputs=reading.inputs,
            left_out=reading.left_out,
            frames_per_second=6 if self.source == SA_V else None,
        )


def _find(source: Source) -> list[Video] | None:
    if not source.is_folder:
        return None
    of_video: dict[Path, list[Path]] = {}
    for folder in source.folders:
        if folder.label_maps and videos_are_objects(source.folders, folder) and are_label_maps(source.folders, folder):
            of_video.setdefault(folder.path.parent, []).append(folder.path)
    found: list[Video] = []
    for path, folders in of_video.items():
        *above, name = parts_of(path)
        sources = [part for part in above if not part.startswith("Annotations")]
        own = SA_V if above[-1] == _SA_V_FOLDER else printable_name(sources[-1])
        found.append(PngPerObject(own, printable_name(name), path, sorted(folders)))
    return found or None


READER = Reader(
    name="png-per-object",
    title="A binary PNG for each object and frame: SA-V val and test, results of SAM 2 by object",
    sets=(),  # that of SA-V is recognised by the reader of its JSON
    find=_find,
)
