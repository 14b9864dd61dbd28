"""SA-V (Ravi et al., SAM 2, 2024) as its training set is handed out: one JSON file per video.

``masklet[frame][object]`` is a mask in COCO's run lengths, for every annotated frame: each fourth of 24 a second. They
are numbered one by one here. ``VIDEO_manual.json`` holds what people drew or edited, ``VIDEO_auto.json`` what a model
made alone, which is read on request only: it moves more smoothly than objects do.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import msgspec

from datagen.errors import BadInputError, DatagenError, DatagenWarning, counted, quote
from datagen.masks import is_frame_size
from datagen.readers.archives import files_below
from datagen.readers.json_file import ASK_FOR_AUTOMATIC, Int64, JsonFile, make_tracks, read_json_file
from datagen.readers.reader import AnnotatedSet, Reader, Source
from datagen.tracks import NO_CATEGORIES, Sampling, Tracks, Video, printable_name

__all__ = ["READER", "SA_V", "SavVideo"]

SA_V = "sa-v"

_MANUAL, _AUTOMATIC = "_manual.json", "_auto.json"
_RATE = 6.0


class _Kind(msgspec.Struct):
    masklet_type: list[str] | None = None


class _File(msgspec.Struct):
    masklet: list[list[msgspec.Raw]]
    video_height: Int64
    video_width: Int64
    masklet_id: list[Int64] | None = None
    video_duration: float | None = None
    video_frame_count: float | None = None

    @property
    def says_its_rate(self) -> bool:
        """Whether the file says how many frames its video has in how many seconds."""
        count, duration = self.video_frame_count or 0.0, self.video_duration or 0.0
        return bool(self.masklet) and duration > 0 and count >= len(self.masklet)

    @property
    def frames_per_second(self) -> float:
        """Rate of the annotated frames; that of the set where the file does not say, or says it but for rounding."""
        if not self.says_its_rate:
            return _RATE
        assert self.video_frame_count
        assert self.video_duration
        count = self.video_frame_count
        rate = count / self.video_duration / math.ceil(count / len(self.masklet))
        return _RATE if abs(rate - _RATE) < 0.1 else rate


@dataclass(frozen=True)
class SavVideo:
    """A video in one file. See `datagen.tracks.Video`."""

    name: str
    path: Path
    source: str = SA_V

    def read(self, sampling: Sampling | None = None, skip_bad: bool = False) -> Tracks:
        """Read the masks; see `datagen.tracks.Video.read`."""
        try:
            return self._read(read_json_file(self.path), sampling, skip_bad)
        except BadInputError as error:
            if not skip_bad:
                raise
            return Tracks.left_out_whole(self, error.problem)  # one file of thousands

    def _read(self, json: JsonFile, sampling: Sampling | None, skip_bad: bool) -> Tracks:
        file = json.decode(_File, "SA-V")
        if not is_frame_size(file.video_height, file.video_width):
            problem = f"no video has {file.video_height} x {file.video_width} pixels (video_height x video_width)"
            raise BadInputError(self.path, problem)
        ids = file.masklet_id
        if ids is None:
            ids = list(range(len(file.masklet[0]) if file.masklet else 0))
        if len(set(ids)) < len(ids):
            raise BadInputError(self.path, "lists an object twice in masklet_id")
        problems = {
            f"frame {frame}": f"it has {counted(len(masks), 'mask')}, the video {counted(len(ids), 'object')}"
            for frame, masks in enumerate(file.masklet)
            if len(masks) != len(ids)
        }
        return make_tracks(
            self,
            json.sha256,
            (file.video_height, file.video_width),
            [
                (frame, number, 1, mask)
                for frame, masks in enumerate(file.masklet)
                if len(masks) == len(ids)
                for number, mask in zip(ids, masks, strict=True)
            ],
            [(number, 1, len(file.masklet)) for number in ids],
            NO_CATEGORIES,
            problems=problems,
            sampling=sampling,
            skip_bad=skip_bad,
            frames_per_second=file.frames_per_second,
            rate_from="file" if file.says_its_rate else "set",
        )


def _find(source: Source) -> list[Video] | None:
    if source.is_folder:
        return _find_in_folder(source)
    json = source.json_file
    if json is None or "masklet" not in json.parts:
        return None
    kinds = json.decode(_Kind, "SA-V").masklet_type
    automatic = set(kinds) == {"auto"} if kinds else json.path.name.endswith(_AUTOMATIC)
    if automatic and not source.automatic:
        raise BadInputError(json.path, f"holds masks that a machine made; {ASK_FOR_AUTOMATIC}")
    return [_video(json.path)]


def _find_in_folder(source: Source) -> list[Video] | None:
    # Files are recognised by their names: to open fifty thousand of them takes as long as to read them.
    files = files_below(source.path, _MANUAL, _AUTOMATIC)
    manual = [path for path in files if path.name.endswith(_MANUAL)]
    if len(manual) < len(files) and not source.automatic:
        what = f"{len(files) - len(manual)} files of masks that a machine made (*{_AUTOMATIC})"
        left = f"{what} are not read; {ASK_FOR_AUTOMATIC}"
        if not manual:
            raise DatagenError(f"{quote(source.path)}: {left}")
        warnings.warn(f"{quote(source.path)}: {left}", DatagenWarning, stacklevel=2)
        files = manual
    return [_video(path) for path in files] or None


def _video(path: Path) -> Video:
    """Return the video of a file; that of masks that a machine made has a name of its own."""
    return SavVideo(printable_name(path.name.removesuffix(_MANUAL).removesuffix(".json")), path)


READER = Reader(
    name="sa-v",
    title="SA-V, training set: VIDEO_manual.json, one file or a folder of them",
    sets=(
        AnnotatedSet(
            id=SA_V,
            name="SA-V",
            url="https://ai.meta.com/datasets/segment-anything-video/",
            licence="CC BY 4.0",
            citation="N. Ravi et al.: SAM 2: Segment Anything in Images and Videos. ICLR 2025.",
            frames_per_second=_RATE,
            how_to_get=(
                "Open https://ai.meta.com/datasets/segment-anything-video-downloads/, accept the terms, and unpack the "
                "archives of the training set (sav_train) or of sav_val and sav_test; the videos are not needed."
            ),
        ),
    ),
    find=_find,
)
