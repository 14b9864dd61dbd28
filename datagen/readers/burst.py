"""BURST (Athar et al., WACV 2023): one JSON file of ``sequences``, masks of the videos of TAO.

``segmentations`` of a sequence has an entry for every annotated frame, by track; they are numbered one by one here. In
the training set, a model made most of the masks (``is_gt`` false), which are read on request only.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec

from datagen.errors import BadInputError, DatagenWarning
from datagen.masks import is_frame_size
from datagen.readers.json_file import ASK_FOR_AUTOMATIC, Int64, bad_annotation, make_tracks
from datagen.readers.reader import AnnotatedSet, Reader, Source
from datagen.readers.segmentations import JSON_ERRORS
from datagen.tracks import Sampling, Tracks, Video

__all__ = ["READER", "BurstVideo"]

BURST = "burst"

_AUTOMATIC = re.compile(rb'"is_gt"\s*:\s*false')

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class _Sequence(msgspec.Struct):
    width: Int64
    height: Int64
    seq_name: _Name
    segmentations: msgspec.Raw
    dataset: str = ""
    fps: float | None = None
    annotated_image_paths: list[str] | None = None
    all_image_paths: list[str] | None = None
    track_category_ids: dict[Int64, Int64] = {}

    @property
    def name(self) -> str:
        """Its name among those of all data sets it is from."""
        return f"{self.dataset}/{self.seq_name}" if self.dataset else self.seq_name


class _Category(msgspec.Struct):
    id: Int64
    name: _Name


class _File(msgspec.Struct):
    sequences: list[msgspec.Raw]
    categories: list[_Category] = []


class _Mask(msgspec.Struct):
    rle: msgspec.Raw
    is_gt: bool = True


_sequence_decoder = msgspec.json.Decoder(_Sequence, strict=False)
_masks_decoder = msgspec.json.Decoder(list[dict[Int64, msgspec.Raw]], strict=False)
_mask_decoder = msgspec.json.Decoder(_Mask)


@dataclass(frozen=True)
class BurstVideo:
    """A sequence. See `datagen.tracks.Video`.

    Attributes
    ----------
    sha256 : str
        Of the file.
    sequence
        What the file says of it.
    category_names : dict of int to str
        Of the file.
    problems : dict of str to str
        What is wrong, by where, in sequences of the file that cannot be read.
    automatic : bool
        Whether masks that a machine made are read too.
    """

    path: Path
    sha256: str
    sequence: _Sequence
    category_names: dict[int, str]
    problems: dict[str, str]
    automatic: bool
    source: str = BURST

    @property
    def name(self) -> str:
        """See `datagen.tracks.Video`."""
        return self.sequence.name

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        problems = dict(self.problems)
        where = f"sequence {self.name}"
        size = self.sequence.height, self.sequence.width
        frames: Sequence[dict[int, msgspec.Raw]] = []
        try:
            frames = _masks_decoder.decode(self.sequence.segmentations)
        except JSON_ERRORS as error:
            problems[where] = f"its segmentations are no list of masks by track ({error})"
        paths = self.sequence.annotated_image_paths
        if frames and paths is not None and len(paths) != len(frames):
            problems[where] = f"it has {len(frames)} segmentations, but {len(paths)} annotated_image_paths"
            frames = []
        if not is_frame_size(*size):
            problems[where] = f"no frame has {size[0]} x {size[1]} pixels"
            frames, size = [], (1, 1)
        rows = []
        for frame, masks in enumerate(frames):
            for track, raw in masks.items():
                try:
                    mask = _mask_decoder.decode(raw)
                    category = self.sequence.track_category_ids.get(track)
                    if category is None:
                        problem = "track_category_ids does not have its category"
                    elif category not in self.category_names:
                        problem = f"category {category} has no name in the file"
                    elif not mask.is_gt and not self.automatic:
                        continue
                    else:
                        rle = b'{"size": [%d, %d], "counts": %b}' % (*size, bytes(mask.rle))
                        rows.append((frame, track, category, msgspec.Raw(rle)))
                        continue
                except JSON_ERRORS as error:
                    problem = str(error)
                problems[f"{where}, track {track}, frame {frame}"] = problem
        return make_tracks(
            self,
            self.sha256,
            size,
            rows,
            [
                (track, category, len(frames))
                for track, category in self.sequence.track_category_ids.items()
                if category in self.category_names
            ],
            self.category_names,
            track_name=f"{where}, track",
            problems=problems,
            sampling=sampling,
            skip_bad=skip_bad,
            frames_per_second=self._frames_per_second(),
            rate_from="file",
        )

    def _frames_per_second(self) -> float | None:
        """Return the rate of the annotated frames, where it is known.

        It is not documented whether ``fps`` counts these or all; no set has an annotated frame in more than two
        seconds.
        """
        rate, all_paths, paths = self.sequence.fps, self.sequence.all_image_paths, self.sequence.annotated_image_paths
        if not rate or rate < 0 or not all_paths or not paths or len(paths) < 2:
            return None
        places = {path: place for place, path in enumerate(all_paths)}
        if paths[0] not in places or paths[-1] not in places or places[paths[0]] >= places[paths[-1]]:
            return None
        step = (places[paths[-1]] - places[paths[0]]) / (len(paths) - 1)
        return rate / step if rate / step >= 0.5 else rate


def _find(source: Source) -> list[Video] | None:
    json = source.json_file
    if json is None or "sequences" not in json.parts or "videos" in json.parts:
        return None
    file = json.decode(_File, "BURST")
    names = {category.id: category.name for category in file.categories}
    problems: dict[str, str] = {}
    videos: dict[str, BurstVideo] = {}
    for number, raw in enumerate(file.sequences):
        try:
            sequence = _sequence_decoder.decode(raw)
        except JSON_ERRORS as error:
            problems[f"sequences[{number}]"] = str(error)
            continue
        if sequence.name in videos:
            problems[f"sequences[{number}]"] = f"a sequence before it is {sequence.name} too"
            continue
        videos[sequence.name] = BurstVideo(json.path, json.sha256, sequence, names, {}, source.automatic)
    if not videos:
        if problems:
            raise bad_annotation(json.path, *next(iter(problems.items())))
        raise BadInputError(json.path, "holds no sequences")
    if not source.automatic and _AUTOMATIC.search(json.data):
        warnings.warn(
            f"{json.path}: masks that a machine made (`is_gt` false) are not read; {ASK_FOR_AUTOMATIC}",
            DatagenWarning,
            stacklevel=2,
        )
    found = list(videos.values())
    # What is wrong with the file as a whole is reported with its first video.
    return [replace(found[0], problems=problems), *found[1:]]


READER = Reader(
    name="burst",
    title="BURST: JSON with sequences, as all_classes.json",
    sets=(
        AnnotatedSet(
            id=BURST,
            name="BURST",
            url="https://github.com/Ali2500/BURST-benchmark",
            licence="that of the repository, and of the videos' own sets",
            citation=(
                "A. Athar, J. Luiten, P. Voigtlaender, T. Khurana, A. Dave, B. Leibe, D. Ramanan: BURST: A Benchmark "
                "for Unifying Object Recognition, Segmentation and Tracking in Video. WACV 2023."
            ),
            frames_per_second=None,  # 1 in validation and test; denser in training
            how_to_get=(
                "Follow https://github.com/Ali2500/BURST-benchmark to the annotations, and take all_classes.json; the "
                "images are not needed."
            ),
        ),
    ),
    find=_find,
)
